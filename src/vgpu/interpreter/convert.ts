/** cvt between all pairs of types: the source read as a value, the function of `vgpu/math`, the result stored. */
import * as math from '../math/index.ts';
import { type Convert, isFloat, isSigned, type PtxFunction, type PtxType, TYPE_BYTES } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import type { Step } from './lane-loops.ts';
import type { Ref, RegisterFile } from './registers.ts';

function at(ref: Ref, base: number): number {
  return ref.slot + (base & ref.mask);
}

type Value = number | bigint;
type Read = (base: number, lane: number) => Value;
type Write = (base: number, lane: number, value: Value) => void;

export function convertStep(asm: Assembler, fn: PtxFunction, i: Convert): Step {
  const { file } = asm;
  const src = asm.value(fn, i.src[0]!, i.from, i);
  const dst = asm.destination(fn, i.dst[0], i.to, i);
  checkWidth(asm, i, src, i.from);
  checkWidth(asm, i, dst, i.to);
  if (i.to === 'e4m3x2' || i.to === 'e5m2x2') return toPairStep(asm, fn, i, dst, i.to === 'e4m3x2' ? 'e4m3' : 'e5m2');
  if (i.from === 'e4m3x2' || i.from === 'e5m2x2') {
    return fromPairStep(asm, fn, i, dst, i.from === 'e4m3x2' ? 'e4m3' : 'e5m2');
  }
  if (i.src.length === 2) return packStep(asm, fn, i, dst);
  if (i.from === 's32' && i.to === 's64' && !i.sat) return extend(file, dst, src, true);
  if (i.from === 'u32' && (i.to === 'u64' || i.to === 's64') && !i.sat) return extend(file, dst, src, false);
  const read = reader(file, i.from, src, i.ftz);
  const write = writer(file, i.to, dst);
  const convert = conversion(asm, i);
  return (warp, mask) => {
    const { base } = warp;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) write(base, l, convert(read(base, l)));
  };
}

function checkWidth(asm: Assembler, i: Convert, ref: Ref, type: PtxType): void {
  const needed = TYPE_BYTES[type] === 8 ? 2 : 1;
  if (ref.words < needed) throw asm.error(i, `${type} does not fit in its register`);
}

/** s32 or u32 to 64 bits: what every array index goes through. */
function extend(file: RegisterFile, dst: Ref, src: Ref, signed: boolean): Step {
  return (warp, mask) => {
    const r = file.i32;
    const d = at(dst, warp.base);
    const x = at(src, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const value = r[x + l * src.words]!;
      r[d + 2 * l] = value;
      r[d + 2 * l + 1] = signed ? value >> 31 : 0;
    }
  };
}

/** `cvt.rn.f16x2.f32 d, a, b`: a in the upper half, b in the lower. */
function packStep(asm: Assembler, fn: PtxFunction, i: Convert, dst: Ref): Step {
  const { file } = asm;
  const a = asm.source(fn, i.src[0]!, 'f32', i);
  const b = asm.source(fn, i.src[1]!, 'f32', i);
  const rounding = i.rounding as math.Rounding;
  const encode = i.to === 'f16x2' ? math.toF16({ rounding, relu: i.relu }) : math.toBf16({ rounding, relu: i.relu });
  return (warp, mask) => {
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const high = encode(file.f32[at(a, warp.base) + l]!);
      const low = encode(file.f32[at(b, warp.base) + l]!);
      file.i32[at(dst, warp.base) + l] = math.pack16(low, high);
    }
  };
}

/** Two f32, or the halves of an f16x2, to a pair of 8-bit floats: the first (upper) in the high byte. */
function toPairStep(asm: Assembler, fn: PtxFunction, i: Convert, dst: Ref, format: 'e4m3' | 'e5m2'): Step {
  const { file } = asm;
  const encode = math.toFloat8(format, i.relu);
  const [a, b] = i.src.map((operand) => asm.source(fn, operand, i.from, i));
  return (warp, mask) => {
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const first = at(a!, warp.base) + l;
      const high = b === undefined ? math.f16ToNumber(file.i32[first]! >>> 16) : file.f32[first]!;
      const low = b === undefined ? math.f16ToNumber(file.i32[first]! & 0xffff) : file.f32[at(b, warp.base) + l]!;
      file.i32[at(dst, warp.base) + l * dst.words] = (encode(high) << 8) | encode(low);
    }
  };
}

/** A pair of 8-bit floats to f16x2, exactly. */
function fromPairStep(asm: Assembler, fn: PtxFunction, i: Convert, dst: Ref, format: 'e4m3' | 'e5m2'): Step {
  const { file } = asm;
  const decode = math.fromFloat8(format);
  const encode = math.toF16({ relu: i.relu });
  const a = asm.source(fn, i.src[0]!, i.from, i);
  return (warp, mask) => {
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const pair = file.i32[at(a, warp.base) + l]!;
      const [low, high] = [encode(decode(pair & 0xff)), encode(decode((pair >>> 8) & 0xff))];
      file.i32[at(dst, warp.base) + l] = math.pack16(low, high);
    }
  };
}

function reader(file: RegisterFile, type: PtxType, ref: Ref, ftz: boolean): Read {
  const word = (base: number, lane: number): number => file.i32[at(ref, base) + lane * ref.words]!;
  switch (type) {
    case 'f32':
      return ftz
        ? (base, lane) => math.flush32(file.f32[at(ref, base) + lane * ref.words]!)
        : (base, lane) => file.f32[at(ref, base) + lane * ref.words]!;
    case 'f64':
      return (base, lane) => file.f64[(at(ref, base) >>> 1) + lane]!;
    case 'f16':
      return (base, lane) => math.f16ToNumber(word(base, lane) & 0xffff);
    case 'bf16':
      return (base, lane) => math.bf16ToNumber(word(base, lane) & 0xffff);
    case 'u64':
      return (base, lane) => BigInt.asUintN(64, file.i64[(at(ref, base) >>> 1) + lane]!);
    case 's64':
      return (base, lane) => file.i64[(at(ref, base) >>> 1) + lane]!;
    case 'u32':
      return (base, lane) => word(base, lane) >>> 0;
    case 's32':
      return word;
    case 'u16':
      return (base, lane) => word(base, lane) & 0xffff;
    case 's16':
      return (base, lane) => (word(base, lane) << 16) >> 16;
    case 's8':
      return (base, lane) => (word(base, lane) << 24) >> 24;
    default:
      return (base, lane) => word(base, lane) & 0xff;
  }
}

function writer(file: RegisterFile, type: PtxType, ref: Ref): Write {
  switch (type) {
    case 'f32':
    case 'tf32':
      return (base, lane, value) => {
        file.f32[at(ref, base) + lane * ref.words] = value as number;
      };
    case 'f64':
      return (base, lane, value) => {
        file.f64[(at(ref, base) >>> 1) + lane] = value as number;
      };
    case 'u64':
    case 's64':
      return (base, lane, value) => {
        file.i64[(at(ref, base) >>> 1) + lane] = value as bigint;
      };
    default: {
      // Integers extend to the register by their sign; 16-bit registers keep the low half, zero-extended.
      const signed = isSigned(type);
      const narrow = TYPE_BYTES[type] === 2;
      return (base, lane, value) => {
        const word = (value as number) | 0;
        const slot = at(ref, base) + lane * ref.words;
        file.i32[slot] = narrow && !signed ? word & 0xffff : word;
        if (ref.words === 2) file.i32[slot + 1] = signed ? word >> 31 : 0;
      };
    }
  }
}

function conversion(asm: Assembler, i: Convert): (value: Value) => Value {
  const { from, to, rounding, sat } = i;
  const mode = (rounding ?? 'rn') as math.Rounding;
  const flush = (f: (x: number) => number): ((x: number) => number) =>
    i.ftz && to === 'f32' ? (x) => math.flush32(f(x)) : f;
  const clamp = (f: (x: number) => number): ((x: number) => number) => (sat ? (x) => math.saturate(f(x)) : f);
  const finish = (f: (x: number) => number): ((value: Value) => Value) => {
    const g = clamp(flush(f));
    return (value) => g(value as number);
  };
  if (!isFloat(from) && !isFloat(to)) {
    const integer = to as math.IntegerType;
    // A 16-bit register holds its value zero-extended, but s8 results sign-extend within it.
    return (value) => math.convertInteger(value, integer, sat);
  }
  if (!isFloat(from)) {
    const wide = TYPE_BYTES[from] === 8;
    switch (to) {
      case 'f32':
        if (wide) return finish((x) => math.bigintToF32(x as unknown as bigint, mode));
        return finish((x) => math.integerToF32(x, mode));
      case 'f64':
        if (wide) return finish((x) => math.bigintToF64(x as unknown as bigint, mode));
        return (value) => value;
      case 'f16':
      case 'bf16': {
        const encode = to === 'f16' ? math.toF16({ rounding: mode, sat }) : math.toBf16({ rounding: mode, sat });
        return (value) => encode(wide ? math.bigintToOdd(value as bigint) : (value as number));
      }
      default:
        throw asm.error(i, `cvt from ${from} to ${to} is not supported`);
    }
  }
  if (!isFloat(to)) {
    const integral = rounding as math.IntegerRounding;
    if (to === 'u64' || to === 's64') return (value) => math.floatToInteger64(value as number, to, integral);
    return (value) => math.floatToInteger(value as number, to as 's32', integral, from === 'f64');
  }
  if (rounding?.endsWith('i') === true) {
    const integral = rounding as math.IntegerRounding;
    const rounded = (x: number): number => math.roundToIntegral(x, integral);
    if (to === 'f16' || to === 'bf16') {
      const encode = to === 'f16' ? math.toF16({ sat }) : math.toBf16({ sat });
      return (value) => encode(rounded(value as number));
    }
    return finish(rounded);
  }
  switch (to) {
    case 'f64':
      return finish((x) => x);
    case 'f32':
      return finish(from === 'f64' ? (x) => math.roundToF32(x, mode) : (x) => x);
    case 'tf32':
      return (value) => math.f32ToTf32(value as number, rounding as 'rna' | 'rn' | 'rz', { relu: i.relu });
    case 'f16':
    case 'bf16': {
      const modifiers = { rounding: mode, sat, relu: i.relu };
      const encode = to === 'f16' ? math.toF16(modifiers) : math.toBf16(modifiers);
      return (value) => encode(value as number);
    }
    default:
      throw asm.error(i, `cvt from ${from} to ${to} is not supported`);
  }
}

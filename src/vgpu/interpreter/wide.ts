/**
 * 64-bit integer steps that address arithmetic is made of, on pairs of words without bigints; packed pairs of f32; and
 * the extended-precision (carry) instructions.
 */
import * as math from '../math/index.ts';
import { type Arithmetic, isSigned, type PtxFunction, TYPE_BYTES } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import type { Step } from './lane-loops.ts';
import type { Ref, RegisterFile } from './registers.ts';

function at(ref: Ref, base: number): number {
  return ref.slot + (base & ref.mask);
}

/** The step of an instruction that has a faster or special form here; undefined for all others. */
export function wideStep(asm: Assembler, fn: PtxFunction, i: Arithmetic): Step | undefined {
  const { file } = asm;
  if (i.type === 'f32x2') return packedFloats(asm, fn, i);
  const bytes = TYPE_BYTES[i.type];
  if (i.half === 'wide' && bytes === 4) {
    const a = asm.source(fn, i.src[0]!, i.type, i);
    const b = asm.source(fn, i.src[1]!, i.type, i);
    const c = i.src[2] === undefined ? undefined : asm.source(fn, i.src[2], 'u64', i);
    return multiplyWide(file, isSigned(i.type), asm.result(fn, i.dst[0], 'u64', i), a, b, c);
  }
  if (bytes !== 8 || i.type === 'f64') return undefined;
  if (i.op === 'add' || i.op === 'sub') {
    const a = asm.source(fn, i.src[0]!, i.type, i);
    const b = asm.source(fn, i.src[1]!, i.type, i);
    return addWords(file, i.op === 'sub', asm.result(fn, i.dst[0], i.type, i), a, b);
  }
  if (i.op === 'shl' || i.op === 'shr') {
    const a = asm.source(fn, i.src[0]!, i.type, i);
    const b = asm.source(fn, i.src[1]!, 'u32', i);
    return shiftWords(file, i.op, isSigned(i.type), asm.result(fn, i.dst[0], i.type, i), a, b);
  }
  return undefined;
}

function addWords(file: RegisterFile, subtract: boolean, dst: Ref, a: Ref, b: Ref): Step {
  return (warp, mask) => {
    const r = file.i32;
    let d = at(dst, warp.base);
    let x = at(a, warp.base);
    let y = at(b, warp.base);
    for (let m = mask; m !== 0; m >>>= 1, d += 2, x += 2, y += 2) {
      if ((m & 1) === 0) continue;
      const low = subtract ? (r[x]! >>> 0) - (r[y]! >>> 0) : (r[x]! >>> 0) + (r[y]! >>> 0);
      const high = subtract
        ? r[x + 1]! - r[y + 1]! - (low < 0 ? 1 : 0)
        : r[x + 1]! + r[y + 1]! + (low > 0xffff_ffff ? 1 : 0);
      r[d] = low;
      r[d + 1] = high;
    }
  };
}

function multiplyWide(file: RegisterFile, signed: boolean, dst: Ref, a: Ref, b: Ref, c: Ref | undefined): Step {
  return (warp, mask) => {
    const r = file.i32;
    let d = at(dst, warp.base);
    const x = at(a, warp.base);
    const y = at(b, warp.base);
    let z = c === undefined ? 0 : at(c, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1, d += 2, z += 2) {
      if ((m & 1) === 0) continue;
      const p = r[x + l]!;
      const q = r[y + l]!;
      const low = Math.imul(p, q);
      const high = signed ? math.mulHiS32(p, q) : math.mulHiU32(p, q);
      if (c === undefined) {
        r[d] = low;
        r[d + 1] = high;
      } else {
        const sum = (low >>> 0) + (r[z]! >>> 0);
        r[d + 1] = high + r[z + 1]! + (sum > 0xffff_ffff ? 1 : 0);
        r[d] = sum;
      }
    }
  };
}

function shiftWords(file: RegisterFile, op: 'shl' | 'shr', signed: boolean, dst: Ref, a: Ref, b: Ref): Step {
  return (warp, mask) => {
    const r = file.i32;
    let d = at(dst, warp.base);
    let x = at(a, warp.base);
    const y = at(b, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1, d += 2, x += 2) {
      if ((m & 1) === 0) continue;
      const amount = r[y + l]! >>> 0;
      r[d] = op === 'shl' ? math.shlWords(r[x]!, r[x + 1]!, amount) : math.shrWords(r[x]!, r[x + 1]!, amount, signed);
      r[d + 1] = math.highResult();
    }
  };
}

function packedFloats(asm: Assembler, fn: PtxFunction, i: Arithmetic): Step {
  const { file } = asm;
  const dst = asm.result(fn, i.dst[0], 'f32x2', i);
  const [a, b, c] = i.src.map((operand) => asm.source(fn, operand, 'f32x2', i));
  const rounding = i.rounding as math.Rounding | undefined;
  const ternary = i.op === 'fma' ? math.ternary32({ rounding, ftz: i.ftz }) : undefined;
  const binary =
    ternary === undefined ? math.binary32(i.op as 'add' | 'sub' | 'mul', { rounding, ftz: i.ftz }) : undefined;
  return (warp, mask) => {
    const r = file.f32;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      for (let k = 2 * l; k < 2 * l + 2; k++) {
        const x = r[at(a!, warp.base) + k]!;
        const y = r[at(b!, warp.base) + k]!;
        r[at(dst, warp.base) + k] = ternary === undefined ? binary!(x, y) : ternary(x, y, r[at(c!, warp.base) + k]!);
      }
    }
  };
}

/** add.cc, addc, sub.cc, subc, mad.cc, madc in 32 and 64 bits. The carry is a mask word of the warp. */
export function carryStep(asm: Assembler, fn: PtxFunction, i: Arithmetic): Step {
  const { file } = asm;
  const wide = TYPE_BYTES[i.type] === 8;
  const src = i.src.map((operand) => asm.source(fn, operand, i.type, i));
  const dst = asm.result(fn, i.dst[0], i.type, i);
  const reads = i.op.endsWith('c');
  const writes = i.carryOut;
  const signed = isSigned(i.type);
  const compute32 = (x: number, y: number, z: number, carry: number): math.Carry32 => {
    if (i.op.startsWith('sub')) return math.subBorrow32(x, y, carry);
    if (i.op.startsWith('add')) return math.addCarry32(x, y, carry);
    const product = i.half === 'hi' ? (signed ? math.mulHiS32(x, y) : math.mulHiU32(x, y)) : Math.imul(x, y);
    return math.madCarry32(product, z, carry);
  };
  const compute64 = (x: bigint, y: bigint, z: bigint, carry: number): math.Carry64 => {
    if (i.op.startsWith('sub')) return math.subBorrow64(x, y, carry);
    if (i.op.startsWith('add')) return math.addCarry64(x, y, carry);
    const product = i.half === 'hi' ? (signed ? math.mulHiS64(x, y) : math.mulHiU64(x, y)) : math.mulLo64(x, y);
    return math.addCarry64(product, z, carry);
  };
  const [a, b, c] = src;
  return (warp, mask) => {
    let carries = warp.carry;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const carryIn = reads ? (warp.carry >>> l) & 1 : 0;
      let carryOut: number;
      if (wide) {
        const read = (ref: Ref | undefined): bigint =>
          ref === undefined ? 0n : file.i64[(at(ref, warp.base) >>> 1) + l]!;
        const result = compute64(read(a), read(b), read(c), carryIn);
        file.i64[(at(dst, warp.base) >>> 1) + l] = result.value;
        carryOut = result.carry;
      } else {
        const read = (ref: Ref | undefined): number => (ref === undefined ? 0 : file.i32[at(ref, warp.base) + l]!);
        const result = compute32(read(a), read(b), read(c), carryIn);
        file.i32[at(dst, warp.base) + l] = result.value;
        carryOut = result.carry;
      }
      carries = (carries & ~(1 << l)) | (carryOut << l);
    }
    if (writes) warp.carry = carries;
  };
}

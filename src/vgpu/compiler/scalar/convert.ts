/** cvt, mov and cvta (PTX ISA 9.7.9) as WebAssembly. */
import * as math from '../../math/index.ts';
import { LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../../memory-layout.ts';
import type { Convert, Move, Operand, PtxType } from '../../ptx/ir.ts';
import { isFloat, isSigned, TYPE_BYTES } from '../../ptx/ir.ts';
import { CannotCompile } from '../cannot-compile.ts';
import { wasmType } from '../registers.ts';
import type { PlainOp } from '../wasm/opcodes.ts';
import type { ScalarContext } from './context.ts';
import { flush, saturate } from './float.ts';
import { type Directed, demoteDirected } from './helpers.ts';

const isHalfScalar = (type: PtxType): type is 'f16' | 'bf16' => type === 'f16' || type === 'bf16';

const directed = (rounding: Convert['rounding']): Directed | undefined =>
  rounding === 'rz' || rounding === 'rm' || rounding === 'rp' ? rounding : undefined;

/** Rounding to an integral value in place, by PTX name. */
const INTEGRAL: Readonly<Record<string, string>> = { rni: 'nearest', rzi: 'trunc', rmi: 'floor', rpi: 'ceil' };

export function emitConvert(context: ScalarContext, instruction: Convert): void {
  const { to, from } = instruction;
  const fromFloat = isFloat(from);
  const toFloat = isFloat(to);
  if (!fromFloat && !toFloat) integerToInteger(context, instruction);
  else if (fromFloat && !toFloat) floatToInteger(context, instruction);
  else if (!fromFloat) integerToFloat(context, instruction);
  else floatToFloat(context, instruction);
}

function unsupported(instruction: Convert): never {
  throw new CannotCompile(`'${instruction.text}'`, instruction.line);
}

/** Brings the i32 on the stack into the form of an 8- or 16-bit type. */
function normalise(context: ScalarContext, type: PtxType): void {
  const { code } = context;
  if (TYPE_BYTES[type] === 1) {
    if (isSigned(type)) code.op('i32.extend8_s');
    else code.i32(0xff).op('i32.and');
  } else if (TYPE_BYTES[type] === 2) {
    if (isSigned(type)) code.op('i32.extend16_s');
    else code.i32(0xffff).op('i32.and');
  }
}

function integerToInteger(context: ScalarContext, instruction: Convert): void {
  const { code } = context;
  const { to, from } = instruction;
  context.push(instruction.src[0]!, from);
  const fromWide = wasmType(from) === 'i64';
  const toWide = wasmType(to) === 'i64';
  if (instruction.sat) {
    const value = (x: number | bigint): number | bigint =>
      isSigned(from) ? x : typeof x === 'bigint' ? BigInt.asUintN(64, x) : x >>> 0;
    const f = (x: number | bigint): number | bigint => math.convertInteger(value(x), to as math.IntegerType, true);
    code.call(context.unit.importMath(`cvt.sat.${to}.${from}`, f, [wasmType(from)], wasmType(to)));
  } else {
    if (fromWide && !toWide) code.op('i32.wrap_i64');
    else if (!fromWide && toWide) code.op(isSigned(from) ? 'i64.extend_i32_s' : 'i64.extend_i32_u');
    if (!toWide) normalise(context, to);
  }
  context.set(instruction.dst[0]!, to);
}

function floatToInteger(context: ScalarContext, instruction: Convert): void {
  const { code } = context;
  const { to, from } = instruction;
  const mode = instruction.rounding ?? 'rzi';
  const size = TYPE_BYTES[to];
  if (isHalfScalar(from) || size < 4) {
    const decode = from === 'f16' ? math.f16ToNumber : from === 'bf16' ? math.bf16ToNumber : (x: number) => x;
    const flushed = (x: number): number => (instruction.ftz && from === 'f32' ? math.flush32(x) : x);
    const f =
      size === 8
        ? (x: number) => math.floatToInteger64(flushed(decode(x)), to as 'u64', mode as math.IntegerRounding)
        : (x: number) =>
            math.floatToInteger(flushed(decode(x)), to as 'u32', mode as math.IntegerRounding, from === 'f64');
    const source: PtxType = isHalfScalar(from) ? 'b16' : from;
    context.push(instruction.src[0]!, source);
    code.call(
      context.unit.importMath(`cvt.${mode}.${to}.${from}.${instruction.ftz}`, f, [wasmType(source)], wasmType(to)),
    );
    context.set(instruction.dst[0]!, to);
    return;
  }
  const wasm = wasmType(from) as 'f32' | 'f64';
  context.push(instruction.src[0]!, from);
  if (instruction.ftz && from === 'f32') flush(context);
  if (mode !== 'rzi') code.op(`${wasm}.${INTEGRAL[mode] ?? unsupported(instruction)}` as PlainOp);
  const operator = `${wasmType(to)}.trunc_sat_${wasm}_${isSigned(to) ? 's' : 'u'}` as PlainOp;
  if (size === 4 && from === 'f32') code.op(operator);
  else
    context.temp(wasm, (x) => {
      // WebAssembly gives 0 for NaN; PTX gives the top bit alone from f64, and to 64 bits from any.
      code.set(x);
      if (size === 8) code.i64(-(2n ** 63n));
      else code.i32(-(2 ** 31));
      code
        .get(x)
        .op(operator)
        .get(x)
        .get(x)
        .op(`${wasm}.ne` as PlainOp)
        .op('select');
    });
  context.set(instruction.dst[0]!, to);
}

function integerToFloat(context: ScalarContext, instruction: Convert): void {
  const { code } = context;
  const { to, from } = instruction;
  const wide = wasmType(from) === 'i64';
  const mode = directed(instruction.rounding);
  const suffix = isSigned(from) ? 's' : 'u';
  const value = (x: number | bigint): number | bigint =>
    typeof x === 'bigint'
      ? isSigned(from)
        ? BigInt.asIntN(64, x)
        : BigInt.asUintN(64, x)
      : isSigned(from)
        ? x
        : x >>> 0;
  context.push(instruction.src[0]!, from);
  if (isHalfScalar(to)) {
    const encode = to === 'f16' ? math.toF16 : math.toBf16;
    const convert = encode({ rounding: mode ?? 'rn', sat: instruction.sat, relu: instruction.relu });
    const f = (x: number | bigint): number => {
      const exact = value(x);
      return convert(typeof exact === 'bigint' ? math.bigintToOdd(exact) : exact);
    };
    code.call(context.unit.importMath(`cvt.${mode}.${to}.${from}.${instruction.sat}`, f, [wasmType(from)], 'i32'));
    context.set(instruction.dst[0]!, 'b16');
    return;
  }
  if (to === 'f64' || to === 'f32') {
    if (mode && wide) {
      const convert = to === 'f32' ? math.bigintToF32 : math.bigintToF64;
      const f = (x: bigint): number => convert(value(x) as bigint, mode);
      code.call(context.unit.importMath(`cvt.${mode}.${to}.${from}`, f, ['i64'], to));
    } else if (mode && to === 'f32') code.op(`f64.convert_i32_${suffix}`).call(demoteDirected(context.unit, mode));
    else code.op(`${to}.convert_${wide ? 'i64' : 'i32'}_${suffix}` as PlainOp);
    if (instruction.sat) saturate(context, to);
    context.set(instruction.dst[0]!, to);
    return;
  }
  unsupported(instruction);
}

function floatToFloat(context: ScalarContext, instruction: Convert): void {
  const { code } = context;
  const { to, from, rounding } = instruction;
  const [a, b] = instruction.src as [Operand, Operand | undefined];
  const mode = directed(rounding) ?? 'rn';
  const key = `cvt.${rounding}.${to}.${from}.${instruction.ftz}.${instruction.sat}.${instruction.relu}`;
  const flushed = (x: number): number => (instruction.ftz ? math.flush32(x) : x);
  if (to === 'f16x2' || to === 'bf16x2') {
    if (from !== 'f32' || !b) unsupported(instruction);
    const encode = (to === 'f16x2' ? math.toF16 : math.toBf16)({
      rounding: mode,
      relu: instruction.relu,
      sat: instruction.sat,
    });
    context.push(a, 'f32');
    context.push(b, 'f32');
    const f = (high: number, low: number): number => math.pack16(encode(low), encode(high));
    code.call(context.unit.importMath(key, f, ['f32', 'f32'], 'i32'));
    context.set(instruction.dst[0]!, 'b32');
    return;
  }
  if (to === 'tf32') {
    if (from !== 'f32') unsupported(instruction);
    const f = (x: number): number =>
      math.f32ToTf32(x, (rounding ?? 'rna') as 'rna' | 'rn' | 'rz', { relu: instruction.relu });
    context.push(a, 'f32');
    code.call(context.unit.importMath(key, f, ['f32'], 'f32'));
    context.set(instruction.dst[0]!, 'f32');
    return;
  }
  if (isHalfScalar(from)) {
    const decode = from === 'f16' ? math.f16ToNumber : math.bf16ToNumber;
    context.push(a, 'b16');
    if (to === 'f32' || to === 'f64') {
      if (rounding !== undefined && rounding in INTEGRAL) unsupported(instruction);
      if (from === 'bf16' && !instruction.sat && !instruction.ftz) {
        code.i32(16).op('i32.shl').op('f32.reinterpret_i32');
        if (to === 'f64') code.op('f64.promote_f32');
      } else if (from === 'f16' && !instruction.sat && !instruction.ftz) {
        pushHalfAsFloat(context);
        if (to === 'f64') code.op('f64.promote_f32');
      } else {
        const f = (x: number): number => {
          const y = instruction.ftz && to === 'f32' ? math.flush32(decode(x)) : decode(x);
          return instruction.sat ? math.saturate(y) : y;
        };
        code.call(context.unit.importMath(key, f, ['i32'], to));
      }
      context.set(instruction.dst[0]!, to);
      return;
    }
    if (!isHalfScalar(to)) unsupported(instruction);
    const encode = (to === 'f16' ? math.toF16 : math.toBf16)({
      rounding: mode,
      sat: instruction.sat,
      relu: instruction.relu,
    });
    const integral = rounding !== undefined && rounding in INTEGRAL ? (rounding as math.IntegerRounding) : undefined;
    const f = (x: number): number => encode(integral ? math.roundToIntegral(decode(x), integral) : decode(x));
    code.call(context.unit.importMath(key, f, ['i32'], 'i32'));
    context.set(instruction.dst[0]!, 'b16');
    return;
  }
  if (from !== 'f32' && from !== 'f64') unsupported(instruction);
  if (isHalfScalar(to)) {
    const encode = (to === 'f16' ? math.toF16 : math.toBf16)({
      rounding: mode,
      sat: instruction.sat,
      relu: instruction.relu,
    });
    const f = (x: number): number => encode(from === 'f32' ? flushed(x) : x);
    context.push(a, from);
    code.call(context.unit.importMath(key, f, [from], 'i32'));
    context.set(instruction.dst[0]!, 'b16');
    return;
  }
  if (to !== 'f32' && to !== 'f64') unsupported(instruction);
  context.push(a, from);
  if (instruction.ftz && from === 'f32') flush(context);
  if (from === to) {
    if (rounding !== undefined && rounding in INTEGRAL) code.op(`${to}.${INTEGRAL[rounding]}` as PlainOp);
  } else if (to === 'f64') code.op('f64.promote_f32');
  else if (mode !== 'rn') code.call(demoteDirected(context.unit, mode));
  else code.op('f32.demote_f64');
  if (instruction.ftz && to === 'f32') flush(context);
  if (instruction.sat) saturate(context, to);
  context.set(instruction.dst[0]!, to);
}

/** The f16 bits on the stack as f32, exactly: moved into f32's places and scaled by 2^112; infinity and NaN apart. */
function pushHalfAsFloat(context: ScalarContext): void {
  const { code } = context;
  context.temp('i32', (bits) => {
    code.set(bits);
    code.get(bits).i32(0x7fff).op('i32.and').i32(13).op('i32.shl');
    code
      .op('f32.reinterpret_i32')
      .f32(2 ** 112)
      .op('f32.mul')
      .op('i32.reinterpret_f32');
    // 0x47800000 = 2^16 and above: was infinity or NaN, whose exponent must be all ones.
    context.temp('i32', (scaled) => {
      code.tee(scaled).i32(0x7f800000).i32(0).get(scaled).i32(0x47800000).op('i32.ge_u').op('select').op('i32.or');
    });
    code.get(bits).i32(0x8000).op('i32.and').i32(16).op('i32.shl').op('i32.or').op('f32.reinterpret_i32');
  });
}

/** The window tag that cvta adds; undefined where addresses are generic already. */
const TAGS: Readonly<Record<string, number>> = { shared: SHARED_TAG, local: LOCAL_TAG, param: PARAM_TAG };

export function emitMove(context: ScalarContext, instruction: Move): void {
  const { code } = context;
  const source = instruction.src[0]!;
  const target = instruction.dst[0]!;
  if (instruction.op === 'cvta') {
    const tag = TAGS[instruction.space ?? 'generic'];
    const address: PtxType = source.kind === 'register' && TYPE_BYTES[source.type] === 4 ? 'u32' : 'u64';
    context.push(source, address);
    if (address === 'u32') code.op('i64.extend_i32_u');
    if (tag !== undefined) {
      if (instruction.toSpace) code.i64(0xffffffffn).op('i64.and');
      else code.i64(BigInt(tag) << 32n).op('i64.or');
    }
    if (target.kind === 'register' && TYPE_BYTES[target.type] === 4) {
      code.op('i32.wrap_i64');
      context.set(target, 'u32');
    } else context.set(target, 'u64');
    return;
  }
  if (instruction.op === 'isspacep') {
    const tag = TAGS[instruction.space ?? ''];
    context.push(source, 'u64');
    code.i64(32n).op('i64.shr_u');
    if (tag !== undefined) code.i64(BigInt(tag)).op('i64.eq');
    else {
      if (instruction.space !== 'global') throw new CannotCompile(`'${instruction.text}'`, instruction.line);
      // GLOBAL_TAG + colour, 0x7f01 to 0x7f0f.
      code.i64(0x7f01n).op('i64.sub').i64(14n).op('i64.le_u');
    }
    context.set(target, 'pred');
    return;
  }
  if (instruction.op !== 'mov') throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  if (source.kind === 'vector') packed(context, instruction, source.elements);
  else if (target.kind === 'vector') unpacked(context, instruction, target.elements);
  else {
    if (source.kind === 'function') throw new CannotCompile('address of a function', instruction.line);
    const type =
      instruction.type === 'f16' || instruction.type === 'bf16'
        ? 'b16'
        : instruction.type === 'f16x2'
          ? 'b32'
          : instruction.type;
    context.push(source, type);
    context.set(target, type);
  }
}

/** mov.b32 %r, {%rs1, %rs2}: the first element is the least significant. */
function packed(context: ScalarContext, instruction: Move, elements: readonly Operand[]): void {
  const { code } = context;
  const bytes = TYPE_BYTES[instruction.type] / elements.length;
  const type = `u${8 * bytes}` as PtxType;
  const wide = TYPE_BYTES[instruction.type] === 8;
  if (TYPE_BYTES[instruction.type] > 8) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  elements.forEach((element, index) => {
    context.push(element, type);
    if (wide) {
      code.op('i64.extend_i32_u');
      if (index > 0)
        code
          .i64(BigInt(8 * bytes * index))
          .op('i64.shl')
          .op('i64.or');
    } else if (index > 0)
      code
        .i32(8 * bytes * index)
        .op('i32.shl')
        .op('i32.or');
  });
  context.set(instruction.dst[0]!, instruction.type);
}

function unpacked(context: ScalarContext, instruction: Move, elements: readonly Operand[]): void {
  const { code } = context;
  const bytes = TYPE_BYTES[instruction.type] / elements.length;
  const type = `u${8 * bytes}` as PtxType;
  const wide = TYPE_BYTES[instruction.type] === 8;
  if (TYPE_BYTES[instruction.type] > 8) throw new CannotCompile(`'${instruction.text}'`, instruction.line);
  context.temp(wide ? 'i64' : 'i32', (whole) => {
    context.push(instruction.src[0]!, wide ? 'b64' : instruction.type);
    code.set(whole);
    elements.forEach((element, index) => {
      if (element.kind === 'sink') return;
      code.get(whole);
      if (wide) {
        if (index > 0) code.i64(BigInt(8 * bytes * index)).op('i64.shr_u');
        code.op('i32.wrap_i64');
      } else if (index > 0) code.i32(8 * bytes * index).op('i32.shr_u');
      normalise(context, type);
      context.set(element, type);
    });
  });
}

/** setp, set, selp and slct. */
import * as math from '../math/index.ts';
import { type Compare, isFloat, isSigned, type PtxFunction, type PtxType, TYPE_BYTES } from '../ptx/ir.ts';
import { type Assembler, lanesWhere } from './assembler.ts';
import type { Step } from './lane-loops.ts';
import type { Ref, RegisterFile } from './registers.ts';

function at(ref: Ref, base: number): number {
  return ref.slot + (base & ref.mask);
}

export function compareStep(asm: Assembler, fn: PtxFunction, i: Compare): Step {
  switch (i.op) {
    case 'setp':
      return setPredicate(asm, fn, i);
    case 'set':
      return setValue(asm, fn, i);
    case 'selp':
      return select(asm, fn, i);
    case 'slct':
      return selectBySign(asm, fn, i);
  }
}

/** Gives the mask of active lanes whose sources compare true. */
type Comparison = (base: number, mask: number) => number;

function packedHalf(type: PtxType): boolean {
  return type === 'f16x2' || type === 'bf16x2';
}

/** `half` picks the lower (0) or upper (1) element of packed types. */
function comparison(file: RegisterFile, i: Compare, a: Ref, b: Ref, half: 0 | 1): Comparison {
  const { type } = i;
  const operator = i.comparison!;
  if (type === 'f32' || type === 'f64') {
    const test = math.floatComparison(operator as math.FloatComparison, i.ftz);
    if (type === 'f64') return compareDoubles(file, test, a, b);
    return compareFloats(file, test, a, b);
  }
  if (isFloat(type)) {
    const test = math.floatComparison(operator as math.FloatComparison, false);
    const bf = type.startsWith('bf16');
    const decode = (bits: number): number => {
      const flushed = math.flushHalf((bits >>> (16 * half)) & 0xffff, bf ? 'bf16' : 'f16', i.ftz);
      return bf ? math.bf16ToNumber(flushed) : math.f16ToNumber(flushed);
    };
    return compareWords(file, (x, y) => test(decode(x), decode(y)), a, b);
  }
  const bytes = TYPE_BYTES[type];
  const integer = operator as math.IntegerComparison;
  if (bytes === 8) return compareLongs(file, math.integerComparison64(integer, isSigned(type)), a, b);
  return compareWords(file, math.integerComparison(integer, bytes === 2 ? 16 : 32, isSigned(type)), a, b);
}

function compareWords(file: RegisterFile, test: (a: number, b: number) => boolean, a: Ref, b: Ref): Comparison {
  return (base, mask) => {
    const r = file.i32;
    const x = at(a, base);
    const y = at(b, base);
    let result = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0 && test(r[x + l]!, r[y + l]!)) result |= 1 << l;
    return result;
  };
}

function compareFloats(file: RegisterFile, test: (a: number, b: number) => boolean, a: Ref, b: Ref): Comparison {
  return (base, mask) => {
    const r = file.f32;
    const x = at(a, base);
    const y = at(b, base);
    let result = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0 && test(r[x + l]!, r[y + l]!)) result |= 1 << l;
    return result;
  };
}

function compareDoubles(file: RegisterFile, test: (a: number, b: number) => boolean, a: Ref, b: Ref): Comparison {
  return (base, mask) => {
    const r = file.f64;
    const x = at(a, base) >>> 1;
    const y = at(b, base) >>> 1;
    let result = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0 && test(r[x + l]!, r[y + l]!)) result |= 1 << l;
    return result;
  };
}

function compareLongs(file: RegisterFile, test: (a: bigint, b: bigint) => boolean, a: Ref, b: Ref): Comparison {
  return (base, mask) => {
    const r = file.i64;
    const x = at(a, base) >>> 1;
    const y = at(b, base) >>> 1;
    let result = 0;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0 && test(r[x + l]!, r[y + l]!)) result |= 1 << l;
    return result;
  };
}

function combine(operation: Compare['boolean'], t: number, c: number): number {
  return operation === 'and' ? t & c : operation === 'or' ? t | c : operation === 'xor' ? t ^ c : t;
}

function setPredicate(asm: Assembler, fn: PtxFunction, i: Compare): Step {
  const a = asm.source(fn, i.src[0]!, i.type, i);
  const b = asm.source(fn, i.src[1]!, i.type, i);
  const third = i.src[2] === undefined ? undefined : asm.predicate(fn, i.src[2], i);
  const p = asm.predicateResult(fn, i.dst[0], i);
  const q = i.dst[1] === undefined ? undefined : asm.predicateResult(fn, i.dst[1], i);
  const compare = comparison(asm.file, i, a, b, 0);
  // Packed halves: p is for the lower element, q for the upper one. Otherwise q is for the negated comparison.
  const compareUpper = packedHalf(i.type) ? comparison(asm.file, i, a, b, 1) : undefined;
  return (warp, mask) => {
    const t = compare(warp.base, mask);
    const u = compareUpper === undefined ? ~t : compareUpper(warp.base, mask);
    const c = third === undefined ? 0 : lanesWhere(warp.predicates, third);
    const { predicates } = warp;
    predicates[p] = (predicates[p]! & ~mask) | (combine(i.boolean, t, c) & mask);
    if (q !== undefined) predicates[q] = (predicates[q]! & ~mask) | (combine(i.boolean, u, c) & mask);
  };
}

/** Results of `set` for true: all ones, or one in the result's float format. */
const TRUE_BITS: Readonly<Record<string, number>> = {
  u32: -1,
  s32: -1,
  u16: 0xffff,
  s16: 0xffff,
  f32: 0x3f80_0000,
  f16: 0x3c00,
  bf16: 0x3f80,
};

function setValue(asm: Assembler, fn: PtxFunction, i: Compare): Step {
  const a = asm.source(fn, i.src[0]!, i.type, i);
  const b = asm.source(fn, i.src[1]!, i.type, i);
  const third = i.src[2] === undefined ? undefined : asm.predicate(fn, i.src[2], i);
  const dst = asm.result(fn, i.dst[0], i.resultType, i);
  const compare = comparison(asm.file, i, a, b, 0);
  const packed = packedHalf(i.resultType) || (packedHalf(i.type) && i.resultType === 'u32');
  if (packedHalf(i.type) !== packed) throw asm.error(i, 'this mixture of packed and scalar types is not supported');
  const upper = packed ? comparison(asm.file, i, a, b, 1) : undefined;
  const element = i.resultType === 'f16x2' ? 'f16' : i.resultType === 'bf16x2' ? 'bf16' : packed ? 'u16' : i.resultType;
  const one = TRUE_BITS[element]!;
  return (warp, mask) => {
    const c = third === undefined ? 0 : lanesWhere(warp.predicates, third);
    const low = combine(i.boolean, compare(warp.base, mask), c);
    const high = upper === undefined ? 0 : combine(i.boolean, upper(warp.base, mask), c);
    const d = at(dst, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      asm.file.i32[d + l] = (((low >>> l) & 1) * one) | ((((high >>> l) & 1) * one) << 16);
    }
  };
}

function select(asm: Assembler, fn: PtxFunction, i: Compare): Step {
  const a = asm.source(fn, i.src[0]!, i.type, i);
  const b = asm.source(fn, i.src[1]!, i.type, i);
  const p = asm.predicate(fn, i.src[2]!, i);
  const dst = asm.result(fn, i.dst[0], i.type, i);
  const { file } = asm;
  const { words } = dst;
  return (warp, mask) => {
    const r = file.i32;
    const chosen = lanesWhere(warp.predicates, p);
    const d = at(dst, warp.base);
    const x = at(a, warp.base);
    const y = at(b, warp.base);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const from = (chosen >>> l) & 1 ? x : y;
      if (words === 1) r[d + l] = r[from + l]!;
      else {
        r[d + 2 * l] = r[from + 2 * l]!;
        r[d + 2 * l + 1] = r[from + 2 * l + 1]!;
      }
    }
  };
}

function selectBySign(asm: Assembler, fn: PtxFunction, i: Compare): Step {
  const a = asm.source(fn, i.src[0]!, i.resultType, i);
  const b = asm.source(fn, i.src[1]!, i.resultType, i);
  const c = asm.source(fn, i.src[2]!, i.type, i);
  const dst = asm.result(fn, i.dst[0], i.resultType, i);
  const { file } = asm;
  const { words } = dst;
  return (warp, mask) => {
    const r = file.i32;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const z = at(c, warp.base) + l;
      const value = file.f32[z]!;
      // f32: a for c >= 0 (-0 too), b otherwise and for NaN; .ftz makes small negatives zero.
      const first = i.type === 's32' ? r[z]! >= 0 : (i.ftz ? math.flush32(value) : value) >= 0;
      const from = at(first ? a : b, warp.base);
      for (let w = 0; w < words; w++) r[at(dst, warp.base) + l * words + w] = r[from + l * words + w]!;
    }
  };
}

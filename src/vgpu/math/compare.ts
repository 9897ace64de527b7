/** The comparison operators of `setp` and `set` (PTX ISA 9.7.5, 9.7.6), by operand kind. */
import { flush32 } from './rounding.ts';

/** Ordered float comparisons (false on NaN), unordered ones (true on NaN), the NaN tests, and the unsigned names. */
export type FloatComparison =
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge'
  | 'equ'
  | 'neu'
  | 'ltu'
  | 'leu'
  | 'gtu'
  | 'geu'
  | 'num'
  | 'nan';
export type IntegerComparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'lo' | 'ls' | 'hi' | 'hs';
export type BooleanOperation = 'and' | 'or' | 'xor';

/**
 * Float comparisons on values (f16, bf16, f32, f64 alike). `ne` is ordered: false when an operand is NaN; `neu` is
 * JavaScript's `!==`. WASM: `f32.eq/ne/lt/..` are eq, neu, lt, le, gt, ge; the unordered ones negate their opposite
 * (ltu = !ge), ne = lt or gt, num = (a == a) and (b == b).
 */
export const FLOAT_COMPARISONS: Readonly<Record<FloatComparison, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a < b || a > b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  equ: (a, b) => !(a < b || a > b),
  neu: (a, b) => a !== b,
  ltu: (a, b) => !(a >= b),
  leu: (a, b) => !(a > b),
  gtu: (a, b) => !(a <= b),
  geu: (a, b) => !(a < b),
  num: (a, b) => !Number.isNaN(a) && !Number.isNaN(b),
  nan: (a, b) => Number.isNaN(a) || Number.isNaN(b),
};

/** A float comparison with `.ftz` (f32) resolved: subnormal operands compare as zeros. */
export function floatComparison(operator: FloatComparison, ftz = false): (a: number, b: number) => boolean {
  const compare = FLOAT_COMPARISONS[operator];
  return ftz ? (a, b) => compare(flush32(a), flush32(b)) : compare;
}

/** What the unsigned names mean; they force an unsigned comparison. */
const UNSIGNED_NAMES: Readonly<Record<'lo' | 'ls' | 'hi' | 'hs', 'lt' | 'le' | 'gt' | 'ge'>> = {
  lo: 'lt',
  ls: 'le',
  hi: 'gt',
  hs: 'ge',
};

function ordered<T extends number | bigint>(operator: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', view: (x: T) => T) {
  switch (operator) {
    case 'eq':
      return (a: T, b: T) => view(a) === view(b);
    case 'ne':
      return (a: T, b: T) => view(a) !== view(b);
    case 'lt':
      return (a: T, b: T) => view(a) < view(b);
    case 'le':
      return (a: T, b: T) => view(a) <= view(b);
    case 'gt':
      return (a: T, b: T) => view(a) > view(b);
    case 'ge':
      return (a: T, b: T) => view(a) >= view(b);
  }
}

function resolve(operator: IntegerComparison, signed: boolean) {
  if (operator === 'lo' || operator === 'ls' || operator === 'hi' || operator === 'hs') {
    return { name: UNSIGNED_NAMES[operator], signed: false };
  }
  return { name: operator, signed };
}

/** The comparison of two 16- or 32-bit registers (bit patterns in any of their number forms). WASM: `i32.lt_s` and kin. */
export function integerComparison(
  operator: IntegerComparison,
  bits: 16 | 32,
  signed: boolean,
): (a: number, b: number) => boolean {
  const { name, signed: asSigned } = resolve(operator, signed);
  const view =
    bits === 32
      ? asSigned
        ? (x: number) => x | 0
        : (x: number) => x >>> 0
      : asSigned
        ? (x: number) => (x << 16) >> 16
        : (x: number) => x & 0xffff;
  return ordered<number>(name, view);
}

/** The comparison of two 64-bit registers. WASM: `i64.lt_s` and kin. */
export function integerComparison64(operator: IntegerComparison, signed: boolean): (a: bigint, b: bigint) => boolean {
  const { name, signed: asSigned } = resolve(operator, signed);
  return ordered<bigint>(name, asSigned ? (x) => BigInt.asIntN(64, x) : (x) => BigInt.asUintN(64, x));
}

/** The predicate combination of `setp.CmpOp.BoolOp p|q, a, b, c`: p = BoolOp(t, c), q = BoolOp(!t, c). */
export const BOOLEAN_OPERATIONS: Readonly<Record<BooleanOperation, (t: boolean, c: boolean) => boolean>> = {
  and: (t, c) => t && c,
  or: (t, c) => t || c,
  xor: (t, c) => t !== c,
};

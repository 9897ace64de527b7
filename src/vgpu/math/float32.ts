/**
 * f32 arithmetic of PTX (ISA 9.7.3): add, sub, mul, div, sqrt, rcp and fma in the four rounding directions, with .ftz
 * and .sat.
 *
 * Operands and results are JavaScript numbers that are exactly f32. Each function is rounded once:
 * - product: exact in f64 (48 bits, exponents within range);
 * - sum: f64 plus TwoSum error, rounded to odd;
 * - quotient, root: an f64 quotient or root of f32 values is an f32, or a midpoint between two, only when it is exact
 *   (the gap is at least 2^-49 relative, f64 rounds within 2^-53), so rounding it again is right in every direction;
 * - fma: exact product plus one sum.
 */
import { isNegative } from './bits.ts';
import { flush32, type Rounding, roundToF32, roundToOdd, saturate, twoSumError } from './rounding.ts';

const fround = Math.fround;

/** An exact f64 product or operand plus `c`, rounded once to f32. IEEE 754: an exact zero of unlike signs is -0 under .rm. */
function sumToF32(p: number, c: number, mode: Rounding): number {
  const s = p + c;
  if (s === 0) {
    // f64 sums underflow never: s is exactly zero. Like signs keep theirs.
    if (mode === 'rm' && p !== 0) return -0;
    if (mode === 'rm' && (isNegative(p) || isNegative(c))) return -0;
    return s;
  }
  if (!(Math.abs(s) < Number.POSITIVE_INFINITY)) return s;
  return roundToF32(roundToOdd(s, twoSumError(p, c, s)), mode);
}

/** a + b. WASM, rn: `f32.add`. Others: f64 add, TwoSum error, round to odd, directed demote. */
export function add32(a: number, b: number, mode: Rounding = 'rn'): number {
  // Nearest: double rounding through f64 is harmless for sums of f32 (53 >= 2 * 24 + 2, Figueroa 1995).
  return mode === 'rn' ? fround(a + b) : sumToF32(a, b, mode);
}

/** a - b. WASM, rn: `f32.sub`. */
export function sub32(a: number, b: number, mode: Rounding = 'rn'): number {
  return mode === 'rn' ? fround(a - b) : sumToF32(a, -b, mode);
}

/** a * b. WASM, rn: `f32.mul`. Others: `f64.mul` of the promoted operands is exact; directed demote. */
export function mul32(a: number, b: number, mode: Rounding = 'rn'): number {
  return mode === 'rn' ? fround(a * b) : roundToF32(a * b, mode);
}

/** a / b, IEEE. WASM, rn: `f32.div`. Others: `f64.div` of the promoted operands, then a directed demote. */
export function div32(a: number, b: number, mode: Rounding = 'rn'): number {
  return roundToF32(a / b, mode);
}

/** 1 / a, IEEE (`rcp.rn` and directed). WASM, rn: `f32.div(1, a)`. */
export function rcp32(a: number, mode: Rounding = 'rn'): number {
  return roundToF32(1 / a, mode);
}

/** Square root, IEEE. WASM, rn: `f32.sqrt`. Others: `f64.sqrt`, then a directed demote. */
export function sqrt32(a: number, mode: Rounding = 'rn'): number {
  return roundToF32(Math.sqrt(a), mode);
}

/**
 * `fma.rn.f32`: a * b + c rounded once, subnormal results included.
 *
 * The f64 product is exact. The f64 sum s is inexact in rare cases, and that matters only when s is exactly halfway between two f32:
 * then r = demote(s) chose by parity, not by the lost tail. With d = s - r (exact), s is halfway if and only if s + d, the
 * mirror image of r, is an f32 too; this holds in the subnormal range as well.
 * WASM: `s = a*b + c; r = demote(s); d = s - r; t = s + d;` return r unless `d != 0 && promote(demote(t)) == t`, and only
 * then call this function (out of line: fewer than one in 10^7 on random data).
 */
export function fma32(a: number, b: number, c: number): number {
  const p = a * b;
  const s = p + c;
  const r = fround(s);
  const d = s - r;
  if (d !== 0) {
    const t = s + d;
    if (fround(t) === t) return fround(roundToOdd(s, twoSumError(p, c, s)));
  }
  return r;
}

/**
 * `fma.rz/.rm/.rp.f32` (and .rn): a * b + c rounded once in a direction.
 * WASM: `p = a*b; s = p + c; e = TwoSum error; s odd` (when e != 0 and s's last bit is 0, s's bits move one step towards e), then a directed
 * demote. nvcc's expf uses `fma.rm`.
 */
export function fma32Directed(a: number, b: number, c: number, mode: Rounding): number {
  return mode === 'rn' ? fma32(a, b, c) : sumToF32(a * b, c, mode);
}

/** Modifiers of an f32 instruction. */
export interface F32Modifiers {
  /** Default `rn`. */
  rounding?: Rounding;
  /**
   * Subnormal operands and results become zero of their sign. A result is judged after rounding: PTX says that results
   * are flushed and does not say before or after; the two differ only for values that round up to 2^-126.
   */
  ftz?: boolean;
  /** Clamp to [0, 1], NaN to +0. */
  sat?: boolean;
}

const UNARY = { rcp: rcp32, sqrt: sqrt32 } as const;
const BINARY = { add: add32, sub: sub32, mul: mul32, div: div32 } as const;

/** The function of a two-operand f32 instruction with its modifiers resolved, to be looked up once an instruction. */
export function binary32(
  operation: 'add' | 'sub' | 'mul' | 'div',
  modifiers: F32Modifiers = {},
): (a: number, b: number) => number {
  const mode = modifiers.rounding ?? 'rn';
  const f = BINARY[operation];
  const { ftz = false, sat = false } = modifiers;
  if (ftz && sat) return (a, b) => saturate(flush32(f(flush32(a), flush32(b), mode)));
  if (ftz) return (a, b) => flush32(f(flush32(a), flush32(b), mode));
  if (sat) return (a, b) => saturate(f(a, b, mode));
  if (mode !== 'rn') return (a, b) => f(a, b, mode);
  switch (operation) {
    case 'add':
      return (a, b) => fround(a + b);
    case 'sub':
      return (a, b) => fround(a - b);
    case 'mul':
      return (a, b) => fround(a * b);
    case 'div':
      return (a, b) => fround(a / b);
  }
}

/** The function of `sqrt.rnd` or `rcp.rnd` with its modifiers resolved. */
export function unary32(operation: 'rcp' | 'sqrt', modifiers: F32Modifiers = {}): (a: number) => number {
  const mode = modifiers.rounding ?? 'rn';
  const f = UNARY[operation];
  if (modifiers.ftz) return (a) => flush32(f(flush32(a), mode));
  return (a) => f(a, mode);
}

/** The function of `fma`/`mad` f32 with its modifiers resolved. */
export function ternary32(modifiers: F32Modifiers = {}): (a: number, b: number, c: number) => number {
  const mode = modifiers.rounding ?? 'rn';
  const { ftz = false, sat = false } = modifiers;
  if (!ftz && !sat) return mode === 'rn' ? fma32 : (a, b, c) => fma32Directed(a, b, c, mode);
  return (a, b, c) => {
    let r = ftz ? flush32(fma32Directed(flush32(a), flush32(b), flush32(c), mode)) : fma32Directed(a, b, c, mode);
    if (sat) r = saturate(r);
    return r;
  };
}

/** `neg.f32` / `abs.f32` / `copysign.f32`: sign-bit operations on values; `.ftz` flushes first. */
export function neg32(a: number, ftz = false): number {
  return -(ftz ? flush32(a) : a);
}

export function abs32(a: number, ftz = false): number {
  return Math.abs(ftz ? flush32(a) : a);
}

/** `copysign d, a, b`: the magnitude of b with the sign of a (PTX ISA 9.7.3.2: "copy sign of a into value of b"). */
export function copysign(a: number, b: number): number {
  return isNegative(a) ? -Math.abs(b) : Math.abs(b);
}

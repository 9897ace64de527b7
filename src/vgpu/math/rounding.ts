/**
 * Rounding: the four IEEE directions of PTX (.rn .rz .rm .rp), stepping to a neighbour, error-free transforms, and
 * round-to-odd.
 *
 * Everything in the room rounds once. The trick is the same everywhere: compute in f64 with the error kept as a second
 * f64 (TwoSum, TwoProd), fold the error into the last bit (round to odd), then round to the target. A value rounded to
 * odd with at least two bits more than the target rounds correctly afterwards in every direction (Boldo & Melquiond,
 * "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), 2008).
 */
import { f64FromWords, f64HighWord, f64LowWord } from './bits.ts';

/** PTX rounding of floating-point results: nearest even, towards zero, towards -infinity, towards +infinity. */
export type Rounding = 'rn' | 'rz' | 'rm' | 'rp';
/** PTX rounding to an integral value: the same four directions. */
export type IntegerRounding = 'rni' | 'rzi' | 'rmi' | 'rpi';

export const F32_MAX = 3.4028234663852886e38;
/** 2^-126, the smallest normal f32. */
export const F32_MIN_NORMAL = 2 ** -126;
export const F64_MAX = Number.MAX_VALUE;

const stepFloat = new Float32Array(1);
const stepInt = new Int32Array(stepFloat.buffer);

/** The least f32 above `x` (an f32). -0 and +0 give 2^-149; +infinity and NaN stay. */
export function nextUp32(x: number): number {
  if (Number.isNaN(x) || x === Number.POSITIVE_INFINITY) return x;
  if (x === 0) return 2 ** -149;
  stepFloat[0] = x;
  stepInt[0] = x > 0 ? stepInt[0]! + 1 : stepInt[0]! - 1;
  return stepFloat[0]!;
}

/** The greatest f32 below `x` (an f32). */
export function nextDown32(x: number): number {
  return -nextUp32(-x);
}

/** The least f64 above `x`. -0 and +0 give 2^-1074; +infinity and NaN stay. */
export function nextUp64(x: number): number {
  if (Number.isNaN(x) || x === Number.POSITIVE_INFINITY) return x;
  if (x === 0) return Number.MIN_VALUE;
  const low = f64LowWord(x);
  const high = f64HighWord(x);
  if (x > 0) return f64FromWords(low === -1 ? high + 1 : high, low + 1);
  return f64FromWords(low === 0 ? high - 1 : high, low - 1);
}

/** The greatest f64 below `x`. */
export function nextDown64(x: number): number {
  return -nextUp64(-x);
}

/**
 * An f64 rounded to f32 in a direction. Exactly representable values, infinities and NaN pass unchanged.
 * WASM, rn: `f32.demote_f64`. Others: `r = demote(x)`, then step `r`'s bits by one when `promote(r)` lies on the wrong side.
 */
export function roundToF32(x: number, mode: Rounding): number {
  const r = Math.fround(x);
  if (mode === 'rn' || r === x || Number.isNaN(r)) return r;
  if (mode === 'rm' || (mode === 'rz' && x > 0)) return r > x ? nextDown32(r) : r;
  return r < x ? nextUp32(r) : r;
}

/**
 * The neighbour of a nearest-rounded f64 that `mode` asks for, when the exact result is known to lie `error`'s sign away
 * from it (`error` > 0: the exact result is greater than `r`).
 */
export function directF64(r: number, error: number, mode: Rounding): number {
  if (mode === 'rn' || error === 0) return r;
  if (mode === 'rm') return error < 0 ? nextDown64(r) : r;
  if (mode === 'rp') return error > 0 ? nextUp64(r) : r;
  // Towards zero: move only when the exact result is nearer zero than r. A zero r is already there.
  if (r > 0) return error < 0 ? nextDown64(r) : r;
  return r < 0 && error > 0 ? nextUp64(r) : r;
}

/**
 * The rounding error of `s = a + b` in f64: `a + b = s + error` exactly (Knuth's TwoSum). Needs no ordering of a and b;
 * exact also with subnormals. Meaningless when s overflows.
 */
export function twoSumError(a: number, b: number, s: number): number {
  const virtual = s - a;
  return a - (s - virtual) + (b - virtual);
}

/** 2^27 + 1: splits a 53-bit significand into halves of 26 bits (Veltkamp). */
const SPLITTER = 134217729;

/**
 * The rounding error of `p = a * b` in f64: `a * b = p + error` exactly (Dekker's TwoProd). Exact while |a|, |b| < 2^996 and
 * 2^-968 <= |p| < 2^1022 or p = 0 exactly; callers check.
 */
export function twoProductError(a: number, b: number, p: number): number {
  const sa = SPLITTER * a;
  const ah = sa - (sa - a);
  const al = a - ah;
  const sb = SPLITTER * b;
  const bh = sb - (sb - b);
  const bl = b - bh;
  return al * bl - (p - ah * bh - al * bh - ah * bl);
}

/**
 * `s` rounded to odd, given that the exact value is `s + error` and `s` is its nearest f64: an inexact even significand
 * moves one step towards the error. Infinity and exact values pass. An overflowed `s` must be handled by the caller.
 */
export function roundToOdd(s: number, error: number): number {
  if (error === 0 || Number.isNaN(error)) return s;
  const low = f64LowWord(s);
  if ((low & 1) !== 0) return s;
  // Even to odd: away from zero only sets the last bit; towards zero borrows.
  if (error > 0 === s > 0) return f64FromWords(f64HighWord(s), low | 1);
  return f64FromWords(low === 0 ? f64HighWord(s) - 1 : f64HighWord(s), low - 1);
}

/**
 * `x` rounded to an integral value, ties to even, keeping the sign of zero: adding 2^52 leaves f64 no fraction bits, so
 * the addition rounds. WASM: `f64.nearest` / `f32.nearest`.
 */
export function roundNearestEven(x: number): number {
  const big = 4503599627370496;
  if (!(Math.abs(x) < big)) return x;
  const r = x < 0 ? x - big + big : x + big - big;
  return r === 0 ? x * 0 : r;
}

/** `x` rounded to an integral value in a direction. WASM: `f64.nearest`, `trunc`, `floor`, `ceil`. */
export function roundToIntegral(x: number, mode: IntegerRounding): number {
  switch (mode) {
    case 'rni':
      return roundNearestEven(x);
    case 'rzi':
      return Math.trunc(x);
    case 'rmi':
      return Math.floor(x);
    case 'rpi':
      return Math.ceil(x);
  }
}

/**
 * `.ftz` on an f32: a subnormal becomes zero of its sign.
 * WASM: `select(copysign(0, x), x, abs(x) < 0x1p-126)`.
 */
export function flush32(x: number): number {
  return x < F32_MIN_NORMAL && x > -F32_MIN_NORMAL ? x * 0 : x;
}

/**
 * `.sat`: clamped to [+0, 1]; NaN and every non-positive value, -0 too, give +0 (PTX ISA 9.7.3: "NaN results are flushed to
 * +0.0f"). WASM: `select(min(x, 1), 0, x > 0)`.
 */
export function saturate(x: number): number {
  return x > 0 ? (x < 1 ? x : 1) : 0;
}

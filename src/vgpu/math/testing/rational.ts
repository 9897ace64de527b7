/**
 * The oracle of this folder's tests: exact rational arithmetic on BigInt and one plain rounding function, written from the
 * definition of the formats and sharing nothing with the code under test.
 */

/** numerator / denominator, denominator > 0; not reduced. */
export interface Rational {
  n: bigint;
  d: bigint;
}

/** A binary format: precision in bits, least and greatest exponent of normal numbers. */
export interface BinaryFormat {
  precision: number;
  emin: number;
  emax: number;
}

export const BINARY16: BinaryFormat = { precision: 11, emin: -14, emax: 15 };
export const BFLOAT16: BinaryFormat = { precision: 8, emin: -126, emax: 127 };
export const BINARY32: BinaryFormat = { precision: 24, emin: -126, emax: 127 };
export const BINARY64: BinaryFormat = { precision: 53, emin: -1022, emax: 1023 };
export const TF32: BinaryFormat = { precision: 11, emin: -126, emax: 127 };

/** 2^e as a rational. */
export function power(e: number): Rational {
  return e >= 0 ? { n: 1n << BigInt(e), d: 1n } : { n: 1n, d: 1n << BigInt(-e) };
}

/** The exact value of a finite f64, by its decimal-free binary fields. */
export function rational(x: number): Rational {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const significand = field === 0 ? fraction : fraction + (1n << 52n);
  const signed = bits >> 63n ? -significand : significand;
  return multiply({ n: signed, d: 1n }, power((field === 0 ? 1 : field) - 1075));
}

export function add(x: Rational, y: Rational): Rational {
  return { n: x.n * y.d + y.n * x.d, d: x.d * y.d };
}

export function multiply(x: Rational, y: Rational): Rational {
  return { n: x.n * y.n, d: x.d * y.d };
}

export function divide(x: Rational, y: Rational): Rational {
  const sign = y.n < 0n ? -1n : 1n;
  return { n: sign * x.n * y.d, d: sign * y.n * x.d };
}

/** Integer square root, rounded down, by Newton's method. */
function isqrt(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}

/** A rational on the same side of every value of at most 600 fraction bits as the square root of x >= 0; exact if the root is. */
export function squareRoot(x: Rational): Rational {
  const shift = 1200n;
  const scaled = (x.n << (2n * shift)) / x.d;
  const root = isqrt(scaled);
  const exact = root * root * x.d === x.n << (2n * shift);
  return { n: 2n * root + (exact ? 0n : 1n), d: 1n << (shift + 1n) };
}

export type Mode = 'rn' | 'rz' | 'rm' | 'rp' | 'rna';

/** floor(x) of a non-negative rational. */
const floor = (x: Rational): bigint => x.n / x.d;

/** A nonzero rational rounded to a format; the result is a number (every format here fits in f64), possibly infinite. */
export function round(x: Rational, format: BinaryFormat, mode: Mode): number {
  if (x.n === 0n) return 0;
  const negative = x.n < 0n;
  const magnitude: Rational = { n: negative ? -x.n : x.n, d: x.d };
  // The exponent: 2^e <= magnitude < 2^(e+1), at least emin.
  let e = magnitude.n.toString(2).length - magnitude.d.toString(2).length;
  const p = power(e);
  if (magnitude.n * p.d < p.n * magnitude.d) e -= 1;
  e = Math.max(e, format.emin);
  const quantum = power(e - format.precision + 1);
  const steps = divide(magnitude, quantum);
  let kept = floor(steps);
  const rest: Rational = { n: steps.n - kept * steps.d, d: steps.d };
  const twice = 2n * rest.n;
  if (mode === 'rn') {
    if (twice > rest.d || (twice === rest.d && kept % 2n === 1n)) kept += 1n;
  } else if (mode === 'rna') {
    if (twice >= rest.d) kept += 1n;
  } else if (rest.n > 0n && ((mode === 'rp' && !negative) || (mode === 'rm' && negative))) {
    kept += 1n;
  }
  const limit = 1n << BigInt(format.precision);
  let result: number;
  if (kept > 0n && (e > format.emax || (e === format.emax && kept >= limit))) {
    const greatest = (2 - 2 ** (1 - format.precision)) * 2 ** format.emax;
    const beyond = mode === 'rn' || mode === 'rna' || (mode === 'rp' && !negative) || (mode === 'rm' && negative);
    result = beyond ? Number.POSITIVE_INFINITY : greatest;
  } else {
    // Exact: kept has at most 54 bits and is even when it has 54. Two factors because 2^quantum may not be an f64.
    const exponent = e - format.precision + 1;
    const first = Math.max(exponent, -1000);
    result = Number(kept) * 2 ** first * 2 ** (exponent - first);
  }
  return negative ? -result : result;
}

/** Interesting f32 values: zeros, subnormals, powers, neighbours of one, extremes, infinities, NaN. */
export const EDGES_32: readonly number[] = [
  0,
  2 ** -149,
  3 * 2 ** -149,
  2 ** -126 - 2 ** -149,
  2 ** -126,
  2 ** -125,
  1.5 * 2 ** -75,
  2 ** -24,
  2 ** -25,
  2 ** -12,
  1 - 2 ** -24,
  1,
  1 + 2 ** -23,
  1 + 2 ** -12,
  1.5,
  3,
  16777215,
  2 ** 24,
  2 ** 64,
  2 ** 103,
  2 ** 126,
  2 ** 127,
  3.4028234663852886e38,
  Number.POSITIVE_INFINITY,
  Number.NaN,
].flatMap((x) => (Number.isNaN(x) ? [x] : [x, -x]));

/** Interesting f64 values. */
export const EDGES_64: readonly number[] = [
  0,
  Number.MIN_VALUE,
  3 * Number.MIN_VALUE,
  2 ** -1022 - Number.MIN_VALUE,
  2 ** -1022,
  1.25 * 2 ** -1000,
  1.1 * 2 ** -537,
  2 ** -80,
  2 ** -53,
  1 - 2 ** -53,
  1,
  1 + 2 ** -52,
  1 + 2 ** -26,
  Math.PI,
  2 ** 53 - 1,
  2 ** 80,
  1.7 * 2 ** 511,
  2 ** 970,
  2 ** 1023,
  Number.MAX_VALUE,
  Number.POSITIVE_INFINITY,
  Number.NaN,
].flatMap((x) => (Number.isNaN(x) ? [x] : [x, -x]));

/** A deterministic stream of uint32 (xorshift32). */
export function randomBits(seed: number): () => number {
  let x = seed | 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Whether two numbers are the same value, zeros distinguished by sign and all NaN alike. */
export const same = (a: number, b: number): boolean => Object.is(a, b);

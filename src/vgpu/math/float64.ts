/**
 * f64 arithmetic of PTX (ISA 9.7.3): fma exact in every case, and add, sub, mul, div, rcp, sqrt in the four directions.
 *
 * Nearest add, mul, div and sqrt are JavaScript's own. Directed results compare the exact value with the nearest one (as a
 * dyadic number, BigInt significand times a power of two) and step to the neighbour. fma.rn takes the double-double
 * way (Boldo & Melquiond 2008) where no intermediate can over- or underflow, and BigInt otherwise.
 */
import { f64HighWord, f64ToBits, isNegative } from './bits.ts';
import { directF64, F64_MAX, type Rounding, roundToOdd, twoProductError, twoSumError } from './rounding.ts';

const INFINITY = Number.POSITIVE_INFINITY;

/** significand * 2^exponent, exactly. */
interface Dyadic {
  significand: bigint;
  exponent: number;
}

/** The exact value of a finite f64. */
function dyadic(x: number): Dyadic {
  const bits = f64ToBits(x);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = field === 0 ? fraction : fraction | 0x10000000000000n;
  return { significand: bits >> 63n === 1n ? -magnitude : magnitude, exponent: (field === 0 ? 1 : field) - 1075 };
}

function product(x: Dyadic, y: Dyadic): Dyadic {
  return { significand: x.significand * y.significand, exponent: x.exponent + y.exponent };
}

function sum(x: Dyadic, y: Dyadic): Dyadic {
  const exponent = Math.min(x.exponent, y.exponent);
  return {
    significand: (x.significand << BigInt(x.exponent - exponent)) + (y.significand << BigInt(y.exponent - exponent)),
    exponent,
  };
}

/** The sign of x - y: -1, 0 or 1. */
function compare(x: Dyadic, y: Dyadic): number {
  const difference = sum(x, { significand: -y.significand, exponent: y.exponent }).significand;
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

function bitLength(magnitude: bigint): number {
  return magnitude.toString(16).length * 4 - Math.clz32(Number.parseInt(magnitude.toString(16)[0]!, 16)) + 28;
}

/** significand * 2^exponent rounded to f64. A zero significand gives +0 (-0 under .rm). */
export function roundDyadic(significand: bigint, exponent: number, mode: Rounding): number {
  if (significand === 0n) return mode === 'rm' ? -0 : 0;
  const negative = significand < 0n;
  const magnitude = negative ? -significand : significand;
  // The exponent of the last kept bit: 53 bits, but not below the subnormal quantum.
  const quantum = Math.max(bitLength(magnitude) + exponent - 53, -1074);
  const shift = quantum - exponent;
  let kept = shift <= 0 ? magnitude << BigInt(-shift) : magnitude >> BigInt(shift);
  if (shift > 0) {
    const rest = magnitude - (kept << BigInt(shift));
    const half = 1n << BigInt(shift - 1);
    const up =
      mode === 'rn'
        ? rest > half || (rest === half && (kept & 1n) === 1n)
        : rest > 0n && ((mode === 'rp' && !negative) || (mode === 'rm' && negative));
    if (up) kept += 1n;
  }
  const overflow = bitLength(kept || 1n) + quantum > 1024;
  let result: number;
  if (overflow) {
    const toInfinity = mode === 'rn' || (mode === 'rp' && !negative) || (mode === 'rm' && negative);
    result = toInfinity ? INFINITY : F64_MAX;
  } else {
    // kept < 2^54 and its scaling is exact; two steps because 2^quantum alone may not be an f64.
    const half = Math.trunc(quantum / 2);
    result = Number(kept) * 2 ** half * 2 ** (quantum - half);
  }
  return negative ? -result : result;
}

/** fma by exact BigInt arithmetic, for finite operands. */
function fmaExact(a: number, b: number, c: number, mode: Rounding): number {
  const exact = sum(product(dyadic(a), dyadic(b)), dyadic(c));
  if (exact.significand === 0n) {
    const productNegative = isNegative(a) !== isNegative(b);
    if (a !== 0 && b !== 0) return mode === 'rm' ? -0 : 0;
    // A zero product plus a zero: like signs keep theirs.
    if (productNegative === isNegative(c)) return productNegative ? -0 : 0;
    return mode === 'rm' ? -0 : 0;
  }
  return roundDyadic(exact.significand, exact.exponent, mode);
}

function biasedExponent(x: number): number {
  return (f64HighWord(x) >>> 20) & 0x7ff;
}

/**
 * `fma.rn/.rz/.rm/.rp.f64`: a * b + c rounded once. WASM has no inline form: import this function, or emit TwoProd, two TwoSums
 * and one round-to-odd when the exponents are known to be moderate.
 */
export function fma64(a: number, b: number, c: number, mode: Rounding = 'rn'): number {
  const p = a * b;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return p + c;
  // The product of finite operands may overflow here and still be finite: an infinite c decides alone.
  if (!Number.isFinite(c)) return c;
  if (mode === 'rn') {
    const ea = biasedExponent(a);
    const eb = biasedExponent(b);
    const ec = biasedExponent(c);
    // Product between 2^-800 and 2^900, operands splittable, addend far from the range's ends or zero.
    if (
      ea > 120 &&
      ea < 1990 &&
      eb > 120 &&
      eb < 1990 &&
      ea + eb > 1246 &&
      ea + eb < 2900 &&
      ((ec > 120 && ec < 1990) || c === 0)
    ) {
      const pe = twoProductError(a, b, p);
      const th = c + pe;
      const tl = twoSumError(c, pe, th);
      const vh = p + th;
      const vl = twoSumError(p, th, vh);
      const tail = tl + vl;
      return vh + roundToOdd(tail, twoSumError(tl, vl, tail));
    }
  }
  return fmaExact(a, b, c, mode);
}

/** The directed neighbour of a nearest result `r`, given the sign of (exact - r); an overflowed r is compared as beyond. */
function direct(r: number, sign: () => number, mode: Rounding): number {
  if (Math.abs(r) === INFINITY) {
    const inward = mode === 'rz' || (mode === 'rm' && r > 0) || (mode === 'rp' && r < 0);
    return inward ? Math.sign(r) * F64_MAX : r;
  }
  return directF64(r, sign(), mode);
}

function finite(x: number): boolean {
  return Number.isFinite(x);
}

/** a + b. WASM, rn: `f64.add`. Others: `f64.add`, TwoSum error, step by the sign of the error. */
export function add64(a: number, b: number, mode: Rounding = 'rn'): number {
  const s = a + b;
  if (mode === 'rn' || !finite(a) || !finite(b)) return s;
  if (s === 0) {
    if (mode === 'rm' && (a !== 0 || isNegative(a) || isNegative(b))) return -0;
    return s;
  }
  return direct(s, () => twoSumError(a, b, s), mode);
}

export function sub64(a: number, b: number, mode: Rounding = 'rn'): number {
  return add64(a, -b, mode);
}

/** a * b. WASM, rn: `f64.mul`. Others: import. */
export function mul64(a: number, b: number, mode: Rounding = 'rn'): number {
  const p = a * b;
  if (mode === 'rn' || !finite(a) || !finite(b)) return p;
  return direct(p, () => compare(product(dyadic(a), dyadic(b)), dyadic(p)), mode);
}

/** a / b. WASM, rn: `f64.div`. Others: import. */
export function div64(a: number, b: number, mode: Rounding = 'rn'): number {
  const q = a / b;
  if (mode === 'rn' || !finite(a) || !finite(b) || b === 0) return q;
  // a/b > q  <=>  a > q*b for positive b.
  return direct(q, () => compare(dyadic(a), product(dyadic(q), dyadic(b))) * (b > 0 ? 1 : -1), mode);
}

export function rcp64(a: number, mode: Rounding = 'rn'): number {
  return div64(1, a, mode);
}

/** Square root. WASM, rn: `f64.sqrt`. Others: import. */
export function sqrt64(a: number, mode: Rounding = 'rn'): number {
  const r = Math.sqrt(a);
  if (mode === 'rn' || !finite(r) || r === 0) return r;
  return direct(r, () => compare(dyadic(a), product(dyadic(r), dyadic(r))), mode);
}

/**
 * f16 and bf16 arithmetic of PTX (ISA 9.7.4): add, sub, mul, fma, neg, abs, min, max, each rounded once, and the packed
 * forms f16x2/bf16x2.
 *
 * Sums and products of halves are formed in f64. A product is exact there (22 or 16 bits); a sum carries its TwoSum
 * error into the last bit (round to odd), because bf16 spans 2^-133 to 2^128 and a midpoint plus a distant addend is common
 * enough to be hit by tests. f16's subnormals are supported unless .ftz asks otherwise.
 */
import { F16_NAN_BITS } from './bits.ts';
import { bf16ToNumber, F16_MIN_NORMAL, f16ToNumber, f32ToBf16, f32ToF16, numberToBf16, numberToF16 } from './half.ts';
import { roundToOdd, saturate, twoSumError } from './rounding.ts';

/** Which half format an instruction works on. */
export type HalfType = 'f16' | 'bf16';

/** Modifiers of f16/bf16 arithmetic. PTX allows only .rn here. */
export interface HalfArithmeticModifiers {
  /** f16: subnormal operands and results become zero of their sign. */
  ftz?: boolean;
  /** Clamp to [0, 1], NaN to +0. */
  sat?: boolean;
  /** Negative results become 0, NaN becomes canonical NaN (fma only). */
  relu?: boolean;
}

function decoder(type: HalfType, ftz: boolean): (bits: number) => number {
  const decode = type === 'f16' ? f16ToNumber : bf16ToNumber;
  if (!ftz) return decode;
  const least = type === 'f16' ? F16_MIN_NORMAL : 2 ** -126;
  return (bits) => {
    const x = decode(bits);
    return Math.abs(x) < least ? x * 0 : x;
  };
}

function encoder(type: HalfType, modifiers: HalfArithmeticModifiers): (x: number) => number {
  const { ftz = false, sat = false, relu = false } = modifiers;
  const encode = type === 'f16' ? numberToF16 : numberToBf16;
  // Below this magnitude a pattern is subnormal: exponent field zero.
  const field = type === 'f16' ? 0x7c00 : 0x7f80;
  if (!ftz && !sat && !relu) return encode;
  return (x) => {
    let bits = encode(sat ? saturate(x) : x);
    if (ftz && (bits & field) === 0) bits &= 0x8000;
    if (relu && !Number.isNaN(x) && (bits & 0x8000) !== 0) bits = 0;
    return bits;
  };
}

/** a * b + c as one f64 that rounds correctly to either half format. */
function oddFma(a: number, b: number, c: number): number {
  const p = a * b;
  const s = p + c;
  return Number.isFinite(s) ? roundToOdd(s, twoSumError(p, c, s)) : s;
}

/** The function (bits, bits) -> bits of a two-operand half instruction. */
export function binaryHalf(
  operation: 'add' | 'sub' | 'mul',
  type: HalfType,
  modifiers: HalfArithmeticModifiers = {},
): (a: number, b: number) => number {
  const decode = decoder(type, modifiers.ftz ?? false);
  const encode = encoder(type, modifiers);
  switch (operation) {
    case 'add':
      return (a, b) => encode(oddFma(1, decode(a), decode(b)));
    case 'sub':
      return (a, b) => encode(oddFma(1, decode(a), -decode(b)));
    case 'mul':
      return (a, b) => encode(decode(a) * decode(b));
  }
}

/** The function of `fma.rn.{f16,bf16}`. */
export function fmaHalf(
  type: HalfType,
  modifiers: HalfArithmeticModifiers = {},
): (a: number, b: number, c: number) => number {
  const decode = decoder(type, modifiers.ftz ?? false);
  const encode = encoder(type, modifiers);
  return (a, b, c) => encode(oddFma(decode(a), decode(b), decode(c)));
}

/** `add.rn.f16` without modifiers. Both sums are exact in f32 steps that f32ToF16 rounds correctly (24 >= 2 * 11 + 2). */
export function addF16(a: number, b: number): number {
  return f32ToF16(f16ToNumber(a) + f16ToNumber(b));
}

export function subF16(a: number, b: number): number {
  return f32ToF16(f16ToNumber(a) - f16ToNumber(b));
}

/** `mul.rn.f16` without modifiers: the product is exact in f32. */
export function mulF16(a: number, b: number): number {
  return f32ToF16(f16ToNumber(a) * f16ToNumber(b));
}

/** `fma.rn.f16` without modifiers. */
export function fmaF16(a: number, b: number, c: number): number {
  return numberToF16(oddFma(f16ToNumber(a), f16ToNumber(b), f16ToNumber(c)));
}

/** `add.rn.bf16`. 24 >= 2 * 8 + 2: rounding through f32 is harmless. */
export function addBf16(a: number, b: number): number {
  return f32ToBf16(bf16ToNumber(a) + bf16ToNumber(b));
}

export function subBf16(a: number, b: number): number {
  return f32ToBf16(bf16ToNumber(a) - bf16ToNumber(b));
}

/** `mul.rn.bf16`. The product (16 bits) may fall below f32's subnormal quantum, so it is rounded from f64. */
export function mulBf16(a: number, b: number): number {
  return numberToBf16(bf16ToNumber(a) * bf16ToNumber(b));
}

/** `fma.rn.bf16` without modifiers. */
export function fmaBf16(a: number, b: number, c: number): number {
  return numberToBf16(oddFma(bf16ToNumber(a), bf16ToNumber(b), bf16ToNumber(c)));
}

function isNaNHalf(bits: number, type: HalfType): boolean {
  return (bits & 0x7fff) > (type === 'f16' ? 0x7c00 : 0x7f80);
}

/** `neg.{f16,bf16}`: flips the sign; a NaN becomes canonical. `.ftz` (f16) flushes the operand. */
export function negHalf(bits: number, type: HalfType, ftz = false): number {
  if (isNaNHalf(bits, type)) return F16_NAN_BITS;
  return flushHalf(bits, type, ftz) ^ 0x8000;
}

/** `abs.{f16,bf16}`. */
export function absHalf(bits: number, type: HalfType, ftz = false): number {
  if (isNaNHalf(bits, type)) return F16_NAN_BITS;
  return flushHalf(bits, type, ftz) & 0x7fff;
}

/** A subnormal pattern to zero of its sign when `ftz`. */
export function flushHalf(bits: number, type: HalfType, ftz: boolean): number {
  return ftz && (bits & (type === 'f16' ? 0x7c00 : 0x7f80)) === 0 ? bits & 0x8000 : bits & 0xffff;
}

/** A 16-bit function on both halves of 32-bit registers (f16x2, bf16x2, u16x2, s16x2); int32 result. */
export function packed1(f: (a: number) => number): (a: number) => number {
  return (a) => (f(a >>> 16) << 16) | (f(a & 0xffff) & 0xffff);
}

export function packed2(f: (a: number, b: number) => number): (a: number, b: number) => number {
  return (a, b) => (f(a >>> 16, b >>> 16) << 16) | (f(a & 0xffff, b & 0xffff) & 0xffff);
}

export function packed3(f: (a: number, b: number, c: number) => number): (a: number, b: number, c: number) => number {
  return (a, b, c) => (f(a >>> 16, b >>> 16, c >>> 16) << 16) | (f(a & 0xffff, b & 0xffff, c & 0xffff) & 0xffff);
}

/**
 * f16 and bf16: conversion to and from f32/f64 in the four rounding directions, with .sat, .satfinite and .relu, and packing
 * of pairs.
 *
 * A half value is its 16-bit pattern in a number (0 to 65535). NaN results are canonical 0x7fff (PTX ISA 9.7.4, 9.7.9 cvt).
 */
import { F16_NAN_BITS, f64FromWords, f64HighWord, isNegative } from './bits.ts';
import { type Rounding, roundNearestEven } from './rounding.ts';

export const F16_MAX = 65504;
export const F16_MIN_NORMAL = 2 ** -14;
export const BF16_MAX = 3.3895313892515355e38;

const float32 = new Float32Array(1);
const int32 = new Int32Array(float32.buffer);

/** A binary floating-point format with infinities: significand bits with the hidden one, and least normal exponent. */
interface Format {
  precision: number;
  minExponent: number;
  max: number;
  infinityBits: number;
}

const F16: Format = { precision: 11, minExponent: -14, max: F16_MAX, infinityBits: 0x7c00 };
const BF16: Format = { precision: 8, minExponent: -126, max: BF16_MAX, infinityBits: 0x7f80 };

/** floor(log2(x)) of a positive finite f64, read from its exponent field; -1023 for every subnormal f64. */
export function exponentOf(x: number): number {
  return ((f64HighWord(x) >>> 20) & 0x7ff) - 1023;
}

/** 2^e for -1022 <= e <= 1023, by its bits: an order of magnitude quicker than `2 ** e`. */
export function powerOfTwo(e: number): number {
  return f64FromWords((e + 1023) << 20, 0);
}

/** Any f64 to the bits of `format`, rounded once. Plain and slow; the hot nearest-even paths below are tested against it. */
function encode(x: number, format: Format, mode: Rounding): number {
  if (Number.isNaN(x)) return F16_NAN_BITS;
  const sign = isNegative(x) ? 0x8000 : 0;
  const magnitude = Math.abs(x);
  if (magnitude === 0) return sign;
  if (magnitude === Number.POSITIVE_INFINITY) return sign | format.infinityBits;
  const exponent = Math.max(exponentOf(magnitude), format.minExponent);
  // Scaling by a power of two: exact, as the quantum's reciprocal never exceeds 2^133 and the target is coarser than f64.
  const scaled = magnitude * powerOfTwo(format.precision - 1 - exponent);
  const away = (mode === 'rp' && sign === 0) || (mode === 'rm' && sign !== 0);
  const steps = mode === 'rn' ? roundNearestEven(scaled) : away ? Math.ceil(scaled) : Math.floor(scaled);
  // Consecutive patterns are consecutive values, so a carry out of the significand moves into the exponent by itself.
  const bits = (exponent - format.minExponent) * (1 << (format.precision - 1)) + steps;
  if (bits >= format.infinityBits)
    return sign | (mode === 'rn' || away ? format.infinityBits : format.infinityBits - 1);
  return sign | bits;
}

/** f16 bits to the f64/f32 value, exactly. WASM: see {@link f16ToNumber}'s body: shift into f32 position, times 2^112. */
export function f16ToNumber(bits: number): number {
  const magnitude = bits & 0x7fff;
  let value: number;
  if (magnitude >= 0x7c00) {
    value = magnitude === 0x7c00 ? Number.POSITIVE_INFINITY : Number.NaN;
  } else {
    // Read as an f32 the exponent is too small by 112; the product is exact, subnormals included.
    int32[0] = magnitude << 13;
    value = float32[0]! * 5.192296858534828e33;
  }
  return (bits & 0x8000) !== 0 ? -value : value;
}

/**
 * An f32 to f16 bits, nearest even (`cvt.rn.f16.f32`). `x` must be an f32 value.
 * WASM, integer only: `u = bits & 0x7fffffff`; u > 0x7f800000 gives 0x7fff; u >= 0x47800000 gives 0x7c00; u < 0x38800000 gives
 * `reinterpret(reinterpret(u) + 0.5f) - 0x3f000000`; else `(u + 0xfff + ((u >> 13) & 1) - 0x38000000) >> 13`; OR the sign.
 */
export function f32ToF16(x: number): number {
  float32[0] = x;
  const bits = int32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const u = bits & 0x7fffffff;
  if (u >= 0x47800000) return u > 0x7f800000 ? F16_NAN_BITS : sign | 0x7c00;
  if (u < 0x38800000) {
    // 0.5f has a last place of 2^-24, the f16 subnormal quantum: the f32 addition does the rounding.
    float32[0] = Math.abs(x) + 0.5;
    return sign | (int32[0]! - 0x3f000000);
  }
  return sign | ((u + 0xfff + ((u >> 13) & 1) - 0x38000000) >> 13);
}

/** Any f64 to f16 bits, rounded once in a direction. For f32 values in nearest mode {@link f32ToF16} is quicker. */
export function numberToF16(x: number, mode: Rounding = 'rn'): number {
  return encode(x, F16, mode);
}

/** bf16 bits to the value, exactly. WASM: `f32.reinterpret_i32(bits << 16)`. */
export function bf16ToNumber(bits: number): number {
  int32[0] = bits << 16;
  return float32[0]!;
}

/**
 * An f32 to bf16 bits, nearest even (`cvt.rn.bf16.f32`).
 * WASM: `(u + 0x7fff + ((u >> 16) & 1)) >>> 16`, or 0x7fff when x != x.
 */
export function f32ToBf16(x: number): number {
  if (Number.isNaN(x)) return F16_NAN_BITS;
  float32[0] = x;
  const u = int32[0]!;
  return ((u + 0x7fff + ((u >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Any f64 to bf16 bits, rounded once in a direction. */
export function numberToBf16(x: number, mode: Rounding = 'rn'): number {
  return encode(x, BF16, mode);
}

/** Modifiers of a conversion to f16, bf16 (cvt, ISA 9.7.9). */
export interface HalfModifiers {
  rounding?: Rounding;
  /** Clamp to [0, 1], NaN to +0 (f16 only in PTX). */
  sat?: boolean;
  /** An overflow, or an infinite operand, becomes the greatest finite value of its sign; NaN stays NaN. */
  satfinite?: boolean;
  /** Negative results become +0; NaN becomes canonical NaN. */
  relu?: boolean;
}

/** `.relu` on a half pattern: negative to +0, NaN stays. -0 becomes +0 as well. */
export function reluHalf(bits: number, nan: boolean): number {
  return nan ? F16_NAN_BITS : (bits & 0x8000) !== 0 ? 0 : bits;
}

/** `.satfinite`: infinity patterns become the greatest finite pattern. */
function finiteHalf(bits: number, infinityBits: number): number {
  return (bits & 0x7fff) === infinityBits ? bits - 1 : bits;
}

/** The conversion from a number to f16 bits with its modifiers resolved, to be looked up once an instruction. */
export function toF16(modifiers: HalfModifiers = {}): (x: number) => number {
  const { rounding = 'rn', sat = false, satfinite = false, relu = false } = modifiers;
  return (x) => {
    let bits = encode(sat ? (x > 0 ? Math.min(x, 1) : 0) : x, F16, rounding);
    if (satfinite) bits = finiteHalf(bits, 0x7c00);
    return relu ? reluHalf(bits, Number.isNaN(x)) : bits;
  };
}

/** The conversion from a number to bf16 bits with its modifiers resolved. */
export function toBf16(modifiers: HalfModifiers = {}): (x: number) => number {
  const { rounding = 'rn', sat = false, satfinite = false, relu = false } = modifiers;
  return (x) => {
    let bits = encode(sat ? (x > 0 ? Math.min(x, 1) : 0) : x, BF16, rounding);
    if (satfinite) bits = finiteHalf(bits, 0x7f80);
    return relu ? reluHalf(bits, Number.isNaN(x)) : bits;
  };
}

/** Two 16-bit patterns as one 32-bit register, int32. `cvt.f16x2.f32 d, a, b` puts a in the upper half. */
export function pack16(low: number, high: number): number {
  return (high << 16) | (low & 0xffff);
}

/** Lower and upper 16 bits of a register. */
export function lowHalf(register: number): number {
  return register & 0xffff;
}

export function highHalf(register: number): number {
  return register >>> 16;
}

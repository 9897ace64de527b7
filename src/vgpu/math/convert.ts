/**
 * `cvt` (PTX ISA 9.7.9) between integers and floating point, and between integer types.
 *
 * Integer values are mathematical values in their type's range: a number for 8, 16 and 32 bits, a bigint for 64. A register that is
 * wider than the type takes the value sign- or zero-extended by its own signedness, which falls out of storing the value.
 */
import {
  type IntegerRounding,
  nextDown64,
  nextUp64,
  type Rounding,
  roundToF32,
  roundToIntegral,
  roundToOdd,
} from './rounding.ts';

export type IntegerType = 'u8' | 's8' | 'u16' | 's16' | 'u32' | 's32' | 'u64' | 's64';

/** Bits and range of each integer type. `min`/`max` of 64-bit types are the nearest f64; exact ones in `range64`. */
export const INTEGER_TYPES: Readonly<Record<IntegerType, { bits: number; signed: boolean; min: number; max: number }>> =
  {
    u8: { bits: 8, signed: false, min: 0, max: 255 },
    s8: { bits: 8, signed: true, min: -128, max: 127 },
    u16: { bits: 16, signed: false, min: 0, max: 65535 },
    s16: { bits: 16, signed: true, min: -32768, max: 32767 },
    u32: { bits: 32, signed: false, min: 0, max: 4294967295 },
    s32: { bits: 32, signed: true, min: -2147483648, max: 2147483647 },
    u64: { bits: 64, signed: false, min: 0, max: 2 ** 64 },
    s64: { bits: 64, signed: true, min: -(2 ** 63), max: 2 ** 63 },
  };

const RANGE_64 = {
  u64: { min: 0n, max: 0xffffffffffffffffn },
  s64: { min: -0x8000000000000000n, max: 0x7fffffffffffffffn },
} as const;

function is64(type: IntegerType): type is 'u64' | 's64' {
  return type === 'u64' || type === 's64';
}

/**
 * A float to an integer of at most 32 bits: rounded, then clamped to the type's range (PTX clamps by default, .sat adds
 * nothing). NaN: PTX ISA 9.7.9 cvt gives 0 when the source is not f64; for an f64 source the most significant bit alone
 * (INT_MIN, or 0x80000000 unsigned). Pass `fromF64` accordingly.
 * WASM, rzi s32/u32: `i32.trunc_sat_f32_s/u` (NaN already 0); other roundings: `nearest/floor/ceil` first.
 */
export function floatToInteger(
  x: number,
  type: Exclude<IntegerType, 'u64' | 's64'>,
  mode: IntegerRounding = 'rzi',
  fromF64 = false,
): number {
  const { min, max, bits, signed } = INTEGER_TYPES[type];
  if (Number.isNaN(x)) return fromF64 ? (signed ? min : 2 ** (bits - 1)) : 0;
  const r = roundToIntegral(x, mode);
  // Adding zero turns -0 into +0.
  return r < min ? min : r > max ? max : r + 0;
}

/**
 * A float to a 64-bit integer: rounded, then clamped. NaN gives 0x8000000000000000 from every source type (ISA 9.7.9 cvt: the
 * zero rule excludes .s64 and .u64 destinations).
 * WASM, rzi: `i64.trunc_sat_f64_s/u` behind an `x != x` select.
 */
export function floatToInteger64(x: number, type: 'u64' | 's64', mode: IntegerRounding = 'rzi'): bigint {
  const { min, max } = RANGE_64[type];
  if (Number.isNaN(x)) return type === 's64' ? min : 0x8000000000000000n;
  const r = roundToIntegral(x, mode);
  if (r >= INTEGER_TYPES[type].max) return max;
  if (r <= INTEGER_TYPES[type].min) return min;
  return BigInt(r);
}

/** The nearest f64 to a bigint with the sign of (exact - nearest). */
function nearestWithError(value: bigint): { nearest: number; error: number } {
  const nearest = Number(value);
  const difference = value - BigInt(nearest);
  return { nearest, error: difference > 0n ? 1 : difference < 0n ? -1 : 0 };
}

/** A 64-bit integer to f64, rounded once. WASM, rn: `f64.convert_i64_s/u`. */
export function bigintToF64(value: bigint, mode: Rounding = 'rn'): number {
  const { nearest, error } = nearestWithError(value);
  if (mode === 'rn' || error === 0) return nearest;
  const down = mode === 'rm' || (mode === 'rz' && nearest > 0);
  if (down) return error < 0 ? nextDown64(nearest) : nearest;
  return error > 0 ? nextUp64(nearest) : nearest;
}

/** A 64-bit integer as an f64 rounded to odd: rounding it again to a format of at most 51 bits is correct in every direction. */
export function bigintToOdd(value: bigint): number {
  const { nearest, error } = nearestWithError(value);
  return roundToOdd(nearest, error);
}

/** A 64-bit integer to f32, rounded once. WASM, rn: `f32.convert_i64_s/u`. */
export function bigintToF32(value: bigint, mode: Rounding = 'rn'): number {
  return roundToF32(bigintToOdd(value), mode);
}

/** An integer of at most 32 bits to f32, rounded once (exact in f64). WASM, rn: `f32.convert_i32_s/u`. */
export function integerToF32(value: number, mode: Rounding = 'rn'): number {
  return roundToF32(value, mode);
}

/** An integer value between integer types: truncated to the low bits, or clamped with `.sat`. */
export function convertInteger(value: number | bigint, to: IntegerType, sat = false): number | bigint {
  if (!is64(to) && typeof value === 'number') return narrowInteger(value, to, sat);
  const wide = BigInt(value);
  const { bits, signed } = INTEGER_TYPES[to];
  let result: bigint;
  if (sat) {
    const min = signed ? -(1n << BigInt(bits - 1)) : 0n;
    const max = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
    result = wide < min ? min : wide > max ? max : wide;
  } else {
    result = signed ? BigInt.asIntN(bits, wide) : BigInt.asUintN(bits, wide);
  }
  return is64(to) ? result : Number(result);
}

/**
 * An integer number (at most 32 bits, value of its source type) to a type of at most 32 bits.
 * WASM: `i32.extend8_s`, `extend16_s`, `and 0xff/0xffff`.
 */
export function narrowInteger(value: number, to: Exclude<IntegerType, 'u64' | 's64'>, sat = false): number {
  if (sat) {
    const { min, max } = INTEGER_TYPES[to];
    return value < min ? min : value > max ? max : value;
  }
  switch (to) {
    case 'u8':
      return value & 0xff;
    case 's8':
      return (value << 24) >> 24;
    case 'u16':
      return value & 0xffff;
    case 's16':
      return (value << 16) >> 16;
    case 'u32':
      return value >>> 0;
    case 's32':
      return value | 0;
  }
}

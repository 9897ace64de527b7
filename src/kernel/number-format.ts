/** Rounding to, and bytes of, the floating-point formats that parameters and fills use. */
import type { DType } from '../task/index.ts';

export type FloatFormat = 'float64' | 'float32' | 'float16' | 'bfloat16';

const scratch = new DataView(new ArrayBuffer(8));

/** The nearest value of the format, ties to even. */
export function roundToFormat(value: number, format: FloatFormat): number {
  switch (format) {
    case 'float64':
      return value;
    case 'float32':
      return Math.fround(value);
    case 'float16':
      return halfFromBits(halfBits(value));
    case 'bfloat16':
      scratch.setUint32(0, bfloat16Bits(value) << 16);
      return scratch.getFloat32(0);
  }
}

/** IEEE binary16 bits, rounded once from binary64 to nearest even. */
export function halfBits(value: number): number {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  // Steps of 2^-24 below the smallest normal number, of 2^(e-10) above it.
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const e =
    magnitude >= 2 ** (exponent + 1)
      ? exponent + 1
      : magnitude < 2 ** exponent && exponent > -14
        ? exponent - 1
        : exponent;
  const steps = roundHalfEven(magnitude / 2 ** (e - 10));
  return sign + (magnitude < 2 ** -14 ? steps : ((e + 15) << 10) + (steps - 1024));
}

function halfFromBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * bfloat16 bits by way of float32, as PyTorch's c10::BFloat16(float) does: a double is first converted to float,
 * then the float to bfloat16, both to nearest even.
 */
export function bfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** Little-endian bytes of a float, hex. */
export function floatBytes(value: number, format: FloatFormat): string {
  switch (format) {
    case 'float64':
      scratch.setFloat64(0, value, true);
      return hexOf(8);
    case 'float32':
      scratch.setFloat32(0, value, true);
      return hexOf(4);
    case 'float16':
      scratch.setUint16(0, halfBits(value), true);
      return hexOf(2);
    case 'bfloat16':
      scratch.setUint16(0, bfloat16Bits(value), true);
      return hexOf(2);
  }
}

/** Little-endian two's complement bytes, hex. */
export function intBytes(value: bigint, bytes: number): string {
  scratch.setBigUint64(0, BigInt.asUintN(64, value), true);
  return hexOf(bytes);
}

function hexOf(bytes: number): string {
  return Buffer.from(scratch.buffer, 0, bytes).toString('hex');
}

/** One element of a dtype, hex. Integers truncate towards zero, bool is 0 or 1, as PyTorch's fill does. */
export function elementBytes(value: number, dtype: DType): string {
  switch (dtype) {
    case 'float64':
    case 'float32':
    case 'float16':
    case 'bfloat16':
      return floatBytes(value, dtype);
    case 'bool':
      return value !== 0 ? '01' : '00';
    default:
      return intBytes(BigInt(Math.trunc(Number.isFinite(value) ? value : 0)), DTYPE_BYTES[dtype]);
  }
}

export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/**
 * Reinterpretation of floating-point values as bit patterns and back, with PTX's canonical NaNs.
 *
 * JavaScript does not promise to keep the payload of a NaN, so arithmetic here works on numbers and a NaN becomes the
 * canonical pattern only when bits are asked for. Moves, loads and stores must carry bits, never numbers.
 */

/** The NaN that f32 arithmetic returns (PTX ISA 9.7.3: single-precision NaN results are canonical 0x7fffffff). */
export const F32_NAN_BITS = 0x7fffffff;
/** The NaN that f16 and bf16 arithmetic returns (PTX ISA 9.7.4). */
export const F16_NAN_BITS = 0x7fff;
/** The NaN written for f64. PTX leaves f64 payloads alone; this is the quiet NaN that IEEE hardware generates. */
export const F64_NAN_BITS = 0xfff8000000000000n;

const buffer = new ArrayBuffer(8);
const float32 = new Float32Array(buffer);
const int32 = new Int32Array(buffer);
const float64 = new Float64Array(buffer);
const uint64 = new BigUint64Array(buffer);

/** The f32 whose bits are `bits` (any int32 or uint32). WASM: `f32.reinterpret_i32`. */
export function f32FromBits(bits: number): number {
  int32[0] = bits;
  return float32[0]!;
}

/** The bits of an f32 as int32; every NaN gives 0x7fffffff. WASM: `i32.reinterpret_f32` behind an `x != x` select. */
export function f32ToBits(value: number): number {
  if (Number.isNaN(value)) return F32_NAN_BITS;
  float32[0] = value;
  return int32[0]!;
}

/** The f64 whose bits are `bits` (any bigint, taken modulo 2^64). WASM: `f64.reinterpret_i64`. */
export function f64FromBits(bits: bigint): number {
  uint64[0] = bits;
  return float64[0]!;
}

/** The bits of an f64 as an unsigned 64-bit bigint; every NaN gives {@link F64_NAN_BITS}. */
export function f64ToBits(value: number): bigint {
  if (Number.isNaN(value)) return F64_NAN_BITS;
  float64[0] = value;
  return uint64[0]!;
}

/** Low 32 bits of an f64's pattern, as int32 (little-endian word 0). */
export function f64LowWord(value: number): number {
  float64[0] = value;
  return int32[0]!;
}

/** High 32 bits of an f64's pattern (sign, exponent, top 20 bits of the fraction), as int32. */
export function f64HighWord(value: number): number {
  float64[0] = value;
  return int32[1]!;
}

/** The f64 with these high and low 32-bit words. PTX `mov.b64 d, {lo, hi}`. */
export function f64FromWords(high: number, low: number): number {
  int32[0] = low;
  int32[1] = high;
  return float64[0]!;
}

/** True for -0 and every negative number. NaN gives false. */
export function isNegative(value: number): boolean {
  return value < 0 || (value === 0 && 1 / value < 0);
}

/**
 * The arithmetic of mma, wmma and wgmma on whole matrices: d = a * b + c.
 *
 * PTX leaves the order, the rounding and subnormal handling of floating-point accumulation unspecified (ISA 9.7.14.5, "accumulation
 * order, rounding and handling of subnormal inputs are unspecified"). The choice here: products are exact, a group of k products and the
 * accumulator are added in order in f64, and the sum is rounded once, to nearest, to the accumulator's type at the end of the
 * group. A group is the whole k of the instruction unless told otherwise. This is at least as accurate as any hardware; how far a
 * device may lie from it is {@link accumulationBound}. Integers are exact modulo 2^32 or saturated; f64 is a chain of fma.rn in
 * order of k.
 *
 * Matrices are row-major arrays of values, decoded by the caller (f16ToNumber, readTf32, fp8ToNumber, ...).
 */
import { fma64 } from './float64.ts';
import type { MatrixShape } from './fragments.ts';
import { f16ToNumber, numberToF16 } from './half.ts';

export type MatrixValues = Float64Array | Float32Array | Int32Array | number[];

/**
 * d = a * b + c for f16, bf16, tf32 and fp8 operands.
 * @param a m x k, @param b k x n, @param c m x n, row-major; @param d m x n, may be c
 * @param accumulator the type that a group's sum is rounded to
 * @param group products added before rounding; divides k
 */
export function mmaFloat(
  shape: MatrixShape,
  a: MatrixValues,
  b: MatrixValues,
  c: MatrixValues,
  d: MatrixValues,
  accumulator: 'f32' | 'f16' = 'f32',
  group: number = shape.k,
): void {
  const { m, n, k } = shape;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = c[row * n + column]!;
      for (let start = 0; start < k; start += group) {
        for (let i = start; i < start + group; i++) sum += a[row * k + i]! * b[i * n + column]!;
        sum = accumulator === 'f32' ? Math.fround(sum) : f16ToNumber(numberToF16(sum));
      }
      d[row * n + column] = sum;
    }
  }
}

/**
 * How far a device's f32 or f16 accumulator may lie from {@link mmaFloat}'s for one element: each of k additions may be
 * rounded or truncated to the accumulator's precision, at the magnitude of the largest partial sum.
 * @param magnitude |c| + sum of |a_i * b_i|, the greatest that any partial sum can be
 */
export function accumulationBound(k: number, magnitude: number, accumulator: 'f32' | 'f16' = 'f32'): number {
  return (k + 1) * magnitude * (accumulator === 'f32' ? 2 ** -23 : 2 ** -10);
}

/** d = a * b + c in f64: one fma.rn for each k, in order. */
export function mmaF64(shape: MatrixShape, a: MatrixValues, b: MatrixValues, c: MatrixValues, d: MatrixValues): void {
  const { m, n, k } = shape;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = c[row * n + column]!;
      for (let i = 0; i < k; i++) sum = fma64(a[row * k + i]!, b[i * n + column]!, sum);
      d[row * n + column] = sum;
    }
  }
}

/**
 * d = a * b + c for 8- and 4-bit integers and s32 accumulators: modulo 2^32, or with `.satfinite` clamped to s32 once at the end of
 * the instruction. The sum is exact in a number (products of 16 bits, k at most 64).
 */
export function mmaInteger(
  shape: MatrixShape,
  a: MatrixValues,
  b: MatrixValues,
  c: MatrixValues,
  d: MatrixValues,
  satfinite = false,
): void {
  const { m, n, k } = shape;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = c[row * n + column]!;
      for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[i * n + column]!;
      d[row * n + column] = satfinite ? Math.min(Math.max(sum, -2147483648), 2147483647) : sum | 0;
    }
  }
}

/** d = popc(a op b) + c for single-bit matrices: elements are 0 or 1; op is xor or and (`mma.{xor,and}.popc`). */
export function mmaBit(
  shape: MatrixShape,
  a: MatrixValues,
  b: MatrixValues,
  c: MatrixValues,
  d: MatrixValues,
  operation: 'xor' | 'and',
): void {
  const { m, n, k } = shape;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = c[row * n + column]!;
      for (let i = 0; i < k; i++) {
        const x = a[row * k + i]!;
        const y = b[i * n + column]!;
        sum += operation === 'xor' ? x ^ y : x & y;
      }
      d[row * n + column] = sum | 0;
    }
  }
}

/** Value of a 4- or 8-bit element at position j of a register. */
export function integerElement(register: number, j: number, type: 's8' | 'u8' | 's4' | 'u4'): number {
  switch (type) {
    case 's8':
      return (register << (24 - 8 * j)) >> 24;
    case 'u8':
      return (register >>> (8 * j)) & 0xff;
    case 's4':
      return (register << (28 - 4 * j)) >> 28;
    case 'u4':
      return (register >>> (4 * j)) & 0xf;
  }
}

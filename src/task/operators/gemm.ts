/**
 * One matrix product, C = A B, for every contraction.
 * float64: 4x4 register tiles over packed panels. float32 arithmetics: one row of C at a time in float32 arrays, whose
 * stores round, with partial sums as the summation order wants them.
 */
import type { Arithmetic } from './arithmetic.ts';

/** A strided matrix: element (i, j) is values[start + i*row + j*column]. */
export interface Matrix {
  values: Float64Array;
  start: number;
  row: number;
  column: number;
}

/** Writes the M x N product, row-major, to out[at ...]. Sums over K terms as the arithmetic says. */
export function gemm(
  m: number,
  n: number,
  k: number,
  left: Matrix,
  right: Matrix,
  out: Float64Array,
  at: number,
  a: Arithmetic,
): void {
  if (m === 0 || n === 0) return;
  if (a.single) gemmSingle(m, n, k, left, right, out, at, a);
  else if (m >= 4 && n >= 4) gemmTiled(m, n, k, left, right, out, at, a.order === 'reversed');
  else gemmRows(m, n, k, left, right, out, at);
}

/** Thin products: a row of B at a time into a row of C. */
function gemmRows(m: number, n: number, k: number, left: Matrix, right: Matrix, out: Float64Array, at: number): void {
  for (let i = 0; i < m; i++) {
    const c = at + i * n;
    out.fill(0, c, c + n);
    for (let p = 0; p < k; p++) {
      const x = left.values[left.start + i * left.row + p * left.column]!;
      let from = right.start + p * right.row;
      const step = right.column;
      const b = right.values;
      for (let j = 0; j < n; j++, from += step) out[c + j] = out[c + j]! + x * b[from]!;
    }
  }
}

const PANEL_K = 256;
const PANEL_N = 64;

/** Register tiles of 4 x 4 over panels of A (all rows) and B (PANEL_K x PANEL_N), packed so that the inner loop reads in sequence. */
function gemmTiled(
  m: number,
  n: number,
  k: number,
  left: Matrix,
  right: Matrix,
  out: Float64Array,
  at: number,
  reversed: boolean,
): void {
  const rows = Math.ceil(m / 4);
  const packedA = new Float64Array(rows * 4 * Math.min(k, PANEL_K));
  const packedB = new Float64Array(PANEL_N * Math.min(k, PANEL_K));
  for (let i = 0; i < m * n; i++) out[at + i] = 0;
  for (let p0 = 0; p0 < k; p0 += PANEL_K) {
    const depth = Math.min(PANEL_K, k - p0);
    /** The term that position p of this panel stands for; reversed walks the sum from its end. */
    const first = reversed ? k - 1 - p0 : p0;
    const step = reversed ? -1 : 1;
    for (let i = 0; i < rows * 4; i++) {
      const base = (i >> 2) * 4 * depth + (i & 3);
      let from = left.start + i * left.row + first * left.column;
      const stride = step * left.column;
      for (let p = 0; p < depth; p++, from += stride) packedA[base + p * 4] = i < m ? left.values[from]! : 0;
    }
    for (let j0 = 0; j0 < n; j0 += PANEL_N) {
      const width = Math.min(PANEL_N, n - j0);
      const columns = Math.ceil(width / 4);
      for (let j = 0; j < columns * 4; j++) {
        const base = (j >> 2) * 4 * depth + (j & 3);
        let from = right.start + first * right.row + (j0 + j) * right.column;
        const stride = step * right.row;
        for (let p = 0; p < depth; p++, from += stride) packedB[base + p * 4] = j < width ? right.values[from]! : 0;
      }
      for (let bi = 0; bi < rows; bi++) {
        const height = Math.min(4, m - bi * 4);
        for (let bj = 0; bj < columns; bj++) {
          tile(packedA, bi * 4 * depth, packedB, bj * 4 * depth, depth);
          const wide = Math.min(4, width - bj * 4);
          for (let i = 0; i < height; i++) {
            const c = at + (bi * 4 + i) * n + j0 + bj * 4;
            for (let j = 0; j < wide; j++) out[c + j] = out[c + j]! + tileSums[i * 4 + j]!;
          }
        }
      }
    }
  }
}

const tileSums = new Float64Array(16);

function tile(a: Float64Array, atA: number, b: Float64Array, atB: number, depth: number): void {
  // Two halves of 2 x 4: sixteen accumulators and eight operands do not fit sixteen registers.
  for (let half = 0; half < 2; half++) {
    let c00 = 0;
    let c01 = 0;
    let c02 = 0;
    let c03 = 0;
    let c10 = 0;
    let c11 = 0;
    let c12 = 0;
    let c13 = 0;
    let i = atA + half * 2;
    let j = atB;
    for (let p = 0; p < depth; p++, i += 4, j += 4) {
      const a0 = a[i]!;
      const a1 = a[i + 1]!;
      const b0 = b[j]!;
      const b1 = b[j + 1]!;
      const b2 = b[j + 2]!;
      const b3 = b[j + 3]!;
      c00 += a0 * b0;
      c01 += a0 * b1;
      c02 += a0 * b2;
      c03 += a0 * b3;
      c10 += a1 * b0;
      c11 += a1 * b1;
      c12 += a1 * b2;
      c13 += a1 * b3;
    }
    const at = half * 8;
    tileSums[at] = c00;
    tileSums[at + 1] = c01;
    tileSums[at + 2] = c02;
    tileSums[at + 3] = c03;
    tileSums[at + 4] = c10;
    tileSums[at + 5] = c11;
    tileSums[at + 6] = c12;
    tileSums[at + 7] = c13;
  }
}

/** Copies a strided matrix row-major into float32, rounding to the policy's operand format on the way. */
function packSingle(
  matrix: Matrix,
  rows: number,
  columns: number,
  operand: ((x: number) => number) | null,
): Float32Array {
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    let from = matrix.start + i * matrix.row;
    const at = i * columns;
    if (operand) for (let j = 0; j < columns; j++, from += matrix.column) out[at + j] = operand(matrix.values[from]!);
    else for (let j = 0; j < columns; j++, from += matrix.column) out[at + j] = matrix.values[from]!;
  }
  return out;
}

/**
 * float32 accumulation. Partial sums: one (sequential, reversed), `lanes` strided ones and a tree (blocked), or runs of eight terms and a
 * tree (pairwise, as split-K kernels and libraries do). The product of two float32 is exact in float64, so fused multiply-add is the sum rounded
 * once (by way of float64, whose double rounding matters once in 2^29: enough for an error estimate).
 */
function gemmSingle(
  m: number,
  n: number,
  k: number,
  left: Matrix,
  right: Matrix,
  out: Float64Array,
  at: number,
  a: Arithmetic,
): void {
  const x = packSingle(left, m, k, a.operand);
  const b = packSingle(right, k, n, a.operand);
  const lanes =
    a.order === 'blocked'
      ? Math.min(a.lanes, Math.max(1, k))
      : a.order === 'pairwise'
        ? Math.max(1, Math.ceil(k / 8))
        : 1;
  const partial = new Float32Array(lanes * n);
  for (let i = 0; i < m; i++) {
    partial.fill(0);
    for (let step = 0; step < k; step++) {
      const p = a.order === 'reversed' ? k - 1 - step : step;
      const lane = a.order === 'blocked' ? p % lanes : a.order === 'pairwise' ? p >> 3 : 0;
      axpy(partial, lane * n, x[i * k + p]!, b, p * n, n, a.fused);
    }
    let rows = lanes;
    while (rows > 1) {
      const half = (rows + 1) >> 1;
      for (let r = 0; r + half < rows; r++) {
        const to = r * n;
        const from = (r + half) * n;
        for (let j = 0; j < n; j++) partial[to + j] = partial[to + j]! + partial[from + j]!;
      }
      rows = half;
    }
    for (let j = 0; j < n; j++) out[at + i * n + j] = partial[j]!;
  }
}

function axpy(c: Float32Array, atC: number, x: number, b: Float32Array, atB: number, n: number, fused: boolean): void {
  if (fused) for (let j = 0; j < n; j++) c[atC + j] = c[atC + j]! + x * b[atB + j]!;
  else for (let j = 0; j < n; j++) c[atC + j] = c[atC + j]! + Math.fround(x * b[atB + j]!);
}

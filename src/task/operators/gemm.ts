/**
 * One matrix product, C = A B, for every contraction.
 * float64: 4x4 register tiles over packed panels, in WebAssembly SIMD. float32 arithmetics: one row of C at a time in float32 arrays, whose
 * stores round, with partial sums as the summation order wants them.
 */
import type { Arithmetic } from './arithmetic.ts';
import { gemmKernel, PANEL_K, PANEL_M, PANEL_N } from './gemm-kernel.ts';

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

/**
 * Copies up to `most` lines of a matrix for the kernel: for each four lines, for each of `depth` terms, four numbers; lines past the end are zeros.
 * `line` and `term` are the strides along them.
 */
function pack(
  packed: Float64Array,
  from: Float64Array,
  start: number,
  lines: number,
  line: number,
  depth: number,
  term: number,
): void {
  for (let block = 0; block < lines; block += 4) {
    const base = block * depth;
    for (let i = 0; i < 4; i++) {
      const there = block + i < lines;
      let at = start + (block + i) * line;
      for (let p = 0, to = base + i; p < depth; p++, to += 4, at += term) packed[to] = there ? from[at]! : 0;
    }
  }
}

/** Tiles of 4 x 4 (gemm-kernel.ts) over packed panels of A (PANEL_M x PANEL_K) and B (PANEL_K x PANEL_N). */
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
  const { left: packedA, right: packedB, sums, tile } = gemmKernel();
  out.fill(0, at, at + m * n);
  for (let p0 = 0; p0 < k; p0 += PANEL_K) {
    const depth = Math.min(PANEL_K, k - p0);
    /** The term that position 0 of this panel stands for; reversed walks the sum from its end. */
    const first = reversed ? k - 1 - p0 : p0;
    const step = reversed ? -1 : 1;
    for (let j0 = 0; j0 < n; j0 += PANEL_N) {
      const width = Math.min(PANEL_N, n - j0);
      const startB = right.start + first * right.row + j0 * right.column;
      pack(packedB, right.values, startB, width, right.column, depth, step * right.row);
      for (let i0 = 0; i0 < m; i0 += PANEL_M) {
        const height = Math.min(PANEL_M, m - i0);
        const startA = left.start + i0 * left.row + first * left.column;
        pack(packedA, left.values, startA, height, left.row, depth, step * left.column);
        for (let bi = 0; bi < height; bi += 4) {
          const tall = Math.min(4, height - bi);
          for (let bj = 0; bj < width; bj += 4) {
            tile(bi >> 2, bj >> 2, depth);
            const wide = Math.min(4, width - bj);
            for (let i = 0; i < tall; i++) {
              const c = at + (i0 + bi + i) * n + j0 + bj;
              for (let j = 0; j < wide; j++) out[c + j] = out[c + j]! + sums[i * 4 + j]!;
            }
          }
        }
      }
    }
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

/**
 * One matrix product, C = A B, for every contraction.
 * float64: 4x4 register tiles over packed panels, in WebAssembly SIMD. float32 arithmetics: gemm-single.ts.
 */
import type { Arithmetic } from './arithmetic.ts';
import { gemmKernel, PANEL_K, PANEL_M, PANEL_N } from './gemm-kernel.ts';
import { gemmSingle } from './gemm-single.ts';

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

/**
 * Matrix products with float32 sums, as an honest kernel of some precision makes them. Partial sums: one (sequential, reversed), `lanes` strided ones
 * and a tree (blocked), or runs of eight terms and a tree (pairwise, as split-K kernels and libraries do). The product of two
 * float32 is exact in float64, so fused multiply-add is the sum rounded once (by way of float64, whose double rounding matters once in
 * 2^29: enough for an error estimate).
 *
 * Products of some size go in tiles (gemm-single-kernel.ts); thin ones, one row of C at a time. The two agree to the bit.
 */
import type { Arithmetic } from './arithmetic.ts';
import type { Matrix } from './gemm.ts';
import { singleKernel } from './gemm-single-kernel.ts';

/** Bytes of packed operands, of one side, that are aimed at. */
const PANEL_BYTES = 1 << 22;
/** What one call may take of the module's memory; beyond it, of sums of millions of terms, the plain loop serves. */
const MOST_BYTES = 1 << 29;
const TILE_BYTES = 64;

/** Writes the M x N product, row-major, to out[at ...]. */
export function gemmSingle(
  m: number,
  n: number,
  k: number,
  left: Matrix,
  right: Matrix,
  out: Float64Array,
  at: number,
  a: Arithmetic,
): void {
  const tiled = m >= 4 && k > 0 && k * 64 + partialSums(k, a) * TILE_BYTES <= MOST_BYTES;
  if (tiled) gemmSingleTiled(m, n, k, left, right, out, at, a);
  else gemmSingleRows(m, n, k, left, right, out, at, a);
}

/** How many partial sums an element has. */
export function partialSums(k: number, a: Arithmetic): number {
  if (a.order === 'blocked') return Math.min(a.lanes, Math.max(1, k));
  return a.order === 'pairwise' ? Math.max(1, Math.ceil(k / 8)) : 1;
}

/** Which partial sum takes term p. */
export function partialOf(p: number, lanes: number, a: Arithmetic): number {
  return a.order === 'blocked' ? p % lanes : a.order === 'pairwise' ? p >> 3 : 0;
}

/** Adds `lanes` rows of `n` partial sums up into the first: row r + half to row r, until one is left. */
export function addPartialRows(partial: Float32Array, lanes: number, n: number): void {
  for (let rows = lanes; rows > 1; ) {
    const half = (rows + 1) >> 1;
    const from = half * n;
    for (let i = 0; i < (rows - half) * n; i++) partial[i] = partial[i]! + partial[from + i]!;
    rows = half;
  }
}

/** The terms in the order in which partial sums, one after the other, take them. */
function termOrder(k: number, lanes: number, a: Arithmetic): Int32Array {
  if (a.order === 'reversed') return Int32Array.from({ length: k }, (_, q) => k - 1 - q);
  if (a.order !== 'blocked') return Int32Array.from({ length: k }, (_, q) => q);
  const order = new Int32Array(k);
  for (let lane = 0, q = 0; lane < lanes; lane++) for (let p = lane; p < k; p += lanes) order[q++] = p;
  return order;
}

/**
 * Copies `lines` lines of a matrix for the kernel: for each four, for each term in the order, four numbers, rounded to the policy's operand format;
 * lines past the end are zeros. `line` and `term` are the strides along them.
 */
function pack(
  packed: Float64Array | Float32Array,
  from: Float64Array,
  start: number,
  lines: number,
  line: number,
  order: Int32Array,
  term: number,
  operand: ((x: number) => number) | null,
): void {
  const depth = order.length;
  for (let first = 0; first < lines; first += 4) {
    const base = first * depth;
    for (let i = 0; i < 4; i++) {
      const source = start + (first + i) * line;
      if (first + i >= lines) for (let q = 0, to = base + i; q < depth; q++, to += 4) packed[to] = 0;
      else if (operand) {
        for (let q = 0, to = base + i; q < depth; q++, to += 4)
          packed[to] = Math.fround(operand(from[source + order[q]! * term]!));
      } else {
        for (let q = 0, to = base + i; q < depth; q++, to += 4)
          packed[to] = Math.fround(from[source + order[q]! * term]!);
      }
    }
  }
}

function gemmSingleTiled(
  m: number,
  n: number,
  k: number,
  left: Matrix,
  right: Matrix,
  out: Float64Array,
  at: number,
  a: Arithmetic,
): void {
  const kernel = singleKernel();
  const lanes = partialSums(k, a);
  const order = termOrder(k, lanes, a);
  // The first `long` partial sums have `depth` terms, the others `rest`: strided ones differ by one term, and of the runs only the last is short.
  const depth = a.order === 'pairwise' ? Math.min(8, k) : Math.ceil(k / lanes);
  const rest = a.order === 'pairwise' ? k - (lanes - 1) * 8 : depth - 1;
  const long = a.order === 'pairwise' ? lanes - 1 : lanes - (lanes * depth - k);
  const size = a.fused ? 8 : 4;
  const lineBytes = k * size;
  const most = Math.max(4, Math.floor(PANEL_BYTES / lineBytes / 4) * 4);
  const up = (lines: number) => Math.ceil(Math.min(most, lines) / 4) * 4;
  const leftAt = lanes * TILE_BYTES;
  const rightAt = leftAt + up(m) * lineBytes;
  const buffer = kernel.memory(rightAt + up(n) * lineBytes);
  const view = (start: number, lines: number) =>
    a.fused ? new Float64Array(buffer, start, lines * k) : new Float32Array(buffer, start, lines * k);
  const packedLeft = view(leftAt, up(m));
  const packedRight = view(rightAt, up(n));
  const sums = new Float32Array(buffer, 0, 16);
  const tiles = a.fused ? kernel.fused : kernel.apart;
  const run = 4 * size;
  for (let j0 = 0; j0 < n; j0 += most) {
    const width = Math.min(most, n - j0);
    pack(packedRight, right.values, right.start + j0 * right.column, width, right.column, order, right.row, a.operand);
    for (let i0 = 0; i0 < m; i0 += most) {
      const height = Math.min(most, m - i0);
      // One panel of A serves all panels of B.
      if (j0 === 0 || m > most)
        pack(packedLeft, left.values, left.start + i0 * left.row, height, left.row, order, left.column, a.operand);
      for (let bi = 0; bi < height; bi += 4) {
        const tall = Math.min(4, height - bi);
        const x = leftAt + bi * lineBytes;
        for (let bj = 0; bj < width; bj += 4) {
          const y = rightAt + bj * lineBytes;
          if (long > 0) tiles(x, y, depth, 0, long);
          const done = long * depth * run;
          if (lanes > long) tiles(x + done, y + done, rest, long * TILE_BYTES, lanes - long);
          if (lanes > 1) kernel.tree(0, lanes);
          const wide = Math.min(4, width - bj);
          for (let i = 0; i < tall; i++) {
            const c = at + (i0 + bi + i) * n + j0 + bj;
            for (let j = 0; j < wide; j++) out[c + j] = sums[i * 4 + j]!;
          }
        }
      }
    }
  }
}

/** Copies a strided matrix row-major into float32, rounding to the policy's operand format on the way. */
function packRows(
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

/** The plain loop: one row of C at a time in float32 arrays, whose stores round. Serves thin products, and tests as the definition. */
export function gemmSingleRows(
  m: number,
  n: number,
  k: number,
  left: Matrix,
  right: Matrix,
  out: Float64Array,
  at: number,
  a: Arithmetic,
): void {
  const x = packRows(left, m, k, a.operand);
  const b = packRows(right, k, n, a.operand);
  const lanes = partialSums(k, a);
  const partial = new Float32Array(lanes * n);
  for (let i = 0; i < m; i++) {
    partial.fill(0);
    for (let step = 0; step < k; step++) {
      const p = a.order === 'reversed' ? k - 1 - step : step;
      addRow(partial, partialOf(p, lanes, a) * n, x[i * k + p]!, b, p * n, n, a.fused);
    }
    addPartialRows(partial, lanes, n);
    for (let j = 0; j < n; j++) out[at + i * n + j] = partial[j]!;
  }
}

/** c += x b over a row. */
function addRow(
  c: Float32Array,
  atC: number,
  x: number,
  b: Float32Array,
  atB: number,
  n: number,
  fused: boolean,
): void {
  if (fused) for (let j = 0; j < n; j++) c[atC + j] = c[atC + j]! + x * b[atB + j]!;
  else for (let j = 0; j < n; j++) c[atC + j] = c[atC + j]! + Math.fround(x * b[atB + j]!);
}

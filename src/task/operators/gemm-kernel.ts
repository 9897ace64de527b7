/**
 * The innermost loop of float64 products, in WebAssembly with SIMD: a 4 x 4 tile of C in eight two-lane registers. Every element is still one running sum in the
 * order of its terms, each product rounded and then each sum, so the result is that of the plain loop to the bit.
 */
import {
  addF64,
  addI32,
  branchIf,
  type Code,
  compile,
  get,
  i32,
  lessI32,
  load,
  loop,
  multiplyF64,
  multiplyI32,
  set,
  splat64,
  store,
} from './wasm.ts';

/** Terms a panel holds. */
export const PANEL_K = 256;
/** Rows of A, and columns of B, that lie packed in the module's memory at a time: 128 KiB and 512 KiB. */
export const PANEL_M = 64;
export const PANEL_N = 256;

const DOUBLE = 8;
const TILE_AT = 0;
const LEFT_AT = 16 * DOUBLE;
const RIGHT_AT = LEFT_AT + PANEL_M * PANEL_K * DOUBLE;
const PAGES = Math.ceil((RIGHT_AT + PANEL_N * PANEL_K * DOUBLE) / 65536);

/** (left, right, depth): writes the 16 sums of the tile, row-major, to TILE_AT. Operands hold four doubles a term. */
function tileCode(): Code {
  const [left, right, depth, end] = [0, 1, 2, 3];
  const sum = (row: number, half: number) => 4 + row * 2 + half;
  const [low, high, x] = [12, 13, 14];
  const rows = [0, 1, 2, 3];
  return [
    ...[...get(left), ...get(depth), ...i32(32), ...multiplyI32, ...addI32, ...set(end)],
    ...loop(
      [...get(right), ...load(0), ...set(low), ...get(right), ...load(16), ...set(high)],
      ...rows.map((row) => [
        ...[...get(left), ...splat64(row * DOUBLE), ...set(x)],
        ...[low, high].flatMap((part, half) => [
          ...[...get(sum(row, half)), ...get(x), ...get(part), ...multiplyF64, ...addF64, ...set(sum(row, half))],
        ]),
      ]),
      [...get(right), ...i32(32), ...addI32, ...set(right)],
      [...get(left), ...i32(32), ...addI32, ...set(left)],
      // Once more while left < end.
      [...get(left), ...get(end), ...lessI32, ...branchIf(0)],
    ),
    ...rows.flatMap((row) =>
      [0, 1].flatMap((half) => [...i32(0), ...get(sum(row, half)), ...store(TILE_AT + (row * 4 + half * 2) * DOUBLE)]),
    ),
  ];
}

export interface GemmKernel {
  /** Packed operands: for each four rows (columns), for each term, four numbers. */
  left: Float64Array;
  right: Float64Array;
  /** The 16 sums of the last tile, row-major. */
  sums: Float64Array;
  /** Multiplies the blockLeft-th four rows with the blockRight-th four columns over `depth` terms (at least one). */
  tile(blockLeft: number, blockRight: number, depth: number): void;
}

let kernel: GemmKernel | undefined;

/** The module, compiled once a process. Its memory is scratch: no two products may be under way at once, and none is, as none waits. */
export function gemmKernel(): GemmKernel {
  if (kernel) return kernel;
  const { memory, tile } = compile(
    [{ name: 'tile', parameters: 3, integers: 1, vectors: 11, code: tileCode() }],
    PAGES,
  );
  const bytes = 4 * DOUBLE;
  kernel = {
    left: new Float64Array(memory.buffer, LEFT_AT, PANEL_M * PANEL_K),
    right: new Float64Array(memory.buffer, RIGHT_AT, PANEL_N * PANEL_K),
    sums: new Float64Array(memory.buffer, TILE_AT, 16),
    tile: (i, j, depth) => tile(LEFT_AT + i * depth * bytes, RIGHT_AT + j * depth * bytes, depth),
  };
  return kernel;
}

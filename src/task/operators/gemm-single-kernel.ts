/**
 * The innermost loops of float32 products, in WebAssembly with SIMD: 4 x 4 tiles of C, one for each of some partial sums, and the tree over those.
 *
 * `fused`: operands are held as float64, in which the product of two float32 is exact; it is added to the running float32 sum in float64 and the
 * result rounded to float32. `apart`: the product is rounded to float32, then the sum. Either is what the plain loop over
 * a Float32Array does, to the bit (gemm-single.ts has that loop).
 */
import {
  addF32,
  addF64,
  addI32,
  block,
  branch,
  branchIf,
  type Code,
  compile,
  demote,
  get,
  i32,
  lessI32,
  load,
  loop,
  multiplyF32,
  multiplyF64,
  multiplyI32,
  promote,
  set,
  shiftRightI32,
  splat32,
  splat64,
  store,
  storeLow,
  subtractI32,
  zeros,
} from './wasm.ts';

/** Bytes of a tile: 16 float32, row-major. */
const TILE = 64;
const rows = [0, 1, 2, 3];

/**
 * (left, right, depth, to, count): `count` tiles one behind the other at `to`, each of the next `depth` terms (both at least one). Operands hold four
 * numbers a term; `bytes` is what four numbers take, `term` multiplies and adds one term, `finish` writes the sums.
 */
function tiles(bytes: number, sums: readonly number[], term: Code, finish: Code): Code {
  const [left, right, depth, to, count, end] = [0, 1, 2, 3, 4, 5];
  return loop(
    ...sums.map((sum) => [...zeros, ...set(sum)]),
    [...get(left), ...get(depth), ...i32(bytes), ...multiplyI32, ...addI32, ...set(end)],
    loop(
      term,
      [...get(right), ...i32(bytes), ...addI32, ...set(right)],
      [...get(left), ...i32(bytes), ...addI32, ...set(left)],
      [...get(left), ...get(end), ...lessI32, ...branchIf(0)],
    ),
    finish,
    [...get(to), ...i32(TILE), ...addI32, ...set(to)],
    [...get(count), ...i32(1), ...subtractI32, ...set(count), ...get(count), ...branchIf(0)],
  );
}

const [LEFT, RIGHT, TO] = [0, 1, 3];

function fusedCode(): Code {
  const sum = (row: number, half: number) => 6 + row * 2 + half;
  const [low, high, x] = [14, 15, 16];
  const all = rows.flatMap((row) => [0, 1].map((half) => ({ row, half, at: sum(row, half) })));
  return tiles(
    32,
    all.map(({ at }) => at),
    [
      ...[...get(RIGHT), ...load(0), ...set(low), ...get(RIGHT), ...load(16), ...set(high)],
      ...rows.flatMap((row) => [
        ...[...get(LEFT), ...splat64(row * 8), ...set(x)],
        ...[low, high].flatMap((part, half) => [
          ...[...get(sum(row, half)), ...get(x), ...get(part), ...multiplyF64, ...addF64],
          ...[...demote, ...promote, ...set(sum(row, half))],
        ]),
      ]),
    ],
    all.flatMap(({ row, half, at }) => [...get(TO), ...get(at), ...demote, ...storeLow(row * 16 + half * 8)]),
  );
}

function apartCode(): Code {
  const sum = (row: number) => 6 + row;
  const columns = 10;
  return tiles(
    16,
    rows.map(sum),
    [
      ...[...get(RIGHT), ...load(0), ...set(columns)],
      ...rows.flatMap((row) => [
        ...[...get(sum(row)), ...get(LEFT), ...splat32(row * 4), ...get(columns), ...multiplyF32, ...addF32],
        ...set(sum(row)),
      ]),
    ],
    rows.flatMap((row) => [...get(TO), ...get(sum(row)), ...store(row * 16)]),
  );
}

/** (at, count): adds tile i + half to tile i, where half is half of the tiles, rounded up, until one is left. */
function treeCode(): Code {
  const [at, count, half, gap, i, end] = [0, 1, 2, 3, 4, 5];
  return block(
    loop(
      [...get(count), ...i32(2), ...lessI32, ...branchIf(1)],
      [...get(count), ...i32(1), ...addI32, ...i32(1), ...shiftRightI32, ...set(half)],
      [...get(half), ...i32(TILE), ...multiplyI32, ...set(gap)],
      [...get(at), ...set(i)],
      [...get(at), ...get(count), ...get(half), ...subtractI32, ...i32(TILE), ...multiplyI32, ...addI32, ...set(end)],
      loop(
        [...get(i), ...get(i), ...load(0), ...get(i), ...get(gap), ...addI32, ...load(0), ...addF32, ...store(0)],
        [...get(i), ...i32(16), ...addI32, ...set(i)],
        [...get(i), ...get(end), ...lessI32, ...branchIf(0)],
      ),
      [...get(half), ...set(count)],
      branch(0),
    ),
  );
}

type Tiles = (left: number, right: number, depth: number, to: number, count: number) => void;

/** Addresses are bytes of the memory. */
export interface SingleKernel {
  fused: Tiles;
  apart: Tiles;
  tree(at: number, count: number): void;
  /** The memory, grown to at least this many bytes. */
  memory(bytes: number): ArrayBuffer;
}

let kernel: SingleKernel | undefined;

/** The module, compiled once a process. Its memory is scratch, as gemm-kernel.ts's is. */
export function singleKernel(): SingleKernel {
  if (kernel) return kernel;
  const { memory, fused, apart, tree } = compile(
    [
      { name: 'fused', parameters: 5, integers: 1, vectors: 11, code: fusedCode() },
      { name: 'apart', parameters: 5, integers: 1, vectors: 5, code: apartCode() },
      { name: 'tree', parameters: 2, integers: 4, vectors: 0, code: treeCode() },
    ],
    1,
  );
  kernel = {
    fused,
    apart,
    tree,
    memory(bytes) {
      const missing = Math.ceil((bytes - memory.buffer.byteLength) / 65536);
      if (missing > 0) memory.grow(missing);
      return memory.buffer;
    },
  };
  return kernel;
}

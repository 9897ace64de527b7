/**
 * The innermost loop of float64 products, in WebAssembly with SIMD: a 4 x 4 tile of C in eight two-lane registers. Every element is still one running sum in the
 * order of its terms, each product rounded and then each sum, so the result is that of the plain loop to the bit.
 *
 * The module is assembled here from its opcodes (WebAssembly core specification, 5.4 and the SIMD proposal), because it is this small.
 */

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

/** A whole number in LEB128, unsigned. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

const vector = (items: readonly (readonly number[])[]) => [...leb(items.length), ...items.flat()];
const section = (id: number, content: readonly number[]) => [id, ...leb(content.length), ...content];
const name = (text: string) => [...leb(text.length), ...Buffer.from(text)];

const I32 = 0x7f;
const V128 = 0x7b;
const get = (local: number) => [0x20, ...leb(local)];
const set = (local: number) => [0x21, ...leb(local)];
/** An i32 constant, signed LEB128 of a value below 64. */
const small = (value: number) => [0x41, value];
const [add32, mul32, less32] = [[0x6a], [0x6c], [0x49]];
const simd = (opcode: number) => [0xfd, ...leb(opcode)];
const load = (offset: number) => [...simd(0), 3, ...leb(offset)];
const splat = (offset: number) => [...simd(0x0a), 3, ...leb(offset)];
const store = (offset: number) => [...simd(0x0b), 3, ...leb(offset)];
const [addDoubles, mulDoubles] = [simd(0xf0), simd(0xf2)];

/** (left, right, depth): writes the 16 sums of the tile, row-major, to TILE_AT. Operands hold four doubles a term. */
function tileCode(): number[] {
  const [left, right, depth, end] = [0, 1, 2, 3];
  const sum = (row: number, half: number) => 4 + row * 2 + half;
  const [low, high, x] = [12, 13, 14];
  const rows = [0, 1, 2, 3];
  const body = [
    ...[...get(left), ...get(depth), ...small(32), ...mul32, ...add32, ...set(end)],
    ...[0x03, 0x40],
    ...[...get(right), ...load(0), ...set(low), ...get(right), ...load(16), ...set(high)],
    ...rows.flatMap((row) => [
      ...[...get(left), ...splat(row * DOUBLE), ...set(x)],
      ...[low, high].flatMap((part, half) => [
        ...[...get(sum(row, half)), ...get(x), ...get(part), ...mulDoubles, ...addDoubles, ...set(sum(row, half))],
      ]),
    ]),
    ...[...get(right), ...small(32), ...add32, ...set(right)],
    ...[...get(left), ...small(32), ...add32, ...set(left)],
    // Once more while left < end.
    ...[...get(left), ...get(end), ...less32, 0x0d, 0],
    0x0b,
    ...rows.flatMap((row) =>
      [0, 1].flatMap((half) => [
        ...small(0),
        ...get(sum(row, half)),
        ...store(TILE_AT + (row * 4 + half * 2) * DOUBLE),
      ]),
    ),
    0x0b,
  ];
  return [
    ...vector([
      [1, I32],
      [11, V128],
    ]),
    ...body,
  ];
}

function assembled(): Uint8Array {
  const code = tileCode();
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, 3, I32, I32, I32, 0]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[1, ...leb(PAGES), ...leb(PAGES)]])),
    ...section(
      7,
      vector([
        [...name('tile'), 0, 0],
        [...name('memory'), 2, 0],
      ]),
    ),
    ...section(10, vector([[...leb(code.length), ...code]])),
  ]);
}

/** What is used of the WebAssembly JavaScript interface; the compiler's libraries here do not declare it. */
interface Api {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
  ) => {
    exports: { memory: { buffer: ArrayBuffer }; tile: (left: number, right: number, depth: number) => void };
  };
}

const api = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;

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
  const { memory, tile } = new api.Instance(new api.Module(assembled())).exports;
  const bytes = 4 * DOUBLE;
  kernel = {
    left: new Float64Array(memory.buffer, LEFT_AT, PANEL_M * PANEL_K),
    right: new Float64Array(memory.buffer, RIGHT_AT, PANEL_N * PANEL_K),
    sums: new Float64Array(memory.buffer, TILE_AT, 16),
    tile: (i, j, depth) => tile(LEFT_AT + i * depth * bytes, RIGHT_AT + j * depth * bytes, depth),
  };
  return kernel;
}

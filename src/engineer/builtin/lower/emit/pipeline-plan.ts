/**
 * Products on tensor cores fed by asynchronous copies (`pipeline-kernel.ts`): their knobs, and how tiles lie in shared memory.
 *
 * Rows of a tile lie next to each other without padding. The 16-byte chunks of a row are exchanged by its number ({@link turnOf}), so that the eight rows of
 * a matrix that `ldmatrix` reads at once, and the chunks that neighbouring threads copy at once, fall on all 32 banks. That is also how `wgmma` expects them.
 */
import type { MmaLayout } from './mma-kernel.ts';
import type { TileShape } from './operand-tile.ts';
import { FRAGMENT, stripBytes, type WarpTiles } from './product-epilogue.ts';

export interface PipelineKnobs extends Omit<TileShape, 'vector'> {
  /** What is multiplied: the operands' own 16 bits, float rounded to tf32, or float in two parts of tf32 (by wgmma alone). */
  arithmetic: 'half' | 'tf32' | 'tf32x3';
  /** Who multiplies: each warp for itself (`mma.sync`), or four together (`wgmma`). */
  unit: 'warp' | 'warpgroup';
  /** Output rows and columns a unit; multiples of 16, rows of a warpgroup of 64. */
  warpM: number;
  warpN: number;
  /** Pairs of tiles in shared memory: one is multiplied (with wgmma two, one after the other, where there are three or more), the others are on their way. */
  stages: number;
  /** Tiles of the output, one below the other, that are begun before those of the next column; 1: row by row. */
  group: number;
}

/** Bytes that lie together whatever the row's number: a row of a matrix of `ldmatrix`, and the longest copy. */
export const CHUNK = 16;
/** Lanes that a matrix of `ldmatrix` takes its rows from, and its rows. */
export const EIGHT = 8;

/** Rows of a product of a warpgroup; each of its warps has sixteen of them. */
export const GROUP_ROWS = 64;
/** Bytes of a row of a tile as wgmma reads it, with chunks exchanged in eight rows at a time; longer rows are cut into panels. */
export const PANEL = 128;

/** Whether float is multiplied in two parts: rounded to tf32, and what that leaves. */
export const inTwoParts = ({ arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): boolean => arithmetic === 'tf32x3';

/** Whether a warpgroup's products of one step go on into the next, so that the tiles of two steps are in use. */
export const overlaps = (knobs: Pick<PipelineKnobs, 'unit' | 'stages'>): boolean => grouped(knobs) && knobs.stages > 2;

export const grouped = ({ unit }: Pick<PipelineKnobs, 'unit'>): boolean => unit === 'warpgroup';

export function pipelineThreads({ blockM, blockN, warpM, warpN, unit }: PipelineKnobs): number {
  return (unit === 'warp' ? 32 : 128) * (blockM / warpM) * (blockN / warpN);
}

/** Rows of the output that one instruction makes. */
export const productRows = (knobs: Pick<PipelineKnobs, 'unit'>): number => (grouped(knobs) ? GROUP_ROWS : FRAGMENT);

/** How warps share the output's tile when they hand it out. */
export function warpTiles(knobs: PipelineKnobs): WarpTiles {
  return { ...knobs, rowStep: productRows(knobs) };
}

export const pipelineElementBytes = ({ arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): number =>
  arithmetic === 'half' ? 2 : 4;

/** Bytes along k of one product, of either kind. */
export const PRODUCT_BYTES = 32;

/** Elements along k of one product. */
export function pipelineDepth({ arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): number {
  return PRODUCT_BYTES / pipelineElementBytes({ arithmetic });
}

/** How a tile lies in shared memory and is filled. */
export interface TilePlan {
  /**
   * By copies that nobody waits for; or through registers, where elements must be rounded or turned round before wgmma reads them, or where rows begin at
   * bytes that no copy can begin at.
   */
  way: 'copies' | 'registers';
  /** Whether rows run along k, which they need not do because the operand's do. */
  alongDepth: boolean;
  /** Bytes from a row, which runs along k or along m or n, to the next, and how many rows there are. */
  pitch: number;
  rows: number;
  /** Bytes of the tile, and of the first part of it where there are two, one after the other. */
  bytes: number;
  partBytes: number;
  /** Bytes of one copy, copies a row, rows of which a thread fills a piece at a time, and rows that all threads together fill at a time. */
  copyBytes: number;
  copiesPerRow: number;
  rowsPerThread: number;
  rowsPerRound: number;
  /** Whether the chunks of a row are exchanged as those of the row that a thread copies to next: its copies differ by constants. */
  steady: boolean;
}

/** The plan of an operand's tile; a sentence where threads do not divide it. `vector`: neighbours in one aligned read of the operand. */
function planTile(operandAlongDepth: boolean, block: number, vector: number, knobs: PipelineKnobs): TilePlan | string {
  const element = pipelineElementBytes(knobs);
  const rounded = knobs.arithmetic !== 'half';
  const way = grouped(knobs) && (rounded || vector * element < 4) ? 'registers' : 'copies';
  // wgmma takes 32 bits along k alone.
  const alongDepth = operandAlongDepth || (way === 'registers' && rounded);
  const copyBytes = way === 'registers' ? CHUNK : vector * element;
  const fast = alongDepth ? knobs.blockK : block;
  if (copyBytes < 4) return 'an operand cannot be read in 4 bytes or more at a time';
  const chunks = (fast * element) / CHUNK;
  if (![2, 4].includes(chunks) && chunks % EIGHT !== 0) return 'rows of a tile do not spread over the banks';
  if (chunks < EIGHT && isAcross32(alongDepth, knobs)) return 'rows of a tile do not spread over the banks';
  const copiesPerRow = (fast * element) / copyBytes;
  const rowsPerThread = alongDepth === operandAlongDepth ? 1 : CHUNK / element;
  const rowsPerRound = (pipelineThreads(knobs) / copiesPerRow) * rowsPerThread;
  if (!Number.isInteger(rowsPerRound)) return 'threads do not divide the tiles evenly';
  const steady = rowsPerThread === 1 && rowsPerRound % (isAcross32(alongDepth, knobs) ? 4 : EIGHT) === 0;
  const rows = alongDepth ? block : knobs.blockK;
  const partBytes = rows * fast * element;
  const bytes = (inTwoParts(knobs) ? 2 : 1) * partBytes;
  const pitch = grouped(knobs) ? PANEL : fast * element;
  return {
    way,
    alongDepth,
    pitch,
    rows,
    bytes,
    partBytes,
    copyBytes,
    copiesPerRow,
    rowsPerThread,
    rowsPerRound,
    steady,
  };
}

/** Whether a tile's rows run along m or n in elements of 32 bits, which `ldmatrix` cannot transpose: lanes read them one by one. */
export const isAcross32 = (alongDepth: boolean, { arithmetic }: Pick<PipelineKnobs, 'arithmetic'>): boolean =>
  !alongDepth && arithmetic !== 'half';

/**
 * C++ of the number that a row's chunks are exchanged by (exclusive or): eight rows in turn, or pairs or fours of them where a row is shorter than 128
 * bytes. Where lanes read 32 bits each, from four rows at a time and two chunks of each, the four take different pairs.
 */
export function turnOf(row: string, { pitch }: TilePlan, across32: boolean): string {
  if (across32) return `${row} % 4 * 2`;
  const chunks = Math.min(EIGHT, pitch / CHUNK);
  return chunks === EIGHT ? `${row} % 8` : `${row} / ${EIGHT / chunks} % ${chunks}`;
}

/** Shared memory of a kernel, bytes: all stages of both tiles, and in their place at the end what goes out. */
export function pipelineSharedBytes(a: TilePlan, b: TilePlan, knobs: PipelineKnobs): number {
  return Math.max(knobs.stages * (a.bytes + b.bytes), stripBytes(warpTiles(knobs)));
}

/** Plans of both tiles, or why there are none. */
export function planTiles(
  layout: MmaLayout,
  packs: { a: number; b: number },
  knobs: PipelineKnobs,
): { a: TilePlan; b: TilePlan } | string {
  const a = planTile(layout.a, knobs.blockM, packs.a, knobs);
  const b = planTile(layout.b, knobs.blockN, packs.b, knobs);
  if (typeof a === 'string') return a;
  return typeof b === 'string' ? b : { a, b };
}

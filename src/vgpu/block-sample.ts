/** Which blocks of a large grid to run when not all of them can be: where kernels go wrong, and what is typical. */
import type { Dim3 } from './types.ts';

export interface BlockSampleOptions {
  /** How many blocks at most (default 32, at least 2). The places below come first, random ones fill the rest. */
  count?: number;
  /** Seed of the random blocks (default 1): another seed, other blocks. */
  seed?: number;
}

/** Linear index of a block's position in its grid. */
export function blockIndex(grid: Dim3, [x, y, z]: Dim3): number {
  return x + grid[0] * (y + grid[1] * z);
}

/**
 * Blocks of a grid worth running, ascending and distinct: the first and the last, the other corners, the middles of the
 * edges, the centre, then random ones. All blocks when the grid has no more than `count`.
 */
export function sampleBlocks(grid: Dim3, options: BlockSampleOptions = {}): number[] {
  const total = grid[0] * grid[1] * grid[2];
  const count = Math.max(2, options.count ?? 32);
  if (total <= count) return Array.from({ length: total }, (_, index) => index);
  const chosen = new Set<number>();
  for (const position of places(grid)) if (chosen.size < count) chosen.add(blockIndex(grid, position));
  const random = generator(options.seed ?? 1);
  // Few blocks may be left to find: then walk on from where the generator points.
  while (chosen.size < count) {
    let index = Math.floor(random() * total);
    while (chosen.has(index)) index = (index + 1) % total;
    chosen.add(index);
  }
  return [...chosen].sort((a, b) => a - b);
}

/**
 * Blocks that stand for the whole grid in a profile: evenly spread over it, each with the next block along every axis, because
 * what neighbours touch in common tells what a whole wave of blocks touches. Ascending and distinct, about `count` (at least
 * one with its neighbours); all blocks when the grid has no more than `count`.
 */
export function typicalBlocks(grid: Dim3, count: number): number[] {
  const total = grid[0] * grid[1] * grid[2];
  if (total <= count) return Array.from({ length: total }, (_, index) => index);
  const step = [1, grid[0], grid[0] * grid[1]];
  const axes = [0, 1, 2].filter((axis) => grid[axis]! > 1);
  const anchors = Math.max(1, Math.floor(count / (1 + axes.length)));
  const chosen = new Set<number>();
  for (let k = 0; k < anchors; k++) {
    // The middles of equal parts of the grid; the last place along an axis has its neighbour before it.
    let index = Math.floor(((k + 0.5) * total) / anchors);
    for (const axis of axes)
      if (Math.floor(index / step[axis]!) % grid[axis]! === grid[axis]! - 1) index -= step[axis]!;
    chosen.add(index);
    for (const axis of axes) chosen.add(index + step[axis]!);
  }
  return [...chosen].sort((a, b) => a - b);
}

/**
 * The other blocks of a grid, those first that most likely work together with the first of these: the other of its pair of blocks, of its four, of its
 * eight and so on.
 */
export function* blocksAround(blocks: readonly number[], total: number): Generator<number> {
  const own = new Set(blocks);
  const [first = 0] = blocks;
  const span = 2 ** Math.ceil(Math.log2(Math.max(total, 2)));
  for (let k = 1; k < span; k++) {
    const block = (first ^ k) >>> 0;
    if (block < total && !own.has(block)) yield block;
  }
}

/** Corners (the first and the last block first), middles of edges and faces, the centre. */
function places(grid: Dim3): Dim3[] {
  const ends = grid.map((size) => [...new Set([0, size - 1, Math.floor(size / 2)])]);
  const found: { position: Dim3; middles: number; order: number }[] = [];
  for (const z of ends[2]!) {
    for (const y of ends[1]!) {
      for (const x of ends[0]!) {
        const position: Dim3 = [x, y, z];
        const middles = position.filter((at, axis) => at !== 0 && at !== grid[axis]! - 1).length;
        const isEnd = position.every((at, axis) => at === grid[axis]! - 1) || position.every((at) => at === 0);
        found.push({ position, middles: isEnd ? -1 : middles, order: found.length });
      }
    }
  }
  return found.sort((a, b) => a.middles - b.middles || a.order - b.order).map(({ position }) => position);
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

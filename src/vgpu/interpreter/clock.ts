/**
 * What one thread knows of others: times up to which their accesses happened before. Entries are for a thread, a warp or
 * a whole block, so that what a barrier orders takes one entry. Clocks are immutable: many threads share one.
 */
const KEYS_PER_BLOCK = 2048;
const FIRST_WARP = 1024;
const WHOLE_BLOCK = 2047;

/** The key of one thread of a block. */
export function threadKey(block: number, thread: number): number {
  return block * KEYS_PER_BLOCK + thread;
}

export function warpKey(block: number, warp: number): number {
  return block * KEYS_PER_BLOCK + FIRST_WARP + warp;
}

export function blockKey(block: number): number {
  return block * KEYS_PER_BLOCK + WHOLE_BLOCK;
}

export function blockOfKey(key: number): number {
  return Math.floor(key / KEYS_PER_BLOCK);
}

export type Clock = ReadonlyMap<number, number>;

/** All that either knows; one of the two themselves where that is enough. */
export function join(a: Clock | undefined, b: Clock | undefined): Clock | undefined {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  const [large, small] = a.size >= b.size ? [a, b] : [b, a];
  let joined: Map<number, number> | undefined;
  for (const [key, time] of small) {
    if ((large.get(key) ?? 0) >= time) continue;
    joined ??= new Map(large);
    joined.set(key, time);
  }
  return joined ?? large;
}

/** True when the clock holds an access of this thread at this time. */
export function holds(clock: Clock | undefined, block: number, warp: number, lane: number, time: number): boolean {
  if (clock === undefined) return false;
  return (
    (clock.get(blockKey(block)) ?? 0) >= time ||
    (clock.get(warpKey(block, warp)) ?? 0) >= time ||
    (clock.get(threadKey(block, warp * 32 + lane)) ?? 0) >= time
  );
}

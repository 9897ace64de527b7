/**
 * The stamps of the race filter: a u32 for each grain of memory (4 bytes, fewer where the kernel has narrower accesses)
 * that says who has accessed it, as far as a later access may still conflict.
 *
 *     bits 31-13   when: for shared memory the block's epoch (10 bits) and the warp's phase (9), for global memory the
 *                  launch's epoch (19)
 *     bits 12-3    the thread in its block, warp before lane; a code for kinds 6 and 7
 *     bits 2-0     kind, see {@link KIND}
 *
 * An epoch ends at each barrier of the whole block, a phase at each synchronisation of a whole warp. In global memory
 * epochs of an earlier block are below the arena's `firstEpoch`; phases are not told apart there.
 */
export const KIND = {
  /** Read by one thread. */
  read: 0,
  /** Written by one thread. */
  write: 1,
  /** Read by one thread, and written before, ordered by synchronisation. */
  readWritten: 2,
  /** Updated atomically by one thread, and nothing else. */
  atomic: 3,
  /** Read by several lanes of one warp. */
  warpRead: 4,
  /** The same, and written before. */
  warpReadWritten: 5,
  /** By several warps of the block; the thread's place holds a {@link CODE}. */
  several: 6,
  /** By several blocks; the thread's place holds a {@link CODE}, and the time is 0. */
  blocks: 7,
} as const;

/** In the place of the thread: reads, reads of what was written before, atomic updates. */
export const CODE = { read: 0, readWritten: 1 << 3, atomic: 2 << 3 } as const;

export const THREAD_SHIFT = 3;
export const LANE_BITS = 0x1f << 3;
export const WARP_BITS = 0x1f << 8;
export const PHASE_BITS = 0x1ff << 13;
/** One epoch on: shared and global stamps. A phase is as much as a global epoch. */
export const SHARED_EPOCH = 1 << 22;
export const GLOBAL_EPOCH = 1 << 13;
export const PHASE = 1 << 13;

/** Offsets within the arena's area for races. */
export const RACE = {
  /** u32 epochs, in their place in a stamp. */
  sharedEpoch: 0,
  globalEpoch: 4,
  /** u32: the first global epoch of the block that runs. */
  firstEpoch: 8,
  /** u32, modulo 2^32: what to add to an offset in memory, times stamps a word, to find its stamp. */
  sharedStamps: 12,
  globalStamps: 16,
  /** u32: where the block's shared stamps begin and how many bytes they are. */
  sharedStart: 20,
  sharedBytes: 24,
  /** 32 u32: the phase of each warp, in its place in a stamp. */
  phases: 64,
  bytes: 192,
} as const;

/** A stamp with its thread's place and time replaced: see {@link sweepGlobal}. */
const IDENTITY = GLOBAL_EPOCH - 1;

/**
 * Global epochs have run out: older ones are merged so that counting can go on. Those of earlier blocks become epoch 1,
 * those of the running block, which a barrier has ended, epoch 2. Returns the next epoch and the running block's first.
 */
export function sweepGlobal(stamps: Uint32Array, firstEpoch: number): { epoch: number; first: number } {
  for (let i = 0; i < stamps.length; i++) {
    const stamp = stamps[i]!;
    if (stamp >>> 13 === 0) continue;
    stamps[i] = (stamp & IDENTITY) | (stamp < firstEpoch ? GLOBAL_EPOCH : 2 * GLOBAL_EPOCH);
  }
  return { epoch: 3 * GLOBAL_EPOCH, first: 2 * GLOBAL_EPOCH };
}

/** A warp's phases have run out: what it did in this epoch becomes phase 0; it goes on in the phase returned. */
export function sweepPhase(stamps: Uint32Array, epoch: number, warp: number): number {
  for (let i = 0; i < stamps.length; i++) {
    const stamp = stamps[i]!;
    const own = (stamp ^ epoch) >>> 22 === 0 && (stamp & 7) < KIND.several && (stamp & WARP_BITS) >>> 8 === warp;
    if (own) stamps[i] = stamp & ~PHASE_BITS;
  }
  return PHASE;
}

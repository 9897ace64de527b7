/**
 * The working memory of one running block, in the WebAssembly memory: what code, scheduler and slow paths share. All
 * offsets are from the arena's start, which is 256-byte aligned.
 */

import { RACE } from './races/layout.ts';

/** Most threads of a block. */
export const MAX_THREADS = 1024;
export const WARP = 32;
/** Most sync points of a kernel. */
export const MAX_POINTS = 4096;

export const ARENA = {
  /** Three i32: the block's index. */
  ctaid: 0,
  /** Three i32: the grid's size. */
  nctaid: 12,
  /** i32: offset in memory of the block's shared area. */
  shared: 24,
  /** i32: offset in memory of thread 0's local area. */
  local: 28,
  /** i32: offset in memory of the parameter buffer. */
  params: 32,
  /** i32: bytes of dynamic shared memory. */
  dynamicShared: 36,
  /** i32: always zero, which the engine does not know. */
  zero: 40,
  /** i64: thread-instructions left of the budget. */
  budget: 48,
  /** i64: what was left of it when the block began; clocks count from there. */
  blockStart: 56,
  /** 32 bytes that a faulty load reads (zeros) and 32 that a faulty store writes. */
  loadSink: 64,
  storeSink: 96,
  /** 128 bytes for an exchange of one warp. */
  scratch: 128,
  /** 256 bytes for the operands of a gather or scatter: 16 lanes of up to 16 bytes. */
  vector: 256,
  /** u16 for each thread: where it stopped, a sync point's number; 0 when it has exited. */
  next: 512,
  /** u32 for each group of threads that run together: the point where all of them stopped. */
  groups: 512 + 2 * MAX_THREADS,
  /** One byte a sync point, what the driver does with threads that stop there: see driver.ts. */
  actions: 512 + 2 * MAX_THREADS + 4 * WARP,
  /** What the race filter counts: see races/layout.ts. */
  races: 512 + 2 * MAX_THREADS + 4 * WARP + MAX_POINTS,
  /** Numbers that vector code loads rather than builds: see constants.ts. */
  constants: 512 + 2 * MAX_THREADS + 4 * WARP + MAX_POINTS + RACE.bytes,
  /** First byte of the frames. */
  frames: 512 + 2 * MAX_THREADS + 4 * WARP + MAX_POINTS + RACE.bytes + 256,
} as const;

/** Where a register's values lie: one after another by thread. */
export interface Slot {
  /** From the arena's start. */
  readonly offset: number;
  readonly bytes: 4 | 8;
}

/** Hands out slots of frames for a number of threads. */
export class FrameLayout {
  private top: number = ARENA.frames;
  private readonly slots = new Map<number, Slot>();
  /** Threads rounded up to whole warps, so that a warp can be copied at once. */
  private readonly threads: number;

  constructor(threads: number) {
    this.threads = Math.ceil(threads / WARP) * WARP;
  }

  /** The slot of a register, made when new. */
  slot(register: number, bytes: 4 | 8): Slot {
    let slot = this.slots.get(register);
    if (!slot) {
      slot = { offset: this.top, bytes };
      this.top += bytes * this.threads;
      this.slots.set(register, slot);
    }
    return slot;
  }

  /** Room for something else, 16-byte aligned: its offset. */
  area(bytes: number): number {
    const offset = Math.ceil(this.top / 16) * 16;
    this.top = offset + bytes;
    return offset;
  }

  /** Bytes of the whole arena. */
  get bytes(): number {
    return this.top;
  }
}

/**
 * Copies of cp.async that are in flight: a list for each thread of a block, oldest first, in a pool of entries. They are
 * made and delivered in WebAssembly (scalar/async-copy.ts); here is how they lie in memory, and what findings need to know.
 */
import type { LaunchContext } from '../executable.ts';
import type { Allocation } from '../memory.ts';
import type { FaultReporter } from './faults.ts';

/** The head of the queue's area in the arena: i32 each. Entries are numbered from 1. */
export const QUEUE = {
  /** First of the entries that can be used again; 0: none. They are linked by `next`. */
  free: 0,
  /** Entries ever used. */
  top: 4,
  capacity: 8,
  /** Offset in memory of entry 0. */
  pool: 12,
  /** By thread: see {@link THREAD}. */
  threads: 16,
} as const;

/** A thread's list: i32 each. */
export const THREAD = { first: 0, last: 4, committed: 8, shift: 4 } as const;

/** An entry: i32 each. A target of 0 marks one that is not in use. */
export const ENTRY = {
  target: 0,
  source: 4,
  bytes: 8,
  /** Bytes taken from the source; the rest is zero. */
  sourceBytes: 12,
  /** How many groups its thread had committed before it: it lands when more than that have been waited for. */
  group: 16,
  next: 20,
  shift: 5,
} as const;

/** Entries a thread in the arena; more are allocated when they do not suffice. */
export const ENTRIES_PER_THREAD = 16;

/** Bytes of the area for a block of so many threads. */
export function queueBytes(threads: number): number {
  return poolOffset(threads) + ((threads * ENTRIES_PER_THREAD + 1) << ENTRY.shift);
}

/** Where the pool begins in the area. */
export function poolOffset(threads: number): number {
  return Math.ceil((QUEUE.threads + (threads << THREAD.shift)) / 32) * 32;
}

/** The queue of the block that runs, as the host sees it. */
export class CopyQueue {
  private readonly pools: Allocation[] = [];

  constructor(
    private readonly context: LaunchContext,
    private readonly reporter: FaultReporter,
    /** Offset of the area in the arena. */
    private readonly offset: number,
  ) {}

  private word(at: number): number {
    return this.context.memory.i32[at >>> 2]!;
  }

  private get area(): number {
    return this.reporter.areas.arena + this.offset;
  }

  /** True when a copy to any of these bytes has not landed yet. */
  touches(physical: number, bytes: number): boolean {
    const pool = this.word(this.area + QUEUE.pool) >>> 0;
    const top = this.word(this.area + QUEUE.top);
    for (let number = 1; number <= top; number++) {
      const entry = pool + (number << ENTRY.shift);
      const target = this.word(entry + ENTRY.target) >>> 0;
      if (target !== 0 && target < physical + bytes && physical < target + this.word(entry + ENTRY.bytes)) return true;
    }
    return false;
  }

  /** Copies that a thread has not waited for. */
  unfinished(thread: number): number {
    const pool = this.word(this.area + QUEUE.pool) >>> 0;
    let count = 0;
    let number = this.word(this.area + QUEUE.threads + (thread << THREAD.shift) + THREAD.first);
    for (; number !== 0; number = this.word(pool + (number << ENTRY.shift) + ENTRY.next)) count++;
    return count;
  }

  /** Twice the room. */
  grow(): void {
    const { memory } = this.context;
    const capacity = this.word(this.area + QUEUE.capacity);
    const pool = this.word(this.area + QUEUE.pool) >>> 0;
    const larger = memory.allocate((2 * capacity + 1) << ENTRY.shift, { internal: true });
    this.pools.push(larger);
    memory.u8.copyWithin(larger.base, pool, pool + ((capacity + 1) << ENTRY.shift));
    memory.i32[(this.area + QUEUE.capacity) >>> 2] = 2 * capacity;
    memory.i32[(this.area + QUEUE.pool) >>> 2] = larger.base | 0;
  }

  free(): void {
    for (const pool of this.pools.reverse()) this.context.memory.release(pool);
  }
}

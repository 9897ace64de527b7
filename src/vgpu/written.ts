/**
 * Which bytes of global memory a launch wrote, exactly, whatever they held before. Every executor marks a byte here when a
 * store or an atomic to it has passed its checks; nothing of this exists in a launch that does not ask for it.
 *
 * The map lies in device memory, so that compiled code can write it: one byte for each 4-byte word from the first to the
 * last allocation that the launch may write, bit i for byte i of the word, a quarter of the memory that it describes. A
 * second map has one byte for each page of {@link PAGE_WORDS} words that was touched: reading and clearing cost what was
 * written, not what could have been.
 */
import type { Allocation, DeviceMemory } from './memory.ts';
import type { DevicePointer, WrittenBytes } from './types.ts';

/** Words of memory in a page of the map, as a power of two. */
export const PAGE_SHIFT = 12;
const PAGE_WORDS = 1 << PAGE_SHIFT;

export class WrittenMap {
  readonly #memory: DeviceMemory;
  readonly #area: Allocation;
  readonly #allocations: readonly Allocation[];
  /** Index of the first word described: an offset in memory over four. */
  readonly firstWord: number;
  readonly words: number;
  /** Where the bytes of the touched pages lie in memory. */
  readonly pages: number;
  /** Where the bytes of the words lie in memory. */
  readonly map: number;

  /** Describes the allocations that the launch may write. Throws a RangeError when device memory has no room for it. */
  constructor(memory: DeviceMemory, allowed: Iterable<Allocation>) {
    this.#memory = memory;
    this.#allocations = [...allowed].filter(({ readOnly, bytes }) => !readOnly && bytes > 0);
    const start = this.#allocations.reduce((least, { base }) => Math.min(least, base), memory.end);
    const end = this.#allocations.reduce((most, { base, bytes }) => Math.max(most, base + bytes), start);
    this.firstWord = start >>> 2;
    this.words = (end >>> 2) - this.firstWord + ((end & 3) === 0 ? 0 : 1);
    const pageBytes = Math.ceil(Math.ceil(this.words / PAGE_WORDS) / 16) * 16;
    this.#area = memory.allocateZeroed(pageBytes + Math.ceil(this.words / 4) * 4, 'map of written bytes');
    this.pages = this.#area.base;
    this.map = this.pages + pageBytes;
  }

  /** Marks bytes that lie in one aligned group of at most 16, or any range of whole words. */
  mark(offset: number, bytes: number): void {
    const { u8 } = this.#memory;
    for (let at = offset; at < offset + bytes; ) {
      const word = (at >>> 2) - this.firstWord;
      const here = Math.min(4 - (at & 3), offset + bytes - at);
      if (word >= 0 && word < this.words) {
        u8[this.map + word]! |= ((1 << here) - 1) << (at & 3);
        u8[this.pages + (word >>> PAGE_SHIFT)] = 1;
      }
      at += here;
    }
  }

  /** What has been written since the map was made or cleared: allocations in order of address, those untouched left out. */
  read(): WrittenBytes[] {
    const found: WrittenBytes[] = [];
    for (const allocation of [...this.#allocations].sort((a, b) => a.base - b.base)) {
      const ranges = this.#ranges(allocation);
      if (ranges.length === 0) continue;
      let bytes = 0;
      for (let i = 0; i < ranges.length; i += 2) bytes += ranges[i + 1]! - ranges[i]!;
      const pointer: DevicePointer = allocation.address;
      found.push({ pointer, name: allocation.name, bytes, ranges });
    }
    return found;
  }

  /** [start, end) pairs of byte offsets in the allocation, ascending and apart. */
  #ranges(allocation: Allocation): Uint32Array {
    const { u8 } = this.#memory;
    const first = (allocation.base >>> 2) - this.firstWord;
    const last = first + Math.ceil(allocation.bytes / 4);
    let ranges = new Uint32Array(64);
    let count = 0;
    let open = -1;
    const put = (from: number, to: number): void => {
      if (count + 2 > ranges.length) {
        const larger = new Uint32Array(ranges.length * 2);
        larger.set(ranges);
        ranges = larger;
      }
      ranges[count++] = from;
      ranges[count++] = to;
    };
    for (let word = first; word < last; ) {
      const page = word >>> PAGE_SHIFT;
      const end = Math.min(last, (page + 1) << PAGE_SHIFT);
      if (u8[this.pages + page] === 0) {
        if (open >= 0) put(open, (word - first) * 4);
        open = -1;
        word = end;
        continue;
      }
      for (; word < end; word++) {
        const bits = u8[this.map + word]!;
        if (bits === 0x0f ? open >= 0 : bits === 0 && open < 0) continue;
        for (let b = 0; b < 4; b++) {
          const at = (word - first) * 4 + b;
          if (((bits >>> b) & 1) === 1) {
            if (open < 0) open = at;
          } else if (open >= 0) {
            put(open, at);
            open = -1;
          }
        }
      }
    }
    if (open >= 0) put(open, (last - first) * 4);
    return ranges.slice(0, count);
  }

  /** Forgets what was written. */
  clear(): void {
    const { u8 } = this.#memory;
    const pages = Math.ceil(this.words / PAGE_WORDS);
    for (let page = 0; page < pages; page++) {
      if (u8[this.pages + page] === 0) continue;
      u8[this.pages + page] = 0;
      const start = this.map + page * PAGE_WORDS;
      u8.fill(0, start, Math.min(start + PAGE_WORDS, this.map + this.words));
    }
  }

  /** Gives the memory back, cleared. */
  release(): void {
    this.clear();
    this.#memory.releaseZeroed(this.#area);
  }
}

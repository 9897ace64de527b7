/**
 * Allocations larger than the virtual GPU's memory, for launches of which only a few blocks run: pages of a few kilobytes come into being
 * when a block first touches them, with the contents that the whole allocation would have there. A tensor of gigabytes has its own
 * addresses, and so its own coalescing, strides and reuse; a sample of blocks touches a few megabytes of it.
 *
 * Only the interpreter knows these addresses. Bulk copies and tensor maps cannot reach them: such a launch ends with a fault.
 */
import type { Allocation } from './memory.ts';

/** High word of the first allocation's addresses; each further one begins 2^36 bytes on. None of memory-layout.ts's tags is reached. */
const FAR_TAG = 0x1000;
const SPAN = 2 ** 36;
const SPAN_WORDS = SPAN / 2 ** 32;
const MOST = 1024;
/** Where the places of the first allocation begin, beyond all offsets of the WebAssembly memory. */
const FIRST_PLACE = SPAN;
const PAGE_SHIFT = 12;
const PAGE = 1 << PAGE_SHIFT;
/** Bytes taken from the WebAssembly memory at a time. */
const ARENA = 2 ** 20;

interface FarAllocation {
  /** Its `base` is a place: see {@link FarMemory.placeOf}. */
  readonly allocation: Allocation;
  /** Repeated from the allocation's start to its end. */
  readonly content: Uint8Array;
  /** Offset in the WebAssembly memory of each page, 0 where it has not been touched. */
  readonly pages: Uint32Array;
}

export class FarMemory {
  readonly #u8: Uint8Array;
  readonly #takeArena: (bytes: number) => number;
  readonly #allocations: FarAllocation[] = [];
  /** The place of each page of the WebAssembly memory that is one of ours, by its number. */
  readonly #places = new Map<number, number>();
  #free = 0;
  #freeEnd = 0;

  /** @param takeArena gives the offset of so many unused bytes, or throws a RangeError. */
  constructor(u8: Uint8Array, takeArena: (bytes: number) => number) {
    this.#u8 = u8;
    this.#takeArena = takeArena;
  }

  /** Reserves addresses. `content` is repeated over the allocation; its bytes count as initialised. Throws a RangeError beyond 64 GiB. */
  allocate(bytes: number, name: string, content: Uint8Array): bigint {
    if (!(bytes >= 0 && bytes <= SPAN)) throw new RangeError(`${bytes} bytes are more than one allocation can have`);
    if (this.#allocations.length >= MOST) throw new RangeError(`more than ${MOST} large allocations`);
    const index = this.#allocations.length;
    const address = BigInt(FAR_TAG + SPAN_WORDS * index) << 32n;
    this.#allocations.push({
      allocation: {
        ...{ name, bytes, address, base: FIRST_PLACE + SPAN * index, colour: 0 },
        ...{ readOnly: false, input: false, internal: false, bare: true, freed: false, allowed: true },
      },
      content,
      pages: new Uint32Array(Math.ceil(bytes / PAGE)),
    });
    return address;
  }

  /** Where in the WebAssembly memory an aligned access lies, whose page is made if need be; undefined when it is in none of these allocations. */
  resolve(high: number, low: number, bytes: number): number | undefined {
    const word = high - FAR_TAG;
    const one = word < 0 ? undefined : this.#allocations[Math.floor(word / SPAN_WORDS)];
    if (one === undefined) return undefined;
    const offset = (word % SPAN_WORDS) * 2 ** 32 + low;
    if (offset + bytes > one.allocation.bytes) return undefined;
    const page = Math.floor(offset / PAGE);
    const physical = one.pages[page] || this.#make(one, page);
    return physical + (offset & (PAGE - 1));
  }

  /** A number that stands for the byte at this offset of the WebAssembly memory: neighbours in an allocation have neighbouring numbers. */
  placeOf(physical: number): number {
    const page = this.#places.get(physical >>> PAGE_SHIFT);
    return page === undefined ? physical : page + (physical & (PAGE - 1));
  }

  /** The allocation of a place. */
  at(place: number): Allocation | undefined {
    const index = Math.floor(place / SPAN) - 1;
    const allocation = this.#allocations[index]?.allocation;
    return allocation !== undefined && place < allocation.base + allocation.bytes ? allocation : undefined;
  }

  #make({ allocation, content, pages }: FarAllocation, page: number): number {
    if (this.#free + PAGE > this.#freeEnd) {
      const start = this.#takeArena(ARENA + PAGE);
      this.#free = Math.ceil(start / PAGE) * PAGE;
      this.#freeEnd = start + ARENA + PAGE;
    }
    const physical = this.#free;
    this.#free += PAGE;
    pages[page] = physical;
    this.#places.set(physical >>> PAGE_SHIFT, allocation.base + page * PAGE);
    // Contents repeat from the allocation's start, so a page begins somewhere within one repetition.
    const length = content.length;
    for (let at = 0, from = length === 0 ? 0 : (page * PAGE) % length; at < PAGE && length > 0; from = 0) {
      const piece = content.subarray(from, Math.min(length, from + PAGE - at));
      this.#u8.set(piece, physical + at);
      at += piece.length;
    }
    return physical;
  }
}

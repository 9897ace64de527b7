/**
 * Device memory: one WebAssembly memory with its shadow, an allocator that keeps neighbours apart in colour and place,
 * and the exact decision about an access that the fast test of memory-layout.ts did not pass.
 */
import { FarMemory } from './far-memory.ts';
import { ALLOCATION_ALIGNMENT, COLOURS, GLOBAL_TAG, globalAddress, HEAP_BASE, RED_ZONE } from './memory-layout.ts';
import type { WrittenMap } from './written.ts';

export interface Allocation {
  readonly name: string;
  /** Offset in the WebAssembly memory. */
  readonly base: number;
  readonly bytes: number;
  readonly colour: number;
  readonly address: bigint;
  /** Module constants, and inputs that a launch may not change: writes are faults. */
  readonly readOnly: boolean;
  /** It is an input, not constant memory. */
  readonly input: boolean;
  /** Of the virtual GPU itself: launch areas. Never a legal target of a global access. */
  readonly internal: boolean;
  /** It has no shadow: no access is checked against it. */
  readonly bare: boolean;
  freed: boolean;
  /** The running launch may touch it. */
  allowed: boolean;
}

/** Why a global access is wrong. */
export interface AccessFault {
  readonly kind: 'out-of-bounds' | 'use-after-free' | 'uninitialised-read' | 'write-to-readonly';
  /** The allocation touched, or the one whose pointer this looks like, or the nearest below. */
  readonly allocation: Allocation | undefined;
  /** Offset of the access from that allocation's start. */
  readonly offset: number;
  readonly reason: string;
}

/** The engine's memory object, typed for what is used here (neither TypeScript's nor Node's types declare it). */
export interface WasmMemory {
  /** Shared between threads when the GPU has several workers. */
  readonly buffer: ArrayBuffer;
}

const { Memory } = (
  globalThis as unknown as {
    WebAssembly: { Memory: new (size: { initial: number; maximum: number; shared: boolean }) => WasmMemory };
  }
).WebAssembly;

const PAGE = 65536;

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export class DeviceMemory {
  readonly wasm: WasmMemory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  /** One past the last usable byte. */
  readonly end: number;
  /** Live and freed allocations by ascending base; freed ones stay until their place is used again. */
  readonly #allocations: Allocation[] = [];
  #top = HEAP_BASE + RED_ZONE;
  /** The highest that `#top` has been. */
  #highest = HEAP_BASE + RED_ZONE;
  #lastColour = 0;
  #unnamed = 0;
  /** Of the running launch, when it is asked what it wrote. */
  written: WrittenMap | undefined;
  /** Allocations beyond this memory's size, where there are any. */
  far: FarMemory | undefined;

  /**
   * @param bytes size of the device heap; untouched pages cost nothing. At most 3 GiB.
   * @param shared other threads may see the memory
   */
  constructor(bytes: number, shared = false, existing?: WasmMemory) {
    const heap = alignUp(bytes, existing ? 1 : PAGE);
    if (HEAP_BASE + heap > 2 ** 32) throw new RangeError('the virtual GPU has at most 3 GiB of memory');
    const pages = (HEAP_BASE + heap) / PAGE;
    this.wasm = existing ?? new Memory({ initial: pages, maximum: pages, shared });
    const buffer = this.wasm.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.end = HEAP_BASE + heap;
  }

  /**
   * Another thread's view of a shared memory: the same allocations, and new ones in a part of the memory that is its own.
   */
  static view(
    wasm: WasmMemory,
    allocations: readonly Allocation[],
    scratch: { readonly base: number; readonly bytes: number },
  ): DeviceMemory {
    const memory = new DeviceMemory(scratch.base + scratch.bytes - HEAP_BASE, true, wasm);
    memory.#allocations.push(...allocations);
    memory.#top = scratch.base;
    return memory;
  }

  get shared(): boolean {
    return this.wasm.buffer instanceof SharedArrayBuffer;
  }

  get allocations(): readonly Allocation[] {
    return this.#allocations;
  }

  /** Reserves addresses for more than this memory may hold: see far-memory.ts. */
  allocateFar(bytes: number, name: string, content: Uint8Array): bigint {
    const arena = (size: number) => this.allocate(size, { name: 'pages', internal: true, bare: true }).base;
    this.far ??= new FarMemory(this.u8, arena);
    return this.far.allocate(bytes, name, content);
  }

  /** Reserves memory with undefined content. Throws a RangeError that says how much is free when none fits. */
  allocate(
    bytes: number,
    options: { name?: string; readOnly?: boolean; input?: boolean; internal?: boolean; bare?: boolean } = {},
  ): Allocation {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new RangeError(`cannot allocate ${bytes} bytes`);
    const base = this.#place(Math.max(bytes, 1));
    const at = this.#indexBelow(base) + 1;
    const colour = options.internal === true ? 0 : this.#pickColour(at);
    const allocation: Allocation = {
      name: options.name ?? (options.internal === true ? 'launch area' : `allocation ${++this.#unnamed}`),
      base,
      bytes,
      colour,
      address: globalAddress(base, colour),
      readOnly: options.readOnly === true || options.input === true,
      input: options.input === true,
      internal: options.internal === true,
      bare: options.bare === true,
      freed: false,
      allowed: false,
    };
    this.#allocations.splice(at, 0, allocation);
    if (!allocation.bare) this.u8.fill(0, base >>> 2, (base + bytes + 3) >>> 2);
    return allocation;
  }

  /**
   * An area of zeros for the virtual GPU itself. Memory that was never used is zero already, and is not touched.
   * {@link releaseZeroed} takes it back when it is zero again.
   */
  allocateZeroed(bytes: number, name: string): Allocation {
    const used = this.#highest;
    const area = this.allocate(bytes, { name, internal: true });
    if (area.base < used) this.u8.fill(0, area.base, Math.min(area.base + bytes, used));
    return area;
  }

  /** Releases an area that holds zeros alone. */
  releaseZeroed(area: Allocation): void {
    const end = this.#highest;
    this.release(area);
    // When nothing was used beyond it, what lies above its start is as if it had never been used.
    if (
      this.#top === area.base &&
      end === area.base + alignUp(Math.max(area.bytes, 1), ALLOCATION_ALIGNMENT) + RED_ZONE
    )
      this.#highest = area.base;
  }

  #place(bytes: number): number {
    const size = alignUp(bytes, ALLOCATION_ALIGNMENT) + RED_ZONE;
    if (this.#top + size <= this.end) {
      const base = this.#top;
      this.#top += size;
      this.#highest = Math.max(this.#highest, this.#top);
      return base;
    }
    // The heap has been walked through once: reuse the first gap between live allocations.
    let from = HEAP_BASE + RED_ZONE;
    for (const live of [...this.#allocations.filter((a) => !a.freed), undefined]) {
      const to = live === undefined ? this.end : live.base;
      if (to - from >= size) {
        for (let i = this.#allocations.length - 1; i >= 0; i--) {
          const old = this.#allocations[i]!;
          if (old.freed && old.base < from + size && old.base + old.bytes > from) this.#allocations.splice(i, 1);
        }
        return from;
      }
      if (live !== undefined) from = alignUp(live.base + Math.max(live.bytes, 1), ALLOCATION_ALIGNMENT) + RED_ZONE;
    }
    const used = this.#allocations.reduce((sum, a) => sum + (a.freed ? 0 : a.bytes), 0);
    throw new RangeError(
      `the virtual GPU is out of memory: ${bytes} bytes asked for, ${used} of ${this.end - HEAP_BASE} in use`,
    );
  }

  /** The colour that fewest live allocations wear, never that of a neighbour. */
  #pickColour(at: number): number {
    const counts = new Array<number>(COLOURS + 1).fill(0);
    for (const allocation of this.#allocations) counts[allocation.colour]! += allocation.freed ? 0.25 : 1;
    const left = this.#allocations[at - 1]?.colour ?? 0;
    const right = this.#allocations[at]?.colour ?? 0;
    let best = 0;
    for (let step = 1; step <= COLOURS; step++) {
      const colour = ((this.#lastColour + step - 1) % COLOURS) + 1;
      if (colour === left || colour === right) continue;
      if (best === 0 || counts[colour]! < counts[best]!) best = colour;
    }
    this.#lastColour = best;
    return best;
  }

  /** Index of the last allocation that starts at or below an offset, or -1. */
  #indexBelow(offset: number): number {
    let low = 0;
    let high = this.#allocations.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#allocations[middle]!.base <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The allocation, live or freed, that holds this device address (its tag must fit), if any. */
  find(address: bigint): Allocation | undefined {
    const offset = Number(address & 0xffff_ffffn);
    const allocation = this.#allocations[this.#indexBelow(offset)];
    if (allocation === undefined || allocation.internal) return undefined;
    if (offset >= allocation.base + allocation.bytes && offset !== allocation.base) return undefined;
    return allocation.address >> 32n === address >> 32n ? allocation : undefined;
  }

  /** The allocation that holds this offset of the WebAssembly memory, or this place of a far one. */
  at(offset: number): Allocation | undefined {
    if (offset >= this.end) return this.far?.at(offset);
    const allocation = this.#allocations[this.#indexBelow(offset)];
    return allocation !== undefined && offset < allocation.base + allocation.bytes ? allocation : undefined;
  }

  /** Like {@link find}, but the range must lie in a live allocation: what host calls need. */
  range(address: bigint, bytes: number): number {
    const allocation = this.find(address);
    const offset = Number(address & 0xffff_ffffn);
    if (allocation === undefined || allocation.freed) {
      throw new RangeError(`0x${address.toString(16)} is not in a live allocation`);
    }
    if (offset + bytes > allocation.base + allocation.bytes) {
      throw new RangeError(
        `${bytes} bytes at offset ${offset - allocation.base} do not fit in ${allocation.name} of ${allocation.bytes} bytes`,
      );
    }
    return offset;
  }

  free(address: bigint): void {
    const allocation = this.find(address);
    if (allocation === undefined || allocation.address !== address) {
      throw new RangeError(`0x${address.toString(16)} is not the start of an allocation`);
    }
    if (allocation.freed) throw new RangeError(`${allocation.name} was freed before`);
    this.release(allocation);
  }

  release(allocation: Allocation): void {
    allocation.freed = true;
    allocation.allowed = false;
    if (!allocation.bare) this.u8.fill(0, allocation.base >>> 2, (allocation.base + allocation.bytes + 3) >>> 2);
    // A launch's own areas were never visible: forget them and give the top of the heap back.
    if (allocation.internal) {
      this.#allocations.splice(this.#allocations.indexOf(allocation), 1);
      const end = allocation.base + alignUp(Math.max(allocation.bytes, 1), ALLOCATION_ALIGNMENT) + RED_ZONE;
      if (end === this.#top) this.#top = allocation.base;
    }
  }

  /** Forgets all allocations. Bytes that were in use are zero again, as in a new memory. */
  reset(): void {
    const start = HEAP_BASE + RED_ZONE;
    this.u8.fill(0, start >>> 2, (this.#highest + 3) >>> 2);
    this.u8.fill(0, start, this.#highest);
    this.#highest = start;
    this.#allocations.length = 0;
    this.#top = start;
    this.#lastColour = 0;
    this.#unnamed = 0;
    this.far = undefined;
  }

  /** Sets which allocations the next launch may touch. */
  allow(allowed: ReadonlySet<Allocation>): void {
    for (const allocation of this.#allocations) {
      const wanted = allowed.has(allocation) && !allocation.freed;
      if (allocation.allowed === wanted) continue;
      allocation.allowed = wanted;
      if (!allocation.readOnly) this.#paint(allocation, wanted ? allocation.colour : 0);
    }
  }

  /** Writes the colour nibble of every word that the allocation owns entirely. Allocations start 256-byte aligned. */
  #paint(allocation: Allocation, colour: number): void {
    const first = allocation.base >>> 2;
    const words = allocation.bytes >>> 2;
    const mask = (colour << 4) * 0x0101_0101;
    const quads = words >>> 2;
    const start = first >>> 2;
    for (let i = start; i < start + quads; i++) this.u32[i] = ((this.u32[i]! & 0x0f0f_0f0f) | mask) >>> 0;
    for (let i = first + quads * 4; i < first + words; i++) this.u8[i] = (this.u8[i]! & 0x0f) | (colour << 4);
  }

  /** Marks a byte range of the WebAssembly memory as initialised or not. */
  markInitialised(offset: number, bytes: number, initialised: boolean): void {
    const end = offset + bytes;
    let at = offset;
    for (; at < end && (at & 3) !== 0; at++) this.#markByte(at, initialised);
    const words = (end - at) >>> 2;
    let shadow = at >>> 2;
    const shadowEnd = shadow + words;
    const apply = (i: number): void => {
      this.u8[i] = initialised ? this.u8[i]! | 0x0f : this.u8[i]! & 0xf0;
    };
    for (; shadow < shadowEnd && (shadow & 3) !== 0; shadow++) apply(shadow);
    for (; shadow + 4 <= shadowEnd; shadow += 4) {
      const value = this.i32[shadow >>> 2]!;
      this.i32[shadow >>> 2] = initialised ? value | 0x0f0f_0f0f : value & ~0x0f0f_0f0f;
    }
    for (; shadow < shadowEnd; shadow++) apply(shadow);
    for (at += words * 4; at < end; at++) this.#markByte(at, initialised);
  }

  #markByte(offset: number, initialised: boolean): void {
    const bit = 1 << (offset & 3);
    const shadow = offset >>> 2;
    // Two threads may mark bytes of one word.
    if (initialised) Atomics.or(this.u8, shadow, bit);
    else this.u8[shadow] = this.u8[shadow]! & ~bit;
  }

  /** One byte for each byte of the range: 1 if initialised. */
  initialised(offset: number, bytes: number): Uint8Array {
    const result = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) result[i] = (this.u8[(offset + i) >>> 2]! >>> ((offset + i) & 3)) & 1;
    return result;
  }

  /**
   * Decides exactly about a global (or const) access that failed the fast test: undefined when it is legal after all; a
   * legal write is marked in the shadow. `high` and `low` are the words of the address, unsigned.
   */
  resolveGlobal(high: number, low: number, bytes: number, write: boolean): AccessFault | undefined {
    const index = this.#indexBelow(low);
    const tag = high - GLOBAL_TAG;
    let inside: Allocation | undefined = this.#allocations[index];
    if (inside !== undefined && low >= inside.base + Math.max(inside.bytes, 1)) inside = undefined;
    if (inside?.internal === true) inside = undefined;
    const fault = (kind: AccessFault['kind'], allocation: Allocation | undefined, reason: string): AccessFault => ({
      kind,
      allocation,
      offset: allocation === undefined ? 0 : low - allocation.base,
      reason,
    });
    if (tag < 1 || tag > COLOURS) {
      const reason = high === 0 && low < 4096 ? 'this is a null pointer' : 'this is not a device address';
      return fault('out-of-bounds', undefined, reason);
    }
    if (inside === undefined || inside.colour !== tag) {
      const origin = this.#nearest(low, tag);
      if (origin?.freed === true) return fault('use-after-free', origin, `past the end of the freed ${origin.name}`);
      const where = inside === undefined ? 'between allocations' : `inside ${inside.name}, a neighbour`;
      return fault(
        'out-of-bounds',
        origin,
        origin === undefined ? where : `${where}, by a pointer into ${origin.name}`,
      );
    }
    if (inside.freed) return fault('use-after-free', inside, `${inside.name} has been freed`);
    if (low + bytes > inside.base + inside.bytes) {
      return fault('out-of-bounds', inside, `the access runs over the end of ${inside.name}`);
    }
    if (!inside.allowed) {
      return fault('out-of-bounds', inside, `${inside.name} was not passed to this launch`);
    }
    if (write) {
      if (inside.input) {
        return fault('write-to-readonly', inside, `this is the input ${inside.name}, which this launch may not write`);
      }
      if (inside.readOnly) return fault('write-to-readonly', inside, `${inside.name} is constant memory`);
      this.markInitialised(low, bytes, true);
      return undefined;
    }
    for (let i = low; i < low + bytes; i++) {
      if (((this.u8[i >>> 2]! >>> (i & 3)) & 1) === 0) {
        return fault('uninitialised-read', inside, `byte ${i - inside.base} of ${inside.name} was never written`);
      }
    }
    return undefined;
  }

  /** The allocation of a colour that lies nearest to an offset: where a pointer of that colour most likely came from. */
  #nearest(offset: number, colour: number): Allocation | undefined {
    let best: Allocation | undefined;
    let bestScore = Number.POSITIVE_INFINITY;
    for (const allocation of this.#allocations) {
      if (allocation.colour !== colour || allocation.internal) continue;
      const distance =
        offset < allocation.base ? allocation.base - offset : Math.max(0, offset - allocation.base - allocation.bytes);
      // Prefer what this launch was given, then what lives: a stray pointer usually comes from there.
      const score = (distance + 1) * (allocation.allowed ? 1 : allocation.freed ? 64 : 4);
      if (score < bestScore) {
        best = allocation;
        bestScore = score;
      }
    }
    return best;
  }
}

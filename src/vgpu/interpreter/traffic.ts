/**
 * Traffic with global memory, in sectors of 32 bytes: how much of each allocation is asked for, how much of it is distinct, how
 * soon a block asks for the same again, and what neighbouring blocks ask for in common. The last two are what a cache
 * model needs, and let the blocks of a sample stand for the whole grid.
 */
import type { Allocation, DeviceMemory } from '../memory.ts';
import type { AllocationTraffic, Dim3, LaunchProfile } from '../types.ts';
import type { Block } from './block.ts';
import { StackDistances } from './stack-distance.ts';

export const SECTOR = 32;
/** Sectors of blocks kept to compare neighbours, at most; later blocks are counted but not compared. */
const MAX_KEPT_SECTORS = 1 << 21;

export type Direction = 'load' | 'store' | 'atomic';

interface OneAllocation {
  readonly allocation: Allocation;
  readonly sectors: Record<Direction, number>;
  /** Distinct sectors, and the sum of each block's distinct sectors. */
  distinct: number;
  distinctByBlock: number;
}

/** Bucket of a reuse distance: 0 for 0, else k with 2^(k-1) <= distance < 2^k. */
function bucket(distance: number): number {
  return 32 - Math.clz32(distance);
}

export class Traffic {
  readonly #memory: DeviceMemory;
  readonly #allocations = new Map<Allocation | undefined, OneAllocation>();
  /** A bit for each sector touched, in pages of 32768. */
  readonly #touched = new Map<number, Uint32Array>();
  readonly #blocks = new Map<number, StackDistances>();
  readonly #reuse = { load: [] as number[], other: [] as number[] };
  #kept = 0;
  #last: OneAllocation | undefined;

  constructor(memory: DeviceMemory) {
    this.#memory = memory;
  }

  /** One request's distinct sectors (offsets in memory, or places of far allocations, over 32). */
  record(direction: Direction, block: Block, sectors: Iterable<number>): void {
    let distances = this.#blocks.get(block.index);
    if (distances === undefined) {
      distances = new StackDistances();
      this.#blocks.set(block.index, distances);
    }
    for (const sector of sectors) {
      const one = this.#of(sector);
      one.sectors[direction]++;
      if (this.#isNew(sector)) one.distinct++;
      const distance = distances.use(sector);
      if (distance < 0) {
        one.distinctByBlock++;
        continue;
      }
      const counts = direction === 'load' ? this.#reuse.load : this.#reuse.other;
      const at = bucket(distance);
      counts[at] = (counts[at] ?? 0) + 1;
    }
  }

  /** A block has ended: its sectors are kept while there is room. */
  ended(block: Block): void {
    const distances = this.#blocks.get(block.index);
    if (distances === undefined) return;
    if (this.#kept + distances.size > MAX_KEPT_SECTORS) this.#blocks.delete(block.index);
    else this.#kept += distances.size;
  }

  #of(sector: number): OneAllocation {
    const at = sector * SECTOR;
    const last = this.#last;
    if (last !== undefined && at >= last.allocation.base && at < last.allocation.base + last.allocation.bytes)
      return last;
    const allocation = this.#memory.at(at);
    let one = this.#allocations.get(allocation);
    if (one === undefined) {
      if (allocation === undefined) throw new Error('an access outside of all allocations was counted');
      one = { allocation, sectors: { load: 0, store: 0, atomic: 0 }, distinct: 0, distinctByBlock: 0 };
      this.#allocations.set(allocation, one);
    }
    this.#last = one;
    return one;
  }

  #isNew(sector: number): boolean {
    // Places of far allocations are beyond 32 bits; the operators below take the low ones.
    const page = Math.floor(sector / 2 ** 15);
    let bits = this.#touched.get(page);
    if (bits === undefined) {
      bits = new Uint32Array(1024);
      this.#touched.set(page, bits);
    }
    const word = (sector >>> 5) & 1023;
    const bit = 1 << (sector & 31);
    if ((bits[word]! & bit) !== 0) return false;
    bits[word]! |= bit;
    return true;
  }

  /** Reuse distances of the blocks that ran, times `scale`. */
  reuse(scale: number): LaunchProfile['reuse'] {
    const times = (counts: readonly number[]) => Array.from(counts, (count) => Math.round((count ?? 0) * scale));
    return { loads: times(this.#reuse.load), others: times(this.#reuse.other) };
  }

  /** Traffic by allocation, of all blocks of the grid as far as those that ran can tell. */
  allocations(grid: Dim3, ranBlocks: number): AllocationTraffic[] {
    const totalBlocks = grid[0] * grid[1] * grid[2];
    const scale = ranBlocks === 0 ? 0 : totalBlocks / ranBlocks;
    const shared = this.#sharedWithNeighbours(grid);
    return [...this.#allocations.values()].map((one) => {
      const { allocation, sectors } = one;
      const bytesPerBlock = (one.distinctByBlock * SECTOR) / Math.max(ranBlocks, 1);
      const sharing = shared.get(allocation) ?? [0, 0, 0];
      // Along each axis every further block adds what it does not share with the one before.
      const grown =
        bytesPerBlock * sharing.reduce((factor, part, axis) => factor * (1 + (grid[axis]! - 1) * (1 - part)), 1);
      const known = one.distinct * SECTOR;
      const whole = Math.ceil(allocation.bytes / SECTOR) * SECTOR;
      return {
        name: allocation.name,
        bytes: allocation.bytes,
        loadSectors: Math.round(sectors.load * scale),
        storeSectors: Math.round(sectors.store * scale),
        atomicSectors: Math.round(sectors.atomic * scale),
        uniqueBytes: ranBlocks === totalBlocks ? known : Math.round(Math.max(known, Math.min(grown, whole))),
        bytesPerBlock: Math.round(bytesPerBlock),
        sharedWithNeighbour: sharing,
      };
    });
  }

  /** By allocation and axis: the part of a block's sectors that the next block along the axis uses too, 0 to 1. */
  #sharedWithNeighbours(grid: Dim3): Map<Allocation, [number, number, number]> {
    const steps = [1, grid[0], grid[0] * grid[1]];
    const own = new Map<Allocation, number[]>();
    const common = new Map<Allocation, number[]>();
    const add = (to: Map<Allocation, number[]>, allocation: Allocation, axis: number) => {
      const counts = to.get(allocation) ?? [0, 0, 0];
      counts[axis]!++;
      to.set(allocation, counts);
    };
    for (const [index, sectors] of this.#blocks) {
      const position = [
        index % grid[0],
        Math.floor(index / grid[0]) % grid[1],
        Math.floor(index / (grid[0] * grid[1])),
      ];
      for (let axis = 0; axis < 3; axis++) {
        const next = position[axis]! + 1 < grid[axis]! ? this.#blocks.get(index + steps[axis]!) : undefined;
        if (next === undefined) continue;
        for (const sector of sectors.keys()) {
          const { allocation } = this.#of(sector);
          add(own, allocation, axis);
          if (next.has(sector)) add(common, allocation, axis);
        }
      }
    }
    return new Map(
      [...own].map(([allocation, counts]) => {
        const both = common.get(allocation) ?? [0, 0, 0];
        const part = (axis: number) => (counts[axis] === 0 ? 0 : both[axis]! / counts[axis]!);
        return [allocation, [part(0), part(1), part(2)]];
      }),
    );
  }
}

/**
 * Exact dynamic counts of the blocks that run: instruction mix, global sectors and unique bytes, shared bank conflicts,
 * atomics, divergence. Totals are extrapolated from the blocks run to the grid.
 */

import { HEAP_BASE, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction, Space } from '../ptx/ir.ts';
import { isFloat, TYPE_BYTES } from '../ptx/ir.ts';
import type { Dim3, LaunchProfile } from '../types.ts';
import type { Environment } from './environment.ts';
import { LANES } from './registers.ts';

/** Global memory moves in sectors of this many bytes. */
const SECTOR = 32;
const BANKS = 32;

/** The class that an instruction counts for in a profile. */
export function classOf(i: Instruction): string {
  switch (i.kind) {
    case 'arithmetic': {
      if (['rcp', 'rsqrt', 'sqrt', 'ex2', 'lg2', 'sin', 'cos', 'tanh', 'div'].includes(i.op) && isFloat(i.type))
        return 'special';
      if (!isFloat(i.type)) return 'int';
      return TYPE_BYTES[i.type] === 8 && i.type !== 'f32x2' ? 'fp64' : /16/.test(i.type) ? 'fp16' : 'fp32';
    }
    case 'compare':
      if (!isFloat(i.type)) return 'int';
      return i.type === 'f64' ? 'fp64' : /16/.test(i.type) ? 'fp16' : 'fp32';
    case 'convert':
      return i.to === 'f64' || i.from === 'f64' ? 'fp64' : isFloat(i.to) || isFloat(i.from) ? 'special' : 'int';
    case 'memory':
      return i.space === 'param' ? 'other' : i.op === 'ld' ? 'load' : 'store';
    case 'async':
      return i.operation === 'copy' ? 'load' : 'other';
    case 'atomic':
      return 'atomic';
    case 'control':
      return 'branch';
    case 'barrier':
      return 'barrier';
    case 'warp':
      return i.op === 'warpsync' ? 'barrier' : 'shuffle';
    case 'matrix':
      return i.operation === 'mma'
        ? 'tensor'
        : i.operation === 'stmatrix' || i.operation === 'store-d'
          ? 'store'
          : 'load';
    default:
      return 'other';
  }
}

export class Profiler {
  /** Bytes of the allocations that the launch may touch: what all blocks together can reach at most. */
  readonly #limitBytes: number;
  readonly #counts = new Map<string, number>();
  readonly #touched = new Map<number, Uint32Array>();
  readonly #sectors = new Float64Array(LANES * 4);
  #uniqueSectors = 0;
  warpInstructions = 0;
  branches = 0;
  divergentBranches = 0;
  atomics = 0;
  #loadRequests = 0;
  #loadSectors = 0;
  #storeRequests = 0;
  #storeSectors = 0;
  #sharedAccesses = 0;
  #conflictCycles = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  count(kind: string): void {
    this.warpInstructions++;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  /** One warp's load or store, its lanes' offsets in `env.physical`. Generic accesses count where they go. */
  access(space: Space, store: boolean, bytes: number, mask: number, env: Environment): void {
    if (mask === 0 || space === 'param' || space === 'local' || space === 'const') return;
    const lane = 31 - Math.clz32(mask & -mask);
    const shared = space === 'shared' || (space === 'generic' && env.high[lane] === SHARED_TAG);
    if (shared) {
      this.#shared(bytes, mask, env.physical);
      return;
    }
    if (env.physical[lane]! < HEAP_BASE) return;
    const sectors = this.#distinctSectors(bytes, mask, env.physical);
    if (store) {
      this.#storeRequests++;
      this.#storeSectors += sectors;
    } else {
      this.#loadRequests++;
      this.#loadSectors += sectors;
    }
  }

  atomic(space: Space, bytes: number, mask: number, env: Environment): void {
    for (let m = mask; m !== 0; m &= m - 1) this.atomics++;
    if (space !== 'shared' && mask !== 0) this.#distinctSectors(bytes, mask, env.physical);
  }

  /** A tensor-core load or store: all its elements as one request. */
  gathered(store: boolean, shared: boolean, physical: readonly number[], bytes: number): void {
    if (shared) {
      this.#sharedAccesses += Math.max(1, Math.round((physical.length * bytes) / 128));
      return;
    }
    const sectors = new Set(physical.map((at) => Math.floor(at / SECTOR)));
    for (const sector of sectors) this.#touch(sector);
    if (store) {
      this.#storeRequests++;
      this.#storeSectors += sectors.size;
    } else {
      this.#loadRequests++;
      this.#loadSectors += sectors.size;
    }
  }

  /** Distinct sectors of a request; remembers them for the unique bytes. */
  #distinctSectors(bytes: number, mask: number, physical: Uint32Array): number {
    const found = this.#sectors;
    let count = 0;
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const first = Math.floor(physical[l]! / SECTOR);
      const last = Math.floor((physical[l]! + bytes - 1) / SECTOR);
      for (let sector = first; sector <= last; sector++) {
        let known = false;
        for (let i = count - 1; i >= 0 && !known; i--) known = found[i] === sector;
        if (known) continue;
        found[count++] = sector;
        this.#touch(sector);
      }
    }
    return count;
  }

  #touch(sector: number): void {
    const page = sector >>> 15;
    let bits = this.#touched.get(page);
    if (bits === undefined) {
      bits = new Uint32Array(1024);
      this.#touched.set(page, bits);
    }
    const word = (sector >>> 5) & 1023;
    const bit = 1 << (sector & 31);
    if ((bits[word]! & bit) !== 0) return;
    bits[word]! |= bit;
    this.#uniqueSectors++;
  }

  /** A request of 8 or 16 bytes a lane is served in halves or quarters of the warp; each takes as long as its busiest bank. */
  #shared(bytes: number, mask: number, physical: Uint32Array): void {
    this.#sharedAccesses++;
    const phases = bytes <= 4 ? 1 : bytes / 4;
    const lanesAPhase = LANES / phases;
    for (let phase = 0; phase < phases; phase++) {
      const banks: Set<number>[] = Array.from({ length: BANKS }, () => new Set());
      let busiest = 0;
      for (let l = phase * lanesAPhase; l < (phase + 1) * lanesAPhase; l++) {
        if (((mask >>> l) & 1) === 0) continue;
        for (let offset = 0; offset < bytes; offset += 4) {
          const word = (physical[l]! + offset) >>> 2;
          const bank = banks[word & (BANKS - 1)]!;
          bank.add(word);
          busiest = Math.max(busiest, bank.size);
        }
      }
      this.#conflictCycles += Math.max(0, busiest - 1);
    }
  }

  /** The profile of the launch, scaled from the blocks run to all blocks. */
  result(kernel: string, grid: Dim3, block: Dim3, sampledBlocks: number, threadInstructions: number): LaunchProfile {
    const totalBlocks = grid[0] * grid[1] * grid[2];
    const scale = sampledBlocks === 0 ? 0 : totalBlocks / sampledBlocks;
    const scaled = (value: number): number => Math.round(value * scale);
    return {
      kernel,
      grid,
      block,
      sampledBlocks,
      totalBlocks,
      threadInstructions: scaled(threadInstructions),
      warpInstructions: scaled(this.warpInstructions),
      byClass: Object.fromEntries([...this.#counts].map(([name, count]) => [name, scaled(count)])),
      global: {
        loadRequests: scaled(this.#loadRequests),
        loadSectors: scaled(this.#loadSectors),
        storeRequests: scaled(this.#storeRequests),
        storeSectors: scaled(this.#storeSectors),
        uniqueBytes: this.#uniqueBytes(scale),
      },
      shared: { accesses: scaled(this.#sharedAccesses), bankConflictCycles: scaled(this.#conflictCycles) },
      atomics: scaled(this.atomics),
      divergentBranches: scaled(this.divergentBranches),
      branches: scaled(this.branches),
    };
  }

  /**
   * Sectors that the sample touched, scaled by blocks, but never more than the launch's allocations hold: blocks that
   * share data (a weight matrix) make plain scaling an overestimate.
   */
  #uniqueBytes(scale: number): number {
    return Math.round(
      Math.min(this.#uniqueSectors * SECTOR * scale, Math.max(this.#limitBytes, this.#uniqueSectors * SECTOR)),
    );
  }
}

/**
 * Exact dynamic counts of the blocks that run: instruction mix, global sectors, coalescing and reuse, shared bank conflicts,
 * atomics' contention, divergence, waits at barriers, local memory, tensor-core products. Totals are extrapolated from the
 * blocks run to the grid.
 */

import type { DeviceMemory } from '../memory.ts';
import { HEAP_BASE, LOCAL_TAG, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction, Space } from '../ptx/ir.ts';
import type { Dim3, HotInstruction, LaunchProfile } from '../types.ts';
import type { Block, Completed } from './block.ts';
import type { Environment } from './environment.ts';
import { classOf, tensorWork } from './instruction-class.ts';
import { LANES } from './registers.ts';
import { atomicPasses, type BankPasses, bankPasses, fragmentPasses } from './shared-banks.ts';
import { type Direction, SECTOR, Traffic } from './traffic.ts';
import { popcount, type Warp } from './warp.ts';

/** Distinct addresses of atomics that are told apart; later ones are counted together. */
const MAX_ATOMIC_ADDRESSES = 1 << 18;
/** Instructions named as those that waste most. */
const HOT_INSTRUCTIONS = 6;

/** What one instruction did with memory. */
interface Site {
  requests: number;
  sectors: number;
  idealSectors: number;
  passes: number;
  idealPasses: number;
}

interface AtomicAddress {
  updates: number;
  blocks: number;
  lastBlock: number;
}

export class Profiler {
  readonly #instructions: readonly Instruction[];
  readonly #executed: Float64Array;
  readonly #memory: DeviceMemory;
  readonly #traffic: Traffic;
  readonly #sites = new Map<Instruction, Site>();
  readonly #atomicAddresses = new Map<number, AtomicAddress>();
  readonly #barrierClock = new WeakMap<Warp, number>();
  readonly #sectors = new Set<number>();
  branches = 0;
  divergentBranches = 0;
  readonly #global = {
    loadRequests: 0,
    loadSectors: 0,
    loadBytes: 0,
    storeRequests: 0,
    storeSectors: 0,
    storeBytes: 0,
  };
  readonly #shared = { accesses: 0, wavefronts: 0, leastWavefronts: 0, bankConflictCycles: 0 };
  #worstWays = 1;
  readonly #atomics = {
    requests: 0,
    operations: 0,
    sectors: 0,
    sameAddress: 0,
    serialised: 0,
    sharedRequests: 0,
    sharedOperations: 0,
  };
  readonly #local = { loadRequests: 0, storeRequests: 0, sectors: 0 };
  readonly #barriers = { arrivals: 0, waitedInstructions: 0, longestInstructions: 0 };
  readonly #async = { requests: 0, bytes: 0 };

  /** @param instructions of the program, by program counter. */
  constructor(instructions: readonly Instruction[], memory: DeviceMemory) {
    this.#instructions = instructions;
    this.#executed = new Float64Array(instructions.length);
    this.#traffic = new Traffic(memory);
    this.#memory = memory;
  }

  /** A warp executes the instruction at a program counter. */
  count(pc: number): void {
    this.#executed[pc]!++;
  }

  /** One warp's load or store, its lanes' offsets in `env.physical`. Generic accesses count where they go. */
  access(
    at: Instruction,
    space: Space,
    store: boolean,
    bytes: number,
    mask: number,
    warp: Warp,
    env: Environment,
  ): void {
    if (mask === 0 || space === 'param' || space === 'const') return;
    const lane = 31 - Math.clz32(mask & -mask);
    const high = env.high[lane];
    if (space === 'shared' || (space === 'generic' && high === SHARED_TAG)) {
      this.#passes(at, bankPasses(bytes, mask, env.physical));
    } else if (space === 'local' || (space === 'generic' && high === LOCAL_TAG)) {
      this.#localAccess(store, bytes, mask, env.low);
    } else if (env.physical[lane]! >= HEAP_BASE) {
      const sectors = this.#distinctSectors(bytes, mask, env.physical);
      this.#transfer(at, store ? 'store' : 'load', warp.block, sectors, popcount(mask) * bytes);
    }
  }

  atomic(at: Instruction, space: Space, bytes: number, mask: number, warp: Warp, env: Environment): void {
    if (mask === 0) return;
    const lane = 31 - Math.clz32(mask & -mask);
    const lanes = popcount(mask);
    if (space === 'shared' || (space === 'generic' && env.high[lane] === SHARED_TAG)) {
      this.#atomics.sharedRequests++;
      this.#atomics.sharedOperations += lanes;
      this.#passes(at, atomicPasses(bytes, mask, env.physical));
      return;
    }
    const perAddress = new Map<number, number>();
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const address = env.physical[l]!;
      perAddress.set(address, (perAddress.get(address) ?? 0) + 1);
    }
    let most = 0;
    for (const [address, updates] of perAddress) {
      most = Math.max(most, updates);
      this.#atomicAddress(address, updates, warp.block.index);
    }
    const sectors = this.#distinctSectors(bytes, mask, env.physical);
    this.#atomics.requests++;
    this.#atomics.operations += lanes;
    this.#atomics.sectors += sectors.size;
    this.#atomics.sameAddress += lanes - perAddress.size;
    this.#atomics.serialised += most - 1;
    this.#site(at).requests++;
    this.#traffic.record('atomic', warp.block, sectors);
  }

  /** A tensor-core load or store: all its elements as one request. */
  gathered(
    at: Instruction,
    store: boolean,
    shared: boolean,
    physical: readonly number[],
    bytes: number,
    warp: Warp,
  ): void {
    if (physical.length === 0) return;
    if (shared) {
      this.#passes(at, fragmentPasses(bytes, physical));
      return;
    }
    const { far } = this.#memory;
    const sectors = new Set(physical.map((one) => Math.floor((far?.placeOf(one) ?? one) / SECTOR)));
    this.#transfer(at, store ? 'store' : 'load', warp.block, sectors, physical.length * bytes);
  }

  /** An asynchronous copy between global and shared memory; its accesses are counted by themselves. */
  asyncCopy(bytes: number): void {
    this.#async.requests++;
    this.#async.bytes += bytes;
  }

  /** A bulk copy of one range: the copy engine moves whole sectors. */
  bulk(at: Instruction, store: boolean, start: number, bytes: number, warp: Warp): void {
    const sectors = new Set<number>();
    for (let sector = Math.floor(start / SECTOR); sector * SECTOR < start + bytes; sector++) sectors.add(sector);
    this.asyncCopy(bytes);
    this.#transfer(at, store ? 'store' : 'load', warp.block, sectors, bytes);
  }

  /** A barrier lets its threads go: each warp waited for the one that had most to do since it last waited. */
  barrier({ arrivals }: Completed): void {
    const warps = new Set(arrivals.map(({ warp }) => warp));
    let longest = 0;
    let sum = 0;
    for (const warp of warps) {
      const work = warp.clock - (this.#barrierClock.get(warp) ?? 0);
      longest = Math.max(longest, work);
      sum += work;
      this.#barrierClock.set(warp, warp.clock);
    }
    this.#barriers.arrivals += warps.size;
    this.#barriers.waitedInstructions += longest * warps.size - sum;
    this.#barriers.longestInstructions += longest * warps.size;
  }

  blockEnded(block: Block): void {
    this.#traffic.ended(block);
  }

  #site(at: Instruction): Site {
    let site = this.#sites.get(at);
    if (site === undefined) {
      site = { requests: 0, sectors: 0, idealSectors: 0, passes: 0, idealPasses: 0 };
      this.#sites.set(at, site);
    }
    return site;
  }

  #transfer(at: Instruction, direction: Direction, block: Block, sectors: ReadonlySet<number>, bytes: number): void {
    const counts = this.#global;
    if (direction === 'store') {
      counts.storeRequests++;
      counts.storeSectors += sectors.size;
      counts.storeBytes += bytes;
    } else {
      counts.loadRequests++;
      counts.loadSectors += sectors.size;
      counts.loadBytes += bytes;
    }
    const site = this.#site(at);
    site.requests++;
    site.sectors += sectors.size;
    site.idealSectors += Math.min(sectors.size, Math.ceil(bytes / SECTOR));
    this.#traffic.record(direction, block, sectors);
  }

  #passes(at: Instruction, { passes, ideal, ways, least }: BankPasses): void {
    this.#shared.accesses++;
    this.#shared.wavefronts += passes;
    this.#shared.leastWavefronts += least;
    this.#shared.bankConflictCycles += passes - ideal;
    this.#worstWays = Math.max(this.#worstWays, ways);
    const site = this.#site(at);
    site.requests++;
    site.passes += passes;
    site.idealPasses += ideal;
  }

  /** Local memory is laid out so that the same word of all lanes lies together: 32 words a row. */
  #localAccess(store: boolean, bytes: number, mask: number, low: Uint32Array): void {
    const sectors = new Set<number>();
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      for (let word = low[l]! >>> 2; word << 2 < low[l]! + bytes; word++) sectors.add(word * 4 + (l >>> 3));
    }
    if (store) this.#local.storeRequests++;
    else this.#local.loadRequests++;
    this.#local.sectors += sectors.size;
  }

  #distinctSectors(bytes: number, mask: number, physical: Uint32Array): ReadonlySet<number> {
    const found = this.#sectors;
    const { far } = this.#memory;
    found.clear();
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const place = far === undefined ? physical[l]! : far.placeOf(physical[l]!);
      const last = Math.floor((place + bytes - 1) / SECTOR);
      for (let sector = Math.floor(place / SECTOR); sector <= last; sector++) found.add(sector);
    }
    return found;
  }

  #atomicAddress(address: number, updates: number, block: number): void {
    const key = this.#atomicAddresses.size < MAX_ATOMIC_ADDRESSES || this.#atomicAddresses.has(address) ? address : -1;
    const known = this.#atomicAddresses.get(key);
    if (known === undefined) {
      this.#atomicAddresses.set(key, { updates, blocks: 1, lastBlock: block });
      return;
    }
    known.updates += updates;
    if (known.lastBlock !== block) known.blocks++;
    known.lastBlock = block;
  }

  /** Updates of the most updated address in the whole launch: one that several blocks update is taken to be every block's. */
  #hottest(ranBlocks: number, scale: number): number {
    let most = 0;
    for (const [address, { updates, blocks }] of this.#atomicAddresses) {
      if (address >= 0) most = Math.max(most, blocks > 1 || ranBlocks === 1 ? updates * scale : updates);
    }
    return Math.round(most);
  }

  #hotInstructions(scale: number): HotInstruction[] {
    const waste = ({ sectors, idealSectors, passes, idealPasses }: Site) =>
      sectors - idealSectors + 4 * (passes - idealPasses);
    return [...this.#sites]
      .filter(([, site]) => waste(site) > 0)
      .sort((a, b) => waste(b[1]) - waste(a[1]))
      .slice(0, HOT_INSTRUCTIONS)
      .map(([{ source, text, line }, site]) => ({
        source,
        ptxLine: line,
        instruction: text,
        requests: Math.round(site.requests * scale),
        sectors: Math.round(site.sectors * scale),
        idealSectors: Math.round(site.idealSectors * scale),
        wavefronts: Math.round(site.passes * scale),
        idealWavefronts: Math.round(site.idealPasses * scale),
      }));
  }

  /** The profile of the launch, scaled from the blocks run to all blocks. */
  result(kernel: string, grid: Dim3, block: Dim3, sampledBlocks: number, threadInstructions: number): LaunchProfile {
    const totalBlocks = grid[0] * grid[1] * grid[2];
    const scale = sampledBlocks === 0 ? 0 : totalBlocks / sampledBlocks;
    const scaled = (value: number): number => Math.round(value * scale);
    const all = <Counts extends Readonly<Record<string, number>>>(counts: Counts): Counts =>
      Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, scaled(count)])) as Counts;
    const byClass: Record<string, number> = {};
    const tensor: Record<string, { instructions: number; multiplyAdds: number }> = {};
    let warpInstructions = 0;
    for (const [pc, instruction] of this.#instructions.entries()) {
      const count = this.#executed[pc]!;
      if (count === 0) continue;
      warpInstructions += count;
      const name = classOf(instruction);
      byClass[name] = (byClass[name] ?? 0) + count;
      const work = name === 'tensor' ? tensorWork(instruction) : undefined;
      if (work === undefined) continue;
      const done = tensor[work.type] ?? { instructions: 0, multiplyAdds: 0 };
      tensor[work.type] = done;
      done.instructions += count;
      done.multiplyAdds += count * work.multiplyAdds;
    }
    const allocations = this.#traffic.allocations(grid, sampledBlocks);
    return {
      kernel,
      grid,
      block,
      sampledBlocks,
      totalBlocks,
      threadInstructions: scaled(threadInstructions),
      warpInstructions: scaled(warpInstructions),
      byClass: all(byClass),
      global: { ...all(this.#global), uniqueBytes: allocations.reduce((sum, one) => sum + one.uniqueBytes, 0) },
      allocations,
      reuse: this.#traffic.reuse(scale),
      shared: { ...all(this.#shared), worstWays: this.#worstWays },
      atomics: { ...all(this.#atomics), hottestUpdates: this.#hottest(sampledBlocks, scale) },
      local: all(this.#local),
      barriers: all(this.#barriers),
      tensor: Object.fromEntries(Object.entries(tensor).map(([type, work]) => [type, all(work)])),
      asyncCopies: all(this.#async),
      divergentBranches: scaled(this.divergentBranches),
      branches: scaled(this.branches),
      hot: this.#hotInstructions(scale),
    };
  }
}

/** The plain executor: every block, warp by warp, instruction by instruction. The oracle of the compiled ones. */

import type { Executable, LaunchContext, RunResult } from '../executable.ts';
import { type LoadedModule, sharedBytesNeeded, sharedRegions } from '../loader.ts';
import { GRID_ID, MULTIPROCESSORS, multiprocessorOf } from '../machine-facts.ts';
import type { Allocation, DeviceMemory } from '../memory.ts';
import { POISON_BYTE } from '../memory-layout.ts';
import type { PtxFunction } from '../ptx/ir.ts';
import type { Dim3 } from '../types.ts';
import { Block } from './block.ts';
import { Cluster } from './cluster.ts';
import { reportDeadlock } from './deadlock.ts';
import { Environment, LaunchStopped } from './environment.ts';
import { Profiler } from './profiler.ts';
import { buildProgram, type Program } from './program.ts';
import { RaceDetector } from './races.ts';
import { LANES } from './registers.ts';
import { Scheduler } from './scheduler.ts';
import { Warp } from './warp.ts';

/** More blocks than this are not kept in flight at once, however much they wait for each other. */
const MAX_RESIDENT = 2048;
/** Turns of a block after which another is let in even if it does not look as if it waits. */
const PATIENCE = 5000;
/** Rounds in which no block begins or ends, after which they may all be waiting for ever. A power of two. */
const STUCK_ROUNDS = 4;

export function interpreter(module: LoadedModule, kernel: PtxFunction): Executable {
  let built: { memory: DeviceMemory; env: Environment; program: Program } | undefined;
  const programFor = (memory: DeviceMemory): NonNullable<typeof built> => {
    if (built?.memory !== memory) {
      const env = new Environment(memory);
      built = { memory, env, program: buildProgram(module, kernel, env) };
    }
    return built;
  };
  return {
    executor: 'interpreter',
    prepare({ memory }) {
      programFor(memory);
    },
    run(context) {
      const { env, program } = programFor(context.memory);
      return new Run(env, program, context).execute();
    },
  };
}

class Run {
  readonly #env: Environment;
  readonly #program: Program;
  readonly #context: LaunchContext;
  readonly #threads: number;
  readonly #warps: number;
  /** Shared and local memory of each resident slot. */
  readonly #areas: Allocation[] = [];
  readonly #freeSlots: number[] = [];
  #workspace = 0n;
  readonly #specialWords = new Map<string, Int32Array>();
  /** Blocks that may be started beside those asked for. */
  readonly #company: Iterator<number> | undefined;
  #started = 0;

  constructor(env: Environment, program: Program, context: LaunchContext) {
    this.#env = env;
    this.#program = program;
    this.#context = context;
    this.#company = this.#clusterBlocks === 1 ? context.company?.[Symbol.iterator]() : undefined;
    this.#threads = context.block[0] * context.block[1] * context.block[2];
    this.#warps = Math.ceil(this.#threads / LANES);
    const layout = context.module.sharedLayout(context.kernel);
    env.launch = context;
    env.sharedBytes = Math.max(
      layout.staticBytes,
      context.dynamicSharedBytes > 0 ? layout.dynamicOffset + context.dynamicSharedBytes : 0,
    );
    env.sharedRegions = sharedRegions(layout, context.dynamicSharedBytes);
    env.regionOf = (variable) => {
      const start = layout.offsets.get(variable);
      const bytes = variable.bytes === 0 ? context.dynamicSharedBytes : variable.bytes;
      return start === undefined || bytes === 0 ? undefined : { name: variable.name, start, end: start + bytes };
    };
    env.sharedBytesNeeded = sharedBytesNeeded(layout, context.dynamicSharedBytes);
    env.dynamicSharedBytes = context.dynamicSharedBytes;
    env.localBytes = program.stackBytes;
    env.paramBytes = context.kernel.paramBytes;
    env.races = context.races ? new RaceDetector(env) : undefined;
    env.profiler = context.profile ? new Profiler(program.instructions, context.memory) : undefined;
  }

  execute(): RunResult {
    const env = this.#env;
    const context = this.#context;
    const scheduler = new Scheduler(this.#program, env);
    let completed = true;
    const workspace = this.#gridWorkspace();
    try {
      this.#runAll(scheduler);
    } catch (error) {
      if (!(error instanceof LaunchStopped)) throw error;
      completed = false;
    } finally {
      for (const area of this.#areas.reverse()) context.memory.release(area);
      if (workspace !== undefined) context.memory.release(workspace);
    }
    const { threadInstructions } = scheduler;
    const profile = env.profiler?.result(
      context.kernel.name,
      context.grid,
      context.block,
      this.#started,
      threadInstructions,
    );
    return { completed, threadInstructions, profile, ranBlocks: this.#started };
  }

  /** What the driver gives a cooperative launch: the size of the workspace and a counter for grid.sync(). */
  #gridWorkspace(): Allocation | undefined {
    const { specials } = this.#program.assembler;
    if (!specials.has('envreg1') && !specials.has('envreg2')) return undefined;
    const { memory } = this.#context;
    const workspace = memory.allocate(8, { name: 'grid workspace' });
    memory.allow(new Set([...memory.allocations.filter(({ allowed }) => allowed), workspace]));
    memory.u32[workspace.base >>> 2] = workspace.bytes;
    memory.u32[(workspace.base >>> 2) + 1] = 0;
    memory.markInitialised(workspace.base, workspace.bytes, true);
    this.#workspace = workspace.address;
    return workspace;
  }

  #runAll(scheduler: Scheduler): void {
    const waiting = this.#clusters().reverse();
    const resident: Cluster[] = [];
    const most = Math.max(1, Math.floor(MAX_RESIDENT / this.#clusterBlocks));
    let rounds = 0;
    while (waiting.length > 0 || resident.length > 0) {
      if (resident.length === 0) resident.push(this.#start(waiting.pop()!));
      const before = resident.length;
      // Every resident cluster gets a turn; one that only waits lets another in.
      let spinning = 0;
      for (const cluster of [...resident]) {
        const turnsLeft = resident.length === 1 ? PATIENCE : 1;
        const alone = resident.length === 1 && waiting.length === 0 && this.#company === undefined;
        if (this.#runTurns(scheduler, cluster, turnsLeft, alone)) spinning++;
        if (!cluster.finished) continue;
        resident.splice(resident.indexOf(cluster), 1);
        for (const block of cluster.blocks) this.#env.profiler?.blockEnded(block);
        this.#freeSlots.push(...cluster.blocks.map(({ slot }) => slot));
      }
      if (spinning > 0 && waiting.length > 0 && resident.length < most) {
        // Double the number in flight, so that a barrier over the whole grid is reached in few rounds.
        for (let i = Math.max(1, resident.length); i > 0 && waiting.length > 0 && resident.length < most; i--) {
          resident.push(this.#start(waiting.pop()!));
        }
      }
      rounds = resident.length === before ? rounds + 1 : 0;
      // Nobody ended and nobody can come: now and then, and ever less often, see whether anybody gets on. Where others may come, as soon as all spin.
      const allSpin = this.#company !== undefined && spinning === before;
      if (rounds > 0 && (allSpin || (rounds >= STUCK_ROUNDS && (rounds & (rounds - 1)) === 0)))
        this.#stopIfStuck(scheduler, resident, most);
    }
  }

  /** Where all in flight wait for ever, as many others are started if there are any that may come; else that is the end. */
  #stopIfStuck(scheduler: Scheduler, resident: Cluster[], most: number): void {
    const stuck = scheduler.stuck(resident.flatMap(({ blocks }) => blocks));
    if (stuck === undefined) return;
    const before = resident.length;
    while (resident.length < Math.min(most, 2 * before)) {
      const next = this.#company?.next();
      if (next === undefined || next.done) break;
      resident.push(this.#start([next.value]));
    }
    if (resident.length === before) scheduler.stop(stuck);
  }

  /** Runs a cluster for some turns; true when it seems to wait for another one. */
  #runTurns(scheduler: Scheduler, cluster: Cluster, turns: number, alone: boolean): boolean {
    for (let turn = 0; turn < turns && !cluster.finished; turn++) {
      let ran = false;
      let spinning = true;
      for (const block of cluster.blocks) {
        if (block.finished) continue;
        const outcome = scheduler.runBlock(block);
        ran ||= outcome.ran;
        if (outcome.ran) spinning &&= outcome.spinning;
      }
      if (!ran && !cluster.finished) reportDeadlock(this.#program, this.#env, cluster);
      if (spinning && !cluster.finished) return true;
      if (alone && turn >= STUCK_ROUNDS && (turn & (turn - 1)) === 0) this.#stopIfStuck(scheduler, [cluster], 1);
    }
    return !cluster.finished && turns === PATIENCE;
  }

  get #clusterBlocks(): number {
    const [x, y, z] = this.#context.cluster;
    return x * y * z;
  }

  /** The clusters that hold the blocks to run, in their order, each as the indices of its blocks by rank. */
  #clusters(): number[][] {
    const { grid, cluster, blocks } = this.#context;
    if (this.#clusterBlocks === 1) return blocks.map((block) => [block]);
    const found = new Map<number, number[]>();
    for (const block of blocks) {
      const first = this.#position(block).map((at, axis) => at - (at % cluster[axis]!)) as [number, number, number];
      const corner = (first[2] * grid[1] + first[1]) * grid[0] + first[0];
      if (found.has(corner)) continue;
      const members: number[] = [];
      for (let z = 0; z < cluster[2]; z++) {
        for (let y = 0; y < cluster[1]; y++) {
          for (let x = 0; x < cluster[0]; x++) members.push(corner + (z * grid[1] + y) * grid[0] + x);
        }
      }
      found.set(corner, members);
    }
    return [...found.values()];
  }

  #position(index: number): Dim3 {
    const { grid } = this.#context;
    return [index % grid[0], Math.floor(index / grid[0]) % grid[1], Math.floor(index / (grid[0] * grid[1]))];
  }

  #start(members: readonly number[]): Cluster {
    const cluster = new Cluster();
    this.#started += members.length;
    for (const [rank, index] of members.entries()) cluster.blocks.push(this.#startBlock(index, cluster, rank));
    const { races } = this.#env;
    if (members.length > 1) for (const block of cluster.blocks) races?.lifetime.start(block);
    return cluster;
  }

  #startBlock(index: number, cluster: Cluster, rank: number): Block {
    const { memory } = this.#context;
    const env = this.#env;
    const slot = this.#freeSlots.pop() ?? this.#newSlot();
    const area = this.#areas[slot]!;
    const localBase = area.base + Math.ceil(env.sharedBytes / 128) * 128;
    memory.u8.fill(POISON_BYTE, area.base, area.base + area.bytes);
    memory.markInitialised(area.base, area.bytes, false);
    const { reserved } = this.#context.module.sharedLayout(this.#context.kernel);
    if (reserved !== undefined) {
      memory.u8.fill(0, area.base + reserved.start, area.base + reserved.end);
      memory.markInitialised(area.base + reserved.start, reserved.end - reserved.start, true);
    }
    const place = { index, position: this.#position(index), cluster, rank };
    const block = new Block(place, this.#threads, { slot, sharedBase: area.base, localBase });
    const { file, assembler } = this.#program;
    const constants = Math.ceil(assembler.constantWords / 64) * 64;
    const blockWords = assembler.warpWords * this.#warps;
    file.reserve(constants + blockWords * (slot + 1));
    const base = constants + blockWords * slot;
    file.i32.fill(0, base, base + blockWords);
    for (let w = 0; w < this.#warps; w++) {
      const lanes = Math.min(LANES, this.#threads - w * LANES);
      const warp = new Warp(block, w, lanes, base + w * assembler.warpWords, assembler.predicateCount);
      warp.pc.fill(this.#program.entry);
      block.warps.push(warp);
      this.#fillSpecials(warp);
    }
    return block;
  }

  #newSlot(): number {
    const env = this.#env;
    const bytes = Math.ceil(env.sharedBytes / 128) * 128 + env.localBytes * this.#warps * LANES;
    this.#areas.push(this.#context.memory.allocate(bytes, { name: 'launch area', internal: true }));
    return this.#areas.length - 1;
  }

  /** Special registers are ordinary registers, filled when the warp starts. */
  #fillSpecials(warp: Warp): void {
    const { file, assembler } = this.#program;
    for (const [name, ref] of assembler.specials) {
      const at = ref.slot + warp.base;
      const ofBlock = this.#blockValue(name, warp.block);
      if (ofBlock !== undefined) {
        file.i32.fill(ofBlock, at, at + LANES);
        continue;
      }
      const key = `${name}/${warp.index}`;
      let words = this.#specialWords.get(key);
      if (words === undefined) {
        words = new Int32Array(LANES * ref.words);
        for (let lane = 0; lane < LANES; lane++) words[lane * ref.words] = this.#specialValue(name, warp, lane);
        this.#specialWords.set(key, words);
      }
      file.i32.set(words, at);
    }
  }

  /** The value of a special register that tells blocks apart; undefined for the others. */
  #blockValue(name: string, block: Block): number | undefined {
    const axis = axisOf(name);
    const { cluster } = this.#context;
    switch (name.split('.')[0]) {
      case 'ctaid':
        return block.position[axis];
      case 'clusterid':
        return Math.floor(block.position[axis] / cluster[axis]);
      case 'cluster_ctaid':
        return block.position[axis] % cluster[axis];
      case 'cluster_ctarank':
        return block.rank;
      case 'smid':
        return multiprocessorOf(block.index);
      default:
        return undefined;
    }
  }

  /** The value of a special register that is the same in all blocks. */
  #specialValue(name: string, warp: Warp, lane: number): number {
    const axis = axisOf(name);
    const below = (1 << lane) - 1;
    switch (name.split('.')[0]) {
      case 'tid':
        return this.#env.thread(warp, lane)[axis];
      case 'ntid':
        return this.#context.block[axis];
      case 'nctaid':
        return this.#context.grid[axis];
      case 'nclusterid':
        return this.#context.grid[axis] / this.#context.cluster[axis];
      case 'cluster_nctaid':
        return this.#context.cluster[axis];
      case 'cluster_nctarank':
        return this.#clusterBlocks;
      case 'is_explicit_cluster':
        return this.#context.explicitCluster ? 1 : 0;
      case 'nsmid':
        return MULTIPROCESSORS;
      case 'gridid':
        return GRID_ID;
      case 'laneid':
        return lane;
      case 'warpid':
        return warp.index;
      case 'nwarpid':
        return this.#warps;
      case 'lanemask_eq':
        return 1 << lane;
      case 'lanemask_lt':
        return below;
      case 'lanemask_le':
        return below | (1 << lane);
      case 'lanemask_gt':
        return ~(below | (1 << lane));
      case 'lanemask_ge':
        return ~below;
      case 'total_smem_size':
        return this.#env.sharedBytesNeeded;
      case 'dynamic_smem_size':
        return this.#env.dynamicSharedBytes;
      case 'WARP_SZ':
        return LANES;
      case 'reserved_smem_offset_1':
        return this.#context.module.sharedLayout(this.#context.kernel).reserved?.start ?? 0;
      case 'envreg1':
        return Number(this.#workspace >> 32n);
      case 'envreg2':
        return Number(this.#workspace & 0xffff_ffffn);
      default:
        return 0;
    }
  }
}

function axisOf(name: string): 0 | 1 | 2 {
  return name.endsWith('.y') ? 1 : name.endsWith('.z') ? 2 : 0;
}

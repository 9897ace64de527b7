/** The plain executor: every block, warp by warp, instruction by instruction. The oracle of the compiled ones. */
import type { Executable, LaunchContext, RunResult } from '../executable.ts';
import { CannotRun } from '../executable.ts';
import type { LoadedModule } from '../loader.ts';
import type { Allocation, DeviceMemory } from '../memory.ts';
import { POISON_BYTE } from '../memory-layout.ts';
import type { PtxFunction } from '../ptx/ir.ts';
import type { Dim3 } from '../types.ts';
import { Block } from './block.ts';
import { Environment, LaunchStopped } from './environment.ts';
import { Profiler } from './profiler.ts';
import { buildProgram, type Program } from './program.ts';
import { LANES } from './registers.ts';
import { Scheduler } from './scheduler.ts';
import { Warp } from './warp.ts';

/** More blocks than this are not kept in flight at once, however much they wait for each other. */
const MAX_RESIDENT = 2048;
/** Turns of a block after which another is let in even if it does not look as if it waits. */
const PATIENCE = 5000;

export function interpreter(module: LoadedModule, kernel: PtxFunction): Executable {
  let built: { memory: DeviceMemory; env: Environment; program: Program } | undefined;
  return {
    executor: 'interpreter',
    run(context) {
      if (context.races) throw new CannotRun('race detection is not available in the interpreter');
      if (built?.memory !== context.memory) {
        const env = new Environment(context.memory);
        built = { memory: context.memory, env, program: buildProgram(module, kernel, env) };
      }
      return new Run(built.env, built.program, context).execute();
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

  constructor(env: Environment, program: Program, context: LaunchContext) {
    this.#env = env;
    this.#program = program;
    this.#context = context;
    this.#threads = context.block[0] * context.block[1] * context.block[2];
    this.#warps = Math.ceil(this.#threads / LANES);
    const layout = context.module.sharedLayout(context.kernel);
    env.launch = context;
    env.sharedBytes = Math.max(
      layout.staticBytes,
      context.dynamicSharedBytes > 0 ? layout.dynamicOffset + context.dynamicSharedBytes : 0,
    );
    env.dynamicSharedBytes = context.dynamicSharedBytes;
    env.localBytes = program.stackBytes;
    env.paramBytes = context.kernel.paramBytes;
    env.profiler = context.profile ? new Profiler(allowedBytes(context.memory)) : undefined;
  }

  execute(): RunResult {
    const env = this.#env;
    const context = this.#context;
    const scheduler = new Scheduler(this.#program, env);
    let completed = true;
    try {
      this.#runAll(scheduler);
    } catch (error) {
      if (!(error instanceof LaunchStopped)) throw error;
      completed = false;
    } finally {
      for (const area of this.#areas.reverse()) context.memory.release(area);
    }
    const { threadInstructions } = scheduler;
    const profile = env.profiler?.result(
      context.kernel.name,
      context.grid,
      context.block,
      context.blocks.length,
      threadInstructions,
    );
    return { completed, threadInstructions, profile };
  }

  #runAll(scheduler: Scheduler): void {
    const waiting = [...this.#context.blocks].reverse();
    const resident: Block[] = [];
    while (waiting.length > 0 || resident.length > 0) {
      if (resident.length === 0) resident.push(this.#start(waiting.pop()!));
      // Every resident block gets a turn; one that only waits lets another in.
      let wantsCompany = false;
      for (const block of [...resident]) {
        const turnsLeft = resident.length === 1 ? PATIENCE : 1;
        wantsCompany = this.#runTurns(scheduler, block, turnsLeft) || wantsCompany;
        if (!block.finished) continue;
        resident.splice(resident.indexOf(block), 1);
        this.#freeSlots.push(block.slot);
      }
      if (wantsCompany && waiting.length > 0 && resident.length < MAX_RESIDENT) {
        // Double the number in flight, so that a barrier over the whole grid is reached in few rounds.
        for (let i = Math.max(1, resident.length); i > 0 && waiting.length > 0 && resident.length < MAX_RESIDENT; i--) {
          resident.push(this.#start(waiting.pop()!));
        }
      }
    }
  }

  /** Runs a block for some turns; true when it seems to wait for another block. */
  #runTurns(scheduler: Scheduler, block: Block, turns: number): boolean {
    for (let turn = 0; turn < turns && !block.finished; turn++) {
      const { ran, spinning } = scheduler.runBlock(block);
      if (!ran && !block.finished) scheduler.deadlock(block);
      if (spinning && !block.finished) return true;
    }
    return !block.finished && turns === PATIENCE;
  }

  #start(index: number): Block {
    const { grid, memory } = this.#context;
    const env = this.#env;
    const slot = this.#freeSlots.pop() ?? this.#newSlot();
    const area = this.#areas[slot]!;
    const position: Dim3 = [
      index % grid[0],
      Math.floor(index / grid[0]) % grid[1],
      Math.floor(index / (grid[0] * grid[1])),
    ];
    const localBase = area.base + Math.ceil(env.sharedBytes / 128) * 128;
    memory.u8.fill(POISON_BYTE, area.base, area.base + area.bytes);
    memory.markInitialised(area.base, area.bytes, false);
    const block = new Block(index, position, this.#threads, slot, area.base, localBase);
    const { file, assembler, predicateCount } = {
      ...this.#program,
      predicateCount: this.#program.assembler.predicateCount,
    };
    const constants = Math.ceil(assembler.constantWords / 64) * 64;
    const blockWords = assembler.warpWords * this.#warps;
    file.reserve(constants + blockWords * (slot + 1));
    const base = constants + blockWords * slot;
    file.i32.fill(0, base, base + blockWords);
    for (let w = 0; w < this.#warps; w++) {
      const lanes = Math.min(LANES, this.#threads - w * LANES);
      const warp = new Warp(block, w, lanes, base + w * assembler.warpWords, predicateCount);
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
    const { block, grid } = this.#context;
    const env = this.#env;
    const position = warp.block.position;
    for (const [name, ref] of assembler.specials) {
      for (let lane = 0; lane < LANES; lane++) {
        const thread = env.thread(warp, lane);
        const value = specialValue(name, { thread, lane, warp, block, grid, position, env, warps: this.#warps });
        const at = ref.slot + warp.base + lane * ref.words;
        file.i32[at] = value;
        if (ref.words === 2) file.i32[at + 1] = 0;
      }
    }
  }
}

interface SpecialSource {
  readonly thread: Dim3;
  readonly lane: number;
  readonly warp: Warp;
  readonly block: Dim3;
  readonly grid: Dim3;
  readonly position: Dim3;
  readonly env: Environment;
  readonly warps: number;
}

/** The value of a special register that is constant for a thread. Clusters are of one block each. */
function specialValue(name: string, at: SpecialSource): number {
  const [base, axisName] = name.split('.') as [string, string | undefined];
  const axis = axisName === 'y' ? 1 : axisName === 'z' ? 2 : 0;
  const below = (1 << at.lane) - 1;
  switch (base) {
    case 'tid':
      return at.thread[axis];
    case 'ntid':
      return at.block[axis];
    case 'ctaid':
    case 'clusterid':
      return at.position[axis];
    case 'nctaid':
    case 'nclusterid':
      return at.grid[axis];
    case 'cluster_nctaid':
    case 'cluster_nctarank':
    case 'nsmid':
      return 1;
    case 'laneid':
      return at.lane;
    case 'warpid':
      return at.warp.index;
    case 'nwarpid':
      return at.warps;
    case 'lanemask_eq':
      return 1 << at.lane;
    case 'lanemask_lt':
      return below;
    case 'lanemask_le':
      return below | (1 << at.lane);
    case 'lanemask_gt':
      return ~(below | (1 << at.lane));
    case 'lanemask_ge':
      return ~below;
    case 'total_smem_size':
      return at.env.sharedBytes;
    case 'dynamic_smem_size':
      return at.env.dynamicSharedBytes;
    case 'WARP_SZ':
      return LANES;
    default:
      // cluster_ctaid, cluster_ctarank, is_explicit_cluster, smid, gridid
      return 0;
  }
}

function allowedBytes(memory: DeviceMemory): number {
  return memory.allocations.reduce((sum, { allowed, bytes }) => sum + (allowed ? bytes : 0), 0);
}

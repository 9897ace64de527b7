/** The scalar compiled executor: translate at the first launch of a shape, then run block after block. */
import type { Executable, LaunchContext, RunResult } from '../executable.ts';
import { FindingSink } from '../findings.ts';
import { type LoadedModule, sharedRegions } from '../loader.ts';
import type { Allocation } from '../memory.ts';
import { RED_ZONE } from '../memory-layout.ts';
import type { PtxFunction } from '../ptx/ir.ts';
import { ARENA } from './arena.ts';
import { CannotCompile } from './cannot-compile.ts';
import { CONSTANTS } from './constants.ts';
import { isDoubtful } from './doubts.ts';
import { callExternal } from './external.ts';
import { type Areas, FaultReporter, LaunchStopped, whereOf } from './faults.ts';
import { type LaunchHost, launchHost } from './launch-host.ts';
import { compileProgram, compileSimdProgram, type Program } from './program.ts';
import { type GlobalStamps, RaceSuspected, runDoubtful, runFiltered, suspect } from './races/filter.ts';
import { RACE, sweepGlobal, sweepPhase } from './races/layout.ts';
import { mayWrite, planRaces } from './races/plan.ts';
import { BlockScheduler, type RaceClock, type Region, type Stop } from './scheduler.ts';
import { Standstill } from './stuck.ts';
import { type Analysis, analyse, type CompileOptions } from './unit.ts';
import { instantiate, type WasmInstance } from './wasm/engine.ts';
import { chunksOf, runsInParallel } from './workers/eligible.ts';
import { Control } from './workers/protocol.ts';

/** Analyses of kernels: scalar and vector code start from the same. */
const analyses = new WeakMap<PtxFunction, Analysis>();

function analysisOf(module: LoadedModule, kernel: PtxFunction): Analysis {
  let analysis = analyses.get(kernel);
  if (!analysis) {
    analysis = analyse(module, kernel);
    analyses.set(kernel, analysis);
  }
  return analysis;
}

/**
 * Makes the executable that runs one thread at a time. It throws {@link CannotCompile} for what the compiler does not
 * translate, here or at the first launch of a shape, before anything has run.
 */
export function scalarExecutable(module: LoadedModule, kernel: PtxFunction): CompiledExecutable {
  return new CompiledExecutable('scalar', module, analysisOf(module, kernel));
}

/** Makes the executable that runs groups of lanes as vectors. Throws {@link CannotCompile} as the scalar one does. */
export function simdExecutable(module: LoadedModule, kernel: PtxFunction): CompiledExecutable {
  return new CompiledExecutable('simd', module, analysisOf(module, kernel));
}

export class CompiledExecutable implements Executable {
  private readonly programs = new Map<string, Program | CannotCompile>();

  constructor(
    readonly executor: 'scalar' | 'simd',
    private readonly module: LoadedModule,
    private readonly analysis: Analysis,
  ) {}

  /** Throws {@link CannotCompile} for kinds of launches that compiled code does not run. */
  private refuse(context: LaunchContext): void {
    const { kernel } = context;
    if (context.schedule !== 0) throw new CannotCompile('another schedule', kernel.ptxLine);
    if (context.profile) throw new CannotCompile('profiling', kernel.ptxLine);
    // A group reports its first faulty lane; to count them all, threads must run one by one.
    // (Looking for races, the first finding ends compiled code anyway.)
    if (this.executor === 'simd' && !context.stopAtFault && !context.races)
      throw new CannotCompile('going on after faults', kernel.ptxLine);
    if (
      !context.stopAtFault &&
      !context.races &&
      this.analysis.flow.kernel.instructions.some(({ kind }) => kind === 'matrix')
    )
      throw new CannotCompile('going on after faults of matrix instructions', kernel.ptxLine);
  }

  prepare(context: LaunchContext): void {
    this.refuse(context);
    // What the race filter watches hangs on the arguments: its code is made for the first launch, which has them.
    if (context.races) planRaces(this.analysis.flow.kernel, context);
    else this.program(this.options(context), '', true);
  }

  run(context: LaunchContext): RunResult {
    this.refuse(context);
    if (!context.races) {
      const program = this.program(this.options(context));
      const threads = context.block[0] * context.block[1] * context.block[2];
      if (context.checked && isDoubtful(this.analysis.flow, threads))
        return runDoubtful(context, mayWrite(this.analysis.flow.kernel, context), (inner) =>
          runProgram(program, inner),
        );
      if (context.pool && runsInParallel(this.analysis.flow, context)) return this.runParallel(program, context);
      return runProgram(program, context);
    }
    const plan = planRaces(this.analysis.flow.kernel, context);
    const program = this.program({ ...this.options(context), races: plan.options }, plan.key);
    return runFiltered(plan, program.stamps?.globalScale ?? 0, context, (inner, stamps) =>
      runProgram(program, inner, { stamps }),
    );
  }

  /**
   * Runs chunks of a launch as long as there are any, as one of several threads. Returns when no chunk is left or one
   * has found a fault; what it has to say is in the control block.
   */
  participate(
    context: LaunchContext,
    control: Control,
    chunks: readonly (readonly [number, number])[],
    participant: number,
  ): void {
    const program = this.program(this.options(context));
    control.enter();
    let chunk: number | undefined = -1;
    try {
      const claim = (): [number, number] | undefined => {
        chunk = control.claim(chunks.length);
        return chunk === undefined ? undefined : [...chunks[chunk]!];
      };
      const { completed, threadInstructions } = runProgram(program, context, { claim });
      if (threadInstructions > 0) control.tookPart(BigInt(threadInstructions));
      if (!completed) control.stop(participant, { chunk: chunk ?? -1, findings: context.findings.list() });
    } catch (error) {
      control.stop(participant, {
        chunk: -1,
        findings: [],
        error: error instanceof Error ? error.message : String(error),
      });
    } finally {
      control.leave();
    }
  }

  private runParallel(program: Program, context: LaunchContext): RunResult {
    const { memory, pool, instructionBudget, kernel } = context;
    const chunks = chunksOf(ranges(context.blocks), pool!.workers);
    const control = Control.create(pool!.workers);
    const [x, y, z] = context.block;
    const scratchBytes = [program.arenaBytes, program.options.sharedBytes, program.localStride * x * y * z]
      .map((bytes) => Math.ceil(Math.max(bytes, 16) / 256) * 256 + RED_ZONE)
      .reduce((sum, bytes) => sum + bytes, RED_ZONE);
    const lent = pool!.dispatch(context, this.executor, scratchBytes, chunks, control);
    try {
      this.participate({ ...context, blocks: [], findings: new FindingSink(kernel.name) }, control, chunks, 0);
      control.wait();
    } finally {
      for (const area of lent.reverse()) memory.release(area);
    }
    const threadInstructions = Number(control.threadInstructions);
    const stopped = control.firstStopped();
    if (stopped?.error !== undefined) throw new Error(`A worker of the virtual GPU failed: ${stopped.error}`);
    if (stopped) context.findings.adopt(stopped.findings);
    else if (threadInstructions > instructionBudget)
      context.findings.report({ kind: 'budget-exceeded', message: outOfBudget(context), instruction: undefined });
    const completed = !stopped && threadInstructions <= instructionBudget;
    return { completed, threadInstructions, workers: control.threads };
  }

  private options(context: LaunchContext): CompileOptions {
    const { kernel, memory } = context;
    const layout = context.module.sharedLayout(kernel);
    const dynamic = context.dynamicSharedBytes;
    return {
      block: context.block,
      sharedBytes: Math.max(layout.staticBytes, dynamic > 0 ? layout.dynamicOffset + dynamic : 0),
      checked: context.checked,
      shared: memory.shared,
      written: memory.written !== undefined,
    };
  }

  private program(options: CompileOptions, races = '', whole = false): Program {
    const key = `${options.block.join()}/${options.sharedBytes}/${options.checked}/${options.written}/${races}`;
    let program = this.programs.get(key);
    if (!program) {
      const compile = this.executor === 'simd' ? compileSimdProgram : compileProgram;
      try {
        program = compile(this.module, this.analysis, options, whole);
      } catch (error) {
        if (!(error instanceof CannotCompile)) throw error;
        program = error;
      }
      this.programs.set(key, program);
    }
    if (program instanceof CannotCompile) throw program;
    return program;
  }
}

const outOfBudget = ({ instructionBudget }: LaunchContext): string =>
  `The launch was stopped after ${instructionBudget.toLocaleString('en')} thread-instructions. It may never end.`;

interface RunOptions {
  readonly stamps?: GlobalStamps;
  /** Gives further runs of blocks, besides the launch's own. */
  readonly claim?: () => [number, number] | undefined;
}

function runProgram(program: Program, context: LaunchContext, options: RunOptions = {}): RunResult {
  const launch = new Launch(program, context, options.stamps);
  const budget = BigInt(Math.min(context.instructionBudget, 2 ** 62));
  let completed = true;
  try {
    launch.run(budget, options.claim ?? (() => undefined));
  } catch (error) {
    if (error instanceof BudgetSpent)
      launch.reporter.note(0, {
        kind: 'budget-exceeded',
        message: outOfBudget(context),
        instruction: undefined,
      });
    else if (!(error instanceof LaunchStopped) || error instanceof RaceSuspected) throw error;
    completed = false;
  } finally {
    launch.free();
  }
  return { completed, threadInstructions: Number(budget - launch.left) };
}

/** A block in flight: its memory areas and the state of its threads. */
interface Resident {
  readonly areas: Areas;
  readonly scheduler: BlockScheduler;
}

/** Blocks in flight at once, at most: each has its own frames, shared and local memory. */
const MAX_RESIDENT = 2048;
/** Rounds in which no block begins or ends, after which they may all be waiting for ever. A power of two. */
const STUCK_ROUNDS = 8;

class Launch {
  readonly reporter: FaultReporter;
  /** Thread-instructions left of the budget. */
  left = 0n;
  private readonly allocations: Allocation[] = [];
  private readonly slots: Resident[] = [];
  private readonly instance: WasmInstance;
  private readonly host: LaunchHost;
  /** What modules import of the host. */
  private readonly functions: Readonly<Record<string, unknown>>;
  /** Instances of scalar parts that threads have needed. */
  private readonly parts: (WasmInstance | undefined)[] = [];
  private readonly stops: readonly Stop[];
  private readonly threads: number;
  private readonly budgets: BigInt64Array;

  constructor(
    private readonly program: Program,
    private readonly context: LaunchContext,
    private readonly stamps?: GlobalStamps,
  ) {
    const { memory, block } = context;
    this.threads = block[0] * block[1] * block[2];
    this.budgets = new BigInt64Array(memory.u8.buffer);
    this.reporter = new FaultReporter(context, undefined as unknown as Areas);
    const { reporter } = this;
    this.host = launchHost(program, context, reporter);
    this.functions = {
      memory: memory.wasm,
      slow: (site: number, address: bigint, thread: number) =>
        reporter.resolve(program.sites[site]!, BigInt.asUintN(64, address), thread),
      trap: (site: number, thread: number) => {
        const instruction = program.sites[site]!;
        const message = `${reporter.who(thread)} executed ${instruction.op} at ${whereOf(instruction)}.`;
        reporter.note(thread, { kind: 'trap', message, instruction });
        throw new LaunchStopped(message);
      },
      external: (site: number, thread: number) => callExternal(context, reporter, program.sites[site]!, thread),
      budget: () => {
        throw new BudgetSpent();
      },
      part: (number: number) => {
        this.part(number);
      },
      suspect: (_address: number, stamp: number, own: number) => suspect(reporter, stamp, own),
      sweepEpochs: () => this.sweepEpochs(),
      sweepPhase: (warp: number) => this.sweepPhase(warp),
      ...this.host.functions,
    };
    this.instance = instantiate(program.module, { math: program.imports, host: this.functions });
    const { exports } = this.instance;
    this.describeWritten(this.instance);
    this.stops = program.stops.map((stop, number) =>
      stop === undefined
        ? (undefined as unknown as Stop)
        : {
            ...stop,
            region: exports[`region${number}`] as unknown as Region,
            exchange: stop.matrix && (exports[`exchange${number}`] as unknown as Stop['exchange']),
          },
    );
  }

  /** Puts a scalar part into the table that vector code calls it by. */
  private part(number: number): void {
    const { parts } = this.program;
    if (!parts || this.parts[number]) return;
    const { module, imports } = parts.part(number);
    const instance = instantiate(module, { math: imports, host: this.functions });
    instance.exports.arena!.value = this.instance.exports.arena!.value;
    this.describeWritten(instance);
    this.parts[number] = instance;
    this.instance.exports.table!.set(parts.tableIndex(number), instance.exports.region!);
  }

  /** Tells code where the map of written bytes lies, when the launch keeps one. */
  private describeWritten({ exports }: WasmInstance): void {
    const { written } = this.context.memory;
    if (written === undefined) return;
    exports.writtenFirst!.value = written.firstWord;
    exports.writtenWords!.value = written.words;
    exports.writtenPages!.value = written.pages | 0;
    exports.writtenMap!.value = written.map | 0;
  }

  run(budget: bigint, claim: () => [number, number] | undefined): void {
    this.left = budget;
    const { exports } = this.instance;
    const [run, next] = [exports.run!, exports.block!];
    const waiting = ranges(this.context.blocks);
    const take = (): [number, number] | undefined => waiting.shift() ?? claim();
    for (let range = take(); range; range = take()) {
      const first = this.slot(0);
      next.value = range[0];
      this.enter(first);
      let group = -1;
      try {
        group = Number(run(range[1]));
      } finally {
        this.leave(first);
      }
      if (group === -1) continue;
      // The block's threads have parted: it goes on by itself, then the driver takes the rest.
      const block = Number(next.value);
      if (block + 1 < range[1]) waiting.unshift([block + 1, range[1]]);
      first.scheduler.takeOver(group);
      if (!this.turn(first)) this.runTogether(waiting);
    }
  }

  /** The running block's counters of the race filter. */
  private raceCounters(): Uint32Array {
    const at = this.reporter.areas.arena + ARENA.races;
    return this.context.memory.u32.subarray(at >>> 2, (at + RACE.bytes) >>> 2);
  }

  private sweepEpochs(): void {
    const counters = this.raceCounters();
    const { epoch, first } = sweepGlobal(this.stamps!.words, counters[RACE.firstEpoch >>> 2]!);
    counters[RACE.globalEpoch >>> 2] = epoch;
    counters[RACE.firstEpoch >>> 2] = first;
  }

  private sweepPhase(warp: number): void {
    const counters = this.raceCounters();
    const start = counters[RACE.sharedStart >>> 2]!;
    const stamps = this.context.memory.u32.subarray(start >>> 2, (start + counters[RACE.sharedBytes >>> 2]!) >>> 2);
    counters[(RACE.phases >>> 2) + warp] = sweepPhase(stamps, counters[RACE.sharedEpoch >>> 2]!, warp);
  }

  /** Slot 0 holds a block that waits for others: start more of them, and give each a turn until all in flight have ended. */
  private runTogether(waiting: [number, number][]): void {
    // Stamps take one block after another for granted; blocks that wait for others share memory in ways to be looked at.
    if (this.program.stamps) throw new RaceSuspected('A block waits for another one.');
    let resident = [this.slots[0]!];
    const free: Resident[] = this.slots.slice(1);
    let rounds = 0;
    let still: Standstill | undefined;
    while (resident.length > 0) {
      const before = resident.length;
      const comes = waiting.length > 0 && before < MAX_RESIDENT;
      for (let more = resident.length; more > 0 && waiting.length > 0 && resident.length < MAX_RESIDENT; more--) {
        const range = waiting[0]!;
        const block = range[0]++;
        if (range[0] === range[1]) waiting.shift();
        const slot = free.pop() ?? this.slot(this.slots.length);
        this.enter(slot);
        this.instance.exports.prepare!(block);
        this.leave(slot);
        slot.scheduler.start();
        resident.push(slot);
      }
      resident = resident.filter((slot) => {
        const finished = this.turn(slot);
        if (finished) free.push(slot);
        return !finished;
      });
      if (resident.length === 0) return;
      if (comes || resident.length !== before) {
        rounds = 0;
        still = undefined;
        continue;
      }
      // Nobody ended and nobody came: now and then, and ever less often, see whether anybody gets on.
      const positions = resident.map(({ scheduler }) => scheduler.positions);
      if (still?.holds(positions)) resident[0]!.scheduler.livelock(resident.length);
      still = undefined;
      rounds++;
      if (rounds >= STUCK_ROUNDS && (rounds & (rounds - 1)) === 0) {
        const budgets = resident.map(({ areas }) => areas.arena + ARENA.budget);
        still = Standstill.of(this.context.memory, budgets, positions);
      }
    }
  }

  /** Lets a block run; true when it has ended. */
  private turn(slot: Resident): boolean {
    this.enter(slot);
    try {
      return slot.scheduler.run();
    } finally {
      this.leave(slot);
      if (this.left < 0n) this.spent();
    }
  }

  private spent(): never {
    throw new BudgetSpent();
  }

  private enter(slot: Resident): void {
    this.instance.exports.arena!.value = slot.areas.arena | 0;
    for (const part of this.parts) if (part) part.exports.arena!.value = slot.areas.arena | 0;
    this.reporter.areas = slot.areas;
    this.budgets[(slot.areas.arena + ARENA.budget) >>> 3] = this.left;
  }

  private leave(slot: Resident): void {
    this.left = this.budgets[(slot.areas.arena + ARENA.budget) >>> 3]!;
  }

  /** The memory of the n-th block in flight. */
  private slot(index: number): Resident {
    const known = this.slots[index];
    if (known) return known;
    const { program, context, threads } = this;
    const { memory, grid } = context;
    const { sharedBytes } = program.options;
    const area = (bytes: number): number => {
      const allocation = memory.allocate(Math.max(bytes, 16), { internal: true });
      this.allocations.push(allocation);
      return allocation.base;
    };
    const areas: Areas = {
      arena: area(program.arenaBytes),
      shared: area(sharedBytes),
      sharedBytes,
      sharedRegions: sharedRegions(context.module.sharedLayout(context.kernel), context.dynamicSharedBytes),
      local: area(program.localStride * threads),
      localBytes: program.localStride,
      params: context.paramBase,
      paramBytes: context.kernel.paramBytes,
    };
    const put = (offset: number, value: number): void => {
      memory.u32[(areas.arena + offset) >>> 2] = value;
    };
    put(ARENA.shared, areas.shared);
    put(ARENA.local, areas.local);
    put(ARENA.params, areas.params);
    put(ARENA.zero, 0);
    put(ARENA.dynamicShared, context.dynamicSharedBytes);
    for (let axis = 0; axis < 3; axis++) put(ARENA.nctaid + 4 * axis, grid[axis]!);
    memory.u8.set(CONSTANTS, areas.arena + ARENA.constants);
    memory.u8.set(program.actions, areas.arena + ARENA.actions);
    if (program.stamps) {
      const scale = program.stamps.sharedScale;
      const sharedStamps = area(sharedBytes * 2 ** scale);
      memory.u8.fill(0, areas.arena + ARENA.races, areas.arena + ARENA.races + RACE.bytes);
      memory.u8.fill(0, sharedStamps, sharedStamps + sharedBytes * 2 ** scale);
      put(ARENA.races + RACE.sharedStart, sharedStamps);
      put(ARENA.races + RACE.sharedBytes, Math.floor(sharedBytes / 4) * 4 * 2 ** scale);
      put(ARENA.races + RACE.sharedStamps, sharedStamps - areas.shared * 2 ** scale);
      put(ARENA.races + RACE.globalStamps, this.stamps?.delta ?? 0);
    }
    const places = { arena: areas.arena, i32: memory.i32, u16: memory.u16 };
    const resident = {
      areas,
      scheduler: new BlockScheduler(this.stops, threads, program.group, places, this.reporter, this.raceClock()),
    };
    this.slots.push(resident);
    return resident;
  }

  private raceClock(): RaceClock | undefined {
    const { nextEpoch, nextPhase } = this.instance.exports;
    return nextEpoch && nextPhase && { nextEpoch: () => nextEpoch(), nextPhase: (first) => nextPhase(first) };
  }

  free(): void {
    this.host.free();
    for (const allocation of this.allocations.reverse()) this.context.memory.release(allocation);
  }
}

/** Runs of consecutive block indices, as [first, end). */
function ranges(blocks: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const block of blocks) {
    const last = found[found.length - 1];
    if (last && last[1] === block) last[1]++;
    else found.push([block, block + 1]);
  }
  return found;
}

class BudgetSpent extends Error {
  override readonly name = 'BudgetSpent';
}

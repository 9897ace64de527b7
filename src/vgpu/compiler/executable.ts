/** The scalar compiled executor: translate at the first launch of a shape, then run block after block. */
import type { Executable, LaunchContext, RunResult } from '../executable.ts';
import type { LoadedModule } from '../loader.ts';
import type { PtxFunction } from '../ptx/ir.ts';
import { ARENA } from './arena.ts';
import { CannotCompile } from './cannot-compile.ts';
import { FaultReporter, LaunchStopped } from './faults.ts';
import { compileProgram, type Program, translate } from './program.ts';
import { BlockScheduler, type Region, type Stop } from './scheduler.ts';
import { type Analysis, analyse, type CompileOptions } from './unit.ts';
import { instantiate } from './wasm/engine.ts';

/** Makes the scalar executable of a kernel. Throws {@link CannotCompile} for what the compiler does not translate. */
export function scalarExecutable(module: LoadedModule, kernel: PtxFunction): Executable {
  const analysis = analyse(module, kernel);
  // Translating once now finds every construct that cannot be compiled, while another executor can still be chosen.
  translate(module, analysis, { block: [32, 1, 1], sharedBytes: 49152, checked: true });
  return new ScalarExecutable(module, analysis);
}

class ScalarExecutable implements Executable {
  readonly executor = 'scalar';
  private readonly programs = new Map<string, Program>();

  constructor(
    private readonly module: LoadedModule,
    private readonly analysis: Analysis,
  ) {}

  run(context: LaunchContext): RunResult {
    const { kernel } = context;
    if (context.races) throw new CannotCompile('race detection', kernel.ptxLine);
    if (context.profile) throw new CannotCompile('profiling', kernel.ptxLine);
    const sharedBytes = context.module.sharedLayout(kernel).dynamicOffset + context.dynamicSharedBytes;
    const program = this.program({ block: context.block, sharedBytes, checked: context.checked });
    return runProgram(program, context);
  }

  private program(options: CompileOptions): Program {
    const key = `${options.block.join()}/${options.sharedBytes}/${options.checked}`;
    let program = this.programs.get(key);
    if (!program) {
      program = compileProgram(this.module, this.analysis, options);
      this.programs.set(key, program);
    }
    return program;
  }
}

function runProgram(program: Program, context: LaunchContext): RunResult {
  const { memory, block, grid, kernel } = context;
  const threads = block[0] * block[1] * block[2];
  const { sharedBytes } = program.options;
  const localBytes = program.localStride;
  const area = (bytes: number): { base: number; free: () => void } => {
    const allocation = memory.allocate(Math.max(bytes, 16), { internal: true });
    return { base: allocation.base, free: () => memory.release(allocation) };
  };
  const arena = area(program.arenaBytes);
  const shared = area(sharedBytes);
  const local = area(localBytes * threads);
  const header = arena.base >>> 2;
  const put = (offset: number, value: number): void => {
    memory.u32[header + (offset >>> 2)] = value;
  };
  const budget = BigInt(Math.min(context.instructionBudget, 2 ** 62));
  const budgets = new BigInt64Array(memory.u8.buffer, arena.base + ARENA.budget, 1);
  const reporter = new FaultReporter(context, {
    arena: arena.base,
    shared: shared.base,
    sharedBytes,
    local: local.base,
    localBytes,
    params: context.paramBase,
    paramBytes: kernel.paramBytes,
  });
  const instance = instantiate(program.module, {
    math: program.imports,
    host: {
      memory: memory.wasm,
      slow: (site: number, address: bigint, thread: number) =>
        reporter.resolve(program.sites[site]!, BigInt.asUintN(64, address), thread),
      trap: (site: number, thread: number) => {
        const instruction = program.sites[site]!;
        reporter.note(thread, { kind: 'trap', message: `${reporter.who(thread)} executed trap.`, instruction });
        throw new LaunchStopped('trap');
      },
      budget: () => {
        throw new BudgetSpent();
      },
    },
  });
  instance.exports.arena!.value = arena.base | 0;
  const stops: Stop[] = program.stops.map((stop, number) =>
    stop === undefined
      ? (undefined as unknown as Stop)
      : { ...stop, region: instance.exports[`region${number}`] as unknown as Region },
  );
  put(ARENA.shared, shared.base);
  put(ARENA.local, local.base);
  put(ARENA.params, context.paramBase);
  put(ARENA.dynamicShared, context.dynamicSharedBytes);
  for (let axis = 0; axis < 3; axis++) put(ARENA.nctaid + 4 * axis, grid[axis]!);
  budgets[0] = budget;
  memory.u8.fill(0, arena.base + ARENA.loadSink, arena.base + ARENA.storeSink);
  memory.u8.set(program.actions, arena.base + ARENA.actions);
  const run = instance.exports.run!;
  const next = instance.exports.block!;
  const scheduler = new BlockScheduler(
    stops,
    threads,
    program.group,
    { arena: arena.base, i32: memory.i32, u16: memory.u16 },
    reporter,
  );
  let completed = true;
  try {
    for (const [first, end] of ranges(context.blocks)) {
      next.value = first;
      for (;;) {
        const group = Number(run(end));
        if (group === -1) break;
        scheduler.finish(group);
        if (budgets[0]! < 0n) throw new BudgetSpent();
        next.value = Number(next.value) + 1;
      }
    }
  } catch (error) {
    if (error instanceof BudgetSpent) {
      reporter.note(0, {
        kind: 'budget-exceeded',
        message: `the launch was stopped after ${context.instructionBudget} thread-instructions: it may never end.`,
        instruction: undefined,
      });
    } else if (!(error instanceof LaunchStopped)) throw error;
    completed = false;
  } finally {
    local.free();
    shared.free();
    arena.free();
  }
  return { completed, threadInstructions: Number(budget - budgets[0]!) };
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

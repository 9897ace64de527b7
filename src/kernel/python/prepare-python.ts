/**
 * A submission in Python, made ready to be judged: run in the task room's sandbox, its extensions' host functions interpreted here as it calls them, in one
 * world, so that kernels, copies and PyTorch's operators stand in the plan in the order in which they happen.
 */
import { createHash } from 'node:crypto';
import {
  type DType,
  type ExtensionCall,
  type ExtensionSources,
  runSubmission,
  type Signature,
  SubmissionError,
  type SubmissionHost,
  type SubmissionRun,
  type Task,
  TaskError,
} from '../../task/index.ts';
import {
  compileUnit,
  keyOf,
  MAX_ROUNDS,
  type PrepareOptions,
  ResourcesNeeded,
  resourcesOf,
  unknownResources,
} from '../compile-unit.ts';
import { DEFAULT_SHARED_BYTES, type DeviceFacts, THREADS_PER_BLOCK, WARP_SIZE } from '../device-facts.ts';
import { CandidateError, invalid, unsupported } from '../error.ts';
import { finishPlan } from '../finish-plan.ts';
import { DEFAULT_LIMITS } from '../interpret/limits.ts';
import { planTensor, World } from '../interpret/world.ts';
import { activeBlocks } from '../occupancy.ts';
import type { KernelUse } from '../trace.ts';
import type { Build, Plan, PlanStep, PreparedCandidate, Remark } from '../types.ts';
import { Extension } from './extension.ts';
import { callExtension, resultOf } from './extension-call.ts';
import { Lowering } from './lowering.ts';

/** What floating tensors of a task are under its precision policy, where that is not what the file says. */
const LOWERED: Partial<Record<Task['precision'], DType>> = { fp16: 'float16', bf16: 'bfloat16' };

/** @throws CandidateError, BuildError */
export async function preparePython(
  source: string,
  task: Task,
  options: PrepareOptions,
  facts: DeviceFacts,
): Promise<PreparedCandidate> {
  const { signature } = task;
  if (signature.entry === 'backward')
    throw unsupported('a submission in Python for a backward task; write the kernels as CUDA C++', 0);
  if (signature.scalarsBy === 'position')
    throw unsupported('a submission in Python for a task in the functional form; write the kernels as CUDA C++', 0);
  const judge = new Answers(source, signature, options, facts);
  const request = {
    source,
    task: task.source,
    parameters: signature.tensors.filter(({ role }) => role !== 'input'),
    overrides: Object.fromEntries(task.scaled.map(({ name, to }) => [name, to])),
    settings: task.configuration,
    dtype: LOWERED[task.precision],
    mode: task.mode,
    gpu: deviceProperties(facts),
  };
  let run: SubmissionRun;
  try {
    run = await runSubmission(request, judge, { cacheDir: options.tracesDir ?? options.cacheDir });
  } catch (error) {
    throw candidateErrorOf(error);
  }
  const { plan, build } = await judge.finish(run);
  const sourceHash = createHash('sha256').update(source).digest('hex');
  const remarks = [
    ...run.remarks.map(([text, line]): Remark => ({ text, line })),
    ...judge.remarks,
    ...unknownResources(build),
  ];
  return { source, sourceHash, plan, build, ...(remarks.length > 0 && { remarks }) };
}

/** torch.cuda.get_device_properties of the GPU that is judged for. */
function deviceProperties(facts: DeviceFacts) {
  const [major, minor] = facts.computeCapability;
  return {
    name: facts.name,
    major,
    minor,
    total_memory: facts.globalMemoryBytes,
    multi_processor_count: facts.multiprocessors,
    max_threads_per_multi_processor: facts.maxThreadsPerMultiprocessor,
    max_threads_per_block: THREADS_PER_BLOCK,
    regs_per_multiprocessor: facts.registersPerMultiprocessor,
    shared_memory_per_block: DEFAULT_SHARED_BYTES,
    shared_memory_per_block_optin: facts.sharedBytesPerBlockOptIn,
    shared_memory_per_multiprocessor: facts.sharedBytesPerMultiprocessor,
    L2_cache_size: facts.l2Bytes,
    warp_size: WARP_SIZE,
    is_integrated: false,
    is_multi_gpu_board: false,
  };
}

function candidateErrorOf(error: unknown): unknown {
  if (error instanceof SubmissionError) {
    const kind = error.kind === 'memory' ? 'limit' : error.kind === 'syntax' ? 'invalid' : error.kind;
    return new CandidateError(kind, error.message, error.line);
  }
  if (error instanceof TaskError) return new CandidateError('limit', error.message, error.line ?? 0);
  return error;
}

/** Answers a submission's questions, and holds the plan that comes of them. */
class Answers implements SubmissionHost {
  readonly remarks: Remark[] = [];
  readonly #source: string;
  readonly #options: PrepareOptions;
  readonly #facts: DeviceFacts;
  readonly #world: World;
  readonly #lowering: Lowering;
  readonly #extensions: Extension[] = [];
  /** Compiled for occupancy queries. */
  readonly #early = new Map<Extension, { build: Build; uses: Map<string, KernelUse> }>();

  constructor(source: string, signature: Signature, options: PrepareOptions, facts: DeviceFacts) {
    this.#source = source;
    this.#options = options;
    this.#facts = facts;
    this.#world = new World({
      facts,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      occupancy: (use, threads, shared) => {
        const early = this.#early.get(this.#extensionOf(use));
        const resources = resourcesOf(use, early?.uses.has(keyOf(use)) ? early.build : undefined);
        return activeBlocks(resources, threads, shared, facts);
      },
    });
    this.#lowering = new Lowering(this.#world, signature);
  }

  async load(sources: ExtensionSources) {
    const extension = this.#tried(() => new Extension(sources, this.#source, this.#world));
    if (!(extension instanceof Extension)) return extension;
    if (!extension.placed) {
      const text = `The CUDA sources of ${extension.name} are put together by the program: their lines are counted on after the file's last line.`;
      this.remarks.push({ text, line: extension.line });
    }
    this.#extensions.push(extension);
    return { module: this.#extensions.length - 1, names: extension.names };
  }

  async call(call: ExtensionCall) {
    const extension = this.#extensions[call.module];
    if (!extension) throw invalid(`there is no extension ${call.module}`, call.line);
    this.#lowering.take(call);
    const tensors = call.tensors.map(({ id, shape, strides, dtype }) => {
      const view = this.#lowering.view(id, call.line);
      if (String(view.shape) !== String(shape) || view.dtype !== dtype)
        throw invalid(`the value ${id} is not as it is told`, call.line);
      const same = shape.every((n, d) => n === 1 || view.strides[d] === strides[d]);
      return same || shape.includes(0) ? view : this.#lowering.relay(id, strides, call.line);
    });
    const work = () => {
      const machine = extension.machine(this.#world);
      const fn = extension.find(machine, call.function);
      if (!fn) throw invalid(`the extension has no function ${call.function}`, 0);
      return resultOf(callExtension(machine, fn, call, tensors), tensors, fn.line, (view) =>
        this.#lowering.define(view),
      );
    };
    for (let round = 0; ; round++) {
      const [buffers, steps] = [this.#world.buffers.length, this.#world.steps.length];
      try {
        const result = this.#tried(() => extension.at(work));
        const lowered = call.autocast && this.#world.steps.slice(steps).find(({ kind }) => kind === 'operator');
        if (lowered)
          throw unsupported(
            `an operator of PyTorch's in ${call.function}, which is called under autocast: call it outside`,
            call.line,
          );
        return result !== null && 'failed' in result ? result : { result };
      } catch (error) {
        if (!(error instanceof ResourcesNeeded)) throw error;
        if (round >= MAX_ROUNDS) throw unsupported('occupancy queries that depend on each other', error.use.line);
        // What was written down before the query comes again.
        this.#world.buffers.length = buffers;
        this.#world.steps.length = steps;
        await this.#compileEarly(extension, error.use);
      }
    }
  }

  /** The plan and the code of what has been told. @throws CandidateError, BuildError */
  async finish(run: SubmissionRun): Promise<{ plan: Plan; build: Build }> {
    this.#lowering.take(run);
    const outputs = run.outputs.map((id) => planTensor(this.#lowering.view(id, 0)));
    const { buffers, steps } = this.#world;
    const uses = new Map<Extension, KernelUse[]>();
    for (const step of steps) {
      if (step.kind !== 'launch') continue;
      const extension = this.#extensionOf(step.kernel);
      const known = uses.get(extension) ?? [];
      if (!known.includes(step.kernel)) known.push(step.kernel);
      uses.set(extension, known);
    }
    const modules = [...uses.keys()];
    const symbol = buffers.find(({ kind }) => kind === 'symbol');
    if (symbol && modules.length > 1)
      throw unsupported(
        `the device variable ${symbol.name} written by the host in a submission of several extensions`,
        0,
      );
    let placed: Plan['buffers'] = buffers;
    const builds: Build[] = [];
    const finished: PlanStep[] = new Array(steps.length);
    for (const [module, extension] of modules.entries()) {
      const build = await this.#compile(extension, uses.get(extension) ?? []);
      builds.push(build);
      const own = steps.flatMap((step, i) => (step.kind === 'launch' && extension.has(step.kernel) ? [i] : []));
      const trace = {
        buffers,
        steps: own.map((i) => steps[i]!),
        outputs: [],
        instantiations: [],
        entry: extension.name,
      };
      const plan = extension.at(() => finishPlan(trace, build, this.#facts));
      if (symbol) placed = plan.buffers;
      plan.steps.forEach((step, i) => {
        const at = own[i] as number;
        const line = extension.placed ? step.line : extension.line;
        finished[at] = { ...step, line, ...(module > 0 && { module }) } as PlanStep;
      });
    }
    steps.forEach((step, i) => {
      if (step.kind !== 'launch') finished[i] = step;
    });
    const [first = nothingBuilt(this.#options.arch), ...others] = builds;
    return {
      plan: { buffers: placed, steps: finished, outputs },
      build: others.length > 0 ? { ...first, others } : first,
    };
  }

  #extensionOf(use: KernelUse): Extension {
    const found = this.#extensions.find((each) => each.has(use));
    if (!found) throw invalid(`${use.spelling} is no kernel of an extension`, use.line);
    return found;
  }

  /** What the program itself does wrong becomes Python's RuntimeError; what is not known or not allowed ends the judgement. */
  #tried<T>(work: () => T): T | { failed: string } {
    try {
      return work();
    } catch (error) {
      if (error instanceof CandidateError && (error.kind === 'invalid' || error.kind === 'fails'))
        return { failed: error.message };
      throw error;
    }
  }

  async #compileEarly(extension: Extension, use: KernelUse): Promise<void> {
    const uses = this.#early.get(extension)?.uses ?? new Map<string, KernelUse>();
    uses.set(keyOf(use), use);
    this.#early.set(extension, { build: await this.#compile(extension, [...uses.values()]), uses });
  }

  async #compile(extension: Extension, uses: readonly KernelUse[]): Promise<Build> {
    const flags = [...(this.#options.flags ?? []), ...extension.flags];
    try {
      return await compileUnit(extension.unit, uses, { ...this.#options, flags });
    } catch (error) {
      throw error instanceof CandidateError ? extension.located(error) : error;
    }
  }
}

/** Where a submission launches nothing there is nothing to compile. */
function nothingBuilt(arch: string): Build {
  return {
    hash: '',
    ptx: '',
    cubin: '',
    arch,
    resources: [],
    compiler: 'none: no kernel is launched',
    milliseconds: 0,
    cached: true,
  };
}

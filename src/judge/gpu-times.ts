/**
 * Times on a GPU, as the judge asks for them: the candidate in its child process, and every baseline that can be had in processes that never see it. The best of them is
 * what a candidate must beat; those that could not be timed are named, with the reason.
 */
import { mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import {
  type BaselineSource,
  contractionOf,
  contradiction,
  createCudaTimingDevice,
  createPlanBaseline,
  createTorchBaselines,
  cublasFiles,
  measurePeaks,
  type OpenedGpu,
  severalBaselines,
} from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import { floor, pythonWithTorch, type Task } from '../task/index.ts';
import type { GpuTarget } from '../vgpu/index.ts';
import type { Oracle } from './oracle.ts';
import { deriveSeed } from './seeds.ts';
import type { OpenedTiming, TimingSetup } from './timed.ts';
import { timedOperands } from './timed-operands.ts';
import type { TimingPlan } from './timing/plan.ts';

/** Who a candidate can be compared with. */
export const baselineKinds = ['torch', 'cublas', 'builtin'] as const;
export type BaselineKind = (typeof baselineKinds)[number];

export interface GpuTimesOptions {
  readonly gpu: OpenedGpu;
  readonly task: Task;
  readonly oracle: Oracle;
  /** The table's entry of this very GPU; absent where there is none: then no floor is known, and nothing is claimed. */
  readonly target?: GpuTarget;
  /** A folder for PyTorch's compiled code and exchanges. */
  readonly folder: string;
  /** Default: all. */
  readonly baselines?: readonly BaselineKind[];
  /** The built-in engineer's best kernel for the task, where one is known. */
  readonly builtin?: (task: Task) => Promise<PreparedCandidate | undefined>;
}

/**
 * Enough windows to go all the way through the protocol, and too few for anything to be said: what is asked of simulated clocks, of which nothing
 * may be said anyway.
 */
export const trialPlan: Partial<TimingPlan> = {
  ...{ looks: [3], blocks: 2, leastBlocks: 2, rounds: 1, resamples: 100 },
  ...{ windowMicroseconds: 1, windowResolutions: 1, windowNulls: 0.01, mostLost: 0.9 },
};
const TRIAL_CALLS = 2;

/** The walk that empties the L2 is longer than it by this. */
const WALK = 2.5;

/** Takes times of one task on a GPU. */
export function timesOnGpu(options: GpuTimesOptions): TimingSetup {
  const { simulated } = options.gpu.device;
  return {
    ...(simulated ? { plan: trialPlan } : {}),
    open: (candidate, seed, signal) => open(options, candidate, seed, signal),
  };
}

async function open(
  options: GpuTimesOptions,
  candidate: PreparedCandidate,
  seed: string,
  signal?: AbortSignal,
): Promise<OpenedTiming> {
  const { gpu, task, oracle, target } = options;
  await gpu.device.rest();
  const sources: BaselineSource[] = [];
  const left: string[] = [];
  for (const kind of options.baselines ?? baselineKinds) {
    try {
      sources.push(await makers[kind](options, candidate, deriveSeed({ secret: seed }, `${kind} operands`), signal));
    } catch (error) {
      signal?.throwIfAborted();
      const { message } = error as Error;
      left.push(`${kind}: ${message}${message.endsWith('.') ? '' : '.'}`);
    }
  }
  if (sources.length === 0) throw new Error(`no baseline can be timed here. ${left.join(' ')}`);
  const together = severalBaselines(sources);
  const sure = target !== undefined && (await confirmed(gpu, target, left)) ? target : undefined;
  const device = await createCudaTimingDevice(
    {
      ...{ gpu: gpu.gpu, fake: gpu.fake, candidate, operands: timedOperands(task, oracle) },
      secret: deriveSeed({ secret: seed }, 'candidate operands'),
      baselines: {
        ...together,
        environment: { ...together.environment, ...(left.length > 0 ? { 'not timed': left.join(' ') } : {}) },
      },
      ...(gpu.device.simulated ? { mostCalls: TRIAL_CALLS } : {}),
    },
    signal,
  );
  return { device, ...(sure === undefined ? {} : { floorMicroseconds: floor(task, sure).microseconds }) };
}

/** GPUs whose peaks were measured, with what speaks against the table. */
const checked = new WeakMap<OpenedGpu, Promise<string | undefined>>();
/** Much more than any L2. */
const COPY_BYTES = 2 ** 29;

/** Whether the table's peaks are this GPU's, by a copy and a product; what speaks against it goes to `said`. Simulated clocks have nothing to say. */
async function confirmed(gpu: OpenedGpu, target: GpuTarget, said: string[]): Promise<boolean> {
  if (gpu.device.simulated) return true;
  let found = checked.get(gpu);
  if (found === undefined) {
    const libraries = cublasFiles();
    found = measurePeaks({ gpu: gpu.gpu }, { copyBytes: COPY_BYTES, libraries }).then(
      (peaks) => contradiction(target, peaks),
      (error: Error) => `the table's peaks could not be confirmed: ${error.message}`,
    );
    checked.set(gpu, found);
  }
  const against = await found;
  if (against !== undefined) said.push(against);
  return against === undefined;
}

type Maker = (
  options: GpuTimesOptions,
  candidate: PreparedCandidate,
  secret: string,
  signal?: AbortSignal,
) => Promise<BaselineSource>;

/** How each kind of baseline is had; it throws a sentence where it cannot be. */
const makers: Readonly<Record<BaselineKind, Maker>> = {
  torch: async ({ gpu, task, oracle, folder }, _, secret, signal) => {
    const python = pythonWithTorch();
    if ('missing' in python) throw new Error(python.missing);
    const { simulated, identity } = gpu.device;
    const own = join(folder, `torch-${task.hash.slice(0, 12)}`);
    mkdirSync(own, { recursive: true });
    return createTorchBaselines(
      {
        ...{ task, python, secret, folder: own, operands: timedOperands(task, oracle) },
        device: simulated ? 'cpu' : gpu.gpu,
        // Over the fake driver PyTorch runs on the CPU: its times mean nothing, and the way is tried once.
        ...(simulated ? { subjects: ['PyTorch eager'] } : {}),
        walkBytes: simulated ? 4096 : 4 * Math.ceil((WALK * identity.l2Bytes) / 4),
      },
      signal,
    );
  },
  cublas: async ({ gpu, task, oracle }, _, secret, signal) => {
    const python = gpu.fake ? undefined : pythonWithTorch();
    const files = gpu.fake ? [gpu.fake.library] : cublasFiles(python && 'folders' in python ? python.folders : []);
    const timed = contractionOf(task, files);
    if (typeof timed === 'string') throw new Error(timed);
    return createPlanBaseline(
      {
        ...{ gpu: gpu.gpu, fake: gpu.fake, id: 'cuBLAS', timed, secret, operands: timedOperands(task, oracle) },
        // Beside a PyTorch cuBLAS lies in folders that the wall hides.
        reads: gpu.fake ? [] : files.filter((file) => isAbsolute(file)).map((file) => dirname(dirname(dirname(file)))),
        ...(gpu.device.simulated ? { mostCalls: TRIAL_CALLS } : {}),
      },
      signal,
    );
  },
  builtin: async ({ gpu, task, oracle, builtin }, candidate, secret, signal) => {
    const known = await builtin?.(task);
    if (known === undefined)
      throw new Error(
        'the archive holds no correct kernel of the built-in engineer for this task (`assay optimize` finds one).',
      );
    if (known.sourceHash === candidate.sourceHash)
      throw new Error("the candidate is the built-in engineer's best itself.");
    return createPlanBaseline(
      {
        ...{ gpu: gpu.gpu, fake: gpu.fake, id: 'built-in engineer', timed: known, secret },
        operands: timedOperands(task, oracle),
        ...(gpu.device.simulated ? { mostCalls: TRIAL_CALLS } : {}),
      },
      signal,
    );
  },
};

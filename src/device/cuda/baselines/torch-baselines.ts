/**
 * What a candidate must beat: PyTorch eager, torch.compile as it comes and with max-autotune, each as it is and as a CUDA graph, at the task's precision policy,
 * on operands drawn as the candidate's are. Each instance of them has a Python process of its own, behind a wall, that never sees the candidate.
 */
import type { Task, TorchPython } from '../../../task/index.ts';
import {
  standardBaselines,
  type TimedSubject,
  type TimingProcess,
  type WindowRequest,
  type WindowResult,
} from '../../measure.ts';
import { freshOperands, type OperandSource, operandBytes, seedOf } from '../timing/operands.ts';
import type { BaselineSource } from '../timing/timing-device.ts';
import { PythonProcess } from './python-process.ts';

/** The ways of running PyTorch: those that a claim names, each as it is and as a CUDA graph. baseline.py knows them by these names. */
export const torchSubjects: readonly TimedSubject[] = standardBaselines.flatMap((id) => [
  { id, role: 'baseline' as const },
  { id: `${id} graphed`, role: 'baseline' as const },
]);

export interface TorchBaselineOptions {
  readonly task: Task;
  readonly python: TorchPython;
  readonly operands: OperandSource;
  /** All operands follow from it; another than the candidate's. */
  readonly secret: string;
  /** Number of the GPU, as nvidia-smi counts; `cpu` is for testing how processes talk, and times of it mean nothing. */
  readonly device: number | 'cpu';
  /** A folder of the caller's for exchanges and what PyTorch compiles: fresh processes need not compile again. */
  readonly folder: string;
  /** Some of {@link torchSubjects}; absent: all. */
  readonly subjects?: readonly string[];
  /** Bytes that empty the GPU's L2 when they are read. */
  readonly walkBytes: number;
}

const INSTANCES = [0, 1] as const;
const BASE_SETS = 2;
/** Importing PyTorch takes seconds; compiling with max-autotune takes minutes. */
const START_MILLISECONDS = 300_000;
const WINDOW_MILLISECONDS = 900_000;
const FULL_CHECK_EVERY = 16;

/** The baselines of a task. @throws Error with a sentence where PyTorch cannot run it, or not as a baseline */
export async function createTorchBaselines(
  options: TorchBaselineOptions,
  signal?: AbortSignal,
): Promise<BaselineSource> {
  const { task, secret, operands } = options;
  if (task.signature.entry === 'backward') {
    throw new Error(
      'Times of PyTorch are taken for forward tasks only so far: a backward task has no baseline, and no claim.',
    );
  }
  const wanted = options.subjects ?? torchSubjects.map(({ id }) => id);
  const unknown = wanted.find((id) => !torchSubjects.some((subject) => subject.id === id));
  if (unknown !== undefined) {
    const known = torchSubjects.map(({ id }) => id).join(', ');
    throw new Error(`There is no baseline ${unknown}; there are ${known}.`);
  }
  const bases = Array.from({ length: BASE_SETS }, (_, i) => operands.base(seedOf(secret, `base ${i}`)));
  const { environment, subjects } = await tryOut(options, bases, wanted, signal);
  let starts = 0;
  return {
    subjects,
    environment,
    processes: INSTANCES.length,
    start: async (_, aborted) => {
      const serial = ++starts;
      // Both at once: loading PyTorch and what it has compiled takes seconds.
      const opened = await Promise.allSettled(
        INSTANCES.map(async (instance) => {
          const { process } = await open(options, bases, aborted);
          const failed = await makeReady(process, subjects, instance, aborted);
          if (failed === undefined) return process;
          await process.end();
          throw new Error(failed);
        }),
      );
      const processes = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const refused = opened.find((one) => one.status === 'rejected');
      if (refused === undefined) return new TorchProcesses(options, bases, processes, serial);
      await Promise.all(processes.map((process) => process.end()));
      aborted?.throwIfAborted();
      return { status: 'failed', message: (refused.reason as Error).message };
    },
  };
}

/**
 * Which of the subjects run here, from a process of their own that also compiles what later ones find compiled; those that cannot are named in the environment.
 * @throws Error where PyTorch's plain way does not run
 */
async function tryOut(
  options: TorchBaselineOptions,
  bases: readonly (readonly Uint8Array[])[],
  wanted: readonly string[],
  signal?: AbortSignal,
): Promise<{ environment: Readonly<Record<string, string>>; subjects: TimedSubject[] }> {
  const { process, environment } = await open(options, bases, signal);
  const left: Record<string, string> = {};
  const subjects: TimedSubject[] = [];
  try {
    for (const subject of torchSubjects.filter(({ id }) => wanted.includes(id))) {
      const failed = await makeReady(process, [subject], 0, signal);
      if (failed === undefined) subjects.push(subject);
      else left[`${subject.id}, not timed`] = failed;
    }
  } finally {
    await process.end();
  }
  if (subjects.length === 0) throw new Error(Object.values(left)[0] ?? 'nothing of PyTorch was asked for');
  return { environment: { ...environment, ...left }, subjects };
}

/** Has everything compiled that these subjects need; why it cannot be. An aborted signal throws its reason, and ends the process. */
async function makeReady(
  process: PythonProcess,
  subjects: readonly TimedSubject[],
  instance: 0 | 1,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const request = { do: 'ready', subjects: subjects.map(({ id }) => id), instance };
  try {
    const said = await process.ask(request, START_MILLISECONDS, signal);
    return 'failed' in said ? said.failed : undefined;
  } catch (error) {
    await process.end();
    throw error;
  }
}

/** A process with the task's model and base operands. @throws Error with a sentence */
async function open(
  { task, python, device, folder }: TorchBaselineOptions,
  bases: readonly (readonly Uint8Array[])[],
  signal?: AbortSignal,
): Promise<{ process: PythonProcess; environment: Readonly<Record<string, string>> }> {
  const process = await PythonProcess.start(python, device !== 'cpu', folder);
  try {
    const said = await process.ask(openRequest(task, device), START_MILLISECONDS, signal);
    if ('failed' in said) throw new Error(said.failed);
    for (const [set, base] of bases.entries()) {
      const took = await process.ask({ do: 'base', set, arguments: base }, START_MILLISECONDS, signal);
      if ('failed' in took) throw new Error(took.failed);
    }
    return { process, ...(said.value as { environment: Record<string, string> }) };
  } catch (error) {
    await process.end();
    throw error;
  }
}

function openRequest(task: Task, device: number | 'cpu') {
  const halves = { fp16: 'float16', bf16: 'bfloat16', fp32: null, tf32: null } as const;
  return {
    do: 'open',
    source: task.source,
    overrides: Object.fromEntries(task.scaled.map(({ name, to }) => [name, to])),
    settings: task.configuration ?? null,
    mode: task.mode ?? null,
    dtype: halves[task.precision],
    precision: task.precision,
    device: device === 'cpu' ? 'cpu' : `cuda:${device}`,
    // Inputs have their places, parameters and buffers their names.
    arguments: task.signature.tensors.map(({ name, role, spec }) => [
      role === 'input' ? null : name,
      spec.dtype,
      spec.shape,
    ]),
  };
}

class TorchProcesses implements TimingProcess {
  readonly #options: TorchBaselineOptions;
  readonly #bases: readonly (readonly Uint8Array[])[];
  readonly #processes: readonly PythonProcess[];
  readonly #serial: number;
  #windows = 0;
  readonly #had = new Map<string, number>();

  constructor(
    options: TorchBaselineOptions,
    bases: readonly (readonly Uint8Array[])[],
    processes: readonly PythonProcess[],
    serial: number,
  ) {
    this.#options = options;
    this.#bases = bases;
    this.#processes = processes;
    this.#serial = serial;
  }

  async window({ subject, instance, work, calls }: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    const { operands: source, secret, walkBytes } = this.#options;
    const name = seedOf(secret, `start ${this.#serial} window ${this.#windows++}`);
    const operands = freshOperands(source, this.#bases, name, calls);
    const request = {
      do: 'window',
      subject,
      instance,
      work,
      calls: operands,
      keep: work === 'null' ? [] : this.#keep(subject, instance),
      walkBytes,
    };
    const said = await this.#processes[instance]!.ask(request, WINDOW_MILLISECONDS, signal);
    if ('failed' in said) return { status: 'failed', message: `${subject} gave no time. ${said.failed}` };
    const { deviceMicroseconds, hostMicroseconds, kept } = said.value as {
      deviceMicroseconds: number;
      hostMicroseconds: number;
      kept: { call: number; outputs: Uint8Array[] }[];
    };
    let right = true;
    for (const { call, outputs } of kept) {
      right &&= await source.check(operandBytes(this.#bases, operands[call]!), outputs);
    }
    return {
      status: 'timed',
      deviceMicroseconds,
      hostMicroseconds,
      outputs: right ? 'right' : 'wrong',
      operands: work === 'null' ? '' : name.slice(0, 32),
      // The candidate's process reads it (timing-device.ts).
      condition: {},
    };
  }

  /** The first call of the first window, and of some later ones: PyTorch has nothing to hide, only faults. */
  #keep(subject: string, instance: 0 | 1): number[] {
    const key = `${subject} ${instance}`;
    const had = this.#had.get(key) ?? 0;
    this.#had.set(key, had + 1);
    return had % FULL_CHECK_EVERY === 0 ? [0] : [];
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.end()));
  }
}

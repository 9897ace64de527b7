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
  const first = await open(options, bases, signal);
  await first.process.end();
  let starts = 0;
  return {
    subjects: torchSubjects.filter(({ id }) => wanted.includes(id)),
    environment: first.environment,
    processes: INSTANCES.length,
    start: async (_, aborted) => {
      const serial = ++starts;
      const opened: PythonProcess[] = [];
      try {
        for (const _ of INSTANCES) opened.push((await open(options, bases, aborted)).process);
      } catch (error) {
        await Promise.all(opened.map((process) => process.end()));
        aborted?.throwIfAborted();
        return { status: 'failed', message: (error as Error).message };
      }
      return new TorchProcesses(options, bases, opened, serial);
    },
  };
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

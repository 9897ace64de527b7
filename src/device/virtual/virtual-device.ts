/**
 * The virtual GPU as a {@link Device}: a child process behind walls that can hang, crash or be killed, and comes back.
 * The judge's process never executes a candidate, not even in WebAssembly.
 */
import { memoryLimitKiB, type NodeChild, startNodeChild } from '../../isolation/index.ts';
import { gpuTarget } from '../../vgpu/index.ts';
import { sizeOf } from '../answer/fields.ts';
import { readProfileAnswer, readRunAnswer } from '../answer/read-run.ts';
import { readSampledAnswer } from '../answer/read-sampled.ts';
import { type Asked, type AskOptions, askChild, canBeAsked, type Stopped } from '../ask-child.ts';
import { processCpuSeconds } from '../limits.ts';
import { ownFile } from '../own-file.ts';
import type { SampledProfileRequest, SampledProfileResult } from '../sampled-profile.ts';
import type { SampledRunRequest, SampledRunResult } from '../sampled-run.ts';
import type { Device, RunRequest, RunResult } from '../types.ts';
import type { ChildRequest } from './child.ts';

export interface VirtualDeviceOptions {
  /** Target whose time is modelled, e.g. `h100`. */
  gpu: string;
  /** Heap of the child's JavaScript, MiB; device memory comes on top. */
  heapMiB?: number;
  /** The file that is run in the child's place. For tests of what a child can do to us. */
  program?: string;
}

/**
 * New objects have 16 MiB from the start: V8 begins with one, and a process that lives for a second spends a third of it on collecting that.
 * What it leaves is swept by the thread that made it: with helpers, V8 took half as much processor time again, from cores that run kernels.
 * The build keeps compiled code for these flags (scripts/programs.mjs).
 */
const YOUNG_MIB = 16;

/** Device memory of one WebAssembly, with its shadow; and inputs, outputs and machine code, MiB. */
const DEVICE_MIB = 4096;
const REST_MIB = 8192;
/** Threads of Node, of the virtual GPU, and of what compiles TypeScript where the child runs from source. */
const PROCESSES = 256;

/** What an answer holds beside outputs: findings, profiles, text. */
const TALK_BYTES = 2 ** 26;

/** Starts no process until {@link Device.start} or the first run. Throws when the target is unknown. */
export function createVirtualDevice(options: VirtualDeviceOptions): Device {
  return new VirtualDevice({ ...options, gpu: gpuTarget(options.gpu).name });
}

/** For messages. */
const where = 'the virtual GPU';

/** Bytes of buffers up to which a sampled run takes place in the process that is kept. */
const MOST_KEPT = 2 ** 28;

class VirtualDevice implements Device {
  readonly kind = 'virtual';
  readonly name: string;
  wall: string | undefined;
  readonly #options: VirtualDeviceOptions;
  #child: Promise<NodeChild> | undefined;
  /** Runs wait for the one before: a device does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Processes of runs by sample that are under way. */
  readonly #sampling = new Set<Promise<NodeChild>>();

  constructor(options: VirtualDeviceOptions) {
    this.name = `virtual GPU (times modelled for ${options.gpu})`;
    this.#options = options;
  }

  start(): void {
    this.#requireOpen(undefined);
    this.#child ??= this.#startChild();
  }

  run(request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    const { milliseconds } = request.limits;
    const read = (answer: unknown) => readRunAnswer(answer, request);
    return this.#inTurn({ whole: request }, { milliseconds, mostBytes: runBytes(request), signal }, read);
  }

  sample(request: SampledRunRequest, signal?: AbortSignal): Promise<SampledRunResult> {
    const bytes = request.plan.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
    if (bytes > MOST_KEPT) return this.#sampleApart(request, signal);
    const { milliseconds } = request.limits;
    const read = (answer: unknown) => readSampledAnswer(answer, request);
    return this.#inTurn({ sampled: request }, { milliseconds, mostBytes: sampledBytes(request), signal }, read);
  }

  profile(request: SampledProfileRequest, signal?: AbortSignal): Promise<SampledProfileResult> {
    const { milliseconds } = request.limits;
    return this.#inTurn({ profiled: request }, { milliseconds, mostBytes: TALK_BYTES, signal }, readProfileAnswer);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#kill(), ...[...this.#sampling].map(kill)]);
    await this.#last;
  }

  #startChild(): Promise<NodeChild> {
    const { heapMiB = 4096, program = ownFile(import.meta.url, './child') } = this.#options;
    const started = startNodeChild({
      program,
      flags: [`--max-old-space-size=${heapMiB}`, `--min-semi-space-size=${YOUNG_MIB}`, '--single-threaded-gc'],
      limits: {
        cpuSeconds: processCpuSeconds,
        dataKiB: memoryLimitKiB((heapMiB + DEVICE_MIB + REST_MIB) * 1024),
        fileKiB: 0,
        processes: PROCESSES,
      },
    });
    // Whoever asks it hears of it.
    started.then(
      ({ wall }) => {
        this.wall = wall;
      },
      () => undefined,
    );
    return started;
  }

  #kill(): Promise<void> {
    const ending = this.#child;
    this.#child = undefined;
    return kill(ending);
  }

  /** Asks the child that is kept between runs, after those before; one that said what is no answer is asked no more. */
  #inTurn<Result>(
    request: ChildRequest,
    options: Omit<AskOptions, 'where'>,
    read: (answer: unknown) => Read<Result>,
  ): Promise<Result | Stopped> {
    const result = this.#last.then(async () => {
      this.#requireOpen(options.signal);
      this.#child ??= this.#startChild();
      const asking = this.#child;
      try {
        const { result, usable } = readOr(await ask(asking, request, { ...options, where }), read);
        if (!usable) void this.#kill();
        return result;
      } finally {
        const child = await asking.catch(() => undefined);
        if (this.#child === asking && (child === undefined || !canBeAsked(child))) this.#child = undefined;
      }
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** In a process of its own, because gigabytes of device memory are given back only with the process. */
  async #sampleApart(request: SampledRunRequest, signal?: AbortSignal): Promise<SampledRunResult> {
    this.#requireOpen(signal);
    const child = this.#startChild();
    this.#sampling.add(child);
    try {
      const { milliseconds } = request.limits;
      const options = { milliseconds, where, mostBytes: sampledBytes(request), signal };
      const asked = await ask(child, { sampled: request }, options);
      return readOr(asked, (answer) => readSampledAnswer(answer, request)).result;
    } finally {
      await kill(child);
      this.#sampling.delete(child);
    }
  }

  #requireOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new Error('This device has been closed.');
  }
}

/** A result, and whether the child that gave it can be asked again. */
interface Read<Result> {
  result: Result;
  usable: boolean;
}

/** What was said, by its reader; or why nothing was: the child has been ended then. */
function readOr<Result>(asked: Asked, read: (answer: unknown) => Read<Result>): Read<Result | Stopped> {
  return 'stopped' in asked ? { result: asked.stopped, usable: true } : read(asked.answer);
}

/** Asks a child once it has started; one that cannot be started has crashed. */
async function ask(starting: Promise<NodeChild>, request: ChildRequest, options: AskOptions): Promise<Asked> {
  let child: NodeChild;
  try {
    child = await starting;
  } catch (error) {
    const message = `The virtual GPU's process cannot be started: ${(error as Error).message}.`;
    return { stopped: { status: 'crashed', message } };
  }
  return askChild(child, request, options);
}

async function kill(child: Promise<NodeChild> | undefined): Promise<void> {
  const started = await child?.catch(() => undefined);
  started?.kill();
}

/** Length of the longest answer to a run, bytes. */
function runBytes({ plan, calls, limits }: RunRequest): number {
  const outputs = plan.outputs.map(sizeOf).reduce((sum, { elements, bytes }) => sum + elements + bytes, 0);
  return calls.length * outputs + 2 * limits.printBytes + TALK_BYTES;
}

/** The same of a run in part: an element of 8 bytes at most, and whether it was written. */
function sampledBytes({ rows }: SampledRunRequest): number {
  return rows.reduce((sum, row) => sum + (row ? row.most * row.elements * 9 : 0), 0) + TALK_BYTES;
}

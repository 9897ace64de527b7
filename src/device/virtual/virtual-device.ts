/**
 * The virtual GPU as a {@link Device}: a child process that can hang, crash or be killed, and comes back.
 * The judge's process never executes a candidate, not even in WebAssembly.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gpuTarget } from '../../vgpu/index.ts';
import { type AskOptions, askChild, type Stopped } from '../ask-child.ts';
import type { SampledProfileRequest, SampledProfileResult } from '../sampled-profile.ts';
import type { SampledRunRequest, SampledRunResult } from '../sampled-run.ts';
import type { Device, RunRequest, RunResult } from '../types.ts';
import type { ChildRequest, Numbered } from './child.ts';
import { readProfileAnswer, readRunAnswer } from './read-answer.ts';

/** This file's own extension: `.ts` from source, `.js` as installed. */
const childFile = fileURLToPath(new URL(`./child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

export interface VirtualDeviceOptions {
  /** Target whose time is modelled, e.g. `h100`. */
  gpu: string;
  /** Heap of the child's JavaScript, MiB; device memory comes on top. */
  heapMiB?: number;
}

/**
 * New objects have 16 MiB from the start: V8 begins with one, and a process that lives for a second spends a third of it on collecting that.
 * The build keeps compiled code for these flags (scripts/programs.mjs).
 */
const YOUNG_MIB = 16;

/** Starts no process until {@link Device.start} or the first run. Throws when the target is unknown. */
export function createVirtualDevice(options: VirtualDeviceOptions): Device {
  return new VirtualDevice(gpuTarget(options.gpu).name, options.heapMiB ?? 4096);
}

/** For messages. */
const where = 'the virtual GPU';

/** Bytes of buffers up to which a sampled run takes place in the process that is kept. */
const MOST_KEPT = 2 ** 28;

class VirtualDevice implements Device {
  readonly kind = 'virtual';
  readonly name: string;
  readonly #heapMiB: number;
  #child: ChildProcess | undefined;
  /** Runs wait for the one before: a device does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  #asked = 0;
  /** Processes of runs by sample that are under way. */
  readonly #sampling = new Set<ChildProcess>();

  constructor(target: string, heapMiB: number) {
    this.name = `virtual GPU (times modelled for ${target})`;
    this.#heapMiB = heapMiB;
  }

  start(): void {
    this.#requireOpen(undefined);
    this.#child ??= this.#fork();
  }

  run(request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    const result = this.#last.then(async () => {
      const answer = await this.#exchange({ whole: request }, request.limits.milliseconds, signal);
      const { result: read, usable } = readRunAnswer(answer, request);
      if (!usable) this.#kill();
      return read;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kill();
    for (const child of this.#sampling) child.kill('SIGKILL');
    await this.#last;
  }

  #fork(): ChildProcess {
    const child = fork(childFile, [], {
      env: {},
      execArgv: [...process.execArgv, `--max-old-space-size=${this.#heapMiB}`, `--min-semi-space-size=${YOUNG_MIB}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.unref();
    child.channel?.unref();
    (child.stderr as { unref?: () => void } | null)?.unref?.();
    return child;
  }

  #kill(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  /** Asks the child that is kept between runs. */
  async #exchange(request: ChildRequest, milliseconds: number, signal: AbortSignal | undefined): Promise<unknown> {
    this.#requireOpen(signal);
    this.#child ??= this.#fork();
    const end = () => this.#kill();
    const { content, alive } = await this.#ask(this.#child, request, { milliseconds, where, end, signal });
    if (!alive) end();
    return content;
  }

  /** Asks once. An answer to another question than this one is a crash. */
  async #ask(
    child: ChildProcess,
    content: ChildRequest,
    options: AskOptions,
  ): Promise<{ content: unknown; alive: boolean }> {
    const id = ++this.#asked;
    const { result, alive } = await askChild<Numbered<unknown>>(child, { id, content }, options);
    if (!alive) return { content: result as Stopped, alive };
    const answer = result as Partial<Numbered<unknown>> | null;
    if (answer?.id === id) return { content: answer.content, alive };
    const message = "The virtual GPU's process answered what it was not asked.";
    return { content: { status: 'crashed', message } satisfies Stopped, alive: false };
  }

  sample(request: SampledRunRequest, signal?: AbortSignal): Promise<SampledRunResult> {
    const bytes = request.plan.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
    if (bytes > MOST_KEPT) return this.#sampleApart(request, signal);
    const result = this.#last.then(() =>
      this.#exchange({ sampled: request }, request.limits.milliseconds, signal),
    ) as Promise<SampledRunResult>;
    this.#last = result.catch(() => undefined);
    return result;
  }

  profile(request: SampledProfileRequest, signal?: AbortSignal): Promise<SampledProfileResult> {
    const result = this.#last.then(async () => {
      const answer = await this.#exchange({ profiled: request }, request.limits.milliseconds, signal);
      const { result: read, usable } = readProfileAnswer(answer);
      if (!usable) this.#kill();
      return read;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** In a process of its own, because gigabytes of device memory are given back only with the process. */
  async #sampleApart(request: SampledRunRequest, signal?: AbortSignal): Promise<SampledRunResult> {
    this.#requireOpen(signal);
    const child = this.#fork();
    this.#sampling.add(child);
    const end = () => {
      child.kill('SIGKILL');
      this.#sampling.delete(child);
    };
    try {
      const { milliseconds } = request.limits;
      const asked = await this.#ask(child, { sampled: request }, { milliseconds, where, end, signal });
      return asked.content as SampledRunResult;
    } finally {
      end();
    }
  }

  #requireOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new Error('This device has been closed.');
  }
}

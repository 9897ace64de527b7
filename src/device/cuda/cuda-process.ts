/** The parent's side of a GPU's child process: starts it behind walls, asks it, ends it. */
import { chmodSync, closeSync, ftruncateSync, writeFileSync } from 'node:fs';
import { memoryLimitKiB, type NodeChild, startNodeChild } from '../../isolation/index.ts';
import { reading } from '../answer/fields.ts';
import { askChild, type Stopped } from '../ask-child.ts';
import { processCpuSeconds } from '../limits.ts';
import { ownFile } from '../own-file.ts';
import { DRIVER_LIBRARY } from './driver/driver.ts';
import { NVML_LIBRARY } from './driver/nvml.ts';
import { openMemoryFile, pack, unpack } from './exchange.ts';
import { driverFolders, gpuFiles } from './gpu-files.ts';
import { type AnswerTo, mostAnswerBytes, type Question, readAnswer } from './read-answer.ts';
import type { ChildSettings, Envelope, Opened } from './requests.ts';

/** The environment's variables that the driver needs to find itself and its GPUs. Nothing else is passed on. */
const PASSED = ['LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'] as const;
/** Kernels are loaded at once, not at their first launch; nothing is kept on disk; GPUs are numbered as nvidia-smi does. */
const FIXED = { CUDA_MODULE_LOADING: 'EAGER', CUDA_CACHE_DISABLE: '1', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } as const;

const HEAP_MIB = 4096;
/** Loading the driver and making a context takes a second or two, more on machines with many GPUs. */
const OPEN_MILLISECONDS = 60_000;
const EXIT_MILLISECONDS = 10_000;
/** Longest message of a child, bytes: what it says beside the bytes of tensors. */
const MESSAGE_BYTES = 2 ** 26;
/** Threads of Node and the driver, and of what compiles TypeScript where the child runs from source. */
const PROCESSES = 1024;
const where = 'the GPU';

/** A file that stands in for the driver, with settings for it; for tests, and for trying things where there is no GPU. */
export interface FakeDriver {
  readonly library: string;
  /** Its settings: fake_cuda.c names them. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Files that it may write: its log. */
  readonly writes?: readonly string[];
}

export interface CudaProcessOptions {
  /** Number of the GPU, as `nvidia-smi -L` counts. */
  readonly gpu: number;
  readonly fake?: FakeDriver;
  /** Files and folders that the child may read besides: of a library that its plan calls. */
  readonly reads?: readonly string[];
  /** The file that is run in the child's place. For tests of what a child can do to us. */
  readonly program?: string;
}

export type Answered<Asked extends Question> =
  | { status: 'answered'; value: AnswerTo<Asked>; usable: boolean }
  | Stopped;

/** Files that carry bytes to the child and back. */
interface Exchange {
  readonly request: number;
  readonly answer: number;
}

export class CudaProcess {
  readonly #child: NodeChild;
  readonly #exchange: Exchange;
  readonly #exited: Promise<void>;
  #ended: Promise<void> | undefined;

  private constructor(child: NodeChild, exchange: Exchange) {
    this.#child = child;
    this.#exchange = exchange;
    // When nothing holds its pipes any more: walls end before what is behind them.
    this.#exited = new Promise((resolve) => child.process.once('close', () => resolve()));
  }

  /** A process with its GPU open; or why there is none: a sentence. */
  static async start(
    options: CudaProcessOptions,
    signal?: AbortSignal,
  ): Promise<{ process: CudaProcess; opened: Opened } | { message: string }> {
    signal?.throwIfAborted();
    const started = await startProcess(options);
    if ('message' in started) return started;
    const process = new CudaProcess(started.child, started.exchange);
    const question = { name: 'open', input: null, fake: options.fake !== undefined } as const;
    const asked = await process.askOrEnd(question, OPEN_MILLISECONDS, signal);
    if (asked.status === 'answered' && asked.usable) return { process, opened: asked.value };
    await process.end();
    return { message: asked.status === 'answered' ? 'The GPU could not be opened.' : asked.message };
  }

  /** The wall around it. */
  get wall(): string {
    return this.#child.wall;
  }

  /** Asks, under a limit on wall clock. Unless the answer says `usable`, the process must be ended. Rejects only when the signal aborts. */
  async ask<Asked extends Question>(
    question: Asked,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<Answered<Asked>> {
    const { request, answer } = this.#exchange;
    const envelope: Envelope = { name: question.name, packed: pack(question.input, request) };
    // What an earlier answer left is no part of this one.
    ftruncateSync(answer);
    const asked = await askChild(this.#child, envelope, { milliseconds, where, mostBytes: MESSAGE_BYTES, signal });
    if ('stopped' in asked) return asked.stopped;
    const read = reading(where, () => readAnswer(unpack(asked.answer, answer, mostAnswerBytes(question)), question));
    if ('malformed' in read) return this.#lost(read.malformed);
    const said = read.value;
    if (!said.ok) return said.usable ? { status: 'crashed', message: said.message } : this.#lost(said.message);
    const { value } = said;
    return { status: 'answered', value, usable: !('usable' in value) || value.usable };
  }

  /** The process cannot be asked again. */
  #lost(message: string): Stopped {
    this.#child.kill();
    return { status: 'crashed', message };
  }

  /** The same, for the first things that are asked: where the signal aborts, nothing is left. */
  async askOrEnd<Asked extends Question>(
    question: Asked,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<Answered<Asked>> {
    try {
      return await this.ask(question, milliseconds, signal);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** Ends the process: it may give back what it holds, but not for long. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    this.#child.channel.close();
    const timer = setTimeout(() => this.#child.kill(), EXIT_MILLISECONDS);
    await this.#exited;
    clearTimeout(timer);
    closeAll(this.#exchange);
  }
}

/** Starts the child; it has not been asked for anything. */
async function startProcess({
  gpu,
  fake,
  reads = [],
  program = ownFile(import.meta.url, './child'),
}: CudaProcessOptions): Promise<{ child: NodeChild; exchange: Exchange } | { message: string }> {
  const settings: ChildSettings = {
    ordinal: gpu,
    cudaLibrary: fake?.library ?? DRIVER_LIBRARY,
    nvmlLibrary: fake?.library ?? NVML_LIBRARY,
  };
  for (const file of fake?.writes ?? []) {
    writeFileSync(file, '', { flag: 'a' });
    chmodSync(file, 0o666); // the child is another user
  }
  const passed = PASSED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const exchange = { request: openMemoryFile(), answer: openMemoryFile() };
  const printed = openMemoryFile(true);
  try {
    const child = await startNodeChild({
      program,
      parameters: [JSON.stringify(settings)],
      flags: [`--max-old-space-size=${HEAP_MIB}`],
      environment: { ...Object.fromEntries(passed), ...FIXED, ...fake?.environment },
      seen: {
        readable: [...(fake ? [fake.library] : driverFolders()), ...reads],
        writable: fake?.writes,
        devices: fake ? [] : gpuFiles(),
      },
      limits: {
        cpuSeconds: processCpuSeconds,
        dataKiB: memoryLimitKiB(Infinity),
        fileKiB: memoryLimitKiB(Infinity),
        processes: PROCESSES,
      },
      output: printed,
      given: [exchange.request, exchange.answer],
    });
    return { child, exchange };
  } catch (error) {
    closeAll(exchange);
    return { message: `The GPU's process cannot be started: ${(error as Error).message}.` };
  } finally {
    closeSync(printed);
  }
}

function closeAll({ request, answer }: Exchange): void {
  for (const descriptor of [request, answer]) closeSync(descriptor);
}

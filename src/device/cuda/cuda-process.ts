/** The parent's side of a GPU's child process: starts it, asks it, ends it. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askChild, type Stopped } from '../ask-child.ts';
import type { Envelope } from './child.ts';
import { DRIVER_LIBRARY } from './driver/driver.ts';
import { NVML_LIBRARY } from './driver/nvml.ts';
import { exchangeFolder, type Packed, pack, unpack } from './exchange.ts';
import type { Answer, ChildSettings, Opened, Requests } from './requests.ts';

/** This file's own extension: `.ts` from source, `.js` as installed. */
const childFile = fileURLToPath(new URL(`./child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

/** The environment's variables that the driver needs to find itself and its GPUs. Nothing else is passed on. */
const PASSED = ['LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES'] as const;
/** Kernels are loaded at once, not at their first launch; nothing is kept on disk; GPUs are numbered as nvidia-smi does. */
const FIXED = { CUDA_MODULE_LOADING: 'EAGER', CUDA_CACHE_DISABLE: '1', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } as const;

const HEAP_MIB = 4096;
/** Loading the driver and making a context takes a second or two, more on machines with many GPUs. */
const OPEN_MILLISECONDS = 60_000;
const EXIT_MILLISECONDS = 10_000;
const where = 'the GPU';

/** A file that stands in for the driver, with settings for it; for tests, and for trying things where there is no GPU. */
export interface FakeDriver {
  readonly library: string;
  /** Its settings: fake_cuda.c names them. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface CudaProcessOptions {
  /** Number of the GPU, as `nvidia-smi -L` counts. */
  readonly gpu: number;
  readonly fake?: FakeDriver;
}

export type Asked<Name extends keyof Requests> =
  | { status: 'answered'; value: Requests[Name]['out']; usable: boolean }
  | Stopped;

export class CudaProcess {
  readonly #folder = exchangeFolder();
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor({ gpu, fake }: CudaProcessOptions) {
    const output = openSync(join(this.#folder, 'printed'), 'a', 0o600);
    const settings: ChildSettings = {
      ordinal: gpu,
      cudaLibrary: fake?.library ?? DRIVER_LIBRARY,
      nvmlLibrary: fake?.library ?? NVML_LIBRARY,
      folder: this.#folder,
    };
    const passed = PASSED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
    this.#child = fork(childFile, [JSON.stringify(settings)], {
      env: { ...Object.fromEntries(passed), ...FIXED, ...fake?.environment },
      execArgv: [...process.execArgv, `--max-old-space-size=${HEAP_MIB}`],
      serialization: 'json',
      stdio: ['ignore', output, 'pipe', 'ipc'],
    });
    closeSync(output);
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()).once('error', () => resolve()));
    this.#child.unref();
    this.#child.channel?.unref();
    (this.#child.stderr as { unref?: () => void } | null)?.unref?.();
  }

  /** A process with its GPU open; or why there is none: a sentence. */
  static async start(
    options: CudaProcessOptions,
    signal?: AbortSignal,
  ): Promise<{ process: CudaProcess; opened: Opened } | { message: string }> {
    signal?.throwIfAborted();
    const started = new CudaProcess(options);
    const asked = await started.askOrEnd('open', null, OPEN_MILLISECONDS, signal);
    if (asked.status === 'answered' && asked.usable) return { process: started, opened: asked.value };
    await started.end();
    return { message: asked.status === 'answered' ? 'The GPU could not be opened.' : asked.message };
  }

  /** Asks, under a limit on wall clock. Unless the answer says `usable`, the process must be ended. Rejects only when the signal aborts. */
  async ask<Name extends keyof Requests>(
    name: Name,
    input: Requests[Name]['in'],
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<Asked<Name>> {
    const envelope: Envelope = { name, content: pack(input, join(this.#folder, 'request')) };
    const end = () => this.#child.kill('SIGKILL');
    const { result, alive } = await askChild<Packed>(this.#child, envelope, { milliseconds, where, end, signal });
    if (!alive) {
      end();
      return result as Stopped;
    }
    const answer = unpack(result as Packed) as Answer<Name>;
    if (!answer.ok) {
      if (!answer.usable) end();
      return { status: 'crashed', message: answer.message };
    }
    const { value } = answer;
    const usable = !(typeof value === 'object' && 'usable' in value && value.usable === false);
    return { status: 'answered', value, usable };
  }

  /** The same, for the first things that are asked: where the signal aborts, nothing is left. */
  async askOrEnd<Name extends keyof Requests>(
    name: Name,
    input: Requests[Name]['in'],
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<Asked<Name>> {
    try {
      return await this.ask(name, input, milliseconds, signal);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** Ends the process: it may give back what it holds, but not for long. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      if (this.#child.connected) this.#child.disconnect();
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), EXIT_MILLISECONDS);
      await this.#exited;
      clearTimeout(timer);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

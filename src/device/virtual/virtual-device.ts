/**
 * The virtual GPU as a {@link Device}: a child process that can hang, crash or be killed, and comes back.
 * The judge's process never executes a candidate, not even in WebAssembly.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gpuTarget } from '../../vgpu/index.ts';
import type { Device, RunRequest, RunResult } from '../types.ts';

/** This file's own extension: `.ts` from source, `.js` as installed. */
const childFile = fileURLToPath(new URL(`./child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

export interface VirtualDeviceOptions {
  /** Target whose time is modelled, e.g. `h100`. */
  gpu: string;
  /** Heap of the child's JavaScript, MiB; device memory comes on top. */
  heapMiB?: number;
}

/** Starts no process until the first run. Throws when the target is unknown. */
export function createVirtualDevice(options: VirtualDeviceOptions): Device {
  return new VirtualDevice(gpuTarget(options.gpu).name, options.heapMiB ?? 4096);
}

class VirtualDevice implements Device {
  readonly kind = 'virtual';
  readonly name: string;
  readonly #heapMiB: number;
  #child: ChildProcess | undefined;
  /** Runs wait for the one before: a device does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(target: string, heapMiB: number) {
    this.name = `virtual GPU (times modelled for ${target})`;
    this.#heapMiB = heapMiB;
  }

  run(request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    const result = this.#last.then(() => this.#run(request, signal));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kill();
    await this.#last;
  }

  #start(): ChildProcess {
    const child = fork(childFile, [], {
      env: {},
      execArgv: [...process.execArgv, `--max-old-space-size=${this.#heapMiB}`],
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

  #run(request: RunRequest, signal: AbortSignal | undefined): Promise<RunResult> {
    signal?.throwIfAborted();
    if (this.#closed) throw new Error('This device has been closed.');
    this.#child ??= this.#start();
    const child = this.#child;
    return new Promise((resolve, reject) => {
      let errors = '';
      const onErrors = (chunk: Buffer) => {
        if (errors.length < 4000) errors += chunk.toString();
      };
      const settle = (finish: () => void, alive: boolean) => {
        clearTimeout(timer);
        child.off('message', onMessage).off('exit', onExit).off('error', onError);
        child.stderr?.off('data', onErrors);
        signal?.removeEventListener('abort', onAbort);
        if (!alive) this.#kill();
        finish();
      };
      // While a run is under way this timer is what keeps the parent's event loop alive.
      const timer = setTimeout(() => {
        const seconds = request.limits.milliseconds / 1000;
        const message = `The run was stopped after ${seconds} s on the virtual GPU.`;
        settle(() => resolve({ status: 'exceeded', limit: 'time', message }), false);
      }, request.limits.milliseconds);
      const onMessage = (result: unknown) => settle(() => resolve(result as RunResult), true);
      const onExit = (code: number | null, by: string | null) => {
        // Of a stack trace the line that names the error; else the last thing said.
        const lines = errors.trim().split('\n');
        const last = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
        const message = `The virtual GPU's process ended (${by ?? `exit code ${code}`})${last ? `: ${last}` : '.'}`;
        settle(() => resolve({ status: 'crashed', message }), false);
      };
      const onError = (error: Error) => settle(() => resolve({ status: 'crashed', message: error.message }), false);
      const onAbort = () => settle(() => reject(signal?.reason), false);
      child.on('message', onMessage).on('exit', onExit).on('error', onError);
      child.stderr?.on('data', onErrors);
      signal?.addEventListener('abort', onAbort, { once: true });
      child.send(request, (error) => error && onError(error));
    });
  }
}

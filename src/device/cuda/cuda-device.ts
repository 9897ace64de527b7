/**
 * A real GPU as a {@link Device}: plans run in a child process that can fault, hang, crash or be killed, and comes back. What it runs out of is
 * the GPU's own memory and time; what it finds are the faults that the hardware reports, and writes next to the plan's buffers.
 */
import type { Device, RunRequest, RunResult } from '../types.ts';
import { CudaProcess, type CudaProcessOptions } from './cuda-process.ts';
import { NoDriver } from './driver/errors.ts';
import type { GpuIdentity } from './gpu.ts';
import type { Opened } from './requests.ts';

export interface CudaDevice extends Device {
  readonly kind: 'cuda';
  readonly identity: GpuIdentity;
  /** The driver is the fake library: what it shows proves nothing of a GPU. */
  readonly simulated: boolean;
  /** As nvidia-smi writes it; absent where NVML does not say. */
  readonly driverVersion?: string;
  /**
   * Ends the child process until the next run: no context of this device is on the GPU meanwhile, so that whoever takes times there has it alone, and counts no
   * other process on it.
   */
  rest(): Promise<void>;
}

/** Opens a GPU. @throws NoDriver with a sentence that says what is missing and what to do. */
export async function createCudaDevice(options: CudaProcessOptions, signal?: AbortSignal): Promise<CudaDevice> {
  const started = await CudaProcess.start(options, signal);
  if ('message' in started) throw new NoDriver(started.message);
  return new OpenedDevice(options, started.process, started.opened);
}

class OpenedDevice implements CudaDevice {
  readonly kind = 'cuda';
  readonly name: string;
  readonly identity: GpuIdentity;
  readonly simulated: boolean;
  readonly driverVersion: string | undefined;
  readonly wall: string;
  readonly #options: CudaProcessOptions;
  #process: CudaProcess | undefined;
  /** Runs wait for the one before: a device does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: CudaProcessOptions, process: CudaProcess, { identity, simulated, driverVersion }: Opened) {
    this.#options = options;
    this.#process = process;
    this.identity = identity;
    this.simulated = simulated;
    this.driverVersion = driverVersion;
    this.name = deviceName(identity, simulated);
    this.wall = process.wall;
  }

  run(request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    const result = this.#last.then(() => this.#run(request, signal));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #run(request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    signal?.throwIfAborted();
    if (this.#closed) throw new Error('This device has been closed.');
    const process = await this.#start(signal);
    if ('message' in process) return { status: 'crashed', message: process.message };
    let usable = false;
    try {
      const asked = await process.ask({ name: 'run', input: request }, request.limits.milliseconds, signal);
      if (asked.status !== 'answered') return asked;
      usable = asked.usable;
      return asked.value.result;
    } finally {
      if (!usable) await this.#end();
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<CudaProcess | { message: string }> {
    if (this.#process) return this.#process;
    const started = await CudaProcess.start(this.#options, signal);
    if ('message' in started) return started;
    this.#process = started.process;
    return started.process;
  }

  async #end(): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    await ending?.end();
  }

  rest(): Promise<void> {
    const rested = this.#last.then(() => this.#end());
    this.#last = rested.catch(() => undefined);
    return rested;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#end();
  }
}

/** How a GPU is named everywhere; a simulated one never passes for a real one. */
export function deviceName({ name }: GpuIdentity, simulated: boolean): string {
  return simulated ? `simulated ${name} (fake driver, no measurement)` : name;
}

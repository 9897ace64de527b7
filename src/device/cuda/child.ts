/**
 * The child process of a GPU: takes one request at a time, answers, and can be killed at any moment. Everything that the driver is
 * asked happens here, on this one thread; a kernel's fault ends this process and nothing else.
 */
import { ftruncateSync, readSync } from 'node:fs';
import { answerParent } from '../../isolation/index.ts';
import type { Numbered } from '../ask-child.ts';
import { CublasError } from './driver/cublas.ts';
import { Driver } from './driver/driver.ts';
import { CudaError, NoDriver } from './driver/errors.ts';
import { dieWithParent, flushOutput } from './driver/library.ts';
import { Nvml } from './driver/nvml.ts';
import { pack, unpack } from './exchange.ts';
import { CudaGpu } from './gpu.ts';
import { type Answer, type ChildSettings, descriptors, type Envelope, type Opened, type Requests } from './requests.ts';
import { runPlan } from './run-plan.ts';
import { TimingSession } from './timing/session.ts';

class CudaChild {
  readonly #settings: ChildSettings;
  #gpu: CudaGpu | undefined;
  #nvml: Nvml | undefined;
  #timing: TimingSession | undefined;

  constructor(settings: ChildSettings) {
    this.#settings = settings;
  }

  async answer({ name, packed }: Envelope): Promise<unknown> {
    let answer: Answer<Requests[keyof Requests]['out']>;
    try {
      answer = { ok: true, value: await this.#do(name, unpack(packed, descriptors.request)) };
    } catch (error) {
      const known = error instanceof CudaError || error instanceof NoDriver || error instanceof CublasError;
      const message = known ? error.message : String((error as Error).stack ?? error);
      answer = { ok: false, message, usable: error instanceof CudaError && !error.fatal };
    }
    return pack(answer, descriptors.answer);
  }

  async #do(name: keyof Requests, input: unknown): Promise<Requests[keyof Requests]['out']> {
    switch (name) {
      case 'open':
        return this.#open();
      case 'run':
        return runPlan({ gpu: this.#opened(), printed: () => this.#takePrinted() }, input as Requests['run']['in']);
      case 'prepare':
        this.#timing = new TimingSession(this.#opened(), this.#nvml);
        return this.#timing.prepare(input as Requests['prepare']['in']);
      case 'window':
        if (!this.#timing) throw new Error('a window before anything was prepared');
        return this.#timing.window(input as Requests['window']['in']);
      case 'condition': {
        const { ownProcesses } = input as Requests['condition']['in'];
        return { conditions: this.#nvml ? [this.#nvml.condition(ownProcesses)] : [] };
      }
    }
  }

  async #open(): Promise<Opened> {
    const { ordinal, cudaLibrary, nvmlLibrary } = this.#settings;
    const driver = new Driver(cudaLibrary);
    if (driver.simulated) (await import('./fake/fake-gpu.ts')).attachFakeGpu(driver);
    this.#gpu = new CudaGpu(driver, ordinal);
    const { identity } = this.#gpu;
    this.#nvml = Nvml.open(identity.uuid, nvmlLibrary);
    return { identity, simulated: driver.simulated, driverVersion: this.#nvml?.driverVersion() };
  }

  #opened(): CudaGpu {
    if (!this.#gpu) throw new Error('the GPU was not opened');
    return this.#gpu;
  }

  /** What kernels printed: it goes to this process's standard output, which is a file. */
  #takePrinted(): string {
    flushOutput();
    const bytes = Buffer.alloc(2 ** 20);
    const count = readSync(descriptors.printed, bytes, 0, bytes.length, 0);
    ftruncateSync(descriptors.printed);
    return bytes.toString('utf8', 0, count);
  }

  close(): void {
    this.#gpu?.close();
    this.#nvml?.close();
  }
}

const settings = process.argv[2];
// Without settings the file is only loaded, to see that it can be.
if (settings !== undefined) {
  dieWithParent();
  const child = new CudaChild(JSON.parse(settings) as ChildSettings);
  answerParent(
    async (message) => {
      const { id, content } = message as Numbered<Envelope>;
      return { id, content: await child.answer(content) } satisfies Numbered<unknown>;
    },
    () => child.close(),
  );
}

/**
 * The child process of a GPU: takes one request at a time over IPC, answers, and can be killed at any moment. Everything that the driver is
 * asked happens here, on this one thread; a kernel's fault ends this process and nothing else.
 */
import { ftruncateSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { CublasError } from './driver/cublas.ts';
import { Driver } from './driver/driver.ts';
import { CudaError, NoDriver } from './driver/errors.ts';
import { dieWithParent, flushOutput } from './driver/library.ts';
import { Nvml } from './driver/nvml.ts';
import { type Packed, pack, unpack } from './exchange.ts';
import { CudaGpu } from './gpu.ts';
import type { Answer, ChildSettings, Opened, Requests } from './requests.ts';
import { runPlan } from './run-plan.ts';
import { TimingSession } from './timing/session.ts';

/** One request as it travels. */
export interface Envelope {
  readonly name: keyof Requests;
  readonly content: Packed;
}

class CudaChild {
  readonly #settings: ChildSettings;
  readonly #printed: number;
  #gpu: CudaGpu | undefined;
  #nvml: Nvml | undefined;
  #timing: TimingSession | undefined;

  constructor(settings: ChildSettings) {
    this.#settings = settings;
    this.#printed = openSync(join(settings.folder, 'printed'), 'r+');
  }

  async answer({ name, content }: Envelope): Promise<Packed> {
    let answer: Answer<keyof Requests>;
    try {
      answer = { ok: true, value: await this.#do(name, unpack(content)) };
    } catch (error) {
      const known = error instanceof CudaError || error instanceof NoDriver || error instanceof CublasError;
      const message = known ? error.message : String((error as Error).stack ?? error);
      answer = { ok: false, message, usable: error instanceof CudaError && !error.fatal };
    }
    return pack(answer, join(this.#settings.folder, 'answer'));
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
    const count = readSync(this.#printed, bytes, 0, bytes.length, 0);
    ftruncateSync(this.#printed);
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
  process.on('message', (envelope: Envelope) => {
    void child.answer(envelope).then((answer) => process.send?.(answer));
  });
  process.on('disconnect', () => {
    child.close();
    process.exit(0);
  });
}

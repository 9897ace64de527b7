/**
 * Executes a plan on a GPU, to see whether it is right: each launch is waited for, so that a fault has a name. How long it takes is another
 * question (timing/). Only the device's child process calls this: a kernel that never ends can only be stopped by killing the process.
 */
import type { Build } from '../../kernel/index.ts';
import type { Finding } from '../../vgpu/index.ts';
import { encodeArgument, type Launch } from '../plan/arguments.ts';
import { OperatorFailed, performHostStep, readTensor } from '../plan/host-steps.ts';
import type { Call, CallResult, RunRequest, RunResult } from '../types.ts';
import { CudaError } from './driver/errors.ts';
import type { CudaGpu } from './gpu.ts';
import { CudaModule, hasVariables } from './module.ts';
import { PlanMemory } from './plan-memory.ts';

/** A run ended early; carries the result to give. */
class Ended extends Error {
  constructor(readonly result: RunResult) {
    super('the run has ended');
  }
}

/** What a run is told of the process it runs in. */
export interface RunPlace {
  readonly gpu: CudaGpu;
  /** What kernels have printed since the last call of this. */
  readonly printed: () => string;
}

/** A result, and whether the process can go on: a kernel's fault ends its context. */
export interface CudaRun {
  readonly result: RunResult;
  readonly usable: boolean;
}

/** Runs every call of the request. Never throws for what the candidate does, nor for what the driver says. */
export function runPlan(place: RunPlace, request: RunRequest): CudaRun {
  const run = new PlanRun(place, request);
  try {
    return { result: run.run(), usable: true };
  } catch (error) {
    if (error instanceof Ended) return { result: error.result, usable: true };
    if (!(error instanceof CudaError)) throw error;
    return { result: run.explain(error), usable: !error.fatal };
  } finally {
    run.release();
  }
}

class PlanRun {
  readonly #gpu: CudaGpu;
  readonly #takePrinted: () => string;
  readonly #request: RunRequest;
  readonly #builds: readonly Build[];
  readonly #memory: PlanMemory;
  readonly #findings: Finding[] = [];
  #modules: CudaModule[] = [];
  #printed = '';
  #callsCompleted = 0;
  /** The launch under way: what a fault is blamed on. */
  #launching: Launch | undefined;

  constructor({ gpu, printed }: RunPlace, request: RunRequest) {
    this.#gpu = gpu;
    this.#takePrinted = printed;
    this.#request = request;
    const { build } = request;
    this.#builds = [build, ...(build.others ?? [])].filter(({ ptx, cubin }) => ptx !== '' || cubin !== '');
    this.#memory = new PlanMemory(gpu, request.plan);
  }

  run(): RunResult {
    this.#checkMemory();
    this.#load();
    const calls: CallResult[] = [];
    for (const call of this.#request.calls) {
      calls.push(this.#call(call));
      this.#callsCompleted++;
    }
    return { status: 'completed', calls, findings: this.#findings, printed: this.#printed };
  }

  /** What a call of the driver that failed means for the run. */
  explain(error: CudaError): RunResult {
    this.#printed += this.#takePrinted();
    const { message } = error;
    switch (error.of) {
      case 'memory':
        return { status: 'exceeded', limit: 'memory', message };
      case 'code':
        return { status: 'unsupported', message };
      case 'kernel':
      case 'launch': {
        if (!this.#launching) return { status: 'crashed', message };
        const { kernel, line } = this.#launching;
        return this.#faulted(error.finding ?? 'trap', `${kernel} (launched on line ${line}): ${message}`);
      }
      default:
        return { status: 'crashed', message };
    }
  }

  release(): void {
    try {
      this.#memory.free();
      this.#unload();
    } catch (error) {
      // Where the context is broken nothing can be freed; the process ends and takes it along.
      if (!(error instanceof CudaError)) throw error;
    }
  }

  #faulted(kind: Finding['kind'], message: string): RunResult {
    const kernel = this.#launching?.kernel ?? '';
    this.#findings.push({ kind, message, kernel, ptxLine: 0, instruction: '', count: 1 });
    const [findings, printed, callsCompleted] = [this.#findings, this.#printed, this.#callsCompleted];
    return { status: 'faulted', findings, message, printed, callsCompleted };
  }

  #checkMemory(): void {
    const bytes = this.#request.plan.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
    const limit = this.#request.limits.memoryBytes;
    if (bytes <= limit) return;
    const [needed, most] = [bytes, limit].map((each) => `${(each / 1e6).toLocaleString('en')} MB`);
    const message = `The plan needs ${needed} of device memory; the limit is ${most}.`;
    throw new Ended({ status: 'exceeded', limit: 'memory', message });
  }

  #load(): void {
    this.#modules = [];
    for (const build of this.#builds) this.#modules.push(new CudaModule(this.#gpu, build));
  }

  #unload(): void {
    for (const module of this.#modules) module.unload();
    this.#modules = [];
  }

  /** Loading the code again is what puts every variable back, those too that have no name outside their file. */
  #resetGlobals(): void {
    if (!this.#builds.some(hasVariables)) return;
    this.#unload();
    this.#load();
  }

  #call(call: Call): CallResult {
    const started = performance.now();
    // A module is as new before the first call.
    if (call.resetGlobals && this.#callsCompleted > 0) this.#resetGlobals();
    const memory = this.#memory;
    memory.prepare(call, this.#modules[0]);
    this.#gpu.synchronise();
    for (const step of this.#request.plan.steps) {
      if (step.kind === 'launch') {
        this.#launch(step);
        continue;
      }
      try {
        performHostStep(step, memory);
      } catch (error) {
        if (!(error instanceof OperatorFailed)) throw error;
        throw new Ended({ status: 'unsupported', message: error.message });
      }
    }
    const outputs = this.#request.plan.outputs.map((tensor) => readTensor(tensor, memory));
    const changedInputs = memory.changedInputs();
    return { outputs, changedInputs, threadInstructions: 0, milliseconds: performance.now() - started };
  }

  #launch(step: Launch): void {
    const module = this.#modules[step.module ?? 0];
    if (!module)
      throw new Error(`the plan launches a kernel of the module ${step.module ?? 0}, which the build has not`);
    this.#launching = step;
    const kernel = module.kernel(step.entry, step);
    this.#gpu.launch(
      kernel,
      step,
      step.arguments.map((argument) => encodeArgument(argument, this.#memory.addresses)),
    );
    this.#gpu.synchronise();
    this.#print();
    const overrun = this.#memory.overrun();
    if (overrun) {
      const { buffer, offset } = overrun;
      const where = offset < 0 ? 'before the start' : 'past the end';
      const message =
        `${step.kernel} (launched on line ${step.line}) wrote ${where} of ${buffer.name} ` +
        `(${buffer.bytes.toLocaleString('en')} bytes), at byte ${offset}.`;
      throw new Ended(this.#faulted('out-of-bounds', message));
    }
    this.#launching = undefined;
  }

  #print(): void {
    this.#printed += this.#takePrinted();
    const limit = this.#request.limits.printBytes;
    if (this.#printed.length <= limit) return;
    throw new Ended({ status: 'exceeded', limit: 'output', message: `The kernels printed more than ${limit} bytes.` });
  }
}

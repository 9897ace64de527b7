/**
 * Executes a plan on a virtual GPU in this process. The device's child process calls it; nothing else should,
 * because a kernel that never ends can only be stopped by killing the process it runs in.
 */
import type { Plan, PlanBuffer } from '../../kernel/index.ts';
import {
  CannotRun,
  type DevicePointer,
  type Finding,
  gpuTarget,
  type LaunchConfig,
  type LaunchReport,
  type LoadedModule,
  type ModelledLaunch,
  modelTime,
  PtxError,
  VirtualGpu,
} from '../../vgpu/index.ts';
import type { Launch } from '../plan/arguments.ts';
import { fillsBefore } from '../plan/fills.ts';
import { type BufferMemory, type HostStep, OperatorFailed, performHostStep, readTensor } from '../plan/host-steps.ts';
import { poisonWord } from '../poison.ts';
import type { Call, CallResult, RunRequest, RunResult } from '../types.ts';
import { DeviceVariables } from './device-variables.ts';
import { launchConfig } from './launch-config.ts';
import { modelledLaunch, modelledTransfer } from './modelled-launch.ts';
import { profileBudget, profileSample } from './sample.ts';

/** What only a run with the threads' clocks shows. */
const RACES: ReadonlySet<Finding['kind']> = new Set(['race', 'missing-syncwarp', 'stale-read']);

/** Thread-instructions of a launch that the interpreter may decide on where compiled code suspects a race: some seconds. */
const INTERPRETED = 30_000_000;
/** Thread-instructions of a call that is too long to be made once more in search of races: some seconds of compiled code. */
const TOO_LONG = 20_000_000_000;

/** Thread-instructions for calls that are made for the state they leave, and thrown away: about a second of compiled code. */
const THROWN_AWAY = 2 ** 30;

/** A run ended early; carries the result to give. */
class Ended extends Error {
  constructor(readonly result: RunResult) {
    super('the run has ended');
  }
}

/** A virtual GPU with a build's modules on it. */
interface Loaded {
  readonly gpu: VirtualGpu;
  readonly texts: readonly string[];
  readonly modules: readonly LoadedModule[];
}

/** The GPU of the last run, where that completed: a candidate's next run need not translate and compile its kernels again. */
let kept: Loaded | undefined;

/** Gives up what is kept of the last run, whose device memory is gigabytes of address space. */
export function forgetLastRun(): void {
  kept = undefined;
}

/** A GPU with these modules, their variables as a program's start finds them. Throws a PtxError. */
function load({ build }: RunRequest): Loaded {
  const last = kept;
  kept = undefined;
  const texts = [build, ...(build.others ?? [])].map(({ ptx }) => ptx).filter((ptx) => ptx !== '');
  if (last && last.texts.length === texts.length && last.texts.every((text, i) => text === texts[i])) {
    for (const module of last.modules) last.gpu.resetGlobals(module);
    return last;
  }
  const gpu = new VirtualGpu();
  return { gpu, texts, modules: texts.map((ptx) => gpu.load(ptx, { name: 'candidate' })) };
}

/** Runs every call of the request, then looks for races and profiles if asked. Never throws for what the candidate does. */
export function runPlan(request: RunRequest): RunResult {
  try {
    const loaded = load(request);
    const result = new PlanRun(request, loaded).run();
    kept = loaded;
    return result;
  } catch (error) {
    if (error instanceof Ended) return error.result;
    if (error instanceof PtxError) return { status: 'unsupported', message: error.message };
    throw error;
  }
}

class PlanRun {
  readonly #request: RunRequest;
  readonly #plan: Plan;
  readonly #gpu: VirtualGpu;
  /** The build's modules, by the index that launches name. */
  readonly #modules: readonly LoadedModule[];
  readonly #variables: DeviceVariables;
  readonly #findings: Finding[] = [];
  /** Thread-instructions of each step in the last call; what the profiler sizes its sample by. */
  readonly #instructions: number[] = [];
  /** Some launch had to be interpreted. */
  #interpreted = false;
  /** A long launch had to be interpreted: a call takes so long that it is not made again in search of races. */
  #slow = false;
  #pointers: DevicePointer[] = [];
  #printed = '';
  #callsCompleted = 0;

  constructor(request: RunRequest, { gpu, modules }: Loaded) {
    this.#request = request;
    this.#plan = request.plan;
    this.#gpu = gpu;
    this.#modules = modules;
    this.#variables = new DeviceVariables(this.#gpu, this.#modules);
  }

  run(): RunResult {
    this.#checkMemory();
    const calls: CallResult[] = [];
    for (const call of this.#request.calls) {
      calls.push(this.#call(call));
      this.#callsCompleted++;
    }
    const first = this.#request.calls[0];
    const { races, profile } = this.#request;
    if (races && first) this.#seekRaces(first);
    const profiled = profile && first ? this.#profile(first, profile.gpu) : {};
    this.#freeBuffers();
    return { status: 'completed', calls, findings: this.#findings, printed: this.#printed, ...profiled };
  }

  #checkMemory(): void {
    const bytes = this.#plan.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0);
    const limit = this.#request.limits.memoryBytes;
    if (bytes <= limit) return;
    const message = `The plan needs ${megabytes(bytes)} of device memory; the limit is ${megabytes(limit)}.`;
    throw new Ended({ status: 'exceeded', limit: 'memory', message });
  }

  /** Memory and device variables as the call says. */
  #prepare(call: Call): void {
    if (call.resetGlobals) for (const module of this.#modules) this.#gpu.resetGlobals(module);
    if (call.freshMemory || this.#pointers.length === 0) {
      const fresh = this.#plan.buffers.map((buffer) => this.#place(buffer));
      this.#freeBuffers();
      this.#pointers = fresh;
    }
    if (call.callsSkipped && this.#variables.wander) this.#throwAway(call, call.callsSkipped);
    this.#variables.callBegins(call.resetGlobals, call.callsSkipped ?? 0);
    this.#fill(call);
  }

  /** Thread-instructions of the last call. */
  get #lastCall(): number {
    return this.#instructions.reduce((sum, one) => sum + (one ?? 0), 0);
  }

  /** Makes so many calls for the state that they leave in device variables, or as many as take about a second. */
  #throwAway(call: Call, calls: number): void {
    const affordable = Math.floor((this.#interpreted ? INTERPRETED : THROWN_AWAY) / Math.max(1, this.#lastCall));
    for (let i = 0; i < Math.min(calls, affordable); i++) {
      this.#fill(call);
      this.#steps();
    }
  }

  /** Arguments with the call's inputs, workspaces with its poison. */
  #fill(call: Call): void {
    for (const buffer of this.#plan.buffers) {
      const pointer = this.#pointers[buffer.id]!;
      if (buffer.kind === 'symbol') continue;
      if (buffer.kind === 'argument') this.#gpu.write(pointer, this.#input(call, buffer.argument!));
      else this.#gpu.poison(pointer, buffer.bytes, poisonWord(call.poisonSeed + buffer.id));
    }
  }

  #freeBuffers(): void {
    for (const [id, pointer] of this.#pointers.entries()) if (!this.#isSymbol(id)) this.#gpu.free(pointer);
    this.#pointers = [];
  }

  #isSymbol(id: number): boolean {
    return this.#plan.buffers[id]!.kind === 'symbol';
  }

  /** A buffer's address: new memory, or where the module has its variable. */
  #place({ kind, symbol, bytes, name }: PlanBuffer): DevicePointer {
    if (kind !== 'symbol') return this.#gpu.allocate(bytes, { name });
    // Only plans of one module write device variables.
    const found = this.#modules[0]?.global(symbol!);
    if (!found) throw new Error(`the build has no variable ${symbol}`);
    return found.allocation.address;
  }

  #input(call: Call, argument: number): Uint8Array {
    const bytes = call.inputs[argument];
    if (!bytes) throw new Error(`the call has no bytes for argument ${argument}`);
    return bytes;
  }

  #call(call: Call): CallResult {
    const started = performance.now();
    this.#prepare(call);
    const instructions = this.#steps();
    this.#variables.callEnded();
    const outputs = this.#plan.outputs.map((tensor) => readTensor(tensor, this.#memory()));
    const changedInputs = this.#changedInputs(call);
    return { outputs, changedInputs, threadInstructions: instructions, milliseconds: performance.now() - started };
  }

  /** Does the steps of the plan; thread-instructions of all its launches. */
  #steps(): number {
    let instructions = 0;
    for (const [index, step] of this.#plan.steps.entries()) {
      if (step.kind !== 'launch') {
        this.#transfer(step);
        continue;
      }
      const spent = this.#launch(step, this.#request.limits.instructions - instructions);
      this.#instructions[index] = spent;
      instructions += spent;
    }
    return instructions;
  }

  #moduleOf(step: Launch): LoadedModule {
    const module = this.#modules[step.module ?? 0];
    if (!module)
      throw new Error(`the plan launches a kernel of the module ${step.module ?? 0}, which the build has not`);
    return module;
  }

  #launch(step: Launch, budget: number): number {
    const report = this.#runLaunch(step, { instructionBudget: budget });
    this.#interpreted ||= report.executor === 'interpreter';
    this.#slow ||= report.executor === 'interpreter' && report.threadInstructions > INTERPRETED;
    this.#findings.push(...report.findings.map((finding) => ({ ...finding, kernel: step.kernel })));
    this.#print(report.printed);
    if (report.completed) return report.threadInstructions;
    const last = this.#findings.at(-1);
    if (last?.kind === 'budget-exceeded') {
      const message = `${step.kernel} (launched on line ${step.line}) was stopped after ${budget.toLocaleString('en')} thread-instructions: it may never end.`;
      throw new Ended({ status: 'exceeded', limit: 'instructions', message });
    }
    const message = last?.message ?? `${step.kernel} (launched on line ${step.line}) did not complete.`;
    const [findings, printed, callsCompleted] = [this.#findings, this.#printed, this.#callsCompleted];
    throw new Ended({ status: 'faulted', findings, message, printed, callsCompleted });
  }

  #print(text: string): void {
    this.#printed += text;
    const limit = this.#request.limits.printBytes;
    if (this.#printed.length <= limit) return;
    throw new Ended({ status: 'exceeded', limit: 'output', message: `The kernels printed more than ${limit} bytes.` });
  }

  /** A step that is no launch. What an operator cannot do with these values ends the run. */
  #transfer(step: HostStep): void {
    try {
      performHostStep(step, this.#memory());
    } catch (error) {
      if (!(error instanceof OperatorFailed)) throw error;
      throw new Ended({ status: 'unsupported', message: error.message });
    }
  }

  /** The buffers of this call. */
  #memory(): BufferMemory {
    const [gpu, addresses] = [this.#gpu, this.#pointers];
    const bytesOf = (buffer: number) => this.#plan.buffers[buffer]!.bytes;
    return {
      addresses,
      read: (buffer) => gpu.read(addresses[buffer]!, bytesOf(buffer)),
      written: (buffer) => gpu.written(addresses[buffer]!, bytesOf(buffer)),
      write: (buffer, byteOffset, bytes) => gpu.write(addresses[buffer]! + BigInt(byteOffset), bytes),
    };
  }

  #changedInputs(call: Call): { argument: number; firstByte: number }[] {
    return this.#plan.buffers.flatMap(({ id, kind, argument, bytes }) => {
      if (kind !== 'argument') return [];
      const before = this.#input(call, argument!);
      const now = this.#gpu.read(this.#pointers[id]!, bytes);
      if (Buffer.compare(before, now) === 0) return [];
      return [{ argument: argument!, firstByte: before.findIndex((byte, index) => byte !== now[index]) }];
    });
  }

  /**
   * Runs the first call once more, with the threads' clocks: all blocks of every launch. Where that takes the interpreter too long (compiled code has met what
   * it could not prove harmless: atomics as locks, asynchronous copies), sampled blocks alone.
   */
  #seekRaces(call: Call): void {
    const long = this.#slow || this.#lastCall > TOO_LONG;
    const last = this.#plan.steps.findLastIndex(({ kind }) => kind === 'launch');
    let dirty = false;
    this.#prepare({ ...call, resetGlobals: true });
    for (const [index, step] of this.#plan.steps.entries()) {
      if (step.kind !== 'launch') {
        this.#transfer(step);
        continue;
      }
      const instructions = this.#instructions[index]!;
      const whole = long ? undefined : this.#launchWatched(step, instructions);
      const report = whole ?? (dirty ? undefined : this.#watchSampled(step, instructions));
      if (report) this.#keepRaces(step, report.findings);
      // What follows would run on what a race left; where nothing follows, the rest of the launch is of no use.
      if ((report && !report.completed) || index === last) break;
      if (whole) continue;
      dirty ||= this.#signals(step);
      this.#runLaunch(step);
    }
  }

  /** Runs a launch with the threads' clocks; undefined where only a long run of the interpreter could tell: nothing has run then. */
  #launchWatched(step: Launch, instructions: number): LaunchReport | undefined {
    const { executor = 'auto' } = this.#request;
    const compiled = executor === 'auto' && instructions > INTERPRETED ? 'simd' : executor;
    try {
      return this.#runLaunch(step, { executor: compiled, races: true });
    } catch (error) {
      if (!(error instanceof CannotRun)) throw error;
      return undefined;
    }
  }

  /** Runs the blocks of a launch that a profile of it would run, with the threads' clocks. */
  #watchSampled(step: Launch, instructions: number): LaunchReport {
    const blocks = this.#sampleOf(step, instructions, 1);
    return this.#runLaunch(step, { executor: 'interpreter', races: true, blocks, company: true });
  }

  /** Runs a launch as the request says, but for `how`; what it reports is the caller's to note. */
  #runLaunch(step: Launch, how: Partial<LaunchConfig> = {}): LaunchReport {
    const { executor = 'auto' } = this.#request;
    return this.#gpu.launch(this.#moduleOf(step), step.entry, {
      ...launchConfig(step, this.#pointers),
      executor,
      ...how,
    });
  }

  /** Blocks that stand for a launch, where so many launches share what is spent on a profile; undefined for all. */
  #sampleOf(step: Launch, instructions: number, launches: number): number[] | undefined {
    if (this.#gpu.hasGridBarrier(this.#moduleOf(step), step.entry)) return undefined;
    const total = step.grid[0] * step.grid[1] * step.grid[2];
    return profileSample(step.grid, instructions / total, profileBudget(launches));
  }

  /** Runs the first call once more; before each launch, sampled blocks of it in the interpreter, counting. */
  #profile(
    call: Call,
    gpu: string,
  ): Pick<Extract<RunResult, { status: 'completed' }>, 'profile' | 'modelled' | 'launches'> {
    const target = gpuTarget(gpu);
    const launches: ModelledLaunch[] = [];
    this.#prepare({ ...call, resetGlobals: true });
    for (const [index, step] of this.#plan.steps.entries()) {
      if (step.kind !== 'launch') {
        const transfer = modelledTransfer(step);
        if (transfer) launches.push(transfer);
        this.#transfer(step);
        continue;
      }
      launches.push(this.#profileLaunch(step, index));
    }
    const profiles = launches.map(({ profile }) => profile);
    // There is no model of PyTorch's own operators: a plan with some has no modelled time rather than a part of one.
    if (this.#plan.steps.some(({ kind }) => kind === 'operator')) return { profile: profiles };
    return { profile: profiles, modelled: modelTime(launches, target), launches };
  }

  /** Whether blocks of this launch may count or signal through global memory: running some of them twice leaves another state than running all once. */
  #signals(step: Launch): boolean {
    const { build } = this.#request;
    const module = step.module ? build.others?.[step.module - 1] : build;
    return /\b(atom|red)\./.test(module?.ptx ?? 'atom.');
  }

  /** Other findings than races were made in the calls without clocks. */
  #keepRaces(step: Launch, findings: readonly Finding[]): void {
    for (const finding of findings)
      if (RACES.has(finding.kind)) this.#findings.push({ ...finding, kernel: step.kernel });
  }

  #profileLaunch(step: Launch, index: number): ModelledLaunch {
    const launches = this.#plan.steps.filter(({ kind }) => kind === 'launch').length;
    const blocks = this.#sampleOf(step, this.#instructions[index]!, launches);
    const report = this.#runLaunch(step, { executor: 'interpreter', profile: true, blocks, company: true });
    if (!report.profile) throw new Error(`${step.kernel} gave no profile`);
    if (blocks) {
      for (const fill of fillsBefore(this.#plan, index)) this.#transfer(fill);
      this.#runLaunch(step);
    }
    return modelledLaunch(this.#gpu, this.#moduleOf(step), step, this.#request.build, report.profile);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;
}

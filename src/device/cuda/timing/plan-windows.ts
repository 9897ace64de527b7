/**
 * Windows of one plan in a child process of its own: operands drawn for every call, outputs judged, whoever's plan it is. The candidate is timed like this, and so
 * are baselines that are plans.
 */
import { randomBytes } from 'node:crypto';
import type { DeviceCondition, FailedWindow, WindowRequest, WindowResult } from '../../measure.ts';
import { CudaProcess, type CudaProcessOptions } from '../cuda-process.ts';
import type { Opened } from '../requests.ts';
import type { TimedPlan, WindowSecrets } from './instance.ts';
import { freshOperands, type OperandSource, operandBytes, seedOf } from './operands.ts';
import type { Prepared } from './session.ts';

export interface PlanWindowsOptions extends CudaProcessOptions {
  /** How messages name what is timed. */
  readonly id: string;
  readonly timed: TimedPlan;
  readonly operands: OperandSource;
  /** All operands follow from it. 64 hex digits. */
  readonly secret: string;
  /** Calls of a window, at most. */
  readonly mostCalls?: number;
  /** Wall clock for one window with all that belongs to it, milliseconds. */
  readonly windowMilliseconds?: number;
}

const MOST_CALLS = 512;
const BASE_SETS = 2;
const PREPARE_MILLISECONDS = 120_000;
const WINDOW_MILLISECONDS = 60_000;
/** The fake driver computes on the CPU, which may have other things to do. */
const FAKE_WINDOW_MILLISECONDS = 300_000;
const CONDITION_MILLISECONDS = 10_000;
/** One call of the first window of each instance is compared in full, and of one window in this many after that. */
const FULL_CHECK_EVERY = 16;

/** What a process said when it was made ready. */
export interface ReadyProcess {
  readonly process: CudaProcess;
  readonly opened: Opened;
  readonly prepared: Extract<Prepared, { status: 'ready' }>;
}

/** Operands of one plan, and processes that take its windows. */
export class PlanWindows {
  readonly #options: PlanWindowsOptions;
  readonly #bases: readonly (readonly Uint8Array[])[];
  #starts = 0;

  constructor(options: PlanWindowsOptions) {
    this.#options = options;
    const { operands, secret } = options;
    this.#bases = Array.from({ length: BASE_SETS }, (_, i) => operands.base(seedOf(secret, `base ${i}`)));
  }

  /** A process with everything prepared; or why not. `mostCalls`: what an earlier one said; absent: as many as fit. */
  async ready(mostCalls?: number, signal?: AbortSignal): Promise<ReadyProcess | { message: string; noGpu: boolean }> {
    const { timed, operands, secret } = this.#options;
    const started = await CudaProcess.start(this.#options, signal);
    if ('message' in started) return { message: started.message, noGpu: true };
    const { process, opened } = started;
    const bases = this.#bases;
    const renewals = operands.renew(bases[0]!, seedOf(secret, 'probe'));
    const probe = { operands: { base: 0, renewals }, secrets: drawSecrets() };
    const request = { timed, bases, mostCalls: mostCalls ?? this.#options.mostCalls ?? MOST_CALLS, probe };
    const asked = await process.askOrEnd({ name: 'prepare', input: request }, PREPARE_MILLISECONDS, signal);
    if (asked.status === 'answered' && asked.value.status === 'ready')
      return { process, opened, prepared: asked.value };
    await process.end();
    const said = asked.status === 'answered' ? (asked.value as { message?: string }).message : asked.message;
    return { message: said ?? `${this.#options.id} could not be prepared.`, noGpu: false };
  }

  /** Fresh windows over a process that is ready. `ownProcesses`: processes of the measurement that have a context on the GPU. */
  over(ready: ReadyProcess, ownProcesses: number): OnePlan {
    return new OnePlan(this.#options, this.#bases, ready, ++this.#starts, ownProcesses);
  }
}

/** One process' windows. */
export class OnePlan {
  readonly #options: PlanWindowsOptions;
  readonly #bases: readonly (readonly Uint8Array[])[];
  readonly #ready: ReadyProcess;
  readonly #serial: number;
  readonly #ownProcesses: number;
  #windows = 0;
  /** Windows with calls that each instance has had. */
  readonly #had: [number, number] = [0, 0];
  #failed: FailedWindow | undefined;

  constructor(
    options: PlanWindowsOptions,
    bases: readonly (readonly Uint8Array[])[],
    ready: ReadyProcess,
    serial: number,
    ownProcesses: number,
  ) {
    this.#options = options;
    this.#bases = bases;
    this.#ready = ready;
    this.#serial = serial;
    this.#ownProcesses = ownProcesses;
  }

  /** One window. After one that failed there are no others. */
  async window({ instance, work, calls }: Omit<WindowRequest, 'subject'>, signal?: AbortSignal): Promise<WindowResult> {
    if (this.#failed) return this.#failed;
    const { process, prepared } = this.#ready;
    const { operands: source, secret } = this.#options;
    const name = seedOf(secret, `start ${this.#serial} window ${this.#windows++}`);
    // A null window goes the same way, operands and all.
    const operands = freshOperands(source, this.#bases, name, calls);
    const keep = work === 'null' ? [] : this.#keep(instance, calls);
    const secrets = drawSecrets();
    const asked = await process.ask(
      {
        name: 'window',
        input: { instance, work, operands, secrets, keep, ownProcesses: this.#ownProcesses },
        timed: this.#options.timed,
      },
      this.#options.windowMilliseconds ?? (this.#options.fake ? FAKE_WINDOW_MILLISECONDS : WINDOW_MILLISECONDS),
      signal,
    );
    if (asked.status !== 'answered') return this.#lost(asked.message);
    const { deviceMicroseconds, hostMicroseconds, different, changed, kept, conditions } = asked.value;
    let right = changed.length === 0 && (different.length === 0 || (work === 'calls' && !prepared.repeatable));
    for (const [i, call] of keep.entries()) {
      if (!right) break;
      right = await source.check(operandBytes(this.#bases, operands[call]!), kept[i]!);
    }
    return {
      status: 'timed',
      deviceMicroseconds,
      hostMicroseconds,
      outputs: right ? 'right' : 'wrong',
      operands: work === 'null' ? '' : name.slice(0, 32),
      condition: worstOf(conditions),
    };
  }

  /** Which calls are compared in full; of a candidate whose bits differ from call to call, all. */
  #keep(instance: 0 | 1, calls: number): number[] {
    if (!this.#ready.prepared.repeatable) return Array.from({ length: calls }, (_, call) => call);
    if (this.#had[instance]++ % FULL_CHECK_EVERY !== 0) return [];
    return [randomBytes(4).readUInt32LE() % calls];
  }

  /** What the GPU says of itself now; undefined where it says nothing, or this process can no longer be asked. */
  async condition(signal?: AbortSignal): Promise<DeviceCondition | undefined> {
    if (this.#failed) return undefined;
    const question = { name: 'condition', input: { ownProcesses: this.#ownProcesses } } as const;
    const asked = await this.#ready.process.ask(question, CONDITION_MILLISECONDS, signal);
    if (asked.status === 'answered') return asked.value.conditions.at(-1);
    this.#lost(asked.message);
    return undefined;
  }

  /** The process cannot be asked again. */
  #lost(why: string): FailedWindow {
    this.#failed = { status: 'failed', message: `The ${this.#options.id} gave no time: ${why}` };
    return this.#failed;
  }

  async close(): Promise<void> {
    await this.#ready.process.end();
  }
}

/** Of readings before and after a window, in this order: clocks and temperature as they are after it, everything that speaks against it from all. */
export function worstOf(conditions: readonly DeviceCondition[]): DeviceCondition {
  const last = conditions.at(-1);
  if (!last) return {};
  const others = conditions.flatMap(({ otherProcesses }) => (otherProcesses === undefined ? [] : [otherProcesses]));
  const reasons = conditions.flatMap(({ throttled }) => (throttled === undefined ? [] : [throttled]));
  return {
    ...last,
    ...(others.length > 0 ? { otherProcesses: Math.max(...others) } : {}),
    ...(reasons.length > 0 ? { throttled: [...new Set(reasons.flat())] } : {}),
  };
}

/** Drawn for one window, and kept from nobody afterwards. */
function drawSecrets(): WindowSecrets {
  const words = randomBytes(16);
  const word = (i: number) => words.readUInt32LE(4 * i);
  return { key: [word(0), word(1)], poison: [word(2), word(3)] };
}

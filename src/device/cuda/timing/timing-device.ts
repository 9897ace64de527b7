/**
 * A GPU as a {@link TimingDevice}: windows of the candidate's calls in its child process, windows of the baselines in theirs. Here operands get their seeds, and
 * outputs their judgement; what they mean for a claim is the protocol's (src/judge/timing).
 */
import { createHash, randomBytes } from 'node:crypto';
import type {
  DeviceCondition,
  FailedWindow,
  TimedSubject,
  TimingDevice,
  TimingFacts,
  TimingProcess,
  WindowRequest,
  WindowResult,
} from '../../measure.ts';
import { deviceName } from '../cuda-device.ts';
import { type Asked, CudaProcess, type CudaProcessOptions } from '../cuda-process.ts';
import { NoDriver } from '../driver/errors.ts';
import type { Opened } from '../requests.ts';
import type { TimedPlan, WindowSecrets } from './instance.ts';
import { type CallOperands, type OperandSource, operandBytes } from './operands.ts';
import type { Prepared } from './session.ts';

/** Subjects that are timed in processes of their own, which never see the candidate. */
export interface BaselineSource {
  readonly subjects: readonly TimedSubject[];
  /** Versions, for the evidence. */
  readonly environment: Readonly<Record<string, string>>;
  /** Processes that have a context on the GPU while windows are taken. */
  readonly processes: number;
  start(process: number, signal?: AbortSignal): Promise<TimingProcess | FailedWindow>;
}

export interface CudaTimingOptions extends CudaProcessOptions {
  readonly candidate: TimedPlan;
  readonly operands: OperandSource;
  readonly baselines?: BaselineSource;
  /** Drawn after the candidate was frozen: all operands follow from it. 64 hex digits. */
  readonly secret: string;
  /** Calls of a window, at most. */
  readonly mostCalls?: number;
  /** The clocks were locked by whoever asks (`nvidia-smi -lgc`): the driver does not tell. */
  readonly clocksLocked?: boolean;
  /** Wall clock for one window with all that belongs to it, milliseconds. */
  readonly windowMilliseconds?: number;
}

export const CANDIDATE: TimedSubject = { id: 'candidate', role: 'candidate' };

const MOST_CALLS = 512;
const BASE_SETS = 2;
const PREPARE_MILLISECONDS = 120_000;
const WINDOW_MILLISECONDS = 60_000;
/** One call of the first window of each instance is compared in full, and of one window in this many after that. */
const FULL_CHECK_EVERY = 16;

/** Opens the GPU and looks once whether the candidate can be timed. @throws NoDriver where there is no GPU; Error with a sentence where it cannot be timed */
export async function createCudaTimingDevice(
  options: CudaTimingOptions,
  signal?: AbortSignal,
): Promise<TimingDevice<'measured'> | TimingDevice<'simulated'>> {
  const bases = Array.from({ length: BASE_SETS }, (_, i) => options.operands.base(seedOf(options.secret, `base ${i}`)));
  const started = await startCandidate(options, bases, 0, signal);
  if ('message' in started) throw started.noGpu ? new NoDriver(started.message) : new Error(started.message);
  await started.process.end();
  const { opened, prepared } = started;
  const { identity } = opened;
  const { device, host } = prepared.resolution;
  const facts: TimingFacts = {
    device: deviceName(identity, opened.simulated),
    deviceResolutionMicroseconds: device,
    hostResolutionMicroseconds: host,
    cache: 'cold',
    clocksLocked: options.clocksLocked ?? false,
    mostCalls: prepared.mostCalls,
    environment: {
      gpu: identity.name,
      uuid: identity.uuid,
      cuda: identity.cuda,
      ...(opened.driverVersion === undefined ? {} : { driver: opened.driverVersion }),
      ...options.baselines?.environment,
    },
  };
  const subjects = [CANDIDATE, ...(options.baselines?.subjects ?? [])];
  let starts = 0;
  const start = (number: number, aborted?: AbortSignal): Promise<TimingProcess | FailedWindow> =>
    startAll(options, bases, prepared.mostCalls, number, ++starts, aborted);
  const rest = { facts, subjects, start };
  return opened.simulated ? { source: 'simulated', ...rest } : { source: 'measured', ...rest };
}

interface Started {
  readonly process: CudaProcess;
  readonly opened: Opened;
  readonly prepared: Extract<Prepared, { status: 'ready' }>;
}

/** The candidate's process with everything prepared; or why not. `mostCalls` 0: as many as fit. */
async function startCandidate(
  options: CudaTimingOptions,
  bases: readonly (readonly Uint8Array[])[],
  mostCalls: number,
  signal?: AbortSignal,
): Promise<Started | { message: string; noGpu: boolean }> {
  const started = await CudaProcess.start(options, signal);
  if ('message' in started) return { message: started.message, noGpu: true };
  const { process, opened } = started;
  const seed = seedOf(options.secret, 'probe');
  const probe = { operands: { base: 0, renewals: options.operands.renew(bases[0]!, seed) }, secrets: drawSecrets() };
  const request = { timed: options.candidate, bases, mostCalls: mostCalls || (options.mostCalls ?? MOST_CALLS), probe };
  const asked: Asked<'prepare'> = await process.askOrEnd('prepare', request, PREPARE_MILLISECONDS, signal);
  const failed =
    asked.status !== 'answered'
      ? asked.message
      : asked.value.status === 'unsupported'
        ? asked.value.message
        : undefined;
  if (failed === undefined && asked.status === 'answered' && asked.value.status === 'ready')
    return { process, opened, prepared: asked.value };
  await process.end();
  return { message: failed ?? 'The candidate could not be prepared.', noGpu: false };
}

/** Fresh processes for the candidate and all baselines. */
async function startAll(
  options: CudaTimingOptions,
  bases: readonly (readonly Uint8Array[])[],
  mostCalls: number,
  number: number,
  serial: number,
  signal?: AbortSignal,
): Promise<TimingProcess | FailedWindow> {
  const baselines = await options.baselines?.start(number, signal);
  if (baselines && 'status' in baselines) return baselines;
  const candidate = await startCandidate(options, bases, mostCalls, signal);
  if ('message' in candidate) {
    await baselines?.close();
    return { status: 'failed', message: candidate.message };
  }
  return new Processes(options, bases, candidate, baselines, serial);
}

class Processes implements TimingProcess {
  readonly #options: CudaTimingOptions;
  readonly #bases: readonly (readonly Uint8Array[])[];
  readonly #candidate: Started;
  readonly #baselines: TimingProcess | undefined;
  readonly #serial: number;
  #windows = 0;
  /** Windows with calls that each instance has had. */
  readonly #had: [number, number] = [0, 0];
  #failed: FailedWindow | undefined;

  constructor(
    options: CudaTimingOptions,
    bases: readonly (readonly Uint8Array[])[],
    candidate: Started,
    baselines: TimingProcess | undefined,
    serial: number,
  ) {
    this.#options = options;
    this.#bases = bases;
    this.#candidate = candidate;
    this.#baselines = baselines;
    this.#serial = serial;
  }

  async window(request: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    if (request.subject === CANDIDATE.id) return this.#failed ?? this.#own(request, signal);
    if (this.#baselines) return this.#baselines.window(request, signal);
    return { status: 'failed', message: `There is no subject ${request.subject} here.` };
  }

  async #own({ instance, work, calls }: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    const { process, prepared } = this.#candidate;
    const { operands: source, secret } = this.#options;
    const name = seedOf(secret, `start ${this.#serial} window ${this.#windows++}`);
    // A null window goes the same way, operands and all.
    const operands = Array.from({ length: calls }, (_, call): CallOperands => {
      const base = call % this.#bases.length;
      return { base, renewals: source.renew(this.#bases[base]!, seedOf(name, `call ${call}`)) };
    });
    const keep = work === 'null' ? [] : this.#keep(instance, calls);
    const secrets = drawSecrets();
    const ownProcesses = 1 + (this.#options.baselines?.processes ?? 0);
    const asked = await process.ask(
      'window',
      { instance, work, operands, secrets, keep, ownProcesses },
      this.#options.windowMilliseconds ?? WINDOW_MILLISECONDS,
      signal,
    );
    if (asked.status !== 'answered') {
      this.#failed = { status: 'failed', message: `The candidate gave no time: ${asked.message}` };
      return this.#failed;
    }
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
    if (!this.#candidate.prepared.repeatable) return Array.from({ length: calls }, (_, call) => call);
    if (this.#had[instance]++ % FULL_CHECK_EVERY !== 0) return [];
    return [randomBytes(4).readUInt32LE() % calls];
  }

  async close(): Promise<void> {
    await Promise.all([this.#candidate.process.end(), this.#baselines?.close()]);
  }
}

/** Of readings before and after a window: clocks and temperature as they are after it, everything that speaks against it from both. */
function worstOf(conditions: readonly DeviceCondition[]): DeviceCondition {
  const last = conditions.at(-1);
  if (!last) return { throttled: [] };
  const others = conditions.flatMap(({ otherProcesses }) => (otherProcesses === undefined ? [] : [otherProcesses]));
  return {
    ...last,
    ...(others.length > 0 ? { otherProcesses: Math.max(...others) } : {}),
    throttled: [...new Set(conditions.flatMap(({ throttled }) => throttled))],
  };
}

/** 64 hex digits that follow from a seed and a label. */
export function seedOf(seed: string, label: string): string {
  return createHash('sha256').update(seed).update('\0').update(label).digest('hex');
}

/** Drawn for one window, and kept from nobody afterwards. */
function drawSecrets(): WindowSecrets {
  const words = randomBytes(16);
  const word = (i: number) => words.readUInt32LE(4 * i);
  return { key: [word(0), word(1)], poison: [word(2), word(3)] };
}

/**
 * A GPU as a {@link TimingDevice}: windows of the candidate's calls in its child process, windows of the baselines in theirs. What they mean for a claim is
 * the protocol's (src/judge/timing).
 */
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
import { NoDriver } from '../driver/errors.ts';
import type { TimedPlan } from './instance.ts';
import { type OnePlan, PlanWindows, type PlanWindowsOptions, worstOf } from './plan-windows.ts';

/** Subjects that are timed in processes of their own, which never see the candidate. */
export interface BaselineSource {
  readonly subjects: readonly TimedSubject[];
  /** Versions, for the evidence. */
  readonly environment: Readonly<Record<string, string>>;
  /** Processes that have a context on the GPU while windows are taken. */
  readonly processes: number;
  start(process: number, signal?: AbortSignal): Promise<TimingProcess | FailedWindow>;
}

export interface CudaTimingOptions extends Omit<PlanWindowsOptions, 'id' | 'timed'> {
  readonly candidate: TimedPlan;
  readonly baselines?: BaselineSource;
  /** The clocks were locked by whoever asks (`nvidia-smi -lgc`): the driver does not tell. */
  readonly clocksLocked?: boolean;
}

export const CANDIDATE: TimedSubject = { id: 'candidate', role: 'candidate' };

/** Opens the GPU and looks once whether the candidate can be timed. @throws NoDriver where there is no GPU; Error with a sentence where it cannot be timed */
export async function createCudaTimingDevice(
  { candidate, baselines, clocksLocked, ...options }: CudaTimingOptions,
  signal?: AbortSignal,
): Promise<TimingDevice<'measured'> | TimingDevice<'simulated'>> {
  const plan = new PlanWindows({ ...options, id: CANDIDATE.id, timed: candidate });
  const first = await plan.ready(undefined, signal);
  if ('message' in first) throw first.noGpu ? new NoDriver(first.message) : new Error(first.message);
  const unread = unreadIn(await plan.over(first, 1).condition(signal));
  await first.process.end();
  const { opened, prepared } = first;
  const { identity } = opened;
  const { device, host } = prepared.resolution;
  const facts: TimingFacts = {
    device: deviceName(identity, opened.simulated),
    deviceResolutionMicroseconds: device,
    hostResolutionMicroseconds: host,
    cache: 'cold',
    clocksLocked: clocksLocked ?? false,
    mostCalls: prepared.mostCalls,
    environment: {
      gpu: identity.name,
      uuid: identity.uuid,
      cuda: identity.cuda,
      ...(opened.driverVersion === undefined ? {} : { driver: opened.driverVersion }),
      ...baselines?.environment,
      ...(unread.length > 0 ? { 'not read from the GPU': unread.join(', ') } : {}),
    },
  };
  const subjects = [CANDIDATE, ...(baselines?.subjects ?? [])];
  /** Fresh processes for the candidate and all baselines. */
  const start = async (number: number, aborted?: AbortSignal): Promise<TimingProcess | FailedWindow> => {
    const [others, ready] = await Promise.all([
      baselines?.start(number, aborted),
      plan.ready(prepared.mostCalls, aborted),
    ]);
    if ('message' in ready) {
      if (others && !('status' in others)) await others.close();
      return { status: 'failed', message: ready.message };
    }
    if (others && 'status' in others) {
      await ready.process.end();
      return others;
    }
    return new Processes(plan.over(ready, 1 + (baselines?.processes ?? 0)), others);
  };
  const rest = { facts, subjects, start };
  return opened.simulated ? { source: 'simulated', ...rest } : { source: 'measured', ...rest };
}

/** What NVML should say, in words. */
const READINGS = {
  smClockMHz: "the multiprocessors' clock",
  temperatureC: 'temperature',
  throttled: 'why its clock is held down',
  otherProcesses: 'who else uses it',
} as const satisfies Partial<Record<keyof DeviceCondition, string>>;

/** Of these, what a reading lacks: whoever reads the times must know what nobody looked at. */
function unreadIn(condition: DeviceCondition = {}): string[] {
  return Object.entries(READINGS).flatMap(([name, words]) =>
    condition[name as keyof typeof READINGS] === undefined ? [words] : [],
  );
}

class Processes implements TimingProcess {
  readonly #candidate: OnePlan;
  readonly #baselines: TimingProcess | undefined;

  constructor(candidate: OnePlan, baselines: TimingProcess | undefined) {
    this.#candidate = candidate;
    this.#baselines = baselines;
  }

  async window(request: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    if (request.subject === CANDIDATE.id) return this.#candidate.window(request, signal);
    if (this.#baselines) return this.#baseline(this.#baselines, request, signal);
    return { status: 'failed', message: `There is no subject ${request.subject} here.` };
  }

  /**
   * A baseline's window, with the GPU's condition before and after it as the candidate's process reads it: PyTorch tells none, and windows are compared only where
   * the clocks of both sides are known, or of neither.
   */
  async #baseline(baselines: TimingProcess, request: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    const before = await this.#candidate.condition(signal);
    const window = await baselines.window(request, signal);
    if (window.status === 'failed') return window;
    const after = await this.#candidate.condition(signal);
    const seen = [before, after && { ...after, ...window.condition }].filter((one) => one !== undefined);
    return seen.length === 0 ? window : { ...window, condition: worstOf(seen) };
  }

  async close(): Promise<void> {
    await Promise.all([this.#candidate.close(), this.#baselines?.close()]);
  }
}

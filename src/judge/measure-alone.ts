/**
 * A candidate's time on a GPU by itself, for a search that compares many: a few windows of the timing protocol's kind, in one fresh process, every output looked at. It
 * orders candidates. It is the ground of no claim: that takes the whole protocol, against baselines.
 */
import { createCudaTimingDevice, type MeasuredTime, type OpenedGpu, type TimedWindow } from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import type { Task } from '../task/index.ts';
import type { Oracle } from './oracle.ts';
import { timedOperands } from './timed-operands.ts';
import { median } from './timing/median.ts';

/** A time of simulated clocks: another type, so that it never passes for a measured one. */
export interface SimulatedTime extends Omit<MeasuredTime, 'kind'> {
  readonly kind: 'simulated';
}

export type AloneTime = MeasuredTime | SimulatedTime;

/** Its time; or `wrong`: a timed call's output was; or `untimed`: why there is no time. Sentences. */
export type Alone = { readonly time: AloneTime } | { readonly wrong: string } | { readonly untimed: string };

/** Windows that count, after one that settles the process. */
const WINDOWS = 12;
/** How long a window is to last, microseconds. */
const WINDOW_MICROSECONDS = 500;
const MOST_CALLS = 128;
/** Over simulated clocks: enough to go the way. */
const TRIAL = { windows: 2, calls: 2 } as const;

export interface AloneRequest {
  readonly gpu: OpenedGpu;
  readonly task: Task;
  readonly oracle: Oracle;
  readonly candidate: PreparedCandidate;
  /** Drawn after the candidate was frozen. 64 hex digits. */
  readonly secret: string;
  readonly signal?: AbortSignal;
}

/** Measures one candidate. Nothing else may run on the GPU meanwhile. */
export async function measureAlone({ gpu, task, oracle, candidate, secret, signal }: AloneRequest): Promise<Alone> {
  const { simulated } = gpu.device;
  let device: Awaited<ReturnType<typeof createCudaTimingDevice>>;
  try {
    device = await createCudaTimingDevice(
      {
        ...{ gpu: gpu.gpu, fake: gpu.fake, candidate, secret, operands: timedOperands(task, oracle) },
        mostCalls: simulated ? TRIAL.calls : MOST_CALLS,
      },
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    return { untimed: error instanceof Error ? error.message : String(error) };
  }
  const process = await device.start(0, signal);
  if ('status' in process) return { untimed: process.message };
  const windows: TimedWindow[] = [];
  let calls = 1;
  try {
    // The first window settles the process, and says how many calls make a window long enough.
    for (let i = 0; i <= (simulated ? TRIAL.windows : WINDOWS); i++) {
      const instance = i % 2 === 0 ? 0 : 1;
      const window = await process.window({ subject: 'candidate', instance, work: 'calls', calls }, signal);
      if (window.status === 'failed') return { untimed: window.message };
      if (window.outputs !== 'right') return { wrong: 'A timed call gave a wrong output, on new inputs.' };
      if (i === 0) calls = callsFor(window.deviceMicroseconds, device.facts.mostCalls);
      else windows.push(window);
    }
  } finally {
    await process.close();
  }
  const samples = windows.map(({ deviceMicroseconds }) => deviceMicroseconds / calls);
  const time = { device: device.facts.device, samples, medianMicroseconds: median(samples) };
  return { time: device.source === 'measured' ? { kind: 'measured', ...time } : { kind: 'simulated', ...time } };
}

function callsFor(microseconds: number, most: number): number {
  return Math.max(1, Math.min(most, Math.ceil(WINDOW_MICROSECONDS / Math.max(microseconds, 1))));
}

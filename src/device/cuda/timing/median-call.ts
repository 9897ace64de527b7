/** A quick time of a call where no claim rests on it: one process, a few windows, no comparison of outputs asked for. */
import type { PlanWindows } from './plan-windows.ts';

/** Windows that count, after one that settles. */
const WINDOWS = 5;

export interface MedianCallOptions {
  readonly windows: PlanWindows;
  /** Calls of a window at most; absent: as many as fit. */
  readonly mostCalls?: number;
  readonly work?: 'calls' | 'null';
}

/** The median time of a call in a process of its own, microseconds; or the sentence that says why there is none. */
export async function medianCall(
  { windows, mostCalls, work = 'calls' }: MedianCallOptions,
  signal?: AbortSignal,
): Promise<number | string> {
  const ready = await windows.ready(mostCalls, signal);
  if ('message' in ready) return ready.message;
  const over = windows.over(ready, 1);
  const calls = ready.prepared.mostCalls;
  const times: number[] = [];
  try {
    for (let i = 0; i <= WINDOWS; i++) {
      const window = await over.window({ instance: 0, work, calls }, signal);
      if (window.status === 'failed') return window.message;
      if (i > 0) times.push(window.deviceMicroseconds / calls);
    }
  } finally {
    await over.close();
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

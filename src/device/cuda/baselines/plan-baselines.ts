/**
 * Baselines that are plans of ours: a kernel of the built-in engineer's, or a call of cuBLAS. Each has child processes of its own, which never see the candidate, and is
 * timed as the candidate is: graphs, fresh operands, outputs looked at.
 */
import type { FailedWindow, TimedSubject, TimingProcess, WindowRequest, WindowResult } from '../../measure.ts';
import { type OnePlan, PlanWindows, type PlanWindowsOptions } from '../timing/plan-windows.ts';
import type { BaselineSource } from '../timing/timing-device.ts';

/** A baseline of one plan. @throws Error with a sentence where it cannot be timed */
export async function createPlanBaseline(options: PlanWindowsOptions, signal?: AbortSignal): Promise<BaselineSource> {
  const plan = new PlanWindows(options);
  const first = await plan.ready(undefined, signal);
  if ('message' in first) throw new Error(first.message);
  await first.process.end();
  const subject: TimedSubject = { id: options.id, role: 'baseline' };
  return {
    subjects: [subject],
    environment: first.prepared.environment ?? {},
    processes: 1,
    start: async (_, aborted) => {
      const ready = await plan.ready(first.prepared.mostCalls, aborted);
      // How many processes are on the GPU in all is the candidate's to see.
      return 'message' in ready ? { status: 'failed', message: ready.message } : new PlanProcess(plan.over(ready, 1));
    },
  };
}

class PlanProcess implements TimingProcess {
  readonly #plan: OnePlan;

  constructor(plan: OnePlan) {
    this.#plan = plan;
  }

  async window(request: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    const window = await this.#plan.window(request, signal);
    if (window.status === 'failed') return window;
    const { otherProcesses: _, ...condition } = window.condition;
    return { ...window, condition };
  }

  close(): Promise<void> {
    return this.#plan.close();
  }
}

/** All subjects of several sources, as one. */
export function severalBaselines(sources: readonly BaselineSource[]): BaselineSource {
  return {
    subjects: sources.flatMap(({ subjects }) => subjects),
    environment: Object.assign({}, ...sources.map(({ environment }) => environment)) as Record<string, string>,
    processes: sources.reduce((sum, { processes }) => sum + processes, 0),
    start: async (number, signal) => {
      const opened: [BaselineSource, TimingProcess][] = [];
      const close = () => Promise.all(opened.map(([, process]) => process.close()));
      try {
        for (const source of sources) {
          const process = await source.start(number, signal);
          if ('status' in process) {
            await close();
            return process;
          }
          opened.push([source, process]);
        }
      } catch (error) {
        await close();
        throw error;
      }
      return new SeveralProcesses(opened);
    },
  };
}

class SeveralProcesses implements TimingProcess {
  readonly #opened: readonly (readonly [BaselineSource, TimingProcess])[];

  constructor(opened: readonly (readonly [BaselineSource, TimingProcess])[]) {
    this.#opened = opened;
  }

  window(request: WindowRequest, signal?: AbortSignal): Promise<WindowResult> {
    const found = this.#opened.find(([{ subjects }]) => subjects.some(({ id }) => id === request.subject));
    if (found) return found[1].window(request, signal);
    const failed: FailedWindow = { status: 'failed', message: `There is no subject ${request.subject} here.` };
    return Promise.resolve(failed);
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map(([, process]) => process.close()));
  }
}

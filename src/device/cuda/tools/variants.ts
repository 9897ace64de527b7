/**
 * Counters of our own where the GPU's may not be read: the plan timed beside variants of itself. With its steps done twice, the second time finds its data in the L2; with half of the
 * blocks, half of the work is left. What the time does then says what it is made of. Their outputs mean nothing, and are not looked at; one that faults is left out.
 */

import type { Dim3, Plan } from '../../../kernel/index.ts';
import { medianCall } from '../timing/median-call.ts';
import { PlanWindows, type PlanWindowsOptions } from '../timing/plan-windows.ts';

/** Microseconds of one call. */
export interface VariantTimes {
  readonly once: number;
  /** All steps, and all steps again. */
  readonly twice: number;
  /** Absent where no launch can be halved. */
  readonly half?: number;
  /** An empty kernel in its place. */
  readonly nothing: number;
}

/** The plan with its steps done twice. */
export function twice(plan: Plan): Plan {
  return { ...plan, steps: [...plan.steps, ...plan.steps] };
}

/** The plan with half of the blocks of each launch; undefined where a launch waits for all its blocks, is in clusters, or none has two blocks. */
export function halved(plan: Plan): Plan | undefined {
  const launches = plan.steps.filter((step) => step.kind === 'launch');
  if (launches.some(({ cooperative, cluster }) => cooperative || cluster)) return undefined;
  if (launches.every(({ grid }) => Math.max(...grid) < 2)) return undefined;
  return {
    ...plan,
    steps: plan.steps.map((step) => (step.kind === 'launch' ? { ...step, grid: halfOf(step.grid) } : step)),
  };
}

function halfOf(grid: Dim3): Dim3 {
  const longest = grid.indexOf(Math.max(...grid));
  return grid.map((extent, axis) =>
    axis === longest ? Math.max(1, Math.ceil(extent / 2)) : extent,
  ) as unknown as Dim3;
}

/** Calls of a window at most. */
const CALLS = 16;

/** Takes the times, each variant in a process of its own; or says why there are none. */
export async function timeVariants(
  options: Omit<PlanWindowsOptions, 'id'>,
  signal?: AbortSignal,
): Promise<VariantTimes | { missing: string }> {
  const { plan } = options.timed;
  const of = (variant: Plan, work: 'calls' | 'null' = 'calls') =>
    medianCall(
      {
        windows: new PlanWindows({ ...options, id: 'variant', timed: { ...options.timed, plan: variant } }),
        mostCalls: Math.min(CALLS, options.mostCalls ?? CALLS),
        work,
      },
      signal,
    );
  const [once, nothing, both] = [await of(plan), await of(plan, 'null'), await of(twice(plan))];
  for (const one of [once, nothing, both]) if (typeof one !== 'number') return { missing: one };
  const fewer = halved(plan);
  const half = fewer && (await of(fewer));
  const times = { once: once as number, twice: both as number, nothing: nothing as number };
  return typeof half === 'number' ? { ...times, half } : times;
}

/** By how much a time must fall before it is said that it falls. */
const TELLING = 0.8;

/** What the times say, in sentences. */
export function variantsInWords({ once, twice: both, half, nothing }: VariantTimes): string[] {
  const words: string[] = [];
  const own = once - nothing;
  if (once < 2 * nothing)
    return [
      `A call takes ${time(once)}, of which launching takes ${time(nothing)}: fewer launches are the only way to make it much faster.`,
    ];
  const warm = both - once;
  const cold = Math.max(0, once - warm);
  words.push(
    warm < TELLING * own
      ? `With its data in the L2 it takes ${time(warm)} instead of ${time(once)}: about ${Math.round((100 * cold) / once)} % of the time goes into bringing data from memory.`
      : `With its data in the L2 it takes ${time(warm)}, hardly less than ${time(once)}: memory's bandwidth is not what limits it.`,
  );
  if (half !== undefined) {
    words.push(
      half - nothing > TELLING * own
        ? `With half of the blocks it takes ${time(half)}: the GPU is not full, and a block's own length (latencies, a long loop) is what counts.`
        : `With half of the blocks it takes ${time(half)}: the GPU is full, and less work or better use of it is what counts.`,
    );
  }
  return words;
}

function time(microseconds: number): string {
  return microseconds >= 1000
    ? `${(microseconds / 1000).toPrecision(3)} ms`
    : `${Math.max(0, microseconds).toPrecision(3)} us`;
}

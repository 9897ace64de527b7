/**
 * Fits the model's constants to measured times of one GPU, and scores the model. The fit is least squares of
 * log(modelled / measured) over the logarithms of the constants, by Levenberg and Marquardt's method (Marquardt, SIAM J. Appl. Math.
 * 11(2), 1963); each constant is held to its default by a weak spring, so that what the runs do not tell stays where it was.
 */
import type { MeasuredRun } from './measurements.ts';
import { defaultConstants, type GpuTarget, type ModelConstants } from './targets.ts';
import { modelTime } from './time.ts';

type Name = keyof ModelConstants;

/** Bounds of what a constant can mean: an efficiency is at most 1. */
const BOUNDS: Record<Name, readonly [number, number]> = {
  memory: [0.1, 1],
  l2: [0.1, 1],
  issue: [0.1, 1],
  tensor: [0.1, 1],
  warpgroup: [0.1, 1],
  memoryParallelism: [0.5, 64],
  instructionParallelism: [0.5, 16],
  launch: [0.2, 10],
};
const NAMES = Object.keys(BOUNDS) as Name[];
/** Weight of the springs: a constant off by a factor of e counts as much as one run that is off by this much in the logarithm. */
const SPRING = 0.05;
const ITERATIONS = 60;

/** The constants that fit the runs best. With no runs, the defaults. */
export function fitConstants(runs: readonly MeasuredRun[], target: GpuTarget): ModelConstants {
  if (runs.length === 0) return defaultConstants;
  const start = NAMES.map((name) => Math.log(defaultConstants[name]));
  const residuals = (at: readonly number[]): number[] => {
    const constants = constantsOf(at);
    return [
      ...runs.map(({ launches, microseconds }) =>
        Math.log(modelTime(launches, target, constants).microseconds / microseconds),
      ),
      ...at.map((value, i) => SPRING * (value - start[i]!)),
    ];
  };
  let at = start;
  let now = residuals(at);
  let damping = 1e-2;
  for (let step = 0; step < ITERATIONS; step++) {
    const columns = at.map((_, i) => {
      const moved = at.map((value, j) => (i === j ? value + 1e-4 : value));
      return residuals(moved).map((value, k) => (value - now[k]!) / 1e-4);
    });
    const matrix = columns.map((a, i) => columns.map((b, j) => dot(a, b) * (i === j ? 1 + damping : 1)));
    const move = solve(
      matrix,
      columns.map((column) => -dot(column, now)),
    );
    const next = at.map((value, i) => clampLog(NAMES[i]!, value + move[i]!));
    const then = residuals(next);
    if (dot(then, then) < dot(now, now)) {
      const gained = dot(now, now) - dot(then, then);
      at = next;
      now = then;
      damping = Math.max(1e-9, damping / 4);
      if (gained < 1e-12) break;
    } else {
      damping *= 8;
      if (damping > 1e9) break;
    }
  }
  return constantsOf(at);
}

function constantsOf(at: readonly number[]): ModelConstants {
  return Object.fromEntries(NAMES.map((name, i) => [name, Math.exp(at[i]!)])) as unknown as ModelConstants;
}

function clampLog(name: Name, value: number): number {
  const [low, high] = BOUNDS[name];
  return Math.min(Math.log(high), Math.max(Math.log(low), value));
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Gaussian elimination with pivoting; the matrix is positive definite thanks to the springs. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(rows[r]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = r;
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let r = i + 1; r < n; r++) {
      const factor = rows[r]![i]! / rows[i]![i]!;
      for (let c = i; c <= n; c++) rows[r]![c]! -= factor * rows[i]![c]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = rows[i]![n]!;
    for (let c = i + 1; c < n; c++) sum -= rows[i]![c]! * x[c]!;
    x[i] = sum / rows[i]![i]!;
  }
  return x;
}

export interface Prediction {
  readonly measured: number;
  readonly modelled: number;
  readonly low: number;
  readonly high: number;
}

/** What the model says of each run, with given constants. */
export function predict(runs: readonly MeasuredRun[], target: GpuTarget, constants: ModelConstants): Prediction[] {
  return runs.map((run) => prediction(run, target, constants));
}

/** What the model says of each run when it was fitted to all the others: how it does on kernels it has not seen. */
export function predictLeftOut(runs: readonly MeasuredRun[], target: GpuTarget): Prediction[] {
  return runs.map((run, index) => {
    const others = runs.filter((_, other) => other !== index);
    return prediction(run, target, fitConstants(others, target));
  });
}

function prediction(run: MeasuredRun, target: GpuTarget, constants: ModelConstants): Prediction {
  const { microseconds, low, high } = modelTime(run.launches, target, constants);
  return { measured: run.microseconds, modelled: microseconds, low, high };
}

export interface Score {
  readonly runs: number;
  /** Rank correlation of modelled and measured times, -1 to 1. */
  readonly spearman: number;
  /** Part of the pairs, of those more than 5 % apart in measured time, that the model puts in the right order. */
  readonly pairwiseOrder: number;
  /** Median of |modelled / measured - 1|. */
  readonly medianError: number;
  /** Part of the measured times that lie in the model's interval. */
  readonly inInterval: number;
}

/** Scores predictions; NaN where there are too few to say (two for orders, one for errors). */
export function score(predictions: readonly Prediction[]): Score {
  const errors = predictions.map(({ measured, modelled }) => Math.abs(modelled / measured - 1)).sort((a, b) => a - b);
  const middle = (errors.length - 1) / 2;
  let pairs = 0;
  let right = 0;
  for (const [i, a] of predictions.entries()) {
    for (const b of predictions.slice(i + 1)) {
      if (Math.abs(Math.log(a.measured / b.measured)) < Math.log(1.05)) continue;
      pairs++;
      if (a.measured < b.measured === a.modelled < b.modelled && a.modelled !== b.modelled) right++;
    }
  }
  const inside = predictions.filter(({ measured, low, high }) => measured >= low && measured <= high).length;
  return {
    runs: predictions.length,
    spearman: correlation(
      ranks(predictions.map(({ measured }) => measured)),
      ranks(predictions.map(({ modelled }) => modelled)),
    ),
    pairwiseOrder: pairs === 0 ? Number.NaN : right / pairs,
    medianError: errors.length === 0 ? Number.NaN : (errors[Math.floor(middle)]! + errors[Math.ceil(middle)]!) / 2,
    inInterval: predictions.length === 0 ? Number.NaN : inside / predictions.length,
  };
}

/** Ranks from 1; equal values share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [x, y] = [a.map((value) => value - mean(a)), b.map((value) => value - mean(b))];
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

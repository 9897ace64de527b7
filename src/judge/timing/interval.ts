/**
 * The interval of a mean over fresh processes. Values come in two levels, processes and blocks within them; a process is the unit, because what differs
 * from start to start (where things lie in memory, above all) is shared by all its blocks, and because blocks that follow each other
 * are not independent. Two intervals are taken and the wider end of each counts:
 *
 *  - Student's t over the processes' means. It is the one that decides with few processes: right for the near-normal means of many blocks, and it grows as it must
 *    when 4 or 8 processes say little about their own spread.
 *  - the hierarchical bootstrap (processes drawn with replacement, then blocks within each), percentiles. It follows a skew that t does not see. By itself it
 *    is too narrow for few processes (its spread is that of a population of n, not n - 1), so its percentiles are taken further out, as Hesterberg
 *    (What Teachers Should Know About the Bootstrap, 2015, section 3.2) does; and it can never reach past the most extreme process.
 *
 * Values are logarithms of ratios: their mean is the geometric mean of the blocks' ratios, so swapping numerator and denominator inverts the interval exactly.
 */
import type { Random } from '../../task/index.ts';
import { mean } from './median.ts';
import { studentQuantile, studentTail } from './student.ts';

export interface LogInterval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly student: { readonly low: number; readonly high: number };
  /** Absent where it was not asked for. */
  readonly bootstrap?: { readonly low: number; readonly high: number };
  /** Standard deviation between processes' means. */
  readonly betweenProcesses: number;
}

export interface BootstrapOptions {
  readonly random: Random;
  readonly resamples: number;
}

/** Degrees of freedom at which Student's t is taken for normal. */
const NORMAL = 1e7;

/**
 * @param values of each process, one a block; processes without blocks are left out.
 * @param alpha two-sided chance to miss.
 * @throws RangeError with fewer than 2 processes that have blocks.
 */
export function processInterval(
  values: readonly (readonly number[])[],
  alpha: number,
  bootstrap?: BootstrapOptions,
): LogInterval {
  const filled = values.filter((blocks) => blocks.length > 0);
  const n = filled.length;
  if (n < 2) throw new RangeError('An interval over processes needs at least two of them.');
  const means = filled.map(mean);
  const estimate = mean(means);
  const betweenProcesses = Math.sqrt(means.reduce((sum, m) => sum + (m - estimate) ** 2, 0) / (n - 1));
  const t = studentQuantile(alpha / 2, n - 1);
  const half = (t * betweenProcesses) / Math.sqrt(n);
  const student = { low: estimate - half, high: estimate + half };
  if (bootstrap === undefined) return { estimate, ...student, student, betweenProcesses };
  // Hesterberg's expanded percentile: the tail of a normal beyond sqrt(n / (n - 1)) t.
  const tail = studentTail(t * Math.sqrt(n / (n - 1)), NORMAL);
  const resampled = resample(filled, bootstrap);
  const last = resampled.length - 1;
  const at = Math.max(0, Math.floor(tail * resampled.length));
  const range = { low: resampled[at]!, high: resampled[last - at]! };
  return {
    estimate,
    low: Math.min(student.low, range.low),
    high: Math.max(student.high, range.high),
    student,
    bootstrap: range,
    betweenProcesses,
  };
}

/** Means of resampled processes of resampled blocks, ascending. */
function resample(values: readonly (readonly number[])[], { random, resamples }: BootstrapOptions): Float64Array {
  const processes = values.map((blocks) => Float64Array.from(blocks));
  const n = processes.length;
  const result = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let p = 0; p < n; p++) {
      const blocks = processes[random.integer(0, n)]!;
      const m = blocks.length;
      let part = 0;
      for (let b = 0; b < m; b++) part += blocks[random.integer(0, m)]!;
      sum += part / m;
    }
    result[r] = sum / n;
  }
  return result.sort();
}

/**
 * From records to statements, as a pure function: the same records give the same answer, whatever else is known. Each block gives contrasts (contrasts.ts), each
 * process the mean of its blocks, and the interval is over processes (interval.ts). Nothing is trimmed but by the cells' medians, fixed here once; no best of n
 * is taken anywhere.
 */
import { Random } from '../../task/index.ts';
import type { Refusal } from './causes.ts';
import { clockAgreement, clocksDisagree, resolutionOf } from './clocks.ts';
import { type Contrasts, contrastsOf, disturbances, type Side } from './contrasts.ts';
import { type LogInterval, processInterval } from './interval.ts';
import { mean, median } from './median.ts';
import type { TimingPlan } from './plan.ts';
import { type ProcessRecord, type Records, rolesOf, samplesOf } from './records.ts';
import type { BaselineComparison, NoiseFloor, RatioInterval } from './report.ts';
import { type Strata, strataOf } from './strata.ts';
import { comparisonInWords, percent } from './words.ts';

export interface AnalysisOptions {
  readonly plan: TimingPlan;
  /** Two-sided chance that the interval of any baseline may miss at this look. */
  readonly alpha: number;
  /** Seed of the bootstrap; absent: Student's t alone, whose interval the bootstrap can only widen. */
  readonly bootstrapSeed?: string;
}

/** Processes that a stratum, or a difference of strata, needs for an interval of its own. */
const LEAST_PROCESSES = 3;

/** The candidate against each baseline, or why nothing can be said. */
export function analyse(records: Records, options: AnalysisOptions): BaselineComparison[] | Refusal {
  const { candidate, baselines } = rolesOf(records.subjects);
  for (const { id } of [candidate, ...baselines]) {
    const refusal = clocksDisagree(records, clockAgreement(records, id));
    if (refusal !== undefined) return refusal;
  }
  const strata = strataOf(records);
  const comparisons: BaselineComparison[] = [];
  for (const { id } of baselines) {
    const one = compareWith(records, candidate.id, id, strata, {
      ...options,
      // All intervals of all baselines hold together.
      alpha: options.alpha / baselines.length,
    });
    if ('cause' in one) return one;
    comparisons.push(one);
  }
  return comparisons;
}

function compareWith(
  records: Records,
  candidate: string,
  baseline: string,
  strata: Strata,
  options: AnalysisOptions,
): BaselineComparison | Refusal {
  const { plan, alpha, bootstrapSeed } = options;
  const { blocks, lost } = blockContrasts(records, candidate, baseline, strata);
  const usable = blocks.filter((of) => of.length >= 2);
  if (lost > plan.mostLost || usable.length < Math.max(LEAST_PROCESSES, records.processes.length / 2)) {
    return {
      cause: 'clock-unstable',
      reason: `${percent(lost)} of the blocks cannot be compared: ${lostBecause(records, candidate, baseline)}, and measure again.`,
    };
  }
  const valuesOf = (what: 'ratio' | 'aaSum' | 'aaDiff') => usable.map((list) => list.map((block) => block[what]));
  const pooled = processInterval(
    valuesOf('ratio'),
    alpha,
    bootstrapSeed === undefined
      ? undefined
      : { random: new Random(bootstrapSeed, `bootstrap ${baseline}`), resamples: plan.resamples },
  );
  // No bootstrap: the instances are exchangeable, so there is no skew for it to see.
  const aa = (['aaSum', 'aaDiff'] as const).map((what) => processInterval(valuesOf(what), plan.noiseAlpha));
  const parts = floorParts(records, [candidate, baseline], usable.flat(), aa);
  const floor = total(parts);
  const byClock = strataApart(usable, strata, alpha, plan.noiseAlpha, floor);
  const speedup: LogInterval =
    byClock === undefined
      ? pooled
      : {
          ...pooled,
          low: Math.min(pooled.low, ...byClock.map(({ low }) => low)),
          high: Math.max(pooled.high, ...byClock.map(({ high }) => high)),
        };
  const early = processInterval(
    usable.map((list) => [earlyLessLate(list.map(({ ratio }) => ratio))]),
    plan.alpha / plan.looks.length,
  );
  if ((early.low > 0 || early.high < 0) && Math.abs(early.estimate) > floor) {
    return {
      cause: 'changes-with-calls',
      subject: candidate,
      reason: `Against ${baseline} the ratio in the first half of each process is ${Math.exp(early.estimate).toPrecision(4)} times that in the second half: the speed depends on how many calls went before. Let the device settle, or look for code that counts its calls.`,
    };
  }
  const outcome = outcomeOf(speedup, floor, Math.log1p(plan.margin));
  const comparison = {
    baseline,
    outcome,
    speedup: ratioOf(speedup),
    student: exponential(pooled.student),
    bootstrap: pooled.bootstrap && exponential(pooled.bootstrap),
    alpha,
    noiseFloor: noiseFloorOf(parts),
    aa: aa.map(ratioOf),
    betweenProcesses: Math.expm1(pooled.betweenProcesses),
    early: ratioOf(early),
    byClock: byClock?.map(({ fromMHz, processes, ...interval }) => ({ ...ratioOf(interval), fromMHz, processes })),
    lost,
  };
  return { ...comparison, reason: comparisonInWords(comparison, plan) };
}

/** Why blocks were lost, and what to do about it. */
function lostBecause(records: Records, candidate: string, baseline: string): string {
  const seen = new Set(
    [candidate, baseline].flatMap((subject) =>
      samplesOf(records, subject, 'calls').flatMap(({ window }) => disturbances(window.condition)),
    ),
  );
  return seen.size === 0
    ? `${candidate} and ${baseline} did not run at the same clock. Lock the clocks`
    : `the device was disturbed (${[...seen].join(', ')}). Clear it of others and let it cool`;
}

/** Beyond the floor, or within the margin; all logarithms. */
export function outcomeOf(
  { low, high }: Pick<LogInterval, 'low' | 'high'>,
  floor: number,
  margin: number,
): BaselineComparison['outcome'] {
  if (low > floor) return 'faster';
  if (high < -floor) return 'slower';
  return low > -margin && high < margin && floor <= margin ? 'as-fast' : 'undecided';
}

/** Contrasts of every process' blocks, and the share of what could not be compared. */
function blockContrasts(
  { processes }: Records,
  candidate: string,
  baseline: string,
  strata: Strata,
): { blocks: Contrasts[][]; lost: number } {
  const found = processes.map((process) => contrastsOfProcess(process, candidate, baseline, strata));
  const all = found.flat();
  const lost = all.reduce((sum, contrasts) => sum + (contrasts?.unpaired ?? 1), 0) / Math.max(all.length, 1);
  return { blocks: found.map((blocks) => blocks.filter((contrasts) => contrasts !== undefined)), lost };
}

/** A record never changes, and each look asks again for the contrasts of the processes before it. */
const kept = new WeakMap<ProcessRecord, Map<string, readonly (Contrasts | undefined)[]>>();

function contrastsOfProcess(
  process: ProcessRecord,
  candidate: string,
  baseline: string,
  strata: Strata,
): readonly (Contrasts | undefined)[] {
  let known = kept.get(process);
  if (known === undefined) {
    known = new Map();
    kept.set(process, known);
  }
  const key = JSON.stringify([candidate, baseline, ...strata]);
  let contrasts = known.get(key);
  if (contrasts === undefined) {
    const [ours, theirs] = [sideOf(process, candidate), sideOf(process, baseline)];
    contrasts = process.blocks.map((block) => contrastsOf(block, ours, theirs, strata));
    known.set(key, contrasts);
  }
  return contrasts;
}

function sideOf(process: ProcessRecord, subject: string): Side {
  const gaps = samplesOf({ processes: [process] }, subject, 'null').map(
    ({ window }) => window.hostMicroseconds - window.deviceMicroseconds,
  );
  return { subject, hostOverhead: median(gaps) };
}

/** Parts of the noise floor, as logarithms. */
type FloorParts = Omit<NoiseFloor, 'ratio'>;

function floorParts(
  records: Records,
  subjects: readonly string[],
  blocks: readonly Contrasts[],
  aa: readonly LogInterval[],
): FloorParts {
  const steps = subjects.map((subject) => {
    const times = samplesOf(records, subject, 'calls').map(({ window }) => window.deviceMicroseconds);
    return resolutionOf(records, times) / median(times);
  });
  return {
    aa: Math.max(...aa.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)])),
    resolution: Math.log1p(Math.max(...steps)),
    clocks: Math.abs(mean(blocks.map(({ ratio, hostRatio }) => ratio - hostRatio))),
    coreClock: Math.abs(mean(blocks.map(({ clockBias }) => clockBias))),
  };
}

/**
 * The floor, as a logarithm. A/A noise and the clock's step are two measures of one thing, so the larger counts; what the clocks disagree about is a bias that could be
 * added to any of them, so it is.
 */
function total({ aa, resolution, clocks, coreClock }: FloorParts): number {
  return Math.max(aa, resolution) + clocks + coreClock;
}

function noiseFloorOf(parts: FloorParts): NoiseFloor {
  const { aa, resolution, clocks, coreClock } = parts;
  return {
    ratio: Math.exp(total(parts)),
    aa: Math.exp(aa),
    resolution: Math.exp(resolution),
    clocks: Math.exp(clocks),
    coreClock: Math.exp(coreClock),
  };
}

/** Each stratum's own interval, where strata differ by more than noise; undefined where they do not. */
function strataApart(
  processes: readonly (readonly Contrasts[])[],
  strata: Strata,
  alpha: number,
  noiseAlpha: number,
  floor: number,
): (LogInterval & { fromMHz: number; processes: number })[] | undefined {
  const values = strata.map((_, s) =>
    processes.map((blocks) => blocks.flatMap(({ byStratum }) => (byStratum[s] === undefined ? [] : [byStratum[s]]))),
  );
  const enough = (lists: readonly (readonly number[])[]) =>
    lists.filter(({ length }) => length > 0).length >= LEAST_PROCESSES;
  const filled = strata.flatMap((fromMHz, s) => (enough(values[s]!) ? [{ fromMHz, lists: values[s]! }] : []));
  const pairs = filled.flatMap((a, i) => filled.slice(i + 1).map((b) => [a, b] as const));
  const apart = pairs.some(([a, b]) => {
    const differences = a.lists.map((list, p) =>
      list.length > 0 && b.lists[p]!.length > 0 ? [mean(list) - mean(b.lists[p]!)] : [],
    );
    if (!enough(differences)) return false;
    const { estimate, low, high } = processInterval(differences, noiseAlpha / pairs.length);
    return (low > 0 || high < 0) && Math.abs(estimate) > floor;
  });
  if (!apart) return undefined;
  return filled.map(({ fromMHz, lists }) => ({
    ...processInterval(lists, alpha / filled.length),
    fromMHz,
    processes: lists.filter(({ length }) => length > 0).length,
  }));
}

/** Mean of the first half less mean of the second; a middle one counts in neither. */
function earlyLessLate(values: readonly number[]): number {
  const half = values.length >> 1;
  return mean(values.slice(0, half)) - mean(values.slice(values.length - half));
}

function exponential({ low, high }: { low: number; high: number }): { low: number; high: number } {
  return { low: Math.exp(low), high: Math.exp(high) };
}

function ratioOf({ estimate, low, high }: Pick<LogInterval, 'estimate' | 'low' | 'high'>): RatioInterval {
  return { ratio: Math.exp(estimate), low: Math.exp(low), high: Math.exp(high) };
}

/**
 * The timing protocol: is the candidate faster than every baseline? Sizes from a pilot, then fresh processes, in each of them blocks of randomly interleaved windows,
 * and looks at fixed numbers of processes. The first look at which every baseline is decided ends it; the plan has paid for the looks before.
 */
import type { DeviceCondition, TimedSubject, TimeSource, TimingDevice } from '../../device/index.ts';
import { Random } from '../../task/index.ts';
import { analyse } from './analyse.ts';
import { causes, type Refusal } from './causes.ts';
import { type ClockAgreement, clockAgreement } from './clocks.ts';
import { collect, inFreshProcesses, pilot, WindowFailed } from './collect.ts';
import { alphaOfLooks, checkPlan, defaultPlan, sizePlan, type TimingPlan } from './plan.ts';
import { type ProcessRecord, type Records, rolesOf, type Sample, samplesOf } from './records.ts';
import { belowFloor, WindowCheck } from './refuse.ts';
import type { BaselineComparison, ConditionSummary, SubjectTime, TimingOutcome, TimingReport } from './report.ts';

export interface CompareOptions {
  /** 64 hex digits, drawn after the candidate was frozen (`deriveSeed`): the order of windows follows from it. */
  readonly seed: string;
  readonly plan?: Partial<TimingPlan>;
  /** The least time a call of the task could take on this device, microseconds; absent where the device is not known. */
  readonly floorMicroseconds?: number;
  readonly signal?: AbortSignal;
  /** Told after each set of fresh processes. */
  readonly onProgress?: (progress: { process: number; of: number }) => void;
}

/**
 * Compares the device's candidate with its baselines.
 * @throws RangeError on a plan or subjects that cannot be followed; the signal's reason when aborted. Everything that a device or a candidate does is in the report.
 */
export async function compareTimes<Source extends TimeSource>(
  device: TimingDevice<Source>,
  options: CompareOptions,
): Promise<TimingReport<Source>> {
  const wanted = { ...defaultPlan, ...options.plan };
  checkPlan(wanted);
  rolesOf(device.subjects);
  return new Comparison(device, wanted, options).run();
}

class Comparison<Source extends TimeSource> {
  readonly #device: TimingDevice<Source>;
  readonly #options: CompareOptions;
  readonly #check = new WindowCheck();
  readonly #processes: ProcessRecord[] = [];
  #pilot: readonly Sample[] = [];
  #plan: TimingPlan;
  #calls = 0;
  #looks = 0;

  constructor(device: TimingDevice<Source>, plan: TimingPlan, options: CompareOptions) {
    this.#device = device;
    this.#plan = plan;
    this.#options = options;
  }

  async run(): Promise<TimingReport<Source>> {
    const { signal, onProgress } = this.#options;
    for (let number = 0; number < this.#plan.looks.at(-1)!; number++) {
      const refusal = await this.#process(number, signal);
      if (refusal !== undefined) return this.#report([], refusal);
      onProgress?.({ process: number + 1, of: this.#plan.looks.at(-1)! });
      if (number + 1 !== this.#plan.looks[this.#looks]) continue;
      this.#looks++;
      const found = this.#look();
      if (found !== undefined) return 'cause' in found ? this.#report([], found) : this.#report(found);
    }
    throw new Error('The last look decides; this line is not reached.');
  }

  /** One set of fresh processes; the first also sizes the plan. */
  async #process(number: number, signal?: AbortSignal): Promise<Refusal | undefined> {
    const random = new Random(this.#options.seed, `order ${number}`);
    try {
      return await inFreshProcesses(
        this.#device,
        number,
        async (process) => {
          if (number === 0) {
            const { pilots, samples } = await pilot(this.#device, process, random, signal);
            this.#pilot = samples;
            const refusal = this.#check.refusal(samples);
            if (refusal !== undefined) return refusal;
            const sized = sizePlan(this.#plan, this.#device.facts, pilots);
            if ('refused' in sized) return { cause: 'budget', reason: sized.refused };
            this.#plan = sized.plan;
            this.#calls = sized.calls;
          }
          const record = await collect(this.#device, process, number, this.#plan, this.#calls, random, signal);
          this.#processes.push(record);
          return this.#refusalOf(record);
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof WindowFailed)) throw error;
      return {
        cause: 'no-window',
        subject: error.subject,
        reason: `No time could be taken of ${error.subject}: ${error.message}`,
      };
    }
  }

  #refusalOf(record: ProcessRecord): Refusal | undefined {
    const refusal = this.#check.refusal([...record.settling, ...record.blocks.flat()]);
    const { floorMicroseconds } = this.#options;
    if (refusal !== undefined || floorMicroseconds === undefined) return refusal;
    for (const { id } of this.#device.subjects) {
      const under = belowFloor(this.#records, samplesOf({ processes: [record] }, id, 'calls'), floorMicroseconds);
      if (under !== undefined) return under;
    }
    return undefined;
  }

  get #records(): Records {
    const { facts, subjects } = this.#device;
    return { facts, subjects, calls: this.#calls, processes: this.#processes };
  }

  /** What the data say now; undefined when it is not enough and more may come. */
  #look(): BaselineComparison[] | Refusal | undefined {
    const last = this.#looks === this.#plan.looks.length;
    const options = { plan: this.#plan, alpha: alphaOfLooks(this.#plan)[this.#looks - 1]! };
    // The bootstrap can only widen an interval: what is open without it is open with it, and it costs the most.
    if (!last) {
      const quick = analyse(this.#records, options);
      if ('cause' in quick) return quick;
      if (!decided(quick)) return undefined;
    }
    const full = analyse(this.#records, { ...options, bootstrapSeed: this.#options.seed });
    return last || 'cause' in full || decided(full) ? full : undefined;
  }

  #report(comparisons: readonly BaselineComparison[], refusal?: Refusal): TimingReport<Source> {
    const { facts, subjects, source } = this.#device;
    const outcome = refusal === undefined ? overall(comparisons) : causes[refusal.cause].outcome;
    const clocks = this.#processes.length > 0 ? subjects.map(({ id }) => clockAgreement(this.#records, id)) : [];
    return {
      source,
      outcome,
      reason: refusal?.reason ?? comparisons.map(({ reason }) => reason).join(' '),
      refusal: refusal && { ...refusal, cheats: causes[refusal.cause].cheats },
      facts,
      subjects,
      plan: this.#plan,
      callsPerWindow: this.#calls,
      looks: this.#looks,
      processes: this.#processes.length,
      floorMicroseconds: this.#options.floorMicroseconds,
      comparisons,
      times: clocks.map((agreement, i) => timeOf(agreement, subjects[i]!, this.#calls)),
      clocks,
      condition: summaryOf(this.#processes),
      pilot: this.#pilot,
      records: this.#processes,
    };
  }
}

function decided(comparisons: readonly BaselineComparison[]): boolean {
  return (
    comparisons.some(({ outcome }) => outcome === 'slower') ||
    comparisons.every(({ outcome }) => outcome !== 'undecided')
  );
}

/** Faster is faster than every baseline; slower than one is slower than the best. */
export function overall(comparisons: readonly Pick<BaselineComparison, 'outcome'>[]): TimingOutcome {
  const all = (outcome: TimingOutcome) => comparisons.every((one) => one.outcome === outcome);
  if (comparisons.some(({ outcome }) => outcome === 'slower')) return 'slower';
  if (all('faster')) return 'faster';
  return comparisons.some(({ outcome }) => outcome === 'undecided') ? 'undecided' : 'as-fast';
}

function timeOf(agreement: ClockAgreement, { id, role }: TimedSubject, calls: number): SubjectTime {
  return {
    subject: id,
    role,
    microseconds: agreement.deviceMicroseconds / calls,
    nullMicroseconds: agreement.nullDeviceMicroseconds / calls,
    windows: agreement.windows,
  };
}

function summaryOf(processes: readonly ProcessRecord[]): ConditionSummary {
  const throttled = new Set<string>();
  const ranges = new Map<keyof DeviceCondition, { low: number; high: number }>();
  let windowsWithOtherProcesses = 0;
  for (const { blocks } of processes) {
    for (const { window } of blocks.flat()) {
      for (const reason of window.condition.throttled ?? []) throttled.add(reason);
      if ((window.condition.otherProcesses ?? 0) > 0) windowsWithOtherProcesses++;
      for (const what of ['smClockMHz', 'temperatureC'] as const) {
        const value = window.condition[what];
        if (value === undefined) continue;
        const range = ranges.get(what) ?? { low: value, high: value };
        ranges.set(what, { low: Math.min(range.low, value), high: Math.max(range.high, value) });
      }
    }
  }
  return {
    smClockMHz: ranges.get('smClockMHz'),
    temperatureC: ranges.get('temperatureC'),
    throttled: [...throttled].sort(),
    windowsWithOtherProcesses,
  };
}

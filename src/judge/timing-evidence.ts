/**
 * A timing report as it stands in evidence: everything of it, with the raw windows as rows so that tens of thousands of them fit. `recordsIn` gives them back.
 */
import { z } from 'zod';
import type { DeviceCondition } from '../device/index.ts';
import type { Timed } from './timed.ts';
import type { Sample } from './timing/records.ts';
import type { TimingReport } from './timing/report.ts';

/** A number as JSON can hold it. */
const number = z.union([z.number(), z.enum(['nan', 'inf', '-inf'])]);
const whole = z.number().int().nonnegative();
const role = z.enum(['candidate', 'baseline']);
const ratio = z.object({ ratio: number, low: number, high: number });
const ends = z.object({ low: number, high: number });
const outcome = z.enum(['faster', 'as-fast', 'slower', 'undecided', 'void']);

const condition = z.object({
  smClockMHz: z.number().optional(),
  memoryClockMHz: z.number().optional(),
  temperatureC: z.number().optional(),
  powerWatts: z.number().optional(),
  otherProcesses: z.number().optional(),
  /** Absent: the driver does not tell. */
  throttled: z.array(z.string()).optional(),
});

/** One window: subject (index), instance, work, calls, microseconds by the device's clock, by the host's, outputs, operands, condition (index). */
const window = z.tuple([
  whole,
  z.union([z.literal(0), z.literal(1)]),
  z.enum(['calls', 'null']),
  whole,
  number,
  number,
  z.enum(['right', 'wrong', 'unchecked']),
  z.string(),
  whole,
]);

const comparison = z.object({
  baseline: z.string(),
  outcome: outcome.exclude(['void']),
  speedup: ratio,
  student: ends,
  bootstrap: ends.optional(),
  alpha: z.number(),
  noiseFloor: z.object({ ratio: number, aa: number, resolution: number, clocks: number, coreClock: number }),
  aa: z.array(ratio),
  betweenProcesses: number,
  early: ratio,
  byClock: z.array(ratio.extend({ fromMHz: z.number(), processes: whole })).optional(),
  lost: number,
  reason: z.string(),
});

const report = z.object({
  /** `simulated`: a model of clocks, of which nothing is claimed. */
  source: z.enum(['measured', 'simulated']),
  outcome,
  reason: z.string(),
  refusal: z
    .object({
      cause: z.string(),
      subject: z.string().optional(),
      reason: z.string(),
      cheats: z.array(z.string()),
      window: window.optional(),
    })
    .optional(),
  facts: z.object({
    device: z.string(),
    deviceResolutionMicroseconds: number,
    hostResolutionMicroseconds: number,
    cache: z.enum(['cold', 'warm']),
    clocksLocked: z.boolean(),
    mostCalls: whole,
    environment: z.record(z.string(), z.string()),
  }),
  subjects: z.array(z.object({ id: z.string(), role })),
  plan: z.object({
    looks: z.array(whole),
    alpha: z.number(),
    noiseAlpha: z.number(),
    blocks: whole,
    leastBlocks: whole,
    rounds: whole,
    margin: z.number(),
    windowMicroseconds: z.number(),
    windowResolutions: z.number(),
    windowNulls: z.number(),
    // Whoever reads evidence may run the protocol over it again: not without end.
    resamples: whole.max(100_000),
    mostLost: z.number(),
    budget: z.object({ seconds: z.number(), calls: z.number() }),
  }),
  callsPerWindow: whole,
  looks: whole,
  processes: whole,
  floorMicroseconds: z.number().optional(),
  comparisons: z.array(comparison),
  times: z.array(
    z.object({ subject: z.string(), role, microseconds: number, nullMicroseconds: number, windows: whole }),
  ),
  clocks: z.array(
    z.object({
      subject: z.string(),
      windows: whole,
      deviceMicroseconds: number,
      hostMicroseconds: number,
      nullDeviceMicroseconds: number,
      nullHostMicroseconds: number,
      excessMicroseconds: number,
    }),
  ),
  condition: z.object({
    smClockMHz: ends.optional(),
    temperatureC: ends.optional(),
    throttled: z.array(z.string()),
    windowsWithOtherProcesses: whole,
  }),
  /** What windows name by index. */
  conditions: z.array(condition),
  pilot: z.array(window),
  /** Process by process; of each the block that settles it, and the blocks that count. */
  records: z.array(z.object({ process: whole, settling: z.array(window), blocks: z.array(z.array(window)) })),
});

const claim = z.object({
  kind: z.literal('claim'),
  speedup: ratio,
  over: z.string(),
  grade: z.object({
    task: z.string(),
    precision: z.string(),
    mode: z.literal('eval').optional(),
    shapes: z.array(z.string()),
    device: z.string(),
    cache: z.enum(['cold', 'warm']),
    beaten: z.array(ratio.extend({ baseline: z.string() })),
    notTimed: z.array(z.string()),
    processes: whole,
    windows: whole,
    noiseFloor: number,
    clock: z.string(),
  }),
  words: z.array(z.string()).min(1),
});

/** Whether a claim is the one that its report allows: measured, faster, and over each baseline what the comparison with it says. */
function shows(made: z.infer<typeof report>, { over, speedup, grade }: z.infer<typeof claim>): boolean {
  const same = (baseline: string, { ratio: middle, low, high }: z.infer<typeof ratio>) =>
    made.comparisons.some(
      ({ baseline: name, speedup: own }) =>
        name === baseline && own.ratio === middle && own.low === low && own.high === high,
    );
  return (
    made.source === 'measured' &&
    made.outcome === 'faster' &&
    made.floorMicroseconds !== undefined &&
    grade.beaten.length === made.comparisons.length &&
    grade.beaten.every((one) => same(one.baseline, one) && readNumber(one.ratio) >= readNumber(speedup.ratio)) &&
    same(over, speedup)
  );
}

/** A claim stands beside measured times that say `faster`, and nowhere else; without one the evidence says why. */
export const timedSchema = z
  .object({
    report: report.optional(),
    claim: claim.optional(),
    unclaimed: z.string().optional(),
    /** What was timed; `scaled`: smaller than the file's own. */
    shapes: z.array(z.string()).optional(),
    scaled: z.boolean().optional(),
  })
  .refine(({ report: made, claim: said }) => said === undefined || (made !== undefined && shows(made, said)), {
    message: 'it claims a speedup that its times do not show',
  })
  .refine((timed) => (timed.claim === undefined) !== (timed.unclaimed === undefined), {
    message: 'it must hold a claim, or say why there is none',
  });

export type TimedEvidence = z.infer<typeof timedSchema>;
export type ReportEvidence = z.infer<typeof report>;
type Row = z.infer<typeof window>;

/** A verdict's times as plain data. Numbers are not spelled yet: evidence.ts does that for all of it. */
export function timedEvidence({ report: made, claim: claimed, ...rest }: Timed): unknown {
  return { report: made && reportRows(made), claim: claimed, ...rest };
}

function reportRows(made: TimingReport): unknown {
  const conditions: DeviceCondition[] = [];
  const known = new Map<string, number>();
  const indexOf = (one: DeviceCondition) => {
    const key = JSON.stringify(one);
    const index = known.get(key) ?? conditions.push(one) - 1;
    known.set(key, index);
    return index;
  };
  const subjects = new Map(made.subjects.map(({ id }, index) => [id, index]));
  const row = ({ request, window: seen }: Sample) => {
    const { subject, instance, work, calls } = request;
    const { deviceMicroseconds, hostMicroseconds, outputs, operands } = seen;
    const times = [deviceMicroseconds, hostMicroseconds];
    return [subjects.get(subject)!, instance, work, calls, ...times, outputs, operands, indexOf(seen.condition)];
  };
  const { refusal } = made;
  const pilot = made.pilot.map(row);
  const records = made.records.map(({ process, settling, blocks }) => ({
    process,
    settling: settling.map(row),
    blocks: blocks.map((block) => block.map(row)),
  }));
  return {
    ...made,
    refusal: refusal && { ...refusal, window: refusal.window && row(refusal.window) },
    pilot,
    records,
    conditions,
  };
}

const SPELLED = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity } as const;

/** A number as it was before it was spelled for JSON. */
export function readNumber(spelled: number | keyof typeof SPELLED): number {
  return typeof spelled === 'number' ? spelled : SPELLED[spelled];
}

/** Windows of a report in evidence. @throws a sentence for a row that names a subject or condition that is not there. */
export function samplesIn(
  { subjects, conditions }: Pick<ReportEvidence, 'subjects' | 'conditions'>,
  rows: readonly Row[],
): Sample[] {
  return rows.map(([subject, instance, work, calls, device, host, outputs, operands, at]): Sample => {
    const [named, seen] = [subjects[subject], conditions[at]];
    if (named === undefined || seen === undefined)
      throw new Error('This evidence is damaged: a timed window names a subject or a condition that is not listed.');
    const [deviceMicroseconds, hostMicroseconds] = [readNumber(device), readNumber(host)];
    const request = { subject: named.id, instance, work, calls };
    return {
      request,
      window: { status: 'timed', deviceMicroseconds, hostMicroseconds, outputs, operands, condition: seen },
    };
  });
}

/** What a report in evidence was made of. */
export function recordsIn(made: ReportEvidence): Pick<TimingReport, 'facts' | 'subjects' | 'pilot' | 'records'> {
  const { deviceResolutionMicroseconds, hostResolutionMicroseconds } = made.facts;
  return {
    facts: {
      ...made.facts,
      deviceResolutionMicroseconds: readNumber(deviceResolutionMicroseconds),
      hostResolutionMicroseconds: readNumber(hostResolutionMicroseconds),
    },
    subjects: made.subjects,
    pilot: samplesIn(made, made.pilot),
    records: made.records.map(({ process, settling, blocks }) => ({
      process,
      settling: samplesIn(made, settling),
      blocks: blocks.map((block) => samplesIn(made, block)),
    })),
  };
}

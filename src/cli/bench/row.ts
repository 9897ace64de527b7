/** One task of a bench: what came of it, in a line of JSON that a resumed bench reads again. */
import { z } from 'zod';

/** `correct`: a verified kernel. `none`: candidates, none correct. `refused`: it does not trace or lower. `stopped`: out of time, or it crashed. */
export const rowSchema = z.object({
  task: z.string(),
  /** SHA-256 of the task's file: a changed task is run again. */
  hash: z.string(),
  outcome: z.enum(['correct', 'none', 'refused', 'stopped']),
  /** Why, where it is not correct. */
  reason: z.string().optional(),
  /** Wall clock of all of it, from tracing to confirmation. */
  seconds: z.number(),
  run: z.string().optional(),
  judged: z.number().optional(),
  passedOver: z.number().optional(),
  stopped: z.string().optional(),
  /** Which times: modelled, measured or simulated; microseconds. */
  kind: z.enum(['modelled', 'measured', 'simulated']).optional(),
  /** Id of the GPU that they and the floor are of, and what the candidates ran on, in a sentence. */
  gpu: z.string().optional(),
  devices: z.string().optional(),
  floor: z.number().optional(),
  microseconds: z.number().optional(),
  direct: z.number().optional(),
  /** The slowest factor over a measured baseline, where times were taken: over the best of them. */
  overBaseline: z.number().optional(),
  baseline: z.string().optional(),
  claimed: z.boolean().optional(),
  dollars: z.number().optional(),
  summary: z.string().optional(),
  kernel: z.string().optional(),
  evidence: z.string().optional(),
});

export type Row = z.infer<typeof rowSchema>;

/** The part of `assay optimize --json` that a row is made of. */
const reportSchema = z.object({
  run: z.object({
    id: z.string(),
    stopped: z.string(),
    judged: z.number(),
    passedOver: z.number(),
    rejected: z.record(z.string(), z.number()),
    models: z.object({ dollars: z.number() }).optional(),
  }),
  floor: z.object({ gpu: z.string(), microseconds: z.number() }),
  times: z.object({ kind: z.enum(['modelled', 'measured', 'simulated']) }),
  devices: z.string(),
  directTranslationMicroseconds: z.number().optional(),
  best: z
    .object({
      summary: z.string(),
      kernel: z.string(),
      evidence: z.string(),
      modelled: z.object({ microseconds: z.number() }),
      measured: z.object({ medianMicroseconds: z.number() }).optional(),
      simulated: z.object({ medianMicroseconds: z.number() }).optional(),
      speed: z
        .object({
          claimed: z.unknown().optional(),
          comparisons: z
            .array(z.object({ baseline: z.string(), speedup: z.object({ ratio: z.number() }).optional() }))
            .optional(),
        })
        .optional(),
    })
    .optional(),
});

type Known = Pick<Row, 'task' | 'hash' | 'seconds'>;

/** A row from what `assay optimize --json` printed. */
export function rowOf(known: Known, printed: string): Row {
  let json: unknown;
  try {
    json = JSON.parse(printed);
  } catch {
    return { ...known, outcome: 'stopped', reason: 'It ended without a report.' };
  }
  const refused = z.object({ error: z.string() }).safeParse(json);
  if (refused.success) return { ...known, outcome: 'refused', reason: refused.data.error };
  const { run, floor, times, devices, best, directTranslationMicroseconds: direct } = reportSchema.parse(json);
  const common: Known & Partial<Row> = {
    ...known,
    ...{ run: run.id, judged: run.judged, passedOver: run.passedOver, stopped: run.stopped },
    ...{ kind: times.kind, gpu: floor.gpu, devices, floor: floor.microseconds, direct, dollars: run.models?.dollars },
  };
  if (!best) {
    const rejected = Object.entries(run.rejected).map(([check, count]) => `${count} by ${check}`);
    // Of a right direct translation there is a time: then it is the confirmation that was cut off.
    if (run.stopped === 'interrupted')
      return {
        ...common,
        outcome: 'stopped',
        reason:
          direct === undefined
            ? 'Its time was over before a candidate was found correct. Give it more (--budget), or less at once (--at-once).'
            : 'Its time was over before its best kernel was confirmed. Give it more (--budget), or less at once (--at-once).',
      };
    const why =
      rejected.length > 0 ? `No candidate was correct: ${rejected.join(', ')}.` : 'No candidate was judged in time.';
    return { ...common, outcome: 'none', reason: why };
  }
  const measured = best.measured ?? best.simulated;
  // The baseline that is hardest to beat.
  const compared = (best.speed?.comparisons ?? []).flatMap(({ baseline, speedup }) =>
    speedup ? [{ baseline, ratio: speedup.ratio }] : [],
  );
  const [hardest] = compared.toSorted((a, b) => a.ratio - b.ratio);
  return {
    ...common,
    outcome: 'correct',
    microseconds: measured?.medianMicroseconds ?? best.modelled.microseconds,
    ...{ summary: best.summary, kernel: best.kernel, evidence: best.evidence },
    ...(hardest && { overBaseline: hardest.ratio, baseline: hardest.baseline, claimed: Boolean(best.speed?.claimed) }),
  };
}

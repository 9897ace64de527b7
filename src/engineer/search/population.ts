/** Who is best, and who may breed: each compiled code once, the fastest first. */
import type { Evaluation, SearchRecord } from '../ports.ts';
import type { Random } from './random.ts';

/** A record with its time. */
export interface Individual {
  record: SearchRecord;
  microseconds: number;
}

/** Correct records by time, one for each compiled code (the first proposed), ties by order of proposal. */
export function ranked(records: readonly SearchRecord[]): Individual[] {
  return byTime(records, ({ outcome, microseconds }) =>
    outcome === 'correct' || outcome === 'faster' ? microseconds : undefined,
  );
}

/**
 * Those that may become parents: the correct, and those that were passed over because others are faster, by their estimated times. What is bred
 * of these is judged in full before it is called correct, as everything is.
 */
export function breeders(records: readonly SearchRecord[]): Individual[] {
  return byTime(records, timeOf);
}

/** The time that a candidate is known by: judged, or estimated where it was passed over. Undefined where it failed. */
export function timeOf({ outcome, microseconds, estimate }: Evaluation): number | undefined {
  if (outcome === 'correct' || outcome === 'faster') return microseconds;
  return outcome === 'passed over' ? estimate : undefined;
}

function byTime(records: readonly SearchRecord[], time: (evaluation: Evaluation) => number | undefined): Individual[] {
  const byCode = new Map<string, Individual>();
  for (const record of records) {
    const { evaluation } = record;
    const microseconds = evaluation && time(evaluation);
    if (microseconds === undefined) continue;
    const key = evaluation!.codeHash ?? record.id;
    const known = byCode.get(key);
    // Equal code takes equal time: the better of two readings stands for both.
    if (!known) byCode.set(key, { record, microseconds });
    else known.microseconds = Math.min(known.microseconds, microseconds);
  }
  return [...byCode.values()].sort((a, b) => a.microseconds - b.microseconds);
}

/** The fastest of a few drawn at random: the fitter breed more, but not only the fittest. */
export function tournament(individuals: readonly Individual[], size: number, random: Random): Individual {
  let best = random.pick(individuals);
  for (let k = 1; k < size; k++) {
    const other = random.pick(individuals);
    if (other.microseconds < best.microseconds) best = other;
  }
  return best;
}

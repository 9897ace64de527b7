/** The candidates worth breeding from: correct, timed, each compiled code once, the fastest few. */
import type { SearchRecord } from '../ports.ts';
import type { Random } from './random.ts';

/** A record known to be correct, with its time. */
export interface Individual {
  record: SearchRecord;
  microseconds: number;
}

/** Correct records by time, one for each compiled code (the first proposed), ties by order of proposal. */
export function ranked(records: readonly SearchRecord[]): Individual[] {
  const byCode = new Map<string, Individual>();
  for (const record of records) {
    const { evaluation } = record;
    if (!evaluation || evaluation.microseconds === undefined) continue;
    if (evaluation.outcome !== 'correct' && evaluation.outcome !== 'faster') continue;
    const key = evaluation.codeHash ?? record.id;
    const known = byCode.get(key);
    // Equal code takes equal time: the better of two readings stands for both.
    if (!known) byCode.set(key, { record, microseconds: evaluation.microseconds });
    else known.microseconds = Math.min(known.microseconds, evaluation.microseconds);
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

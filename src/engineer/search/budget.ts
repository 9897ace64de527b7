/** When a search ends: at the floor, when what it may spend is spent, when nothing improves, or when it is told to. */
import type { SearchRecord } from '../ports.ts';
import { ranked } from './population.ts';

export interface SearchBudget {
  /** Candidates judged in full in this run, those before a resume included. */
  judgements?: number;
  /** Wall clock of this call, seconds. */
  seconds?: number;
  /** The same where the run starts from what other runs found (default: `seconds`). */
  warmSeconds?: number;
  /** US dollars for this run, those before a resume included. */
  dollars?: number;
  /** Stop when the best is within this factor of the floor: 1.1 is ten percent above it. */
  withinFloor?: number;
  /** Stop after this many generations in a row without a better candidate (default 4; 1 where it starts from what other runs found). */
  patience?: number;
  generations?: number;
}

/** A run that begins with nothing, and one that begins where others ended. */
export type Start = 'cold' | 'warm';

/** Generations without a better candidate: after which a run ends. */
const defaultPatience: Readonly<Record<Start, number>> = { cold: 4, warm: 1 };

export type StopReason =
  | 'judgements'
  | 'time'
  | 'money'
  | 'floor'
  | 'no improvement'
  | 'generations'
  | 'exhausted'
  | 'interrupted';

/** What has been used and reached. */
export interface Standing {
  records: readonly SearchRecord[];
  /** Full judgements begun and not yet recorded. */
  underWay: number;
  start: Start;
  seconds: number;
  dollars: number;
  /** The fastest correct candidate's time, microseconds; Infinity where there is none. */
  best: number;
  floorMicroseconds?: number;
  interrupted: boolean;
}

/** Whether a record has cost a full judgement: what was passed over has not, nor what compiles to code that was judged before. */
export function judgedInFull({ evaluation }: Pick<SearchRecord, 'evaluation'>): boolean {
  return evaluation !== undefined && evaluation.outcome !== 'passed over' && evaluation.twin === undefined;
}

/** Why nothing more may be begun; undefined while it may. */
export function spent(budget: SearchBudget, standing: Standing): StopReason | undefined {
  const { records, underWay, start, seconds, dollars, best, floorMicroseconds, interrupted } = standing;
  if (interrupted) return 'interrupted';
  const judged = records.filter(judgedInFull).length + underWay;
  if (budget.judgements !== undefined && judged >= budget.judgements) return 'judgements';
  const most = start === 'warm' ? (budget.warmSeconds ?? budget.seconds) : budget.seconds;
  if (most !== undefined && seconds >= most) return 'time';
  if (budget.dollars !== undefined && dollars >= budget.dollars) return 'money';
  if (budget.withinFloor !== undefined && floorMicroseconds !== undefined) {
    if (best <= floorMicroseconds * budget.withinFloor) return 'floor';
  }
  return undefined;
}

/** Why a generation is not begun, from the records of those before it alone; undefined where it may be. */
export function endBefore(
  generation: number,
  budget: SearchBudget,
  records: readonly SearchRecord[],
  start: Start,
): StopReason | undefined {
  if (budget.generations !== undefined && generation >= budget.generations) return 'generations';
  const patience = budget.patience ?? defaultPatience[start];
  if (generation <= patience) return undefined;
  const bestBefore = (limit: number) => ranked(records.filter((record) => record.generation < limit))[0];
  const [before, now] = [bestBefore(generation - patience), bestBefore(generation)];
  return !now || (before && now.microseconds >= before.microseconds) ? 'no improvement' : undefined;
}

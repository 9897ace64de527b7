/** A fault: one small, deliberate change to a right kernel, as a mistake would make it. Faults measure how much the judge sees. */
import type { PreparedCandidate } from '../../kernel/index.ts';

/** A candidate with one fault in it. */
export interface Fault {
  /** What kind of mistake, in a few words: `barrier left out`. */
  kind: string;
  /** What was changed, for people. */
  what: string;
  /** Line of the PTX that was changed; absent for faults of the plan. */
  ptxLine?: number;
  candidate: PreparedCandidate;
  /** The same place changed into a trap: whether the place is reached at all. Absent for faults of the plan. */
  probe?: PreparedCandidate;
}

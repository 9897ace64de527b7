/**
 * What the search needs of the rooms above it, as interfaces: somebody who judges, somewhere to keep records, somebody who
 * proposes. The search itself knows no GPU, no database and no model.
 */
import type { Random } from './search/random.ts';

/** JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What became of a candidate. */
export interface Evaluation {
  outcome: 'rejected' | 'correct' | 'faster' | 'unjudgeable';
  /** The check that decided, when rejected or unjudgeable. */
  check?: string;
  reason: string;
  /** Time on the run's target in microseconds, of the kind that the run's objective names. Absent unless correct. */
  microseconds?: number;
  /** Hash of the compiled code: candidates that are equal in it are the same kernel written twice. */
  codeHash?: string;
  /** Where the evidence is. */
  evidence?: string;
}

/** A candidate that an engineer has written. */
export interface Proposal {
  source: string;
  /** How it was made: a strategy's name, or `start`. */
  strategy: string;
  /** One line for people: what is different about it. */
  summary: string;
  /** The engineer's own description, from which it can make variations. */
  knobs: Json;
  /** Ids of the candidates it was made from. */
  parents: readonly string[];
}

/** A proposal with its place in the run, and what became of it where that is known. */
export interface SearchRecord extends Proposal {
  id: string;
  /** 1, 2, ... in the order proposed within the run. */
  number: number;
  generation: number;
  /** Name of the engineer. */
  engineer: string;
  evaluation?: Evaluation;
}

/** The judge. Must not throw for what a candidate does; a throw ends the search. */
export type Evaluate = (candidate: SearchRecord, signal?: AbortSignal) => Promise<Evaluation>;

/** Where records live. What `proposed` and `judged` were told is there after a crash. */
export interface SearchArchive {
  /** Records of this run, in the order proposed; those that a crash cut off have no evaluation. */
  ofRun(): Promise<readonly SearchRecord[]>;
  /** Correct candidates that other runs found for the same task and target, best first. */
  ofOtherRuns(most: number): Promise<readonly SearchRecord[]>;
  /** Called before a candidate is judged. */
  proposed(record: SearchRecord): Promise<void>;
  judged(record: SearchRecord & { evaluation: Evaluation }): Promise<void>;
}

/** Somebody who writes candidates. */
export interface Engineer {
  readonly name: string;
  /** Ways in which it can make a candidate from others. */
  readonly strategies: readonly Strategy[];
  /** First candidates, the plainest correct one first, then best guesses. */
  start(signal?: AbortSignal): Promise<readonly Proposal[]>;
  /** A variation by one of its strategies; undefined when it finds none. Deterministic in its arguments where it can be. */
  vary(
    strategy: string,
    parents: readonly SearchRecord[],
    random: Random,
    signal?: AbortSignal,
  ): Promise<Proposal | undefined>;
  /** Whether it can make variations of this candidate. */
  canVary(record: SearchRecord): boolean;
}

export interface Strategy {
  name: string;
  /** How many parents it takes. */
  parents: number;
}

/** What the archive stores and gives back: plain data. */
import type { Task } from '../task/index.ts';

/** What is kept of a task. */
export type TaskToStore = Pick<Task, 'hash' | 'name' | 'source' | 'graph' | 'precision'>;

/** A stored task with what was done about it, for lists. */
export interface TaskSummary {
  hash: string;
  name: string;
  /** ISO 8601, UTC. */
  firstSeen: string;
  runs: number;
  candidates: number;
  /** Correct ones, those that are faster than a baseline included. */
  correct: number;
  /** Paid for models' answers, US dollars; calls of unknown price count nothing. */
  dollars: number;
}

export interface RunRecord {
  id: string;
  taskHash: string;
  /** Target GPU's id. */
  gpu: string;
  device: 'virtual' | 'cuda';
  engineer: string;
  seed: number;
  options: unknown;
  started: string;
  finished: string | null;
}

/** What was found of a source in some run. */
export interface KnownTime {
  time: TimeRecord;
  /** Null where it was not asked for. */
  codeHash: string | null;
}

export interface CandidateRecord {
  id: string;
  run: string;
  /** 1, 2, ... in the order proposed within the run. */
  number: number;
  generation: number;
  /** Who proposed it, and how. */
  engineer: string;
  strategy: string;
  summary: string;
  knobs: unknown;
  source: string;
  sourceHash: string;
  /** Ids of what it was made from, the main one first; perhaps of other runs. */
  parents: readonly string[];
}

/** A stored time. Kinds never mix: ask for one kind on one device. `simulated`: the clocks of a fake driver, which say nothing of a GPU. */
export interface TimeRecord {
  kind: 'modelled' | 'measured' | 'simulated';
  device: string;
  microseconds: number;
  low: number;
  high: number;
  detail: unknown;
}

/**
 * What became of a candidate. `passed over` has not been judged in full: it ran, and its profile says that it is slower than what was known, so
 * nobody asked whether it is right. It is never called correct.
 */
export type StoredOutcome = 'rejected' | 'correct' | 'faster' | 'unjudgeable' | 'passed over';

/** A verdict without its evidence, which is large: {@link Archive.evidence} gives that. */
export interface StoredVerdict {
  outcome: StoredOutcome;
  check: string | null;
  reason: string | null;
  codeHash: string | null;
  /** The candidate that compiles to the same code and was judged in its place; absent where it was judged itself. */
  twin?: string;
  /** What judging took. */
  milliseconds: number;
  times: readonly TimeRecord[];
}

export interface VerdictRecord extends StoredVerdict {
  /** The evidence as the judge wrote it; null where there is none. */
  evidence: unknown;
}

/** A candidate with what became of it; `verdict` is absent where the run was cut off before it was judged. */
export interface JudgedCandidate extends CandidateRecord {
  verdict?: StoredVerdict;
}

/** A question to a language model and what it cost. Recorded before it is asked, as lost, and again as soon as it is answered. */
export interface CallRecord {
  id: string;
  run: string;
  /** The candidate that was made of it; null while, or because, there is none. */
  candidate: string | null;
  engineer: string;
  strategy: string;
  /** Vendor's name of the model, with the vendor where needed. */
  model: string;
  /** Which prompt: `name@version`. */
  prompt: string;
  /** SHA-256 of all that was asked: a resumed run finds an answer that is paid for. */
  requestHash: string;
  /** What was asked and answered, as the engineer writes it: JSON. */
  transcript: unknown;
  /** Null where the vendor does not say. */
  inputTokens: number | null;
  outputTokens: number | null;
  /** Of the input tokens, those that the vendor had kept. */
  cachedTokens: number | null;
  /** US dollars; null where the price is not known. */
  dollars: number | null;
  /** Why there is no answer, where there is none. */
  error: string | null;
  milliseconds: number;
}

/** What a run's calls cost together. */
export interface Spending {
  calls: number;
  inputTokens: number;
  outputTokens: number;
  dollars: number;
  /** Calls whose price is not known; they are not in `dollars`. */
  unpriced: number;
}

/** Another task's best candidate, and how alike the two tasks are. */
export interface RelatedWork {
  task: { hash: string; name: string };
  /** 0 to 1: see task-features.ts. */
  similarity: number;
  /** In words: what the two share. */
  shared: string;
  candidate: JudgedCandidate;
}

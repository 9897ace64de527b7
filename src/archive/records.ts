/** What the archive stores and gives back: plain data. */

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
  parents: readonly string[];
}

/** A stored time. `modelled` and `measured` never mix: ask for one kind on one device. */
export interface TimeRecord {
  kind: 'modelled' | 'measured';
  device: string;
  microseconds: number;
  low: number;
  high: number;
  detail: unknown;
}

export interface VerdictRecord {
  outcome: 'rejected' | 'correct' | 'faster' | 'unjudgeable';
  check: string | null;
  reason: string | null;
  codeHash: string | null;
  /** The evidence as the judge wrote it. */
  evidence: unknown;
  milliseconds: number;
  times: readonly TimeRecord[];
}

/** A candidate with what became of it; `verdict` is absent where the run was cut off before it was judged. */
export interface JudgedCandidate extends CandidateRecord {
  verdict?: VerdictRecord;
}

/** What the benchmark of the lowering sees of a task and of a candidate. */

/** What came of one candidate. `rejected` and `unjudgeable` name the check. */
export interface Trial {
  /** Which one: 1 is the direct translation, the others templates. */
  candidate: number;
  outcome: 'lowered' | 'correct' | 'rejected' | 'unjudgeable';
  check?: string;
  reason?: string;
  kernels: number;
  lines: number;
  /** Wall-clock of the judgement. */
  seconds: number;
  /** When it was judged: ISO 8601. */
  date: string;
  /** Seconds of each stage of the judgement, in order. */
  stages?: [stage: string, seconds: number][];
  /** The modelled time at the shapes that were judged. */
  microseconds?: number;
}

/** What came of one task; `refused` when there is no candidate. */
export interface Row {
  level: number;
  name: string;
  refused?: string;
  loadSeconds: number;
  /** Operators of its graph. */
  nodes?: number;
  floorMicroseconds?: number;
  /** It was judged in evaluation mode: in its file's own mode its result is random. */
  mode?: 'eval';
  trials: Trial[];
}

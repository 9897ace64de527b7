/** A candidate's time, and of which kind: never compare two kinds. */
export interface CandidateTime {
  kind: 'modelled' | 'measured' | 'simulated';
  microseconds: number;
}

/** Everything Assay says while it works. A reader switches on `type`; a new kind of event is a new member here. */
export type AssayEvent =
  | { type: 'run.started'; run: string; task: string; gpu: string; engineer: string; resumed: boolean }
  | { type: 'task.traced'; task: string; operators: string[]; inputs: string[]; outputs: string[]; ms: number }
  | { type: 'task.floor'; gpu: string; microseconds: number; limitedBy: string }
  | { type: 'task.degenerate'; operator: string; reason: string }
  | { type: 'generation.started'; generation: number; proposed: number }
  | { type: 'candidate.proposed'; candidate: string; generation: number; parent?: string; summary: string }
  | { type: 'candidate.building'; candidate: string }
  | { type: 'check.passed'; candidate: string; check: string; ms: number }
  | { type: 'candidate.rejected'; candidate: string; check: string; reason: string }
  | { type: 'candidate.accepted'; candidate: string; time?: CandidateTime; percentOfFloor?: number }
  | { type: 'candidate.best'; candidate: string; time: CandidateTime; percentOfFloor?: number; summary: string }
  /** Ranked by its profile, not judged in full: nothing is said about whether it is right. */
  | { type: 'candidate.passed-over'; candidate: string; modelledMicroseconds: number; reason: string }
  | { type: 'run.finished'; run: string; best?: string; judged: number; rejected: number; seconds: number }
  | { type: 'note'; level: 'info' | 'warning'; message: string };

/** The member of {@link AssayEvent} with a given `type`. */
export type EventOf<T extends AssayEvent['type']> = Extract<AssayEvent, { type: T }>;

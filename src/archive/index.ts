/** The store: tasks, candidates, verdicts, lineage, times, costs, on disk, across runs. */
export type { Archive } from './archive.ts';
export { openArchive } from './open-archive.ts';
export type {
  CallRecord,
  CandidateRecord,
  JudgedCandidate,
  KnownTime,
  RelatedWork,
  RunRecord,
  Spending,
  StoredOutcome,
  StoredVerdict,
  TaskSummary,
  TaskToStore,
  TimeRecord,
  VerdictRecord,
} from './records.ts';
export { HOLDING_INTERVAL, type RunHolder, thisProcess } from './run-holder.ts';

/** The store: tasks, candidates, verdicts, lineage, times, on disk, across runs. */
export { Archive } from './archive.ts';
export type { CandidateRecord, JudgedCandidate, RunRecord, TimeRecord, VerdictRecord } from './records.ts';

/**
 * The store of all tasks, runs, candidates, verdicts, lineage and costs, across runs.
 *
 * Each change is one transaction: a process killed at any moment leaves a candidate either recorded or not, never half.
 * A candidate is recorded when it is proposed and again when it is judged, so that a resumed run judges exactly those
 * that have no verdict.
 */
import type {
  CallRecord,
  CandidateRecord,
  JudgedCandidate,
  KnownTime,
  RelatedWork,
  RunRecord,
  Spending,
  TaskSummary,
  TaskToStore,
  TimeRecord,
  VerdictRecord,
} from './records.ts';
import type { RunHolder } from './run-holder.ts';

export interface Archive {
  close(): Promise<void>;

  /** Stores a task; once is enough. */
  saveTask(task: TaskToStore): Promise<void>;
  /** Every task that has a run, the one worked on last first. */
  tasks(): Promise<TaskSummary[]>;
  /** A task's file as it was read. */
  taskSource(hash: string): Promise<string | undefined>;

  startRun(run: Omit<RunRecord, 'started' | 'finished'>): Promise<void>;
  /** Marks a run as ended by itself. */
  finishRun(id: string): Promise<void>;
  run(id: string): Promise<RunRecord | undefined>;
  /** The latest run of this task on this target that was cut off, those of one engineer left out. */
  unfinishedRun(taskHash: string, gpu: string, exceptEngineer?: string): Promise<RunRecord | undefined>;
  /**
   * Gives a run to a process, also again to the one that has it. Undefined where it has it now; else who has it: a process that is still there, as far
   * as can be told.
   */
  holdRun(id: string, holder: RunHolder): Promise<RunHolder | undefined>;
  /** Nobody works on the run any more, if this one did. */
  leaveRun(id: string, holder: RunHolder): Promise<void>;
  /** Every run, or those of a task, latest first. */
  runs(taskHash?: string): Promise<RunRecord[]>;

  /** Records a proposal, before it is judged; `calls` are the ids of the calls that it came of. */
  addCandidate(candidate: CandidateRecord, calls?: readonly string[]): Promise<void>;
  /** Records what became of a candidate. A second verdict on the same one replaces the first. */
  addVerdict(candidate: string, verdict: VerdictRecord): Promise<void>;
  /** Candidates of a run in the order proposed, each with its verdict if it has one. */
  candidates(run: string): Promise<JudgedCandidate[]>;
  candidate(id: string): Promise<JudgedCandidate | undefined>;
  /** The evidence of a candidate's verdict; undefined where there is none. */
  evidence(candidate: string): Promise<unknown>;
  /**
   * The fastest correct candidates of a task over all runs (but one), by times of one kind on one device, fastest
   * first; one for each distinct source.
   */
  best(
    taskHash: string,
    kind: TimeRecord['kind'],
    device: string,
    most: number,
    exceptRun?: string,
  ): Promise<JudgedCandidate[]>;
  /**
   * What is known of a task's candidates over all runs but one, by the hash of their source: the latest modelled time on the target, and the hash of the
   * compiled code. Those that were rejected have none.
   */
  modelled(taskHash: string, gpu: string, exceptRun: string): Promise<ReadonlyMap<string, KnownTime>>;
  /** Other tasks' best correct candidates by modelled time on the target, the most alike task first: task-features.ts. */
  related(task: TaskToStore, gpu: string, most: number): Promise<RelatedWork[]>;

  /** Records a call to a model: as it is begun, and again as it ends, before anything is made of its answer. The second takes the first's place. */
  addCall(call: CallRecord): Promise<void>;
  /** Calls of a run in the order made. */
  calls(run: string): Promise<CallRecord[]>;
  spent(run: string): Promise<Spending>;
}

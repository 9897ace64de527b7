/**
 * What the search needs of the rooms above it, as interfaces: somebody who judges, somewhere to keep records, somebody who
 * proposes. The search itself knows no GPU, no database and no model.
 */
import type { Archive } from '../archive/index.ts';
import type { EventStream } from '../events/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import type { Floor, Task } from '../task/index.ts';
import type { GpuTarget } from '../vgpu/index.ts';
import type { Random } from './search/random.ts';

/** JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What became of a candidate. */
export interface Evaluation {
  /** `passed over`: it ran, and its profile says that it is slower than what is known; nobody asked whether it is right. */
  outcome: 'rejected' | 'correct' | 'faster' | 'unjudgeable' | 'passed over';
  /** The check that decided, when rejected or unjudgeable. */
  check?: string;
  reason: string;
  /** Time on the run's target in microseconds, of the kind that the run's objective names. Absent unless correct. */
  microseconds?: number;
  /** Of which kind; a run has times of one kind. Absent: `modelled`. */
  timeKind?: 'modelled' | 'measured' | 'simulated';
  /** Of what was passed over: the time that its profile says, in the same terms. */
  estimate?: number;
  /** Hash of the compiled code: candidates that are equal in it are the same kernel written twice. */
  codeHash?: string;
  /** Id of the candidate with the same compiled code that was judged in its place: it took no judgement. */
  twin?: string;
  /** Where the evidence is. */
  evidence?: string;
  /** What was seen of it, in words. */
  feedback?: Feedback;
}

/**
 * What the judge, the compiler and the profiler found, in words, for whoever is to make the candidate better. It holds no inputs, seeds or
 * tolerances: an engineer learns what is wrong, never what the judge looks at.
 */
export interface Feedback {
  /** What is wrong, a sentence or two each; empty for a correct candidate. */
  findings: readonly string[];
  /** What each kernel does with the GPU, in the profiler's words. */
  profile: readonly string[];
  /** The resource that the modelled time is limited by. */
  limitedBy?: string;
  /** What each resource would take by itself, microseconds, longest first. */
  resources?: readonly { name: string; microseconds: number }[];
  /** Registers, spills and shared memory of each kernel, in words. */
  build: readonly string[];
}

/** What it took to write one candidate with models. What was said is in the archive, call by call. */
export interface Making {
  /** Ids of the calls in the archive, in order. */
  calls: readonly string[];
  /** `vendor:name` of the models that were asked. */
  models: readonly string[];
  /** The prompts it was made with: `name@version`, the version being a hash of the text. */
  prompts: readonly string[];
  inputTokens: number;
  outputTokens: number;
  /** US dollars, by the price table or the prices given. */
  dollars: number;
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
  /** Absent where no model was asked. */
  made?: Making;
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

/** What a candidate's profile says of it. Says nothing about whether it is right. */
export interface Ranking {
  /** In the terms of {@link Evaluation.microseconds}. */
  microseconds: number;
  /** As {@link Evaluation.codeHash}, where ranking shows it. */
  codeHash?: string;
}

/** The judge. Must not throw for what a candidate does; a throw ends the search. */
export type Evaluate = (candidate: SearchRecord, signal?: AbortSignal) => Promise<Evaluation>;

/** Where records live. What `proposed` and `judged` were told is there after a crash. */
export interface SearchArchive {
  /** Records of this run, in the order proposed; those that a crash cut off have no evaluation. */
  ofRun(): Promise<readonly SearchRecord[]>;
  /** Correct candidates that other runs found for the same task and target, best first. */
  ofOtherRuns(most: number): Promise<readonly SearchRecord[]>;
  /** The best candidates of other tasks, the most alike task first. */
  related?(most: number): Promise<readonly SearchRecord[]>;
  /** US dollars that this run has cost so far, before a resume included. */
  dollars?(): Promise<number>;
  /** Called before a candidate is judged. */
  proposed(record: SearchRecord): Promise<void>;
  judged(record: SearchRecord & { evaluation: Evaluation }): Promise<void>;
}

/** Somebody who writes candidates. */
export interface Engineer {
  readonly name: string;
  /** Ways in which it can make a candidate from others. */
  readonly strategies: readonly Strategy[];
  /** How often a strategy may be asked again for one place in a generation, when it gave nothing new (default 12); 1 where asking costs money. */
  readonly attempts?: number;
  /** Variations it may be asked for at the same time (default 1); more where an answer takes long and costs this machine nothing. */
  readonly atOnce?: number;
  /** First candidates, the plainest correct one first, then best guesses. */
  start(signal?: AbortSignal): Promise<readonly Proposal[]>;
  /**
   * A variation by one of its strategies; undefined when it finds none. Deterministic in its arguments where it can be. `history` holds
   * the records of all generations before this one.
   */
  vary(
    strategy: string,
    parents: readonly SearchRecord[],
    random: Random,
    signal?: AbortSignal,
    history?: readonly SearchRecord[],
  ): Promise<Proposal | undefined>;
  /** What it can take over from another task's candidate; undefined where that does not fit this task. */
  adapt?(work: SearchRecord): Promise<Proposal | undefined>;
  /** Whether it can make variations of this candidate by this strategy. */
  canVary(record: SearchRecord, strategy?: string): boolean;
}

export interface Strategy {
  name: string;
  /** How many parents it takes; 0: it writes from nothing. */
  parents: number;
  /** Which candidates may be parents: correct ones by their times (default), or the latest that failed. */
  from?: 'correct' | 'failed';
}

/** What an engineer is told of the run it is to work for. */
export interface Setting {
  run: string;
  task: Task;
  /** The task at its file's own shapes, where it was scaled. */
  full?: Task;
  target: GpuTarget;
  floor: Floor;
  archive: Archive;
  events?: EventStream;
  /** Engineers that were hired before. */
  colleagues: readonly Engineer[];
  /** Interprets and compiles a candidate without judging it. Throws CandidateError with the compiler's or interpreter's words. */
  prepare(source: string, signal?: AbortSignal): Promise<PreparedCandidate>;
}

/** Makes an engineer for a run; undefined where the run does without. Throws where it cannot work on the task, with a sentence that says why. */
export type Hire = (setting: Setting) => Engineer | undefined | Promise<Engineer | undefined>;

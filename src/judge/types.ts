/**
 * What a judgement is made of: the calls that were made, what each check said, and the verdict.
 * Plain data throughout (apart from the request), so that all of it can go into the evidence.
 */
import type { Device, MeasuredTime, RunLimits } from '../device/index.ts';
import type { EventStream } from '../events/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import type { FullTask, HostTensor, Task } from '../task/index.ts';
import type { Finding, LaunchProfile, ModelledTime } from '../vgpu/index.ts';
import type { Admission } from './admission-report.ts';
import type { FullSizeReport } from './full-size-report.ts';
import type { FullSizeTime } from './full-size-time.ts';
import type { Hardware, HardwareFacts } from './hardware.ts';
import type { OperatorShare } from './operator-share.ts';
import type { Oracle } from './oracle.ts';
import type { Proof } from './proof.ts';
import type { Commitment } from './seeds.ts';
import type { Timed, TimingSetup } from './timed.ts';
import type { WorstElement } from './tolerance.ts';

/**
 * How much of the candidate has been seen when a check is asked.
 * `prepare`: it is being made ready. `plan`: nothing has run. `first-call`: one call in fresh memory. `sequence`: many calls on changing inputs, one after another.
 * `timing`: it was found right, and calls of it were timed.
 */
export type Stage = 'prepare' | 'plan' | 'first-call' | 'sequence' | 'timing';

/** What a check answers. A check that cannot be asked here says why; that is not a pass. */
export type CheckAnswer =
  | { status: 'passed'; remark?: string }
  | { status: 'rejected'; proof: Proof }
  | { status: 'not-asked'; reason: string }
  | { status: 'unjudgeable'; reason: string };

/** A check's answer as it stands in the verdict. */
export interface CheckResult {
  check: string;
  stage: Stage;
  answer: CheckAnswer;
  milliseconds: number;
  /** The kind of device it was asked on: a GPU's checks stand beside those of the virtual one. */
  device: Device['kind'];
}

/** How one call of the candidate differs from the call before it. */
export interface CallPlan {
  /** How the inputs were drawn: a name of {@link Oracle.families}. */
  family: string;
  /** Index of the call whose inputs this one uses: its own index for newly drawn inputs. */
  inputsOf: number;
  /** 64 hex digits. */
  inputSeed: string;
  /** Seed of the inputs that this call's are, but for a part that is drawn from `inputSeed`. Absent: all are new. */
  baseSeed?: string;
  /** The part is half of the elements, the one or the other, as this seed divides them. Absent: two elements. */
  halves?: { seed: string; half: 0 | 1 };
  poisonSeed: number;
  resetGlobals: boolean;
  freshMemory: boolean;
  /** Calls that the state of device variables is moved on by first: see {@link Call}. */
  callsSkipped?: number;
  /** What the call is for, in a few words. */
  purpose: string;
}

/** How close one output of one call came to its bound. */
export interface OutputAccuracy {
  call: number;
  family: string;
  output: number;
  elements: number;
  wrong: number;
  worst?: WorstElement;
  /** Root mean square of error over bound, and its limit. */
  rms: number;
  rmsLimit: number;
  /** Elements by error over bound: exact, then up to 2^-8, 2^-7, ... 1, then over 1. */
  histogram: readonly number[];
}

/** Wall-clock of one stage of the judgement, milliseconds. */
export interface StageTiming {
  stage: string;
  milliseconds: number;
}

export type Outcome = 'rejected' | 'correct' | 'unjudgeable';

/** What the judge says of a candidate, with its reasons. It is correct *and faster* where `timing` holds a claim. */
export interface Verdict {
  outcome: Outcome;
  /** Id of the check that decided, when rejected or unjudgeable. */
  check?: string;
  /** One sentence (two where there is advice). Of a right candidate it says nothing of speed: `timing` does. */
  reason: string;
  proof?: Proof;
  sourceHash: string;
  checks: readonly CheckResult[];
  findings: readonly Finding[];
  accuracy: readonly OutputAccuracy[];
  calls: readonly CallPlan[];
  commitment?: Commitment;
  candidate?: PreparedCandidate;
  /** What the kernels' printf printed, cut to the device's limit. */
  printed: string;
  /** From the performance model of the virtual device; only of a correct candidate. Never the ground of a claim. */
  modelled?: ModelledTime;
  /** Of each launch of the first call; empty where the device does not profile. */
  profile: readonly LaunchProfile[];
  measured?: MeasuredTime;
  /** What its times came to; absent where nobody asked for times, or it was not found right before. */
  timing?: Timed;
  /** The GPU that it ran on too; absent where none was asked for, or it was not found right before. */
  hardware?: HardwareFacts;
  admission?: Admission;
  /** What was seen at the file's own shapes, of a task that was scaled. */
  fullSize?: FullSizeReport;
  /** Its modelled time there; only of a correct candidate. */
  fullSizeTime?: FullSizeTime;
  timings: readonly StageTiming[];
  /** What of a submission in Python is PyTorch's own operators. */
  operators?: OperatorShare;
}

export interface JudgeRequest {
  task: Task;
  /** The task at its file's own shapes, where it was scaled (`loadWithFull`); absent: they are not looked at. */
  full?: FullTask;
  /** Shapes at which the time of a right candidate is modelled as well; those of `full` when absent. */
  timeAt?: Task;
  candidateSource: string;
  device: Device;
  /** Id of the target GPU in the table of targets, e.g. `h100-sxm`: what the modelled time is for. */
  gpu: string;
  limits: RunLimits;
  /** Where compiled device code is kept between judgements. */
  cacheDir: string;
  /** Where the sandbox for Python keeps its snapshot; `cacheDir` when absent. */
  tracesDir?: string;
  events?: EventStream;
  /** Name of the candidate in events; its source hash when absent. */
  candidate?: string;
  signal?: AbortSignal;
  /** Seeds drawn after several candidates were frozen together; must contain this candidate's hash. Absent: drawn here. */
  commitment?: Commitment;
  /** Takes times of the candidate if it is right; absent: as `hardware` does, or none. */
  timing?: TimingSetup;
  /** A GPU that the candidate runs on too, once the virtual one finds it right. */
  hardware?: Hardware;
  /** The task's oracle, shared between judgements of one task so that references are computed once a commitment. */
  oracle?: Oracle;
}

/** One call as it was made, with what came back. */
export interface JudgedCall {
  index: number;
  plan: CallPlan;
  /** Outputs decoded from the sealed bytes. */
  outputs: readonly HostTensor[];
  bytes: readonly Uint8Array[];
  written: readonly (Uint8Array | undefined)[];
  changedInputs: readonly { argument: number; firstByte: number }[];
  threadInstructions: number;
}

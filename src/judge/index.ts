/** The judge: checks, tolerance, seeds, verdicts, evidence, task admission. */
export { admit } from './admission.ts';
export type { Admission, EquivalentMutant, MutantResult } from './admission-report.ts';
export { type Audit, audit, type Conclusion, type PublishedClaim } from './audit.ts';
export { checks } from './check.ts';
export { type Discrimination, discriminate, type Fitness, type Flaw } from './discrimination.ts';
export { type EvidenceSource, evidenceOf, parseEvidence } from './evidence.ts';
export { EVIDENCE_SCHEMA, type Evidence, type EvidenceFloor, evidenceSchema } from './evidence-schema.ts';
export type { Fault } from './faults/fault.ts';
export { planFaults } from './faults/plan-faults.ts';
export { ptxFaults } from './faults/ptx-faults.ts';
export { type Fate, FaultTrial } from './faults/score.ts';
export { FLAT_TOLERANCES, type FlatReport } from './flat-check.ts';
export { type FullSizeTime, fullSizeTime } from './full-size-time.ts';
export { type BaselineKind, baselineKinds, type GpuTimesOptions, timesOnGpu, trialPlan } from './gpu-times.ts';
export type { Hardware, HardwareFacts } from './hardware.ts';
export { judge, judgePrepared } from './judge.ts';
export { limitsFor } from './limits.ts';
export { type Alone, type AloneTime, measureAlone, type SimulatedTime } from './measure-alone.ts';
export type { Expectation, Oracle } from './oracle.ts';
export { evidencePage } from './page/page.ts';
export type { Proof } from './proof.ts';
export type { Check, CheckContext } from './question.ts';
export { randomOperator } from './random-task.ts';
export { type Reproduction, reproduce } from './reproduce.ts';
export type { Agreement } from './reproduce-times.ts';
export { type Commitment, commit, deriveSeed, sourceHash } from './seeds.ts';
export { createOracle } from './task-oracle.ts';
export { type OpenedTiming, speedInWords, type Timed, type TimingSetup } from './timed.ts';
export { timedOperands } from './timed-operands.ts';
export {
  type BaselineComparison,
  type Claim,
  type ClaimContext,
  type CompareOptions,
  claim,
  compareTimes,
  defaultPlan,
  measuredTimeOf,
  type TimingOutcome,
  type TimingPlan,
  type TimingReport,
} from './timing/index.ts';
export { type Comparison, compareOutput, deriveTolerance, type HonestRun, type OutputTolerance } from './tolerance.ts';
export type {
  CallPlan,
  CheckAnswer,
  CheckResult,
  JudgeRequest,
  Outcome,
  OutputAccuracy,
  Stage,
  StageTiming,
  Verdict,
} from './types.ts';

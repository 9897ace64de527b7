/** The timing protocol, and the simulated devices that it is tried on. */
export { type Cause, type CauseRow, causes, type Refusal } from './causes.ts';
export { type Claim, type ClaimContext, type ClaimGrade, claim, measuredTimeOf } from './claim.ts';
export { type CompareOptions, compareTimes } from './compare.ts';
export { deviceOf, type NoiseKind, noiseKinds } from './noise.ts';
export { defaultPlan, type TimingPlan } from './plan.ts';
export type {
  BaselineComparison,
  ConditionSummary,
  NoiseFloor,
  RatioInterval,
  SubjectTime,
  TimingOutcome,
  TimingReport,
} from './report.ts';
export {
  type NoiseModel,
  quietDevice,
  type SimulatedDevice,
  simulate,
  type Tampering,
  type Truth,
} from './simulate.ts';

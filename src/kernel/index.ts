/** The door of the kernel room: a candidate's source in, a plan and compiled code out. */
export {
  BuildError,
  type BuildRequest,
  buildDeviceCode,
  type Compilers,
  type Diagnostic,
  findCompilers,
  findToolchain,
  missing as missingCompiler,
  type Toolchain,
} from './build/index.ts';
export type { PrepareOptions } from './compile-unit.ts';
export { type DeviceFacts, deviceFactsOf, factsOf, PORTABLE_CLUSTER } from './device-facts.ts';
export { CandidateError, type CandidateErrorKind } from './error.ts';
export { finishPlan } from './finish-plan.ts';
export { describeSignature, type HostEnvironment, interpretHost } from './interpret/host.ts';
export { type HostFunction, type HostParameter, hostFunctions } from './interpret/host-functions.ts';
export { DEFAULT_LIMITS, type HostLimits } from './interpret/limits.ts';
export { candidateLanguage } from './language.ts';
export { activeBlocks } from './occupancy.ts';
export {
  type PlanReport,
  type ReportedBuffer,
  type ReportedLaunch,
  type ReportedStep,
  reportPlan,
} from './plan-report.ts';
export { compileKernels, prepareCandidate } from './prepare.ts';
export { entryText, type PtxEntry, type PtxParameter, readEntries } from './ptx-entries.ts';
export { deviceSource } from './split.ts';
export type { HostTrace, KernelUse, TraceStep } from './trace.ts';
export type * from './types.ts';

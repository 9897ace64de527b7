/** What executes a plan. A candidate runs in a child process that can crash, hang, or be killed, and comes back. */
export { contractionOf, cublasFiles } from './cuda/baselines/contraction.ts';
export { createPlanBaseline, severalBaselines } from './cuda/baselines/plan-baselines.ts';
export { createTorchBaselines, type TorchBaselineOptions, torchSubjects } from './cuda/baselines/torch-baselines.ts';
export { type CudaDevice, createCudaDevice } from './cuda/cuda-device.ts';
export type { CudaProcessOptions, FakeDriver } from './cuda/cuda-process.ts';
export { CudaError, NoDriver } from './cuda/driver/errors.ts';
export { buildFakeDriver, cCompiler } from './cuda/fake/build-fake.ts';
export type { GpuIdentity } from './cuda/gpu.ts';
export { type Recognised, recognise, targetOf } from './cuda/known-devices.ts';
export { mayHaveGpu, type OpenedGpu, openGpu } from './cuda/open-gpu.ts';
export { contradiction, type MeasuredPeaks, measurePeaks } from './cuda/peaks.ts';
export type { TimedPlan } from './cuda/timing/instance.ts';
export type { OperandSource, Renewal } from './cuda/timing/operands.ts';
export {
  type BaselineSource,
  type CudaTimingOptions,
  createCudaTimingDevice,
} from './cuda/timing/timing-device.ts';
export { computeSanitizer, NO_SANITIZER, type Sanitized } from './cuda/tools/compute-sanitizer.ts';
export { countersInWords, nsightCompute } from './cuda/tools/nsight-compute.ts';
export { findTool } from './cuda/tools/run-tool.ts';
export { timeVariants, variantsInWords } from './cuda/tools/variants.ts';
export { defaultLimits } from './limits.ts';
export type {
  DeviceCondition,
  FailedWindow,
  TimedSubject,
  TimedWindow,
  TimeSource,
  TimingDevice,
  TimingFacts,
  TimingProcess,
  WindowRequest,
  WindowResult,
} from './measure.ts';
export { standardBaselines } from './measure.ts';
export { poisonWord } from './poison.ts';
export type { SampledProfileRequest, SampledProfileResult } from './sampled-profile.ts';
export type {
  RowRequest,
  SampledLaunch,
  SampledOutput,
  SampledRow,
  SampledRunLimits,
  SampledRunRequest,
  SampledRunResult,
} from './sampled-run.ts';
export type {
  Call,
  CallResult,
  Device,
  MeasuredTime,
  RunLimits,
  RunRequest,
  RunResult,
  SealedOutput,
} from './types.ts';
export { createVirtualDevice, type VirtualDeviceOptions } from './virtual/virtual-device.ts';

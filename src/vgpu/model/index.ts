export { fitConstants, type Prediction, predict, predictLeftOut, type Score, score } from './calibration.ts';
export { BadMeasurements, MEASUREMENTS_SCHEMA, type MeasuredRun, parseMeasurements } from './measurements.ts';
export { type BlockDemand, type Occupancy, occupancy } from './occupancy.ts';
export { profileInWords } from './profile-words.ts';
export {
  defaultConstants,
  fittedConstants,
  type GpuTarget,
  gpuTarget,
  gpuTargets,
  type ModelConstants,
} from './targets.ts';
export { type LaunchTime, launchTime, type ModelledLaunch, modelTime, type ResourceTime } from './time.ts';

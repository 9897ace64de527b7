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

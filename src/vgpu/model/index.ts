export { type BlockDemand, type Occupancy, occupancy } from './occupancy.ts';
export { type GpuTarget, gpuTarget, gpuTargets } from './targets.ts';
export { type ModelledLaunch, modelTime } from './time.ts';

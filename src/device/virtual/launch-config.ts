/** A launch of a plan as the virtual GPU takes it: its shape, its arguments with addresses put in, the memory it may touch. */
import type { DevicePointer, LaunchConfig } from '../../vgpu/index.ts';
import { buffersOf, encodeArgument, type Launch } from '../plan/arguments.ts';

/** `pointers`: addresses of the plan's buffers, by id. */
export function launchConfig(
  step: Launch,
  pointers: readonly DevicePointer[],
): Pick<LaunchConfig, 'grid' | 'block' | 'dynamicSharedBytes' | 'cluster' | 'arguments' | 'allocations'> {
  return {
    grid: step.grid,
    block: step.block,
    dynamicSharedBytes: step.dynamicSharedBytes,
    cluster: step.cluster,
    arguments: step.arguments.map((argument) => encodeArgument(argument, pointers)),
    allocations: buffersOf(step).map((buffer) => pointers[buffer]!),
  };
}

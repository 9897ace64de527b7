/** A launch of a plan as the virtual GPU takes it: its shape, its arguments with addresses put in, the memory it may touch. */
import type { LaunchArgument, PlanStep } from '../../kernel/index.ts';
import type { DevicePointer, LaunchConfig } from '../../vgpu/index.ts';

export type Launch = Extract<PlanStep, { kind: 'launch' }>;

/** Ids of the buffers whose addresses a launch is given. */
export function buffersOf(step: Launch): number[] {
  return step.arguments.flatMap((argument) =>
    (argument.kind === 'pointer' ? [argument] : (argument.pointers ?? [])).map(({ buffer }) => buffer),
  );
}

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

/** The bytes of an argument, its addresses put in. */
export function encodeArgument(argument: LaunchArgument, addresses: readonly DevicePointer[]): Uint8Array {
  const bytes = argument.kind === 'bytes' ? Uint8Array.from(Buffer.from(argument.hex, 'hex')) : new Uint8Array(8);
  const pointers = argument.kind === 'bytes' ? (argument.pointers ?? []) : [{ ...argument, at: 0 }];
  const view = new DataView(bytes.buffer);
  for (const { at, buffer, byteOffset } of pointers) {
    view.setBigUint64(at, addresses[buffer]! + BigInt(byteOffset), true);
  }
  return bytes;
}

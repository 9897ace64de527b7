/** A plan's steps as the time model takes them: a profile, what a block demands, what spills. */
import type { Build } from '../../kernel/index.ts';
import type { LaunchProfile, LoadedModule, ModelledLaunch, VirtualGpu } from '../../vgpu/index.ts';
import type { Launch } from '../plan/arguments.ts';
import type { HostStep } from '../plan/host-steps.ts';
import { copyProfile, fillProfile } from './copy-profile.ts';

/** A profiled launch with the registers, shared memory and spills that ptxas reported for its kernel. */
export function modelledLaunch(
  gpu: VirtualGpu,
  module: LoadedModule,
  step: Launch,
  build: Build,
  profile: LaunchProfile,
): ModelledLaunch {
  const compiled = step.module ? build.others?.[step.module - 1] : build;
  const resources = compiled?.resources.find(({ entry }) => entry === step.entry);
  return {
    profile: { ...profile, kernel: step.kernel },
    demand: {
      threads: step.block[0] * step.block[1] * step.block[2],
      registers: resources?.registers,
      sharedBytes:
        (resources?.staticSharedBytes ?? gpu.staticSharedBytes(module, step.entry) ?? 0) + step.dynamicSharedBytes,
    },
    spillBytes: (resources?.spillLoadBytes ?? 0) + (resources?.spillStoreBytes ?? 0),
  };
}

/** A fill or copy of the host function, as PyTorch's own kernel for it; undefined for what has no model: PyTorch's operators. */
export function modelledTransfer(step: HostStep): ModelledLaunch | undefined {
  const profile = transferProfile(step);
  return profile && { profile, demand: { threads: 256, registers: 32, sharedBytes: 0 }, spillBytes: 0 };
}

function transferProfile(step: HostStep): LaunchProfile | undefined {
  if (step.kind === 'operator' || step.kind === 'constant') return undefined;
  if (step.kind === 'write') {
    const shape = [step.bytes.length / 2];
    return fillProfile({ buffer: step.buffer, dtype: 'uint8', shape, strides: [1], offset: step.byteOffset });
  }
  return step.kind === 'fill' ? fillProfile(step.tensor) : copyProfile(step.from, step.to);
}

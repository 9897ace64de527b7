/**
 * Which entry of the table of GPUs (src/vgpu, model/targets.ts) a GPU is. Peaks, and with them the floor, hang on it: a GPU that is sold under a
 * known name with another number of multiprocessors or less bandwidth (PCIe cards, parts of a GPU) is not that entry, and gets no floor rather than a wrong one.
 */
import { type GpuTarget, gpuTarget, gpuTargets } from '../../vgpu/index.ts';
import type { GpuIdentity } from './gpu.ts';

/** How the driver names each entry. */
export const knownNames: Readonly<Record<string, RegExp>> = {
  h100: /^NVIDIA H100 80GB HBM3$/,
  h200: /^NVIDIA H200$/,
  a100: /^NVIDIA A100-SXM4-80GB$/,
  rtx4090: /^NVIDIA GeForce RTX 4090$/,
  l4: /^NVIDIA L4$/,
  b200: /^NVIDIA B200$/,
  t4: /^(?:NVIDIA )?(?:Tesla )?T4$/,
  'h100-pcie': /^NVIDIA H100 PCIe$/,
  'h100-nvl': /^NVIDIA H100 NVL$/,
  'a100-40gb': /^(?:NVIDIA )?A100-SXM4-40GB$/,
  'a100-pcie': /^NVIDIA A100 80GB PCIe$/,
  'a100-pcie-40gb': /^(?:NVIDIA )?A100-PCIE-40GB$/,
  l40s: /^NVIDIA L40S$/,
  l40: /^NVIDIA L40$/,
  rtx6000ada: /^NVIDIA RTX 6000 Ada Generation$/,
  a10: /^NVIDIA A10$/,
  a6000: /^NVIDIA RTX A6000$/,
  rtx3090: /^NVIDIA GeForce RTX 3090$/,
  rtx5090: /^NVIDIA GeForce RTX 5090$/,
};

/** What candidates are compiled and modelled for on a GPU: its own entry; else, with the reason, the first of its architecture, and no floor. */
export function targetOf(identity: Pick<GpuIdentity, 'name' | 'capability' | 'multiprocessors'>): {
  target: GpuTarget;
  unknown?: string;
} {
  const found = recognise(identity);
  if ('target' in found) return found;
  const arch = `sm_${identity.capability.join('')}`;
  const target = gpuTargets.find((each) => each.arch === arch);
  if (!target)
    throw new Error(
      `No GPU of the architecture ${arch} is in the table (src/vgpu/model/targets.ts), so that nothing can be compiled for ${identity.name}: add it first.`,
    );
  return { target, unknown: found.unknown };
}

export type Recognised =
  | { readonly target: GpuTarget }
  /** A sentence: why there is no floor, and what may be done. */
  | { readonly unknown: string };

/** The table's entry for a GPU, or why there is none. */
export function recognise({
  name,
  capability,
  multiprocessors,
}: Pick<GpuIdentity, 'name' | 'capability' | 'multiprocessors'>): Recognised {
  const id = Object.keys(knownNames).find((each) => knownNames[each]!.test(name));
  const nothing = 'Times can be measured on it, but no floor is known for it, and so no claim is made';
  if (id === undefined) {
    return {
      unknown: `No peak rates are recorded for ${name}. ${nothing}. Add it to the table of GPUs (src/vgpu/model/targets.ts), with its sources.`,
    };
  }
  const target = gpuTarget(id);
  const arch = `sm_${capability.join('')}`;
  const differs =
    arch !== target.arch
      ? `compute capability ${capability.join('.')}, not ${target.arch}`
      : multiprocessors !== target.sms
        ? `${multiprocessors} multiprocessors, not ${target.sms}`
        : undefined;
  if (differs === undefined) return { target };
  return {
    unknown: `This ${name} has ${differs}: it is a part of a GPU (MIG, a cloud's slice), or another product than the table's. ${nothing}.`,
  };
}

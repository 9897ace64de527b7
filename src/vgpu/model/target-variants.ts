/**
 * More GPUs: other cards of the chips in targets.ts, which differ in multiprocessors, clock, memory and peaks; and two chips of their own. What a card shares with its chip is said once.
 * Where a vendor's page and the product of clock and lanes differ, the larger stands: a floor must never be too high.
 */
import type { GpuTarget } from './gpu-target.ts';

/** Dense operations a second, in 10^12. */
type Tera = GpuTarget['flops'];
const tera = (flops: Tera): Tera =>
  Object.fromEntries(Object.entries(flops).map(([unit, rate]) => [unit, rate * 1e12])) as unknown as Tera;

interface Card {
  readonly id: string;
  readonly name: string;
  readonly sms: number;
  readonly clockHz: number;
  readonly memoryBytes: number;
  readonly memoryBandwidth: number;
  readonly l2Bytes?: number;
  /** In 10^12 a second. */
  readonly flops: Tera;
  /** Where the peaks come from. */
  readonly peaks: string;
}

/** A card of the chip of `base`. Bandwidth of the L2 goes with multiprocessors and clock. */
function cardOf(base: GpuTarget, { flops, peaks, ...card }: Card): GpuTarget {
  const speed = (card.sms * card.clockHz) / (base.sms * base.clockHz);
  return {
    ...base,
    ...card,
    l2Bandwidth: base.l2Bandwidth * speed,
    flops: tera(flops),
    sources: { ...base.sources, peaks, l2: `${base.sources.l2}; by multiprocessors and clock of ${base.name}` },
  };
}

/** The bases by their ids in targets.ts. */
export interface Bases {
  readonly h100: GpuTarget;
  readonly a100: GpuTarget;
  readonly rtx4090: GpuTarget;
}

/** All of them. */
export function variantTargets({ h100, a100, rtx4090 }: Bases): GpuTarget[] {
  const ampereTera = { fp32: 19.5, fp64: 9.7, tf32: 156, fp16: 312, bf16: 312, fp64Tensor: 19.5, int8: 624 };
  const a100Card = { sms: 108, clockHz: 1.41e9, flops: ampereTera };
  const a100Sheet = 'NVIDIA A100 data sheet (40 and 80 GB, PCIe and SXM)';
  const ga102: GpuTarget = {
    ...rtx4090,
    arch: 'sm_86',
    l2Bytes: 6e6,
    // Per multiprocessor and clock as the chip after it, over a smaller L2: an assumption.
    lanesPerClock: { ...rtx4090.lanesPerClock, fp16: 256 },
    maxBlocksPerSm: 16,
    sources: {
      ...rtx4090.sources,
      l2: 'size: NVIDIA Ampere GA102 GPU Architecture white paper; bandwidth: assumption',
      latency: `assumption: as RTX 4090 (${rtx4090.sources.latency})`,
    },
  };
  const ga102Paper = 'NVIDIA Ampere GA102 GPU Architecture white paper v2, appendices A and C';
  return [
    cardOf(h100, {
      ...{ id: 'h100-pcie', name: 'NVIDIA H100 PCIe 80GB', sms: 114, clockHz: 1.755e9 },
      ...{ memoryBytes: 80e9, memoryBandwidth: 2.039e12 },
      flops: { fp32: 51.2, fp64: 25.6, tf32: 378, fp16: 756, bf16: 756, fp64Tensor: 51.2, int8: 1513 },
      peaks: 'NVIDIA H100 Tensor Core GPU Architecture white paper and data sheet, PCIe (dense)',
    }),
    cardOf(h100, {
      ...{ id: 'h100-nvl', name: 'NVIDIA H100 NVL 94GB', sms: 132, clockHz: 1.785e9 },
      ...{ memoryBytes: 94e9, memoryBandwidth: 3.94e12 },
      flops: { fp32: 60.3, fp64: 30.2, tf32: 418, fp16: 836, bf16: 836, fp64Tensor: 60.3, int8: 1671 },
      peaks: 'NVIDIA H100 data sheet, NVL (dense: half of the figures with sparsity)',
    }),
    cardOf(a100, {
      ...{ ...a100Card, id: 'a100-40gb', name: 'NVIDIA A100 SXM4 40GB', peaks: a100Sheet },
      ...{ memoryBytes: 40e9, memoryBandwidth: 1.555e12 },
    }),
    cardOf(a100, {
      ...{ ...a100Card, id: 'a100-pcie', name: 'NVIDIA A100 PCIe 80GB', peaks: a100Sheet },
      ...{ memoryBytes: 80e9, memoryBandwidth: 1.935e12 },
    }),
    cardOf(a100, {
      ...{ ...a100Card, id: 'a100-pcie-40gb', name: 'NVIDIA A100 PCIe 40GB', peaks: a100Sheet },
      ...{ memoryBytes: 40e9, memoryBandwidth: 1.555e12 },
    }),
    cardOf(rtx4090, {
      ...{ id: 'l40s', name: 'NVIDIA L40S', sms: 142, clockHz: 2.52e9, l2Bytes: 96e6 },
      ...{ memoryBytes: 48e9, memoryBandwidth: 864e9 },
      flops: { fp32: 91.6, fp64: 1.43, tf32: 183.2, fp16: 366.4, bf16: 366.4, fp64Tensor: 1.43, int8: 733 },
      peaks: 'NVIDIA L40S data sheet (dense: half of the figures with sparsity)',
    }),
    cardOf(rtx4090, {
      ...{ id: 'l40', name: 'NVIDIA L40', sms: 142, clockHz: 2.49e9, l2Bytes: 96e6 },
      ...{ memoryBytes: 48e9, memoryBandwidth: 864e9 },
      flops: { fp32: 90.5, fp64: 1.41, tf32: 90.5, fp16: 181.05, bf16: 181.05, fp64Tensor: 1.41, int8: 362 },
      peaks: 'NVIDIA L40 data sheet (dense)',
    }),
    cardOf(rtx4090, {
      ...{ id: 'rtx6000ada', name: 'NVIDIA RTX 6000 Ada Generation', sms: 142, clockHz: 2.505e9, l2Bytes: 96e6 },
      ...{ memoryBytes: 48e9, memoryBandwidth: 960e9 },
      flops: { fp32: 91.1, fp64: 1.42, tf32: 182.1, fp16: 364.2, bf16: 364.2, fp64Tensor: 1.42, int8: 728.5 },
      peaks: 'NVIDIA RTX 6000 Ada data sheet; NVIDIA Ada GPU Architecture white paper',
    }),
    cardOf(ga102, {
      ...{ id: 'a10', name: 'NVIDIA A10', sms: 72, clockHz: 1.695e9, memoryBytes: 24e9, memoryBandwidth: 600e9 },
      flops: { fp32: 31.2, fp64: 0.49, tf32: 62.5, fp16: 125, bf16: 125, fp64Tensor: 0.49, int8: 250 },
      peaks: 'NVIDIA A10 data sheet (dense)',
    }),
    cardOf(ga102, {
      ...{ id: 'a6000', name: 'NVIDIA RTX A6000', sms: 84, clockHz: 1.8e9, memoryBytes: 48e9, memoryBandwidth: 768e9 },
      flops: { fp32: 38.7, fp64: 0.6, tf32: 77.4, fp16: 154.8, bf16: 154.8, fp64Tensor: 0.6, int8: 309.7 },
      peaks: ga102Paper,
    }),
    cardOf(ga102, {
      ...{ id: 'rtx3090', name: 'NVIDIA GeForce RTX 3090', sms: 82, clockHz: 1.695e9 },
      ...{ memoryBytes: 24e9, memoryBandwidth: 936e9 },
      flops: { fp32: 35.6, fp64: 0.56, tf32: 35.6, fp16: 142, bf16: 71, fp64Tensor: 0.56, int8: 284 },
      peaks: ga102Paper,
    }),
    cardOf(
      { ...rtx4090, arch: 'sm_120' },
      {
        ...{ id: 'rtx5090', name: 'NVIDIA GeForce RTX 5090', sms: 170, clockHz: 2.407e9, l2Bytes: 96e6 },
        ...{ memoryBytes: 32e9, memoryBandwidth: 1.792e12 },
        flops: { fp32: 104.8, fp64: 1.64, tf32: 104.8, fp16: 419, bf16: 209.5, fp64Tensor: 1.64, int8: 838 },
        peaks: 'NVIDIA RTX Blackwell GPU Architecture white paper, appendix A',
      },
    ),
  ];
}

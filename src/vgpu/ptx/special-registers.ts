/** The special registers that are supported. */
import type { SpecialRegister } from './ir.ts';

const VECTORS = ['tid', 'ntid', 'ctaid', 'nctaid', 'clusterid', 'nclusterid', 'cluster_ctaid', 'cluster_nctaid'];
const SCALARS = [
  'laneid',
  'warpid',
  'nwarpid',
  'smid',
  'nsmid',
  'gridid',
  'lanemask_eq',
  'lanemask_le',
  'lanemask_lt',
  'lanemask_ge',
  'lanemask_gt',
  'clock',
  'clock_hi',
  'clock64',
  'globaltimer',
  'globaltimer_lo',
  'globaltimer_hi',
  'total_smem_size',
  'dynamic_smem_size',
  'cluster_ctarank',
  'cluster_nctarank',
  'is_explicit_cluster',
  'envreg1',
  'envreg2',
  'reserved_smem_offset_1',
  'WARP_SZ',
];

const NAMES: ReadonlySet<string> = new Set([
  ...VECTORS.flatMap((name) => ['x', 'y', 'z'].map((axis) => `${name}.${axis}`)),
  ...SCALARS,
]);

export function isSpecialRegister(name: string): name is SpecialRegister {
  return NAMES.has(name);
}

/** Bits of a special register: 64 for the long counters, 32 otherwise. */
export function specialRegisterBits(name: SpecialRegister): 32 | 64 {
  return name === 'clock64' || name === 'globaltimer' || name === 'gridid' ? 64 : 32;
}

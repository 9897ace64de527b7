/**
 * The modelled time of a plan's launches on a target GPU: an interval, never a measurement.
 *
 * For each launch these times are computed from its profile, each as if nothing else cost anything:
 *   memory   distinct bytes touched, plus what misses L2 when they do not fit it, over the DRAM bandwidth
 *   l2       every 32-byte sector requested, over the L2 bandwidth
 *   issue    the busiest pipe of an SM: warp instructions over four issue slots a clock, each class over its lanes,
 *            shared-memory cycles, all over the SMs that have work, rounded up to whole waves of blocks
 *   latency  waves of resident blocks times one warp's dependent chain: its arithmetic at the pipeline's depth and its
 *            memory requests at the memory's latency, several in flight (a warp issues on, until it needs the data)
 *   launch   fixed
 * low = half a launch + the largest of memory, l2 and issue at peak rates: no kernel with this profile can be faster.
 * high = two launches + the sum of all four at sustained rates: nothing overlaps.
 * The estimate takes sustained rates and a 4-norm between the two: the largest counts fully, a close second adds some.
 * (The form follows Hong & Kim, ISCA 2009, and roofline practice; the sustained fractions are the constants below.)
 */
import type { LaunchProfile, ModelledTime } from '../types.ts';
import { type BlockDemand, occupancy } from './occupancy.ts';
import type { GpuTarget } from './targets.ts';

/** Fractions of the peak that good kernels sustain, and parallelism within a warp. Refit when measurements exist. */
const sustained = {
  /** DRAM: STREAM-like kernels reach 90 to 94 % of the pin bandwidth. */
  memory: 0.92,
  l2: 0.8,
  issue: 0.85,
  /** Independent memory requests a warp keeps in flight. */
  memoryParallelism: 4,
  /** Independent arithmetic instructions a warp has ready. */
  instructionParallelism: 2,
} as const;

/** A launch as the model sees it. */
export interface ModelledLaunch {
  profile: LaunchProfile;
  /** From ptxas and the launch: threads, registers, shared memory. */
  demand: BlockDemand;
  /** Local-memory spill traffic of one thread, bytes, as ptxas counts it statically. */
  spillBytes: number;
}

interface Components {
  memory: number;
  l2: number;
  issue: number;
  latency: number;
}

const words: Record<keyof Components, string> = {
  memory: 'memory bandwidth',
  l2: 'L2 bandwidth',
  issue: 'instruction issue',
  latency: 'latency (too little parallel work in flight)',
};

/** Modelled time of launches that run one after the other. Throws when a block cannot be resident on the target. */
export function modelTime(launches: readonly ModelledLaunch[], target: GpuTarget): ModelledTime {
  let estimate = 0;
  let low = 0;
  let high = 0;
  let longest = { seconds: -1, limitedBy: '', occupancy: 0 };
  for (const launch of launches) {
    const fit = occupancy(launch.demand, target);
    if (fit.blocksPerSm === 0) {
      throw new Error(
        `A block of ${launch.profile.kernel} does not fit on ${target.name}: ${launch.demand.threads} threads with ` +
          `${launch.demand.registers} registers each and ${launch.demand.sharedBytes} bytes of shared memory ` +
          `(limited by ${fit.limitedBy}).`,
      );
    }
    const peak = components(launch, target, fit.blocksPerSm, 1);
    const real = components(launch, target, fit.blocksPerSm, 0);
    const parts = Object.values(real);
    const norm = parts.reduce((sum, part) => sum + part ** 4, 0) ** 0.25;
    const seconds = target.launchSeconds + norm;
    estimate += seconds;
    low += target.launchSeconds * 0.5 + Math.max(peak.memory, peak.l2, peak.issue);
    high += target.launchSeconds * 2 + parts.reduce((sum, part) => sum + part, 0);
    if (seconds > longest.seconds) {
      const [name, part] = (Object.entries(real) as [keyof Components, number][]).reduce((a, b) =>
        b[1] > a[1] ? b : a,
      );
      const limitedBy = part < target.launchSeconds ? 'launch overhead' : words[name];
      longest = { seconds, limitedBy, occupancy: fit.fraction };
    }
  }
  return {
    kind: 'modelled',
    gpu: target.id,
    microseconds: estimate * 1e6,
    low: low * 1e6,
    high: high * 1e6,
    limitedBy: longest.limitedBy,
    occupancy: longest.occupancy,
  };
}

/** The four times of one launch, seconds: at peak rates (`atPeak` 1) or sustained ones (0). */
function components(launch: ModelledLaunch, target: GpuTarget, blocksPerSm: number, atPeak: 0 | 1): Components {
  const { profile } = launch;
  const rate = (fraction: number) => (atPeak ? 1 : fraction);
  const blocks = profile.totalBlocks;
  const warpsPerBlock = Math.ceil(launch.demand.threads / 32);
  const warps = blocks * warpsPerBlock;

  const spillTraffic = atPeak ? 0 : launch.spillBytes * launch.demand.threads * blocks;
  const requested = 32 * (profile.global.loadSectors + profile.global.storeSectors) + spillTraffic;
  const distinct = Math.min(profile.global.uniqueBytes, requested);
  // What is asked for again comes from L2 while the working set fits there; beyond that, in proportion, from DRAM.
  const missing = distinct > target.l2Bytes ? 1 - target.l2Bytes / distinct : 0;
  const dramBytes = distinct + (requested - distinct) * missing * 0.5;

  // Blocks are dealt to SMs whole: the busiest SM has ceil(blocks / SMs) of them.
  const share = Math.ceil(blocks / target.sms) / blocks;
  const lanes = target.lanesPerClock;
  const count = (name: string) => profile.byClass[name] ?? 0;
  const memoryRequests = count('load') + count('store') + count('atomic');
  const cycles = Math.max(
    profile.warpInstructions / 4,
    (count('fp32') * 32) / lanes.fp32,
    (count('fp64') * 32) / lanes.fp64,
    (count('fp16') * 32) / lanes.fp16,
    (count('int') * 32) / lanes.int,
    (count('special') * 32) / lanes.special,
    ((memoryRequests + count('shuffle')) * 32) / lanes.loadStore,
    profile.shared.bankConflictCycles + profile.shared.accesses,
    // An m16n8k16-class instruction keeps a tensor core about 16 cycles a quarter SM at the fp16 rate.
    count('tensor') * ((2 * 16 * 8 * 16) / (target.flops.fp16 / (target.sms * target.clockHz))),
  );

  const waves = Math.ceil(blocks / (target.sms * blocksPerSm));
  const perWarp = profile.warpInstructions / warps;
  const requestsPerWarp = (profile.global.loadRequests + profile.atomics.requests) / warps;
  const chain =
    (perWarp * target.latency.arithmetic) / sustained.instructionParallelism +
    (requestsPerWarp * target.latency.memory) / sustained.memoryParallelism +
    (count('barrier') / warps + count('shuffle') / warps) * target.latency.shared;

  return {
    memory: dramBytes / (target.memoryBandwidth * rate(sustained.memory)),
    l2: requested / (target.l2Bandwidth * rate(sustained.l2)),
    issue: (cycles * share) / (target.clockHz * rate(sustained.issue)),
    latency: (waves * Math.max(chain, target.latency.memory)) / target.clockHz,
  };
}

/**
 * The modelled time of a plan's launches on a target GPU: an interval, never a measurement. README.md has the formulas, their
 * sources and what the model does not know.
 *
 * For each launch the time of each resource is computed as if nothing else cost anything, once at peak rates and counting only
 * what no compiler or cache can save (the launch's own roofline), once at sustained rates and counting all.
 * low = half a launch + the largest of the first: no kernel with this profile can be faster.
 * high = two launches + the sum of the second: nothing overlaps.
 * The estimate is a launch + the 4-norm of the second: the largest counts fully, a close second adds some.
 */
import type { LaunchProfile, ModelledTime } from '../types.ts';
import { memoryTraffic } from './memory-traffic.ts';
import { type BlockDemand, occupancy } from './occupancy.ts';
import { defaultConstants, fittedConstants, type GpuTarget, type ModelConstants } from './targets.ts';

/** A launch as the model sees it. */
export interface ModelledLaunch {
  profile: LaunchProfile;
  /** From ptxas and the launch: threads, registers, shared memory. Registers are absent where no ptxas was there to say. */
  demand: Omit<BlockDemand, 'registers'> & { registers?: number };
  /** Local-memory spill traffic of one thread, bytes, as ptxas counts it statically. */
  spillBytes: number;
}

/** One resource's time for a launch, seconds. */
export interface ResourceTime {
  /** In words. */
  readonly name: string;
  /** At sustained rates. */
  readonly seconds: number;
  /** At peak rates, and only what cannot be saved; 0 where nothing is certain. */
  readonly least: number;
}

/** One launch, resource by resource. */
export interface LaunchTime {
  readonly microseconds: number;
  readonly low: number;
  readonly high: number;
  readonly occupancy: number;
  readonly launchSeconds: number;
  /** Longest first. */
  readonly resources: readonly ResourceTime[];
}

/** Modelled time of launches that run one after the other. Throws when a block cannot be resident on the target. */
export function modelTime(
  launches: readonly ModelledLaunch[],
  target: GpuTarget,
  constants: ModelConstants = fittedConstants[target.id] ?? defaultConstants,
): ModelledTime {
  const times = launches.map((launch) => launchTime(launch, target, constants));
  const sum = (of: (time: LaunchTime) => number): number => times.reduce((all, time) => all + of(time), 0);
  const longest = times.reduce<LaunchTime | undefined>(
    (best, time) => (best === undefined || time.microseconds > best.microseconds ? time : best),
    undefined,
  );
  return {
    kind: 'modelled',
    gpu: target.id,
    microseconds: sum(({ microseconds }) => microseconds),
    low: sum(({ low }) => low),
    high: sum(({ high }) => high),
    limitedBy: longest === undefined ? '' : limitOf(longest),
    resources: longest?.resources
      .filter(({ seconds }) => seconds > 0)
      .map(({ name, seconds }) => ({ name, microseconds: seconds * 1e6 })),
    occupancy: longest?.occupancy ?? 0,
    ...(launches.some(({ demand }) => demand.registers === undefined) && {
      unknown: `registers and spills: ptxas was not there, so the estimate takes ${ASSUMED_REGISTERS} registers a thread and the interval holds from ${FEWEST_REGISTERS} to as many as a block may have`,
    }),
  };
}

/** What a kernel takes that nobody assembled: the estimate's assumption, and the least. */
const ASSUMED_REGISTERS = 32;
const FEWEST_REGISTERS = 16;
const MOST_REGISTERS = 255;

function limitOf({ resources, launchSeconds }: LaunchTime): string {
  const [first] = resources;
  return first === undefined || first.seconds < launchSeconds ? 'launch overhead' : first.name;
}

/** The time of one launch and of each of its resources. Where registers are unknown the interval spans all that the launch could have. */
export function launchTime(launch: ModelledLaunch, target: GpuTarget, constants: ModelConstants): LaunchTime {
  const { registers, threads } = launch.demand;
  const of = (count: number): LaunchTime =>
    timeWith({ ...launch, demand: { ...launch.demand, registers: count } }, target, constants);
  if (registers !== undefined) return of(registers);
  const warps = Math.ceil(threads / 32);
  // In units of 8 a thread (256 a warp), as many as let one block be resident.
  const most = Math.min(MOST_REGISTERS, 8 * Math.floor(target.registersPerSm / (warps * 256)));
  const estimate = of(Math.min(ASSUMED_REGISTERS, most));
  const bounds = [estimate, of(Math.min(FEWEST_REGISTERS, most)), of(most)];
  return {
    ...estimate,
    low: Math.min(...bounds.map(({ low }) => low)),
    high: Math.max(...bounds.map(({ high }) => high)),
  };
}

type KnownLaunch = ModelledLaunch & { demand: BlockDemand };

function timeWith(launch: KnownLaunch, target: GpuTarget, constants: ModelConstants): LaunchTime {
  const { profile, demand } = launch;
  const fit = occupancy(demand, target);
  if (fit.blocksPerSm === 0) {
    throw new Error(
      `A block of ${profile.kernel} does not fit on ${target.name}: ${demand.threads} threads with ` +
        `${demand.registers} registers each and ${demand.sharedBytes} bytes of shared memory ` +
        `(limited by ${fit.limitedBy}).`,
    );
  }
  const resources = resourceTimes(launch, target, constants, fit.blocksPerSm);
  const norm = resources.reduce((sum, { seconds }) => sum + seconds ** 4, 0) ** 0.25;
  const launchSeconds = target.launchSeconds * constants.launch;
  return {
    microseconds: (launchSeconds + norm) * 1e6,
    low: (target.launchSeconds * 0.5 + Math.max(0, ...resources.map(({ least }) => least))) * 1e6,
    high: (2 * launchSeconds + resources.reduce((sum, { seconds }) => sum + seconds, 0)) * 1e6,
    occupancy: fit.fraction,
    launchSeconds,
    resources: [...resources].sort((a, b) => b.seconds - a.seconds),
  };
}

/** Instructions that ptxas may fold into others or drop, of which the estimate counts a part (an assumption). */
const OTHER_KEPT = 0.3;
const INTEGER_KEPT = 0.8;

function resourceTimes(
  launch: ModelledLaunch,
  target: GpuTarget,
  constants: ModelConstants,
  blocksPerSm: number,
): ResourceTime[] {
  const { profile, demand } = launch;
  const { sms, clockHz } = target;
  const blocks = profile.totalBlocks;
  const warpsPerBlock = Math.ceil(demand.threads / 32);
  const warps = blocks * warpsPerBlock;
  const spillBytes = launch.spillBytes * demand.threads * blocks;
  const traffic = memoryTraffic(profile, target, { blocksPerSm, sharedBytes: demand.sharedBytes, spillBytes });

  // Blocks are dealt to SMs whole: the busiest SM has ceil(blocks / SMs) of them.
  const share = Math.ceil(blocks / sms) / blocks;
  const onSm = (cycles: number): number => (cycles * share) / clockHz;
  const resource = (name: string, seconds: number, least: number): ResourceTime => ({ name, seconds, least });
  const busy = (name: string, cycles: number, leastCycles: number, rate = constants.issue): ResourceTime =>
    resource(name, onSm(cycles) / rate, onSm(leastCycles));

  const count = (name: string): number => profile.byClass[name] ?? 0;
  const lanes = target.lanesPerClock;
  const pipe = (name: keyof typeof lanes, of: number): number => (of * 32) / lanes[name];
  const { shared, global, local, atomics } = profile;
  const requests =
    global.loadRequests + global.storeRequests + atomics.requests + local.loadRequests + local.storeRequests;
  const l1Sectors = target.l1BytesPerClock / 32;
  // An SM serves one request a clock, or as many sectors as its L1 gives, whichever takes longer.
  const l1Cycles = Math.max(
    pipe('loadStore', requests + count('shuffle')),
    (global.loadSectors + global.storeSectors + atomics.sectors + local.sectors) / l1Sectors,
  );
  const sharedScale = 128 / target.l1BytesPerClock;
  // Hardware serves pairs of phases of wide accesses together where their addresses agree (README.md, "Shared memory").
  const passes = Math.max(
    shared.leastWavefronts,
    shared.wavefronts - 0.5 * (shared.wavefronts - shared.leastWavefronts),
  );

  const certain = count('fp32') + count('fp64') + count('fp16') + count('special') + count('shuffle') + count('tensor');
  const issued = profile.warpInstructions - (1 - OTHER_KEPT) * count('other') - (1 - INTEGER_KEPT) * count('int');
  const tensorCycles = (rateOf: (type: string) => number) =>
    Object.entries(profile.tensor).reduce(
      (sum, [type, { multiplyAdds }]) =>
        sum + (2 * multiplyAdds) / (tensorRate(type, target) / (sms * clockHz)) / rateOf(type),
      0,
    );
  const sustained = (type: string) => (type.startsWith('wgmma.') ? constants.warpgroup : constants.tensor);

  return [
    resource(
      'memory bandwidth',
      traffic.dram / (target.memoryBandwidth * constants.memory),
      traffic.leastDram / target.memoryBandwidth,
    ),
    resource(
      l2Words(profile),
      Math.max(
        traffic.l2 / (target.l2Bandwidth * constants.l2),
        onSm(traffic.l2 / target.l2BytesPerClockPerSm) / constants.l2,
      ),
      0,
    ),
    busy(l1Words(profile), l1Cycles, pipe('loadStore', requests)),
    busy(sharedWords(profile), passes * sharedScale, shared.leastWavefronts * sharedScale),
    busy('instruction issue', issued / 4, (certain + requests + shared.accesses) / 4),
    busy('fp32 arithmetic', pipe('fp32', count('fp32')), pipe('fp32', count('fp32'))),
    busy('fp64 arithmetic', pipe('fp64', count('fp64')), pipe('fp64', count('fp64'))),
    busy('fp16 arithmetic', pipe('fp16', count('fp16')), pipe('fp16', count('fp16'))),
    busy('integer arithmetic', pipe('int', INTEGER_KEPT * count('int')), 0),
    busy('special functions and conversions', pipe('special', count('special')), 0),
    busy(
      'tensor cores',
      tensorCycles(sustained),
      tensorCycles(() => 1),
      1,
    ),
    atomicTime(profile, target, constants),
    latencyTime(launch, target, constants, blocksPerSm, warps, traffic.loadsFrom),
  ].filter(({ seconds }) => seconds > 0);
}

/** Operations a second of a product's type on the tensor cores. */
function tensorRate(type: string, { flops }: GpuTarget): number {
  const element = type.replace('wgmma.', '');
  if (element === 'f64') return flops.fp64Tensor;
  if (element === 'tf32') return flops.tf32;
  if (element === 'bf16') return flops.bf16;
  if (/^[su]\d|^e\d/.test(element)) return flops.int8;
  return flops.fp16;
}

/** Updates of global memory: of one address one after another, of others as fast as the L2 goes. */
function atomicTime({ atomics }: LaunchProfile, target: GpuTarget, constants: ModelConstants): ResourceTime {
  const hottest = atomics.hottestUpdates / target.atomicsPerClock.sameAddress;
  const apart = atomics.operations / target.atomicsPerClock.apart;
  const name =
    hottest > apart
      ? `atomics on one address: ${Math.round(atomics.hottestUpdates).toLocaleString('en')} updates`
      : 'atomics';
  // The compiler may add up a warp's updates first, so nothing is certain.
  return { name, seconds: Math.max(hottest, apart) / target.clockHz / constants.l2, least: 0 };
}

/**
 * Waves of resident blocks times the chain of the slowest warp: what it waits for when nothing else is in the way (Little's law:
 * more resident warps, fewer waves). A warp has several instructions and requests in flight.
 */
function latencyTime(
  { profile, demand }: ModelledLaunch,
  target: GpuTarget,
  constants: ModelConstants,
  blocksPerSm: number,
  warps: number,
  from: { l1: number; l2: number; memory: number },
): ResourceTime {
  const { latency } = target;
  const waves = Math.ceil(profile.totalBlocks / (target.sms * blocksPerSm));
  const count = (name: string): number => (profile.byClass[name] ?? 0) / warps;
  const kept = profile.warpInstructions / warps - (1 - OTHER_KEPT) * count('other') - (1 - INTEGER_KEPT) * count('int');
  // At a barrier all wait for the warp that has most to do.
  const slowest = 1 + profile.barriers.waitedInstructions / Math.max(1, profile.warpInstructions);
  const loadLatency = from.l1 * latency.l1 + from.l2 * latency.l2 + from.memory * latency.memory;
  const { global, atomics, local, shared, asyncCopies } = profile;
  // Requests count, not bytes: one of 16 bytes a lane waits no longer than one of 4.
  const copies = Math.min(asyncCopies.requests, global.loadRequests);
  const barriers = profile.byClass.barrier ?? 0;
  // Asynchronous copies hold up nobody when they are issued; those that are issued between two barriers are waited for together.
  const copiesWait = Math.min(
    (copies * loadLatency) / constants.memoryParallelism,
    (barriers || Infinity) * loadLatency,
  );
  const memory =
    ((global.loadRequests - copies) * loadLatency) / constants.memoryParallelism +
    copiesWait +
    (atomics.requests * latency.l2) / constants.memoryParallelism +
    ((local.loadRequests + local.storeRequests) * latency.l1) / constants.memoryParallelism;
  const banks = (shared.accesses * latency.shared + 2 * shared.bankConflictCycles) / constants.memoryParallelism;
  const chain =
    (kept * slowest * latency.arithmetic) / constants.instructionParallelism +
    (memory + banks) / warps +
    count('barrier') * latency.barrier +
    count('shuffle') * latency.shared;
  const resident = Math.min(1, (blocksPerSm * Math.ceil(demand.threads / 32) * 32) / target.maxThreadsPerSm);
  const waiting = profile.barriers.waitedInstructions > 0.3 * profile.warpInstructions;
  const name = waiting
    ? `waits at barriers: ${Math.round((100 * profile.barriers.waitedInstructions) / Math.max(1, profile.barriers.longestInstructions))} % of the time between them`
    : `latency: too little in flight at ${Math.round(100 * resident)} % occupancy`;
  return { name, seconds: (waves * Math.max(chain, latency.memory)) / target.clockHz, least: 0 };
}

/** Part of the moved bytes that the lanes asked for. */
function coalescing({ global }: LaunchProfile): number {
  const moved = 32 * (global.loadSectors + global.storeSectors);
  return moved === 0 ? 1 : (global.loadBytes + global.storeBytes) / moved;
}

const percent = (part: number): string => `${Math.round(100 * part)} %`;

function l2Words(profile: LaunchProfile): string {
  const used = coalescing(profile);
  return used < 0.6 ? `L2 bandwidth: ${percent(used)} of the bytes moved are used` : 'L2 bandwidth';
}

function l1Words(profile: LaunchProfile): string {
  const used = coalescing(profile);
  return used < 0.6
    ? `uncoalesced memory access: ${percent(used)} of the bytes moved are used`
    : 'load and store requests';
}

function sharedWords({ shared }: LaunchProfile): string {
  const free = shared.wavefronts - shared.bankConflictCycles;
  if (shared.bankConflictCycles < 0.1 * shared.wavefronts) return 'shared-memory bandwidth';
  const average = shared.wavefronts / Math.max(1, free);
  const worst = shared.worstWays > 1.5 * average ? `, ${shared.worstWays}-way at worst` : '';
  return `shared-memory bank conflicts: ${Math.round(average * 10) / 10}-way${worst}`;
}

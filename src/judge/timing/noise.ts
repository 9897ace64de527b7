/**
 * Kinds of noise that the protocol is tried on, with magnitudes from what people saw on real devices. Each is harsher than a well-kept machine: what matters is
 * that the protocol says "faster" of equal kernels under none of them. Numbers without a source are assumptions, chosen on the harsh side, to be replaced once
 * devices have been measured.
 */
import { type NoiseModel, quietDevice, type SimulatedDevice } from './simulate.ts';

export interface NoiseKind {
  readonly name: string;
  readonly what: string;
  /** Where the magnitudes are from. */
  readonly source: string;
  readonly noise: NoiseModel;
  /** Why a gain of 3 % may stay unfound here; nothing false may be said all the same. */
  readonly powerless?: string;
  readonly device?: Partial<SimulatedDevice>;
}

/** Jitter and placement that are there in every kind. */
const everyday: NoiseModel = { jitter: 0.01, placement: 0.003 };

const h200Clocks = { modesMHz: [1980, 1635], dwellMicroseconds: 30_000, bound: 1, told: true };

export const noiseKinds: readonly NoiseKind[] = [
  {
    name: 'log-normal',
    what: '1.5 % from window to window, 0.3 % from process to process',
    source: 'assumption; above the 0.5 to 1 % that nvbench takes for its stopping rule',
    noise: { ...everyday, jitter: 0.015 },
  },
  {
    name: 'thermal ramp',
    what: 'times grow by 8 % while the device warms, in each process',
    source: 'tensara issue 226: 1965 MHz at 27 C, 1813 MHz at 64 C',
    noise: { ...everyday, ramp: { share: 0.08, microseconds: 60_000 } },
  },
  {
    name: 'bimodal clock',
    what: 'the clock jumps between 1980 and 1635 MHz every 30 ms, and is told',
    source: 'H200: boost 1980 MHz; 1635 MHz seen at the power limit (bee benchmark-clock-calibration.md)',
    noise: { ...everyday, clocks: h200Clocks },
  },
  {
    name: 'bimodal clock, untold',
    what: 'the same, but the device does not tell its clock',
    source: 'as above',
    noise: { ...everyday, clocks: { ...h200Clocks, told: false } },
  },
  {
    name: 'fast clock jumps, untold',
    what: 'the same every 3 ms: several times in a block',
    source: 'as above; power capping reacts within milliseconds',
    noise: { ...everyday, clocks: { ...h200Clocks, dwellMicroseconds: 3_000, told: false } },
    powerless: 'a device that hides a clock which jumps by a fifth several times within a block is no instrument',
  },
  {
    name: 'outliers',
    what: '3 % of windows are interrupted: half as long again or more (Pareto), on the device or on the host alone',
    source: 'assumption; Kalibera and Jones (2013) on heavy tails of system noise',
    noise: { ...everyday, outliers: { share: 0.03, size: 0.5 } },
  },
  {
    name: 'company',
    what: 'another process slows the device by 40 % for 20 ms at a time, untold',
    source: 'assumption; tensara issue 226 names shared use as a cause of its variation',
    noise: {
      ...everyday,
      company: { everyMicroseconds: 100_000, lastingMicroseconds: 20_000, factor: 1.4, told: false },
    },
  },
  {
    name: 'coarse timer',
    what: 'kernels of 5 us, 64 calls a window, a clock with steps of 1.024 us that says 0.5',
    source: 'CUDA documentation: events resolve about 0.5 us',
    noise: everyday,
    device: {
      callMicroseconds: { candidate: 5, baseline: 5 },
      stepMicroseconds: 1.024,
      statedStepMicroseconds: 0.5,
      mostCalls: 64,
    },
  },
  {
    name: 'placement',
    what: '1 % from process to process for each instance',
    source: 'KernelTuner issue 282: the same A100 kernels differ by 1 to 6 % between runs of the tuner',
    noise: { ...everyday, placement: 0.01 },
  },
  {
    name: 'wander',
    what: 'each instance wanders by 1 %, with a memory of 50 ms: neighbouring windows are alike',
    source: 'assumption; Kalibera and Jones (2013): iterations within an execution are not independent',
    noise: { ...everyday, wander: { deviation: 0.01, microseconds: 50_000 } },
  },
  {
    name: 'all of it',
    what: 'ramp, told clock jumps, outliers, company, wander and 0.5 % placement together',
    source: 'as above',
    noise: {
      jitter: 0.01,
      placement: 0.005,
      ramp: { share: 0.05, microseconds: 60_000 },
      clocks: h200Clocks,
      outliers: { share: 0.02, size: 0.5 },
      company: { everyMicroseconds: 150_000, lastingMicroseconds: 15_000, factor: 1.4, told: false },
      wander: { deviation: 0.005, microseconds: 50_000 },
    },
  },
];

/** The device of a kind, with the candidate `gain` times as fast as its baseline. */
export function deviceOf({ device }: NoiseKind, gain: number): SimulatedDevice {
  const whole = { ...quietDevice, ...device };
  const { baseline } = whole.callMicroseconds;
  return { ...whole, callMicroseconds: { candidate: baseline! / gain, baseline: baseline! } };
}

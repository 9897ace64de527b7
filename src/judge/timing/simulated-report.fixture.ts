/** Comparisons on simulated clocks, for tests. */
import { createHash } from 'node:crypto';
import type { TimingDevice } from '../../device/index.ts';
import { type CompareOptions, compareTimes } from './compare.ts';
import type { TimingReport } from './report.ts';
import { type NoiseModel, quietDevice, type SimulatedDevice, simulate, type Tampering } from './simulate.ts';

/** 64 hex digits of a text. */
export function seedOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** An ordinary day: 1 % of jitter, 0.3 % from process to process. */
export const everydayNoise: NoiseModel = { jitter: 0.01, placement: 0.003 };

export interface Scene {
  /** How many times as fast the candidate is. */
  gain?: number;
  device?: Partial<SimulatedDevice>;
  noise?: NoiseModel;
  seed?: string;
  tamper?: Tampering;
  options?: Partial<CompareOptions>;
}

/** The simulated device of a scene. */
export function deviceOfScene({
  gain = 1,
  device,
  noise = everydayNoise,
  seed = 'scene',
  tamper,
}: Scene): TimingDevice<'simulated'> {
  const callMicroseconds = { candidate: 50 / gain, baseline: 50 };
  return simulate({ ...quietDevice, callMicroseconds, ...device }, noise, seedOf(seed), tamper);
}

/** The whole protocol on a scene. */
export function compareScene(scene: Scene): Promise<TimingReport<'simulated'>> {
  return compareTimes(deviceOfScene(scene), { seed: seedOf(`order ${scene.seed}`), ...scene.options });
}

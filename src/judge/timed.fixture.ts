/** Timing devices for tests of what is made of a report. Their clocks are simulated; `asMeasured` says otherwise, to test what is said of measured times. */
import type { TimingDevice } from '../device/index.ts';
import type { TimingSetup } from './timed.ts';
import { deviceOfScene, type Scene } from './timing/simulated-report.fixture.ts';

/** A test's device that passes its simulated clocks for measured ones. */
export function asMeasured(simulated: TimingDevice<'simulated'>): TimingDevice<'measured'> {
  return { ...simulated, source: 'measured', facts: { ...simulated.facts, device: 'Some GPU' } };
}

/** Two baselines, one of them 1.3 times as slow as a candidate of 50 us. */
export const slowBaselines: Scene = {
  device: { callMicroseconds: { candidate: 50, 'PyTorch eager': 80, 'torch.compile': 65 } },
};

/** Times of a scene; `floorMicroseconds` null: the device's floor is not known. */
export function setupOf(
  scene: Scene,
  { simulated = false, floorMicroseconds = 11 as number | null } = {},
): TimingSetup & { readonly opened: { seed: string; closed: boolean }[] } {
  const opened: { seed: string; closed: boolean }[] = [];
  return {
    opened,
    plan: { looks: [4], blocks: 6 },
    open: async (_, seed) => {
      const one = { seed, closed: false };
      opened.push(one);
      const device = deviceOfScene(scene);
      return {
        device: simulated ? device : asMeasured(device),
        ...(floorMicroseconds === null ? {} : { floorMicroseconds }),
        close: async () => {
          one.closed = true;
        },
      };
    },
  };
}

/**
 * A/A: a kernel against itself, by the protocol, many times. The interval of the ratio must contain 1 in at least 95 of 100 trials. Few processes and blocks a trial: what is looked at is
 * whether intervals are as wide as they say, and not how narrow they can be.
 */
import { randomBytes } from 'node:crypto';
import { build, launch, plan } from '../../src/device/cuda/kernels.fixture.ts';
import { createCudaTimingDevice, createPlanBaseline } from '../../src/device/index.ts';
import { compareTimes, type TimingPlan, type TimingReport, trialPlan } from '../../src/judge/index.ts';
import type { Place, Stage } from './place.ts';
import { anyOperands } from './time-plan.ts';

const TRIALS = 100;
const QUICK_TRIALS = 2;
const ENOUGH = 0.95;
const SHORT: Partial<TimingPlan> = { looks: [4], blocks: 6, leastBlocks: 4, budget: { seconds: 20, calls: 1_000_000 } };

type Timed = Awaited<ReturnType<typeof createCudaTimingDevice>>;

/** The kernel as candidate and as baseline. Each trial has fresh processes and operands of its own from it. */
async function itself(place: Place): Promise<Timed> {
  await place.device.rest();
  const timed = { plan: plan([launch('twice')]), build };
  const common = { gpu: place.gpu, fake: place.fake, operands: anyOperands(timed.plan) };
  const most = place.simulated ? { mostCalls: 2 } : {};
  const secret = () => randomBytes(32).toString('hex');
  const baselines = await createPlanBaseline({ ...common, ...most, id: 'the same kernel', timed, secret: secret() });
  return createCudaTimingDevice({ ...common, ...most, candidate: timed, baselines, secret: secret() });
}

async function trial(place: Place, device: Timed) {
  const seed = randomBytes(32).toString('hex');
  const report: TimingReport = await compareTimes(device, { seed, plan: place.simulated ? trialPlan : SHORT });
  const [comparison] = report.comparisons;
  return {
    outcome: report.outcome,
    reason: report.refusal?.reason,
    speedup: comparison?.speedup,
    noiseFloor: comparison?.noiseFloor,
    condition: report.condition,
  };
}

export const sameStage: Stage = {
  name: 'same',
  purpose: 'A/A: a kernel against itself, whose ratio must be 1',
  run: async (place) => {
    const numbers = Array.from({ length: place.quick ? QUICK_TRIALS : TRIALS }, (_, i) => i);
    let device: Promise<Timed> | undefined;
    const { made, left } = await place.each('same', numbers, String, async () => {
      device ??= itself(place);
      return trial(place, await device);
    });
    const intervals = made.flatMap(({ speedup }) => (speedup ? [speedup] : []));
    const withOne = intervals.filter(({ low, high }) => low <= 1 && high >= 1).length;
    const accused = made.filter(({ outcome }) => outcome === 'faster' || outcome === 'slower').length;
    const words = `${withOne} of ${intervals.length} intervals contain 1; ${accused} trials say faster or slower; ${made.length - intervals.length} void, ${left} left`;
    // So many simulated clocks are not drawn that a share of them would mean anything.
    // A trial without an interval counts against it.
    const passed = made.length > 0 && (place.simulated || (withOne >= ENOUGH * made.length && accused === 0));
    return { passed, left, content: { withOne, intervals: intervals.length, accused, trials: made }, words };
  },
};

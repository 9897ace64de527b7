import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TimingDevice } from '../../device/index.ts';
import type { ModelledTime } from '../../vgpu/index.ts';
import { claim, measuredTimeOf } from './claim.ts';
import { compareTimes } from './compare.ts';
import type { TimingReport } from './report.ts';
import { compareScene, deviceOfScene, seedOf } from './simulated-report.fixture.ts';

const context = { task: 'softmax', precision: 'float32, TF32 off', shapes: ['x float32[128, 4096]'] };

/** A report as a real device's clocks would give it, of times that are simulated: for testing what is said of it. */
async function reportOf(times: Record<string, number>): Promise<TimingReport<'measured'>> {
  const simulated = deviceOfScene({ device: { callMicroseconds: times } });
  const device: TimingDevice<'measured'> = {
    ...simulated,
    source: 'measured',
    facts: { ...simulated.facts, device: 'Some GPU' },
  };
  return compareTimes(device, { seed: seedOf('claim'), floorMicroseconds: 11 });
}

describe('a claim', () => {
  it('is the speedup over the best baseline, with its grade in words', async () => {
    const made = claim(await reportOf({ candidate: 50, 'PyTorch eager': 80, 'torch.compile': 65 }), context);
    assert.equal(made.over, 'torch.compile');
    assert.ok(made.speedup.low < 1.3 && made.speedup.high > 1.3, 'made.speedup.low < 1.3 && made.speedup.high > 1.3');
    assert.ok(made.speedup.low > 1.2, 'made.speedup.low > 1.2');
    const words = made.words.join('\n');
    assert.match(
      words,
      /^On Some GPU, for softmax: 1\.\d\d \(1\.\d\d to 1\.\d\d\) times as fast as torch\.compile, the fastest of 2/,
    );
    assert.match(words, /The others: PyTorch eager 1\.\d\d \(/);
    assert.match(words, /A call takes 50\.\d µs .* no kernel could take less than 11\.0 µs/);
    assert.match(
      words,
      /Measured in 4 fresh processes, 512 windows of \d calls, every output of every call checked; cold caches/,
    );
    assert.match(words, /Precision float32, TF32 off; shapes x float32\[128, 4096\]\./);
    assert.match(words, /Not claimed: .*nor anything against torch\.compile max-autotune, which was not timed\.$/);
    assert.deepEqual(made.grade.notTimed, ['torch.compile max-autotune']);
  });

  it('names evaluation mode, and does not claim training', async () => {
    const made = claim(await reportOf({ candidate: 50, 'PyTorch eager': 80 }), { ...context, mode: 'eval' });
    assert.match(made.words.join('\n'), /Precision .*; evaluation mode \(`model\.eval\(\)`\); shapes/);
    assert.match(
      made.words.at(-1)!,
      /^Not claimed: other devices, shapes or precisions, training mode, or warm caches/,
    );
  });

  it('is refused for anything but faster', async () => {
    const [asFast, slower] = [await reportOf({ candidate: 50, b: 50 }), await reportOf({ candidate: 50, b: 40 })];
    assert.throws(() => claim(asFast, context), /the comparison is as-fast/);
    assert.throws(() => claim(slower, context), /the comparison is slower/);
  });

  it('is refused for simulated clocks and modelled times, by the compiler and when run', async () => {
    const simulated = await compareScene({ gain: 1.5 });
    assert.equal(simulated.outcome, 'faster');
    // The type check is the test: removing the refusal makes the directives below errors.
    // @ts-expect-error simulated times are never the ground of a claim
    assert.throws(() => claim(simulated, context), /measured times alone/);
    // @ts-expect-error nor of a measured time
    measuredTimeOf(simulated, 'candidate');
    const modelled: ModelledTime = {
      kind: 'modelled',
      gpu: 'h100-sxm',
      microseconds: 1,
      low: 0.5,
      high: 2,
      limitedBy: 'memory bandwidth',
      occupancy: 1,
    };
    // @ts-expect-error a ModelledTime is never the ground of a claim
    assert.throws(() => claim(modelled, context), /measured times alone/);
  });

  it('goes with the times it rests on', async () => {
    const report = await reportOf({ candidate: 50, b: 80 });
    const time = measuredTimeOf(report, 'candidate');
    assert.equal(time.samples.length, 512);
    assert.ok(Math.abs(time.medianMicroseconds - 50) < 1, 'Math.abs(time.medianMicroseconds - 50) < 1');
    assert.throws(() => measuredTimeOf(report, 'c'), /No time of c/);
  });
});

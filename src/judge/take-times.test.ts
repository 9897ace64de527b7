/** What becomes of a right candidate's times in its verdict, over simulated clocks that pass for measured ones where a test says so. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgePrepared } from './judge.ts';
import { candidate, FakeDevice, type FakeKernel, honest, rowOracle, task } from './row-task.fixture.ts';
import { commit } from './seeds.ts';
import { setupOf, slowBaselines } from './timed.fixture.ts';
import { speedInWords, type TimingSetup } from './timed.ts';
import type { Verdict } from './types.ts';

const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };

interface Case {
  kernel?: FakeKernel;
  undetectable?: boolean;
  secret?: string;
}

function judged(timing: TimingSetup, { kernel = honest, undetectable, secret }: Case = {}): Promise<Verdict> {
  // The order of the simulated samples follows from the secret: a drawn one would find two equal kernels undecided now and then.
  const commitment =
    secret === undefined
      ? { ...commit([candidate.sourceHash], '22'.repeat(32)), origin: 'drawn after freezing' as const }
      : commit([candidate.sourceHash], secret);
  const oracle = rowOracle({ undetectable });
  const device = new FakeDevice(kernel);
  return judgePrepared({ task, device, gpu: 'h100', limits, oracle, commitment, timing }, candidate);
}

const saidOf = ({ timing }: Verdict) => speedInWords(timing!);
const checkOf = ({ checks }: Verdict) => checks.find(({ check }) => check === 'timed-outputs');

describe('the times of a right candidate', () => {
  test('measured, and faster than every baseline: correct and faster, with a claim over the best of them', async () => {
    const setup = setupOf(slowBaselines);
    const verdict = await judged(setup);
    assert.equal(verdict.outcome, 'correct');
    assert.equal(verdict.timing?.claim?.over, 'torch.compile');
    assert.equal(verdict.timing?.unclaimed, undefined);
    assert.match(saidOf(verdict), /^On Some GPU, for softmax: 1\.\d\d \(/);
    assert.equal(verdict.measured?.kind, 'measured');
    assert.equal(checkOf(verdict)?.answer.status, 'passed');
    assert.match(setup.opened[0]!.seed, /^[0-9a-f]{64}$/);
    assert.equal(setup.opened[0]!.closed, true, 'the device is given back');
  });

  test('of simulated clocks: never a claim, whatever they say', async () => {
    const verdict = await judged(setupOf(slowBaselines, { simulated: true }));
    const { timing, measured } = verdict;
    assert.equal(timing?.report?.outcome, 'faster');
    assert.equal(timing?.claim, undefined);
    assert.equal(measured, undefined);
    assert.match(saidOf(verdict), /No speed is claimed\. The clocks are simulated/);
    assert.equal(checkOf(verdict)?.answer.status, 'not-asked');
  });

  test('equal ones, and slower ones: correct, and no claim', async () => {
    for (const [gain, said] of [
      [1, /No speed is claimed\. As fast as baseline/],
      [0.8, /No speed is claimed\. Slower than baseline/],
    ] as const) {
      const verdict = await judged(setupOf({ gain }));
      assert.equal(verdict.outcome, 'correct');
      assert.equal(verdict.timing?.claim, undefined);
      assert.match(saidOf(verdict), said);
    }
  });

  test('faster, but where the floor is not known, the task is degenerate, or the seeds were given: no claim, and why', async () => {
    for (const [verdict, why] of [
      [await judged(setupOf(slowBaselines, { floorMicroseconds: null })), /No floor is known/],
      [await judged(setupOf(slowBaselines), { undetectable: true }), /The task cannot see `add`/],
      [await judged(setupOf(slowBaselines), { secret: 'ab'.repeat(32) }), /The seeds were given/],
    ] as const) {
      assert.equal(verdict.timing?.report?.outcome, 'faster');
      assert.equal(verdict.timing?.claim, undefined);
      assert.match(saidOf(verdict), why);
      assert.match(saidOf(verdict), /Else it would be: 1\.\d\d \(/);
    }
  });

  test('below the floor, or by clocks that disagree: correct, void, and said so', async () => {
    const below = await judged(setupOf(slowBaselines, { floorMicroseconds: 60 }));
    assert.equal(below.outcome, 'correct');
    assert.equal(below.timing?.report?.refusal?.cause, 'below-floor');
    assert.match(saidOf(below), /The times cannot be believed\. .*no kernel can take less than 60\.0 µs/);
    assert.equal(below.measured, undefined);
    const tamper = setupOf({
      ...slowBaselines,
      tamper: ({ request, window }) =>
        request.subject === 'candidate' && request.work === 'calls'
          ? { deviceMicroseconds: window.deviceMicroseconds / 3 }
          : {},
    });
    const apart = await judged(tamper);
    assert.equal(apart.timing?.report?.refusal?.cause, 'clocks-disagree');
    assert.equal(apart.timing?.claim, undefined);
  });

  test('a wrong output in a timed window: rejected, with the window as the proof', async () => {
    const wrongOnce = setupOf({
      ...slowBaselines,
      tamper: ({ request, process, earlier }) =>
        request.subject === 'candidate' && request.work === 'calls' && process === 2 && earlier === 9
          ? { outputs: 'wrong' }
          : {},
    });
    const verdict = await judged(wrongOnce);
    assert.deepEqual([verdict.outcome, verdict.check], ['rejected', 'timed-outputs']);
    assert.match(verdict.reason, /A timed call gave a wrong output/);
    assert.equal(verdict.proof?.details.operands, '2.9');
    assert.equal(verdict.timing?.claim, undefined);
  });

  test('a baseline or null plan that gives wrong outputs is no proof against the candidate', async () => {
    for (const [subject, work] of [
      ['torch.compile', 'calls'],
      ['candidate', 'null'],
    ]) {
      const tamper = setupOf({
        ...slowBaselines,
        tamper: ({ request }) => (request.subject === subject && request.work === work ? { outputs: 'wrong' } : {}),
      });
      const verdict = await judged(tamper);
      assert.equal(verdict.outcome, 'correct');
      assert.equal(verdict.timing?.report?.refusal?.cause, 'wrong-output');
      assert.match(saidOf(verdict), /The times cannot be believed/);
    }
  });

  test('no device, or one that cannot time this candidate: correct, and why there are no times', async () => {
    const verdict = await judged({
      open: async () => {
        throw new Error('No GPU was found. Install a driver.');
      },
    });
    assert.equal(verdict.outcome, 'correct');
    assert.match(saidOf(verdict), /No speed is claimed\. No time was taken: No GPU was found/);
    assert.equal(verdict.timing?.report, undefined);
  });

  test('are not taken of a wrong candidate', async () => {
    const setup = setupOf(slowBaselines);
    const verdict = await judged(setup, { kernel: () => undefined });
    assert.equal(verdict.outcome, 'rejected');
    assert.equal(setup.opened.length, 0);
  });
});

/** What a GPU beside the virtual one adds to a verdict, over devices in plain JavaScript: who is asked what, and whose word it is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CudaDevice, OpenedGpu } from '../device/index.ts';
import { parseEvidence } from './evidence.ts';
import { evidenceOf } from './index.ts';
import { judgePrepared } from './judge.ts';
import { candidate, FakeDevice, type FakeKernel, honest, rowOracle, task } from './row-task.fixture.ts';
import { setupOf, slowBaselines } from './timed.fixture.ts';

const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };
const name = 'Some GPU';

/** A double of a GPU that runs the kernel as the other double does. */
function gpuOf(kernel: FakeKernel): { gpu: OpenedGpu; runs: () => number } {
  const double = new FakeDevice(kernel);
  const identity = {
    ...{ name, uuid: 'GPU-0', capability: [9, 0] as const, multiprocessors: 132 },
    ...{ l2Bytes: 5e7, memoryBytes: 8e10, cuda: '13.0' },
  };
  const device: CudaDevice = {
    ...{ kind: 'cuda', name, identity, simulated: false },
    run: (request) => double.run(request),
    rest: async () => undefined,
    close: () => double.close(),
  };
  const close = () => device.close();
  return { gpu: { device, gpu: 0, close }, runs: () => double.requests.length };
}

const never: FakeKernel = () => undefined;

function judged(here: FakeKernel, there: FakeKernel, times = false) {
  const { gpu, runs } = gpuOf(there);
  const device = new FakeDevice(here);
  const hardware = { gpu, ...(times ? { times: () => setupOf(slowBaselines) } : {}) };
  const verdict = judgePrepared({ task, device, gpu: 'h100', limits, oracle: rowOracle(), hardware }, candidate);
  return verdict.then((made) => ({ verdict: made, runs: runs(), device }));
}

describe('a GPU beside the virtual one', () => {
  it('is asked the same of a right candidate, and the evidence says which device was asked what', async () => {
    const { verdict, device } = await judged(honest, honest);
    assert.equal(verdict.outcome, 'correct');
    assert.equal(verdict.hardware?.name, name);
    assert.equal(verdict.hardware?.calls, verdict.calls.length);
    const asked = (on: string) =>
      verdict.checks.filter((one) => one.device === on).map(({ check, stage }) => `${check} ${stage}`);
    assert.deepEqual(asked('cuda'), asked('virtual'), 'this task has no check that the virtual GPU alone can ask');
    assert.ok(asked('cuda').includes('values sequence'), asked('cuda').join(', '));
    const source = { verdict, task, candidateSource: candidate.source, device, gpu: 'h100', limits, arithmetics: [] };
    const evidence = parseEvidence(JSON.stringify(evidenceOf(source)));
    assert.equal(evidence.hardware?.simulated, false);
    assert.equal(evidence.checks.filter((one) => one.device === 'cuda').length, asked('cuda').length);
  });

  it('rejects what is wrong there alone, in its own name', async () => {
    const { verdict } = await judged(honest, never);
    assert.equal(verdict.outcome, 'rejected');
    assert.match(verdict.reason, /^On Some GPU: /);
    assert.equal(verdict.checks.at(-1)?.device, 'cuda');
    assert.equal(verdict.checks.at(-1)?.answer.status, 'rejected');
  });

  it('is not asked of what the virtual GPU rejects', async () => {
    const { verdict, runs } = await judged(never, honest);
    assert.equal(verdict.outcome, 'rejected');
    assert.equal(verdict.hardware, undefined);
    assert.equal(runs, 0);
    assert.ok(
      verdict.checks.every(({ device }) => device === 'virtual'),
      'all on the virtual one',
    );
  });

  it('takes its times last', async () => {
    const { verdict } = await judged(honest, honest, true);
    assert.equal(verdict.timing?.claim?.over, 'torch.compile');
    assert.deepEqual(verdict.timing?.shapes, ['x float32[16, 96]']);
    const wrong = await judged(honest, never, true);
    assert.equal(wrong.verdict.timing, undefined);
  });
});

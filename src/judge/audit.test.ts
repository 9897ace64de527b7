import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { floor, type Task } from '../task/index.ts';
import { gpuTarget } from '../vgpu/index.ts';
import { audit } from './audit.ts';
import { judgePrepared } from './judge.ts';
import { candidate, FakeDevice, type FakeKernel, honest, rowOracle, task } from './row-task.fixture.ts';
import { commit } from './seeds.ts';
import { setupOf, slowBaselines } from './timed.fixture.ts';
import type { TimingSetup } from './timed.ts';

const target = gpuTarget('h100');

/** A task of 2^26 floats, whose floor is a round number of bytes over the bandwidth. */
const spec = { shape: [8192, 8192], dtype: 'float32' } as const;
const large: Task = {
  ...task,
  graph: {
    inputs: [{ id: 0, spec, name: 'x', draw: { kind: 'normal', mean: 0, std: 1 } }],
    parameters: [],
    constants: [],
    nodes: [{ op: 'relu', inputs: [0], attributes: {}, outputs: [{ id: 1, spec }], line: 4 }],
    outputs: [1],
  },
};
const floors = { cold: floor(large, target), warm: floor(large, target, 'warm') };

function verdictOf(kernel: FakeKernel, timing?: TimingSetup) {
  const device = new FakeDevice(kernel);
  const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };
  // The order of the simulated samples follows from the secret: a drawn one would find two equal kernels undecided now and then.
  const origin = 'drawn after freezing' as const;
  const commitment = { ...commit([candidate.sourceHash], '22'.repeat(32)), origin };
  return judgePrepared({ task, device, gpu: 'h100', limits, oracle: rowOracle(), commitment, timing }, candidate);
}

async function audited(kernel: FakeKernel, ratio: number, baselineMicroseconds?: number, timing?: TimingSetup) {
  const verdict = await verdictOf(kernel, timing);
  return audit({ ratio, baselineMicroseconds }, { verdict, floors, gpuName: target.name });
}

const firstRowOnly: FakeKernel = (memory) => {
  const whole = { ...memory, out: memory.out.slice(), written: memory.written.slice() };
  honest(whole);
  memory.out.set(whole.out.slice(0, memory.out.length / 4));
  memory.written.fill(1, 0, memory.out.length / 4);
  return undefined;
};

describe('the audit of a claim', () => {
  test('a kernel that computes a quarter of the answer: the claim is false, and its size is explained', async () => {
    const { conclusion, headline, because } = await audited(firstRowOnly, 150);
    assert.equal(conclusion, 'false');
    assert.match(headline, /150x is false/);
    assert.match(because.join(' '), /never written.*one output in 4\b.*\(C1\)/s);
  });

  test('a right kernel whose speed was not measured: open, with what would have to be true', async () => {
    const { conclusion, because } = await audited(honest, 150);
    assert.equal(conclusion, 'open');
    const least = (2 ** 26 * 4) / target.memoryBandwidth;
    assert.ok(floors.cold.microseconds >= least * 1e6 * 0.99, 'the floor moves at least the inputs');
    assert.match(because[0]!, /For 150x to be true, PyTorch would have to take at least/);
  });

  test('a right kernel whose published time is below the floor: false', async () => {
    const possible = floors.warm.microseconds * 10;
    assert.equal((await audited(honest, 11, possible)).conclusion, 'false');
    assert.equal((await audited(honest, 9, possible)).conclusion, 'open');
  });
});

describe('the audit of a claim that was measured', () => {
  // The candidate is 1.3 times as fast as torch.compile and 1.6 times as fast as eager; clocks are simulated and pass for measured ones where nothing else is said.
  const measured = (ratio: number, timing: TimingSetup = setupOf(slowBaselines)) =>
    audited(honest, ratio, undefined, timing);

  test('within the interval over the best baseline, or under it: it stands', async () => {
    const { conclusion, headline, because, measured: found } = await measured(1.2);
    assert.equal(conclusion, 'stands');
    assert.match(
      headline,
      /The claim of 1\.2x stands: measured it is 1\.\d+ \(.*x over torch\.compile on Some GPU\. It is even faster/,
    );
    assert.match(because.join(' '), /Measured in 4 fresh processes.*Not claimed/s);
    assert.equal(found?.over, 'torch.compile');
    const within = await measured(found!.ratio);
    assert.equal(within.conclusion, 'stands', within.headline);
  });

  test('at smaller shapes than the claim is about: its times say nothing', async () => {
    const verdict = { ...(await verdictOf(honest, setupOf(slowBaselines))) };
    const { conclusion, measured: found } = audit(
      { ratio: 1.2 },
      { verdict, floors, gpuName: target.name, scaled: true },
    );
    assert.equal(conclusion, 'open');
    assert.equal(found, undefined);
  });

  test('over the interval: smaller, with the interval, and how such a number comes about', async () => {
    const { conclusion, headline, because } = await measured(150);
    assert.equal(conclusion, 'smaller');
    assert.match(headline, /150x is too large: measured it is 1\.\d+ \(1\.\d+ to 1\.\d+\)x over torch\.compile/);
    assert.match(because.join(' '), /no CUDA graph/);
  });

  test('no faster, or slower: false', async () => {
    assert.equal((await measured(1.5, setupOf({ gain: 1 }))).conclusion, 'false');
    const slower = await measured(1.5, setupOf({ gain: 0.8 }));
    assert.equal(slower.conclusion, 'false');
    assert.match(slower.headline, /slower than PyTorch/);
  });

  test('that does not tell, or of simulated clocks, or without a floor: open, never stands', async () => {
    const below = await measured(1.2, setupOf(slowBaselines, { floorMicroseconds: 60 }));
    assert.equal(below.conclusion, 'open');
    assert.match(below.because.join(' '), /cannot be believed.*T1\b/s);
    const simulated = await measured(1.2, setupOf(slowBaselines, { simulated: true }));
    assert.equal(simulated.conclusion, 'open');
    assert.equal(simulated.measured, undefined);
    assert.match(simulated.because.join(' '), /clocks are simulated/);
    const floorless = await measured(1.2, setupOf(slowBaselines, { floorMicroseconds: null }));
    assert.equal(floorless.conclusion, 'open');
    assert.match(floorless.because[0]!, /No floor is known/);
  });
});

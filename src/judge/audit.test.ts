import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { floor, type Task } from '../task/index.ts';
import { gpuTarget } from '../vgpu/index.ts';
import { audit } from './audit.ts';
import { judgePrepared } from './judge.ts';
import { candidate, FakeDevice, type FakeKernel, honest, rowOracle, task } from './row-task.fixture.ts';

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

async function audited(kernel: FakeKernel, ratio: number, baselineMicroseconds?: number) {
  const device = new FakeDevice(kernel);
  const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };
  const verdict = await judgePrepared({ task, device, gpu: 'h100', limits, oracle: rowOracle() }, candidate);
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

/** Blocks that take patches of outputs, at sizes that no patch divides, against float64. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, illegal } from '../knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

const patch: KernelChoice = {
  ...{
    family: 'row',
    lanes: 1,
    rows: 64,
    patch: 4,
    cluster: 1,
    team: 1,
    room: 0,
    order: 'lanes',
    vector: 1,
    keep: 'reload',
  },
  ...{ combine: 'shared', softmax: 'two-pass', unroll: 4 },
};

describe('patches of windows', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  it('give what lines of them give: a pool and a depthwise convolution', async () => {
    const graph = new GraphBuilder();
    const x = graph.input([2, 3, 13, 37]);
    const pool = { kernel: [3, 4], stride: [1, 2], padding: [1, 0], dilation: [1, 1], ceil_mode: false };
    const conv = { stride: [1, 1], padding: [1, 2], dilation: [1, 1], groups: 3, bias: false };
    const task = graph.task([
      graph.op('max_pool2d', [x], pool),
      graph.op('conv2d', [x, graph.input([3, 1, 3, 5])], conv),
    ]);
    const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
    for (const { group, stored } of made.groups)
      assert.equal(illegal(groupFacts(made.program, group, stored), patch), undefined, 'legal');
    const source = lowerOutline(
      task,
      made,
      made.groups.map(() => patch),
    );
    assert.match(source, /patch of 4 x 16/);
    await check.matches(task, source);
  });
});

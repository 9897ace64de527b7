/** Rows that a cluster of blocks shares, at lengths that no cluster divides, against float64. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { gpuTarget } from '../../../vgpu/index.ts';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { startingChoices } from '../first-choices.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, hardwareOf, illegal } from '../knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

const shared = {
  ...{
    family: 'row',
    lanes: 64,
    rows: 1,
    cluster: 4,
    team: 1,
    room: 0,
    patch: 1,
    order: 'lanes',
    vector: 1,
    keep: 'registers',
  },
  ...{ combine: 'shuffle', softmax: 'two-pass', unroll: 1 },
} as const satisfies KernelChoice;

const softmaxOf = (rows: number, length: number) => {
  const graph = new GraphBuilder();
  return graph.task([graph.op('softmax', [graph.input([rows, length])], { dim: 1 })]);
};

describe('rows of a cluster of blocks', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  it('are folded as one: a softmax kept in registers, online or read again, and by single warps', async () => {
    const task = softmaxOf(33, 1501);
    const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
    const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
    const variants: KernelChoice[] = [shared, { ...shared, lanes: 32, cluster: 8, softmax: 'online', keep: 'reload' }];
    for (const choice of variants) {
      assert.equal(
        illegal(groupFacts(made.program, group, stored, 'fp32', hardwareOf(gpuTarget('h100'))), choice),
        undefined,
        'legal',
      );
      assert.match(illegal(groupFacts(made.program, group, stored), choice)!, /no clusters/);
      const source = lowerOutline(task, made, [choice]);
      assert.match(source, /__cluster_dims__\(\d, 1, 1\)/);
      await check.matches(task, source);
    }
  });

  it('are what long rows that are used twice begin with, and no others', () => {
    const starts = (length: number) => {
      const task = softmaxOf(4096, length);
      const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
      const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
      return startingChoices(groupFacts(made.program, group, stored, 'fp32', hardwareOf(gpuTarget('h100'))));
    };
    const [first] = starts(393216);
    assert.ok(first?.family === 'row' && first.cluster > 1 && first.keep === 'registers', JSON.stringify(first));
    assert.ok(
      starts(1024).every((choice) => choice.family === 'row' && choice.cluster === 1),
      'a short row is a block',
    );
  });
});

/** Rows that blocks share through global memory, kept whole, in part and in all places, against float64. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { gpuTarget } from '../../../vgpu/index.ts';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { createBuiltinEngineer } from '../engineer.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, hardwareOf, illegal } from '../knobs.ts';
import { transfer } from '../transfer.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

const hardware = hardwareOf(gpuTarget('h100'));

type RowChoice = Extract<KernelChoice, { family: 'row' }>;

const team: RowChoice = {
  ...{ family: 'row', lanes: 32, rows: 1, cluster: 1, team: 2, room: 0, patch: 1, order: 'lanes', vector: 1 },
  ...{ keep: 'registers', combine: 'shuffle', softmax: 'two-pass', unroll: 1 },
};

/** Batch statistics of rows of this many elements, far from zero: sums of plain squares would lose the variance. */
function batchNorm(batch: number, length: number, channels = 40) {
  const graph = new GraphBuilder();
  const x = graph.input([batch, channels, length], 'float32', { kind: 'normal', mean: 3000, std: 1 });
  const settings = { training: true, momentum: 0.1, eps: 1e-5, weight: false, bias: false };
  return graph.task([graph.op('batch_norm', [x], settings)]);
}

function fused(task: ReturnType<GraphBuilder['task']>) {
  const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
  const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
  return { made, facts: groupFacts(made.program, group, stored, 'fp32', hardware), group, stored };
}

describe('rows of a team of blocks', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  const places: [string, number, Partial<RowChoice>, RegExp][] = [
    ['in registers', 512, { vector: 4 }, /keeps 4 in registers/],
    ['in shared memory', 512, { vector: 2, keep: 'shared', room: 16, team: 4 }, /keeps 4 in shared memory/],
    ['in registers, and what is left read again', 1280, {}, /for \(int item = 39; item >= 32; --item\)/],
    ['in both, and what is left read again', 5142, { room: 16, lanes: 64 }, /keeps 64 in shared memory/],
    ['by the warps of larger blocks', 2570, { lanes: 128, team: 8 }, /meet\(arrived \+ 1 \+ row \* 2 \+ 1, 8\)/],
  ];
  for (const [where, length, knobs, text] of places)
    it(`are kept ${where}`, async () => {
      // As long as 48 KiB of shared memory and registers allow: some packs are beyond both.
      const task = batchNorm(where.startsWith('in both') ? 8 : 2, length);
      const { made, facts } = fused(task);
      const choice = { ...team, ...knobs };
      assert.equal(illegal(facts, choice), undefined, 'legal');
      const source = lowerOutline(task, made, [choice]);
      assert.match(source, text);
      // Of numbers of some 3000 float keeps four digits behind the point.
      await check.matches(task, source, 2e-3);
    });

  it('are legal where a known target holds so many blocks at once, and rows are kept', () => {
    const task = batchNorm(64, 512 * 512);
    const { made, facts, group, stored } = fused(task);
    const why = (knobs: Partial<RowChoice>) => illegal(facts, { ...team, lanes: 512, vector: 4, ...knobs });
    assert.equal(why({ team: 256, room: 104 }), undefined, 'two blocks a multiprocessor');
    assert.match(why({ team: 512, room: 104 })!, /512 blocks wait for each other, and the target holds 264 at once/);
    assert.match(why({ team: 256, room: 216 })!, /holds 132 at once/);
    assert.match(why({ team: 256, keep: 'reload' })!, /keeps a part/);
    assert.match(why({ team: 2, cluster: 2 })!, /no cluster/);
    assert.match(why({ team: 1, room: 16 })!, /room is for teams/);
    const unknown = groupFacts(made.program, group, stored);
    assert.match(illegal(unknown, { ...team, lanes: 512, vector: 4, team: 256 })!, /a target that is known/);
  });

  it('are smaller teams at smaller shapes, and none where a row is short', () => {
    const own = fused(batchNorm(64, 512 * 512));
    const choice = { ...team, lanes: 512, vector: 4, team: 256, room: 104 };
    const schedule = { fusion: 'fused', splits: {}, kernels: [choice] } as const;
    const at = (length: number) => {
      const small = batchNorm(2, length);
      const { choices } = transfer(own.made, schedule, decompose(small.graph, small.signature), 'fp32', hardware);
      const [only] = choices as [RowChoice];
      return [only.team, only.room];
    };
    assert.deepEqual(at(16384), [16, 0], 'rows that registers keep');
    assert.deepEqual(at(128), [1, 0], 'rows of a block');
  });

  it('are what rows that no cluster keeps begin with, on targets that hold a team', async () => {
    const graph = new GraphBuilder();
    const x = graph.input([112, 64, 512, 512]);
    const settings = { num_groups: 8, eps: 1e-5, weight: true, bias: true };
    const task = graph.task([graph.op('group_norm', [x, graph.input([64]), graph.input([64])], settings)]);
    const firstOn = async (gpu: string) => {
      const [, first] = await createBuiltinEngineer({ task, target: gpuTarget(gpu) }).start();
      return first!;
    };
    const first = await firstOn('h100');
    assert.match(first.summary, /waiting blocks/);
    assert.match(first.source, /TORCH_CHECK\(\w+_blocks \* .*multiProcessorCount >= \d+, /);
    assert.match(first.source, /torch::zeros\(\{1793\}, torch::dtype\(torch::kInt32\)/);
  });
});

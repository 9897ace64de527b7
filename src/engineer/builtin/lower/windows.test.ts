/** Pools in strips, at sizes that nothing divides, against float64. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { startingChoices } from '../first-choices.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, illegal } from '../knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

const strips = (block: number, strip: number, across: 'reads' | 'shared' = 'reads'): KernelChoice => ({
  ...{ family: 'window', block, strip, across },
});

/** The candidate in which every pool takes the choice; other kernels begin as they do. */
function inStrips(task: ReturnType<GraphBuilder['task']>, choice: KernelChoice): string {
  const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
  const choices = made.groups.map(({ group, stored }) => {
    const facts = groupFacts(made.program, group, stored);
    assert.equal(illegal(facts, choice), undefined, `${choice.family} is legal`);
    return choice;
  });
  return lowerOutline(task, made, choices);
}

const square = (stride: number, padding: number, dilation = 1, kernel = 3, rank = 2) => ({
  ...{ kernel: Array(rank).fill(kernel), stride: Array(rank).fill(stride), padding: Array(rank).fill(padding) },
  ...{ dilation: Array(rank).fill(dilation), ceil_mode: false },
});
const average = (stride: number, padding: number, more: object, rank = 2) => {
  const { dilation: _, ...rest } = square(stride, padding, 1, 3, rank);
  return { ...rest, count_include_pad: true, divisor: null, ...more };
};

describe('windows in strips', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  it('fold each slice once: maxima with strides, padding and dilation that share slices or do not', async () => {
    const graph = new GraphBuilder();
    const x = graph.input([2, 3, 19, 37]);
    const pools = [square(1, 1), square(2, 1, 3), square(2, 2, 2, 4), square(3, 0), square(4, 1), square(1, 0, 2)];
    const uneven = { kernel: [4, 2], stride: [1, 2], padding: [2, 0], dilation: [1, 5], ceil_mode: true };
    const task = graph.task([...pools, uneven].map((pool) => graph.op('max_pool2d', [x], pool)));
    for (const choice of [strips(64, 4), strips(128, 1), strips(64, 8, 'shared')])
      await check.matches(task, inStrips(task, choice));
  });

  it('of one and three dimensions, in half precision too, with what follows them', async () => {
    const graph = new GraphBuilder();
    const line = graph.input([2, 5, 203]);
    const volume = graph.input([1, 3, 11, 13, 17], 'float16');
    const long = { kernel: [8], stride: [1], padding: [4], dilation: [3], ceil_mode: false };
    const task = graph.task([
      graph.op('max_pool1d', [line], long),
      graph.op('tanh', [graph.op('avg_pool1d', [line], average(1, 1, {}, 1))]),
      graph.op('max_pool3d', [volume], square(2, 1, 3, 3, 3)),
    ]);
    await check.matches(task, inStrips(task, strips(64, 1)), 2e-3);
    const lines = new GraphBuilder();
    const x = lines.input([3, 2, 203]);
    const rows = lines.task([lines.op('max_pool1d', [x], long), lines.op('avg_pool1d', [x], average(2, 1, {}, 1))]);
    await check.matches(rows, inStrips(rows, strips(64, 1, 'shared')));
    const only = new GraphBuilder();
    const cube = only.input([2, 2, 12, 9, 21]);
    const pools = [
      only.op('max_pool3d', [cube], square(2, 1, 3, 3, 3)),
      only.op('avg_pool3d', [cube], average(2, 1, {}, 3)),
    ];
    const deep = only.task(pools);
    await check.matches(deep, inStrips(deep, strips(128, 4)));
  });

  it('divide by what counts, and let NaN and infinities through', async () => {
    const graph = new GraphBuilder();
    const values = Array.from({ length: 2 * 15 * 14 }, (_, k) => (k === 77 ? 'nan' : k === 300 ? '-inf' : Math.sin(k)));
    const x = graph.input([1, 2, 15, 14], 'float32', { kind: 'values', values });
    const task = graph.task([
      graph.op('max_pool2d', [x], square(1, 1)),
      graph.op('avg_pool2d', [x], average(2, 1, { count_include_pad: false })),
      graph.op('avg_pool2d', [x], average(1, 1, {})),
      graph.op('avg_pool2d', [x], average(2, 0, { divisor: 5 })),
    ]);
    await check.matches(task, inStrips(task, strips(64, 8)));
    await check.matches(task, inStrips(task, strips(64, 4, 'shared')));
  });

  it('keep their own names apart from those of tensors', async () => {
    const graph = new GraphBuilder();
    const task = graph.task([graph.op('max_pool2d', [graph.input([1, 2, 9, 11])], square(1, 1))]);
    for (const name of ['ring', 'columns', 'slice', 'corner', 'inside']) {
      const tensors = task.signature.tensors.map((tensor) => ({ ...tensor, name }));
      const renamed = { ...task, signature: { ...task.signature, tensors } };
      assert.doesNotMatch(inStrips(renamed, strips(64, 4, 'shared')), new RegExp(`\\* __restrict__ ${name}\\b`));
    }
  });

  it('are what a pool begins with, in strips that leave threads enough; long strips only where slices are shared', () => {
    const first = (shape: readonly number[], pool: object) => {
      const graph = new GraphBuilder();
      const task = graph.task([graph.op('max_pool2d', [graph.input(shape)], pool as never)]);
      const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
      const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
      return startingChoices(groupFacts(made.program, group, stored))[0]!;
    };
    const shared = first([32, 64, 512, 512], square(1, 1, 1, 4));
    assert.ok(shared.family === 'window' && shared.strip >= 32, JSON.stringify(shared));
    const apart = first([16, 64, 2048, 2048], square(11, 0, 1, 11));
    assert.ok(apart.family === 'window' && apart.across === 'shared', JSON.stringify(apart));
    const few = first([1, 4, 512, 512], square(1, 1, 1, 4));
    assert.ok(few.family === 'window' && few.strip < 128, JSON.stringify(few));
  });
});

/** Products on tensor cores against float64: layouts, sizes that no tile divides, batches, what follows. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { DType, Task } from '../../../task/index.ts';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, illegal } from '../knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

type Mma = Extract<KernelChoice, { family: 'mma' }>;

const choice: Mma = {
  ...{ family: 'mma', arithmetic: 'tf32x3', blockM: 64, blockN: 32, blockK: 16, warpM: 32, warpN: 16 },
  ...{ vector: 4, stages: 1 },
};

function lowered(task: Task, more: Partial<Mma>): string {
  const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
  assert.equal(made.groups.length, 1, 'one kernel');
  const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
  const own = { ...choice, ...more };
  assert.equal(illegal(groupFacts(made.program, group, stored, task.precision), own), undefined, 'legal');
  return lowerOutline(task, made, [own]);
}

/** gelu(a @ b + c), operands as they lie in memory. */
function product(a: readonly number[], b: readonly number[], dtype: DType, transposed: 'a' | 'b' | undefined): Task {
  const graph = new GraphBuilder();
  const [x, y] = [graph.input(a, dtype), graph.input(b, dtype)];
  const turn = (id: number, rank: number) =>
    graph.op('permute', [id], { dims: [...Array.from({ length: rank - 2 }, (_, d) => d), rank - 1, rank - 2] });
  const left = transposed === 'a' ? turn(x, a.length) : x;
  const right = transposed === 'b' ? turn(y, b.length) : y;
  const made = graph.op('matmul', [left, right]);
  const bias = graph.input([graph.spec(made).shape.at(-1)!], dtype);
  return graph.task([graph.op('relu', [graph.op('add', [made, bias])])]);
}

describe('products on tensor cores', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  it('in two parts of tf32 have the accuracy of float, at sizes that no tile divides', async () => {
    await check.matches(
      product([70, 37], [37, 45], 'float32', undefined),
      lowered(product([70, 37], [37, 45], 'float32', undefined), { vector: 1 }),
    );
  });

  it('of transposed operands, read in packs', async () => {
    for (const transposed of ['a', 'b'] as const) {
      const [a, b] =
        transposed === 'a'
          ? [
              [64, 100],
              [64, 72],
            ]
          : [
              [100, 64],
              [72, 64],
            ];
      const task = product(a!, b!, 'float32', transposed);
      await check.matches(task, lowered(task, { stages: 1, warpN: 32 }));
    }
  });

  it('of a batch, with two pairs of tiles', async () => {
    const task = { ...product([3, 65, 40], [3, 40, 36], 'float32', undefined), precision: 'tf32' as const };
    await check.matches(task, lowered(task, { arithmetic: 'tf32', stages: 2 }), 1e-2);
  });

  for (const dtype of ['float16', 'bfloat16'] as const)
    it(`of ${dtype}`, async () => {
      const task = product([70, 48], [56, 48], dtype, 'b');
      await check.matches(
        task,
        lowered(task, { arithmetic: 'half', vector: 4, stages: 2 }),
        dtype === 'float16' ? 2e-3 : 1.6e-2,
      );
    });

  it('of the windows of convolutions: borders, strides, dilation, groups, one to three dimensions', async () => {
    const tile: KernelChoice = {
      ...{ family: 'tile', blockM: 16, blockN: 64, blockK: 8, threadM: 2, threadN: 4, fragment: 2 },
      ...{ vector: 1, stages: 2 },
    };
    const mma: KernelChoice = { ...choice, blockM: 32, warpM: 16, blockN: 64, vector: 1 };
    for (const [x, w, settings, kernel] of [
      [[2, 6, 13, 17], [10, 6, 3, 5], { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 1 }, mma],
      [
        [2, 6, 7, 9, 5],
        [16, 3, 3, 1, 2],
        { stride: [1, 2, 1], padding: [1, 0, 0], dilation: [2, 1, 1], groups: 2 },
        tile,
      ],
      [[3, 5, 40], [9, 5, 4], { stride: [3], padding: [2], dilation: [1], groups: 1 }, tile],
    ] as const) {
      const graph = new GraphBuilder();
      const inputs = [graph.input(x), graph.input(w), graph.input([w[0]])];
      const made = graph.op(`conv${x.length - 2}d`, inputs, { ...settings, bias: true });
      const task = graph.task([graph.op('relu', [made])]);
      const own = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
      const [{ group, stored }] = own.groups as [(typeof own.groups)[number]];
      assert.equal(illegal(groupFacts(own.program, group, stored), kernel), undefined, 'legal');
      await check.matches(task, lowerOutline(task, own, [kernel]));
    }
  });

  it('are refused where the policy or the operands do not allow them', () => {
    const task = product([64, 64], [64, 64], 'float32', undefined);
    const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
    const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
    const facts = groupFacts(made.program, group, stored, 'fp32');
    assert.match(illegal(facts, { ...choice, arithmetic: 'tf32' }) ?? '', /tf32 is not for these operands/);
    assert.match(
      illegal(facts, { ...choice, blockM: 128, blockN: 128, blockK: 32, warpM: 64, warpN: 64 }) ?? '',
      /shared memory/,
    );
  });
});

/**
 * Products on tensor cores that are fed by asynchronous copies, against float64: layouts, stages, orders of blocks, sizes that no tile divides, copies
 * narrower than 16 bytes, batches, what follows. Skipped where nvcc is not found.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { DType, PrecisionPolicy, Task } from '../../../task/index.ts';
import { gpuTarget } from '../../../vgpu/index.ts';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts, hardwareOf, illegal } from '../knobs.ts';
import { decompose, type KernelChoice, lowerOutline, outline } from './index.ts';

type Pipeline = Extract<KernelChoice, { family: 'pipeline' }>;

const choice: Pipeline = {
  ...{ family: 'pipeline', arithmetic: 'half', blockM: 64, blockN: 64, blockK: 32, warpM: 32, warpN: 32 },
  ...{ stages: 3, group: 1, unit: 'warp' },
};

function outlined(task: Task, gpu = 'h100') {
  const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
  assert.equal(made.groups.length, 1, 'one kernel');
  const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
  return { made, facts: groupFacts(made.program, group, stored, task.precision, hardwareOf(gpuTarget(gpu))) };
}

function lowered(task: Task, more: Partial<Pipeline>): string {
  const { made, facts } = outlined(task);
  const own = { ...choice, ...more };
  assert.equal(illegal(facts, own), undefined, 'legal');
  return lowerOutline(task, made, [own]);
}

/** relu(a @ b + c) of [..., m, k] and [..., k, n]; those named are transposed in memory. */
function product(
  [m, k, n]: readonly [number, number, number],
  dtype: DType,
  { transposed = '', batch = [] as number[], precision = 'fp32' as PrecisionPolicy } = {},
): Task {
  const graph = new GraphBuilder();
  const operand = (name: string, rows: number, columns: number) => {
    if (!transposed.includes(name)) return graph.input([...batch, rows, columns], dtype);
    const rank = batch.length + 2;
    const dims = [...batch.map((_, d) => d), rank - 1, rank - 2];
    return graph.op('permute', [graph.input([...batch, columns, rows], dtype)], { dims });
  };
  const made = graph.op('matmul', [operand('a', m, k), operand('b', k, n)]);
  const task = graph.task([graph.op('relu', [graph.op('add', [made, graph.input([n], dtype)])])]);
  return { ...task, precision };
}

describe('products fed by asynchronous copies', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  for (const transposed of ['', 'a', 'b', 'ab'])
    it(`of halves, ${transposed === '' ? 'neither' : transposed} transposed, at sizes that no tile divides`, async () => {
      const dtype = transposed.length === 1 ? 'bfloat16' : 'float16';
      const task = product([72, 200, 136], dtype, { transposed });
      await check.matches(task, lowered(task, {}), dtype === 'float16' ? 2e-2 : 8e-2);
    });

  for (const transposed of ['', 'a', 'b', 'ab'])
    it(`of float rounded to tf32, ${transposed === '' ? 'neither' : transposed} transposed, 4 bytes a copy where rows are odd`, async () => {
      const task = product([69, 67, 77], 'float32', { transposed, precision: 'tf32' });
      await check.matches(task, lowered(task, { arithmetic: 'tf32', stages: 2 }), 2e-2);
    });

  for (const transposed of ['', 'a', 'b', 'ab'])
    it(`of warpgroups, ${transposed === '' ? 'neither' : transposed} transposed`, async () => {
      const dtype = transposed.length === 1 ? 'bfloat16' : 'float16';
      const task = product([72, 456, 136], dtype, { transposed });
      const warp = transposed.includes('b') ? { warpM: 64, warpN: 64 } : { warpM: 128, warpN: 128, stages: 4 };
      const source = lowered(task, { unit: 'warpgroup', blockM: 128, blockN: 128, blockK: 64, ...warp });
      await check.matches(task, source, dtype === 'float16' ? 4e-2 : 2e-1);
    });

  // Either operand along k and across it. 136 x 456 x 200 is read in packs; 139 x 205 x 149 has rows that begin at any element, in blocks with and without an edge.
  for (const transposed of ['', 'ab'])
    it(`of warpgroups through registers, ${transposed === '' ? 'neither' : transposed} transposed`, async () => {
      const [packed, odd] = [[136, 456, 200] as const, [139, 205, 149] as const];
      const together = { unit: 'warpgroup', blockM: 128, blockN: 64, warpM: 64, warpN: 64 } as const;
      const tf32 = { ...together, arithmetic: 'tf32', blockK: 32 } as const;
      for (const sizes of [packed, odd]) {
        const task = product(sizes, 'float32', { transposed, precision: 'tf32', batch: sizes === odd ? [2] : [] });
        await check.matches(task, lowered(task, tf32), 2e-2);
      }
      const task = product(odd, transposed === '' ? 'bfloat16' : 'float16', { transposed });
      await check.matches(task, lowered(task, { ...together, blockK: 64, stages: 4 }), transposed === '' ? 1e-1 : 2e-2);
    });

  it('of one operand that is copied or not while one goes through registers, twelve rows of b at a time', async () => {
    const wide = { unit: 'warpgroup', blockM: 192, blockN: 256, blockK: 64, warpM: 64, warpN: 256 } as const;
    for (const n of [136, 267]) {
      const task = product([72, 141, n], 'float16');
      const source = lowered(task, wide);
      assert.equal(/copy_async/.test(source), n === 136, 'rows of b that begin at 16 bytes are copied');
      assert.match(source, /read_across_packs/, 'rows of a begin at any element');
      assert.match(source, /round % 2 \* 4/, 'the turn of a round differs in a bit');
      await check.matches(task, source, 2e-2);
    }
  });

  // Held to float's own accuracy, which neither part alone has.
  for (const transposed of ['', 'ab'])
    it(`of float in two parts of tf32 by warpgroups, ${transposed === '' ? 'neither' : transposed} transposed`, async () => {
      const together = { unit: 'warpgroup', blockM: 128, blockN: 64, blockK: 32, warpM: 64, warpN: 64 } as const;
      const sizes = transposed === '' ? ([72, 136, 72] as const) : ([69, 77, 67] as const);
      const task = product(sizes, 'float32', { transposed });
      const source = lowered(task, { ...together, arithmetic: 'tf32x3', stages: transposed === '' ? 2 : 3 });
      await check.matches(task, source, 2e-5);
    });

  it('of a batch, fewer steps than stages, copies of 4 and 8 bytes', async () => {
    for (const [k, n] of [
      [18, 70],
      [36, 44],
    ] as const) {
      const task = product([65, k, n], 'float16', { batch: [3] });
      await check.matches(task, lowered(task, { stages: 5 }), 2e-2);
    }
  });

  it('of blocks in groups, tiles beyond 48 KiB, warps of other shapes', async () => {
    const task = product([760, 96, 400], 'float16');
    const shapes: Partial<Pipeline>[] = [
      { group: 4, blockM: 192, blockN: 256, warpM: 96, warpN: 64, stages: 4 },
      { group: 2, blockM: 128, blockN: 128, warpM: 64, warpN: 32, blockK: 64, stages: 2 },
    ];
    for (const more of shapes) await check.matches(task, lowered(task, more), 2e-2);
  });

  it('are refused where a target, the operands or the shared memory do not allow them', () => {
    const why = (task: Task, more: Partial<Pipeline>, gpu?: string) =>
      illegal(outlined(task, gpu).facts, { ...choice, ...more }) ?? '';
    const half = product([256, 256, 256], 'float16');
    assert.match(why(half, {}, 't4'), /no pipeline form/);
    assert.match(why(half, { arithmetic: 'tf32' }), /tf32 is not for these operands/);
    assert.match(why(product([256, 255, 256], 'float16'), {}), /4 bytes or more/);
    const float = product([256, 256, 256], 'float32');
    assert.match(why(float, { arithmetic: 'tf32' }), /tf32 is not for these operands/);
    assert.match(why(float, { arithmetic: 'tf32x3' }), /for wgmma/);
    assert.match(why(float, { arithmetic: 'tf32x3' }, 'a100'), /no pipeline form/);
    const large = { blockM: 256, blockN: 128, blockK: 64, warpM: 64, warpN: 64, stages: 4 };
    assert.equal(why(half, large), '');
    assert.match(why(half, large, 'a100'), /163 KiB/);
    assert.match(why(half, { group: 8 }), /groups/);
    const together = { unit: 'warpgroup', blockK: 64, warpM: 64, warpN: 64 } as const;
    assert.equal(why(half, together), '');
    assert.match(why(half, together, 'a100'), /no wgmma/);
    assert.match(why(half, together, 'b200'), /no wgmma/);
    assert.match(why(half, { ...together, stages: 2 }), /three pairs/);
    assert.match(why(half, { ...together, warpN: 32 }), /panels of 64/);
    assert.match(why(half, { blockM: 256, blockN: 256, warpM: 128, warpN: 128 }), /registers/);
  });
});

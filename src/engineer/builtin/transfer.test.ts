/** One schedule at two sets of shapes: the candidate is right at both. Those that compile are skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Task } from '../../task/index.ts';
import { DeviceCheck, skipWithoutCompiler } from './device-check.fixture.ts';
import { createBuiltinEngineer } from './engineer.ts';
import { GraphBuilder } from './graph.fixture.ts';

/** softmax(x @ w + b): products, an epilogue, rows. */
function sized(rows: number, depth: number, columns: number): Task {
  const graph = new GraphBuilder();
  const linear = graph.op(
    'linear',
    [graph.input([rows, depth]), graph.input([columns, depth]), graph.input([columns])],
    {
      bias: true,
    },
  );
  return graph.task([graph.op('softmax', [linear], { dim: 1 })], 'linear_softmax');
}

describe('a schedule at two sets of shapes', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());
  const [full, small] = [sized(96, 64, 256), sized(3, 33, 21)];

  it('is one candidate that is right at both, also where packs and lanes do not fit the smaller ones', async () => {
    const starts = await createBuiltinEngineer({ task: small, full }).start();
    for (const { source, summary } of [starts[0]!, starts[1]!]) {
      assert.match(source, /_verified\b/, summary);
      await check.matches(full, source);
      await check.matches(small, source);
    }
  });

  it('is told apart by a size that differs', async () => {
    const [, start] = await createBuiltinEngineer({ task: small, full }).start();
    assert.match(start!.source, /x0\.size\(0\) == 96/);
  });
});

/** Where reductions are cut, and how a product with a vector begins. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { startingChoices } from '../first-choices.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts } from '../knobs.ts';
import { decompose, lowerOutline, outline } from './index.ts';
import type { ReduceStep } from './program.ts';

/** The mean of max(0, 1 - x * y), with y for each row (`rows`) or each column, its first sum cut in 8. */
function hinge(rows: boolean) {
  const graph = new GraphBuilder();
  const x = graph.input([64, 64]);
  const y = graph.input(rows ? [64, 1] : [64]);
  const margin = graph.op('sub', [graph.op('mul', [x, y])], { other: 1, reverse: true });
  const task = graph.task([graph.op('mean', [graph.op('relu', [margin])], { dims: [0, 1], keepdim: false })]);
  const program = decompose(task.graph, task.signature);
  const sum = program.steps.find((step): step is ReduceStep => step.kind === 'reduce')!;
  const made = outline(program, { fusion: 'fused', splits: { [sum.outs[0]!]: 8 } });
  const parts = made.program.steps.find((step): step is ReduceStep => step.kind === 'reduce')!;
  return { task, made, parts };
}

describe('splitting reductions', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  it('cuts along the dimension that a broadcast operand has, so that no part reads all of it', async () => {
    const columns = hinge(false);
    assert.deepEqual(
      [columns.parts.domain, columns.parts.axes],
      [
        [64, 8, 8],
        [0, 2],
      ],
    );
    const rows = hinge(true);
    assert.deepEqual(
      [rows.parts.domain, rows.parts.axes],
      [
        [8, 8, 64],
        [1, 2],
      ],
    );
    for (const { task, made } of [columns, rows]) {
      const choices = made.groups.map(
        ({ group, stored }) => startingChoices(groupFacts(made.program, group, stored))[0]!,
      );
      await check.matches(task, lowerOutline(task, made, choices));
    }
  });

  it('a matrix by a vector begins with rows that are read as they lie', async () => {
    const graph = new GraphBuilder();
    const task = graph.task([graph.op('matmul', [graph.input([37, 1028]), graph.input([1028, 1])])]);
    const made = outline(decompose(task.graph, task.signature), { fusion: 'fused', splits: {} });
    const [{ group, stored }] = made.groups as [(typeof made.groups)[number]];
    const [first] = startingChoices(groupFacts(made.program, group, stored));
    assert.ok(first?.family === 'row' && first.vector === 4 && first.lanes > 32, JSON.stringify(first));
    await check.matches(task, lowerOutline(task, made, [first]));
  });
});

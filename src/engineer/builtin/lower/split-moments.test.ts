/** Means and squares about them taken in parts, against float64. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { gpuTarget } from '../../../vgpu/index.ts';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { createBuiltinEngineer } from '../engineer.ts';
import { startingChoices } from '../first-choices.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts } from '../knobs.ts';
import { decompose, lowerOutline, outline } from './index.ts';
import type { ReduceStep } from './program.ts';
import { splitChoices } from './split.ts';

/** Every way to cut the moments of a task's first normalisation, and its program. */
function cutsOf(task: ReturnType<GraphBuilder['task']>) {
  const program = decompose(task.graph, task.signature);
  const squares = program.steps.find((step): step is ReduceStep => step.kind === 'reduce' && step.about !== undefined);
  assert.ok(squares, 'squares about a mean');
  return { program, squares, choices: splitChoices(squares, 4096) };
}

/** Far from zero: sums of plain squares would lose the variance. */
const offset = { kind: 'normal', mean: 3000, std: 1 } as const;

describe('moments in parts', { skip: skipWithoutCompiler }, () => {
  const check = new DeviceCheck();
  after(() => check.close());

  it('cut whole outer dimensions and a divisor of the next', () => {
    const graph = new GraphBuilder();
    const x = graph.input([6, 5, 4, 9]);
    const { choices } = cutsOf(
      graph.task([
        graph.op('batch_norm', [x], { training: true, momentum: 0.1, eps: 1e-5, weight: false, bias: false }),
      ]),
    );
    assert.deepEqual(choices, [2, 3, 6, 12, 24, 72]);
  });

  it('are those of the whole rows, though the mean is far from zero: batch, group and layer norms, a variance', async () => {
    const graph = new GraphBuilder();
    const x = graph.input([6, 4, 8, 9], 'float32', offset);
    const norms = [
      graph.op('batch_norm', [x], { training: true, momentum: 0.1, eps: 1e-5, weight: false, bias: false }),
      graph.op('group_norm', [x], { num_groups: 2, eps: 1e-5, weight: false, bias: false }),
      graph.op('layer_norm', [x, graph.input([4, 8, 9]), graph.input([4, 8, 9])], {
        ...{ normalized_shape: [4, 8, 9], eps: 1e-5, weight: true, bias: true },
      }),
      graph.op('var', [x], { dims: [1, 3], correction: 1, keepdim: false }),
    ];
    const task = graph.task(norms);
    const program = decompose(task.graph, task.signature);
    const squares = program.steps.filter(
      (step): step is ReduceStep => step.kind === 'reduce' && step.about !== undefined,
    );
    for (const pick of [0, -2]) {
      const splits = Object.fromEntries(squares.map((step) => [step.outs[0]!, splitChoices(step, 4096).at(pick)!]));
      const made = outline(program, { fusion: 'fused', splits });
      const choices = made.groups.map(
        ({ group, stored }) => startingChoices(groupFacts(made.program, group, stored))[0]!,
      );
      const source = lowerOutline(task, made, choices);
      assert.match(source, /part_spread/);
      // Of numbers of some 3000 float keeps four digits behind the point.
      await check.matches(task, source, 2e-3);
    }
  });

  it('are what long rows begin with: one read for the statistics, one to normalise, weights read once', async () => {
    const graph = new GraphBuilder();
    const shape = [64, 256, 256];
    const settings = { normalized_shape: shape, eps: 1e-5, weight: true, bias: true };
    const x = graph.input([16, ...shape]);
    const task = graph.task([graph.op('layer_norm', [x, graph.input(shape), graph.input(shape)], settings)]);
    const engineer = createBuiltinEngineer({ task, target: gpuTarget('h100') });
    const [, first] = await engineer.start();
    assert.match(first!.source, /part_spread/);
    const { kernels } = first!.knobs as unknown as { kernels: { family: string; keep?: string; items?: number }[] };
    assert.deepEqual(
      kernels.map(({ family, keep, items }) => [family, keep ?? items]),
      [
        ['row', 'registers'],
        ['row', 'registers'],
        ['map', 16],
      ],
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Task } from '../../task/index.ts';
import type { SearchRecord } from '../ports.ts';
import { Random } from '../search/random.ts';
import { createBuiltinEngineer } from './engineer.ts';
import { GraphBuilder } from './graph.fixture.ts';

/** softmax(x @ w + b): a product with an epilogue, then rows. */
function attentionLike(): Task {
  const graph = new GraphBuilder();
  const linear = graph.op('linear', [graph.input([96, 64]), graph.input([128, 64]), graph.input([128])], {
    bias: true,
  });
  return graph.task([graph.op('softmax', [linear], { dim: 1 })], 'linear_softmax');
}

/** A proposal as it comes back from an archive. */
function stored(
  proposal: Omit<SearchRecord, 'id' | 'number' | 'generation' | 'engineer'>,
  number: number,
): SearchRecord {
  return JSON.parse(JSON.stringify({ ...proposal, id: `r-${number}`, number, generation: 0, engineer: 'builtin' }));
}

describe('the built-in engineer', () => {
  it('starts with the direct translation and goes on with different templates', async () => {
    const starts = await createBuiltinEngineer({ task: attentionLike() }).start();
    assert.match(starts[0]!.summary, /direct translation/);
    assert.doesNotMatch(starts[0]!.source, /__shared__|__shfl/);
    assert.equal((starts[0]!.source.match(/__global__/g) ?? []).length, 2);
    assert.ok(starts.length >= 6);
    assert.equal(new Set(starts.map((start) => start.source.replace(/^\/\/.*$/gm, ''))).size, starts.length);
  });

  it('varies what comes back from an archive, by every strategy, the same way for the same seed', async () => {
    const task = attentionLike();
    const engineer = createBuiltinEngineer({ task });
    const records = (await engineer.start()).map(stored);
    for (const strategy of engineer.strategies) {
      let made = 0;
      for (let seed = 0; seed < 20; seed++) {
        const parents = [records[1]!, records[2]!].slice(0, strategy.parents);
        const one = await engineer.vary(strategy.name, parents, new Random(seed));
        const two = await createBuiltinEngineer({ task }).vary(strategy.name, parents, new Random(seed));
        assert.deepEqual(one, two);
        if (!one) continue;
        made++;
        assert.ok(engineer.canVary(stored(one, 99)), `${strategy.name}: ${one.summary}`);
        assert.deepEqual(
          one.parents,
          parents.map((parent) => parent.id),
        );
      }
      assert.ok(made >= 10, `${strategy.name} made ${made} of 20`);
    }
  });

  it('does not take schedules that are not its own or do not fit the task', async () => {
    const engineer = createBuiltinEngineer({ task: attentionLike() });
    const [, start] = (await engineer.start()).map(stored);
    assert.ok(engineer.canVary(start!));
    const graph = new GraphBuilder();
    const other = createBuiltinEngineer({ task: graph.task([graph.op('relu', [graph.input([7])])]) });
    assert.ok(!other.canVary(start!));
    assert.ok(!engineer.canVary({ ...start!, knobs: null }));
    assert.ok(
      !engineer.canVary({
        ...start!,
        knobs: { fusion: 'fused', splits: {}, kernels: [{ family: 'row' }, { family: 'none' }] },
      }),
    );
    assert.equal(await other.adapt!(start!), undefined, 'nor takes over what does not fit');
    const tampered = JSON.parse(JSON.stringify(start!.knobs));
    tampered.kernels[1].lanes = 48;
    assert.ok(!engineer.canVary({ ...start!, knobs: tampered }));
  });

  it('takes over the choices for a related task', async () => {
    const softmaxOf = (shape: number[]) => {
      const graph = new GraphBuilder();
      return createBuiltinEngineer({ task: graph.task([graph.op('softmax', [graph.input(shape)], { dim: 1 })]) });
    };
    const [, start] = (await softmaxOf([64, 256]).start()).map(stored);
    const adapted = await softmaxOf([32, 512]).adapt!(start!);
    assert.deepEqual(adapted?.knobs, start!.knobs);
    assert.deepEqual(adapted?.parents, [start!.id]);
    assert.notEqual(adapted?.source, start!.source);
  });

  it('tries a long reduction of few rows in parts at the start', async () => {
    const graph = new GraphBuilder();
    const task = graph.task([graph.op('sum', [graph.input([2, 65536])], { dims: [1], keepdim: false })]);
    const starts = await createBuiltinEngineer({ task }).start();
    assert.ok(starts.some((start) => /_parts_of_/.test(start.source)));
  });
});

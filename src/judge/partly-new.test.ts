/** Inputs of which a part is new: what stays, what changes, what is left whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draw, HostTensor } from '../task/index.ts';
import { canBePartlyNew, partlyNew } from './partly-new.ts';

const spec = { shape: [10, 100], dtype: 'float32' } as const;
const filled = (value: number): HostTensor => ({ spec, values: new Float64Array(1000).fill(value) });
const input = (draw: Draw) => ({ id: 0, name: 'x', spec, draw });
const normal = input({ kind: 'normal', mean: 0, std: 1 });
const computed = input({
  kind: 'computed',
  graph: { inputs: [], parameters: [], constants: [], nodes: [], outputs: [] },
});

test('some elements change, the first and the last never; the places follow from the seed', () => {
  const graph = { inputs: [normal] };
  const seeds = ['1234567890ab', 'ffffffff0000', '000000000007'];
  const places = seeds.map((seed) => {
    const [made] = partlyNew([filled(1)], [filled(2)], graph, seed);
    assert(made);
    assert.deepEqual([made.values[0], made.values[999]], [1, 1]);
    const changed = [...made.values].filter((v) => v === 2).length;
    assert(changed > 80 && changed < 180, `${changed} of 1000 changed`);
    return made.values.join();
  });
  assert.equal(new Set(places).size, seeds.length);
});

test('inputs made by a computation stay whole, since their elements may belong together', () => {
  assert.equal(canBePartlyNew({ inputs: [computed] }), false);
  assert.equal(canBePartlyNew({ inputs: [computed, normal] }), true);
  const [first, second] = partlyNew(
    [filled(1), filled(1)],
    [filled(2), filled(2)],
    { inputs: [computed, normal] },
    '0123456789ab',
  );
  assert.deepEqual(first, filled(1));
  assert.notDeepEqual(second, filled(1));
});

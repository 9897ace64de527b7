/** Inputs of which a part is new: what stays, what changes, what is left whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draw, HostTensor } from '../task/index.ts';
import { canBePartlyNew, halfNew, partlyNew } from './partly-new.ts';

const spec = { shape: [10, 100], dtype: 'float32' } as const;
const filled = (value: number): HostTensor => ({ spec, values: new Float64Array(1000).fill(value) });
const input = (draw: Draw) => ({ id: 0, name: 'x', spec, draw });
const normal = input({ kind: 'normal', mean: 0, std: 1 });
const computed = input({
  kind: 'computed',
  graph: { inputs: [], parameters: [], constants: [], nodes: [], outputs: [] },
});

test('two elements change, to the extremes of a fresh draw, but at most to 32 times the largest; the first and the last never; the places follow from the seed', () => {
  const graph = { inputs: [normal], nodes: [] };
  const seeds = ['1234567890ab', 'ffffffff0000', '000000000007'];
  const fresh: HostTensor = { spec, values: Float64Array.from({ length: 1000 }, (_, i) => ((i * 7) % 1000) + 2) };
  const places = seeds.map((seed) => {
    const [made] = partlyNew([filled(1)], [fresh], graph, seed);
    assert(made);
    assert.deepEqual([made.values[0], made.values[999]], [1, 1]);
    const changed = [...made.values].filter((v) => v !== 1);
    assert.deepEqual(changed.sort(), [2, 32]);
    return made.values.join();
  });
  assert.equal(new Set(places).size, seeds.length);
});

test('of three elements the one between the others changes, of two none', () => {
  const small = (length: number, value: number): HostTensor => ({
    spec: { shape: [length], dtype: 'float32' },
    values: new Float64Array(length).fill(value),
  });
  const made = (length: number) =>
    partlyNew([small(length, 1)], [small(length, 2)], { inputs: [normal], nodes: [] }, '0123456789ab')[0]!.values;
  assert.deepEqual([...made(3)], [1, 2, 1]);
  assert.deepEqual([...made(2)], [1, 1]);
});

test('inputs made by a computation stay whole, since their elements may belong together', () => {
  assert.equal(canBePartlyNew({ inputs: [computed] }), false);
  assert.equal(canBePartlyNew({ inputs: [computed, normal] }), true);
  const [first, second] = partlyNew(
    [filled(1), filled(1)],
    [filled(2), filled(2)],
    { inputs: [computed, normal], nodes: [] },
    '0123456789ab',
  );
  assert.deepEqual(first, filled(1));
  assert.notDeepEqual(second, filled(1));
});

test('every element is new in the one half or in the other, and each half has about as many', () => {
  const graph = { inputs: [normal] };
  const made = ([0, 1] as const).map(
    (half) => halfNew([filled(1)], [filled(2)], graph, '1234567890ab', half)[0]!.values,
  );
  const [one, other] = made.map((values) => values.filter((v) => v === 2).length);
  assert.equal(one! + other!, 1000);
  assert.ok(one! > 400 && other! > 400, `${one} ${other}`);
  assert.ok(
    made[0]!.every((v, i) => v !== made[1]![i]),
    'an element is new in both halves, or in none',
  );
  assert.deepEqual(halfNew([filled(1)], [filled(2)], { inputs: [computed] }, '1234567890ab', 0)[0], filled(1));
});

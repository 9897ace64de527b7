/** Values near numbers that are compared with: which numbers, which of them are legal, and that the values are there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draw, DType, Graph } from '../types.ts';
import { drawArguments, familyNear } from './draw.ts';
import { comparedNumbers } from './near.ts';

const normal: Draw = { kind: 'normal', mean: 0, std: 1 };
const NONE = { floating: [], whole: [] };

/** A graph of one operator over one input. */
function graphOf(
  op: string,
  attributes: Graph['nodes'][number]['attributes'],
  draw = normal,
  dtype: DType = 'float32',
) {
  const spec = { shape: [40, 60], dtype };
  const output = { id: 1, spec: op === 'sum' ? { shape: [40], dtype } : spec };
  const graph = {
    inputs: [{ id: 0, name: 'x', spec, draw }],
    parameters: [],
    constants: [],
    nodes: [{ op, inputs: [0], outputs: [output], attributes, line: 1 }],
    outputs: [1],
  } satisfies Graph;
  return { graph };
}

test('the bounds of a clamp and the operand of a comparison are among what is compared with', () => {
  assert.deepEqual(comparedNumbers(graphOf('clamp', { min: -0.3, max: null }).graph), [-0.3]);
  assert.deepEqual(comparedNumbers(graphOf('gt', { other: 0.5, reverse: false }).graph), [0.5]);
  assert.deepEqual(comparedNumbers(graphOf('hardswish', {}).graph), [3]);
  assert.equal(familyNear(graphOf('relu', {}), NONE), undefined);
});

test("values on, beside and far from each number are drawn, in lines and alone; the first element is one of a kernel's", () => {
  const task = graphOf('relu', {});
  const family = familyNear(task, { floating: [Math.fround(0.1), 20_000], whole: [7] });
  assert.equal(family, 'near 0.1, 20000');
  const values = [...drawArguments(task, family!, 1)[0]!.values];
  for (const wanted of [20_000, 40_000, 10_000, Math.fround(0.1)]) {
    assert.ok(values.includes(wanted), `${wanted} is not among the values`);
  }
  assert.ok(
    values.some((x) => x > 20_000 && x < 20_001),
    'nothing lies just above 20000',
  );
  assert.ok([Math.fround(0.1), 20_000].includes(values[0]!), `the first element is ${values[0]}`);
});

test('where elements are added nothing lies far out, and a number too large for the type is left out', () => {
  const dim = { dim: [1], keepdim: false };
  assert.equal(familyNear(graphOf('sum', dim), { floating: [1e9, 5], whole: [] }), 'near 5');
  assert.equal(familyNear(graphOf('relu', {}, normal, 'float16'), { floating: [60_000], whole: [] }), undefined);
  assert.equal(familyNear(graphOf('relu', {}), { floating: [1e9], whole: [] }), 'near 1000000000');
});

test('what a file draws from positive numbers stays positive where that is needed', () => {
  const task = graphOf('log', {}, { kind: 'uniform', low: 0, high: 1 });
  const family = familyNear(task, { floating: [-0.25], whole: [] });
  assert.equal(family, 'near -0.25+');
  assert.ok(
    drawArguments(task, family!, 1)[0]!.values.every((x) => x > 0),
    'a value is not positive',
  );
});

test('integers: numbers of the kernels that the file could draw, and their neighbours', () => {
  const task = graphOf('abs', {}, { kind: 'integer', low: 0, high: 1000 }, 'int64');
  const values = new Set(drawArguments(task, familyNear(task, { floating: [], whole: [613] })!, 1)[0]!.values);
  for (const wanted of [612, 613, 614]) assert.ok(values.has(wanted), `${wanted} was not drawn`);
});

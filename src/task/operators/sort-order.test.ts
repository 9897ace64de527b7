/** The order that sort and topk give, against the plainest way to say it: a comparison of pairs, with NaN as the greatest and equals as they were. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { float64 } from './arithmetic.ts';
import { evaluateNode } from './evaluate.ts';

const greaterLast = (x: number, y: number): number =>
  Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : Number.isNaN(y) ? -1 : x < y ? -1 : x > y ? 1 : 0;

it('sorts rows with ties, both zeros, infinities and NaN, up and down, as a comparison of pairs does', () => {
  const element = fc.constantFrom(0, -0, 1, 2, 3, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  const row = fc.array(fc.oneof(element, fc.double()), { minLength: 1, maxLength: 70 });
  fc.assert(
    fc.property(row, fc.boolean(), (values, descending) => {
      const spec = { shape: [values.length], dtype: 'float64' as const };
      const [sorted, indices] = evaluateNode(
        { op: 'sort', attributes: { dim: 0, descending, stable: true }, inputs: [], outputs: [], line: 1 },
        [{ spec, values: Float64Array.from(values) }],
        float64,
      );
      const order = values.map((_, i) => i);
      order.sort((i, j) => (descending ? -1 : 1) * greaterLast(values[i]!, values[j]!) || i - j);
      const k = Math.min(3, values.length);
      const first = evaluateNode(
        { op: 'topk', attributes: { dim: 0, k, largest: descending, sorted: true }, inputs: [], outputs: [], line: 1 },
        [{ spec, values: Float64Array.from(values) }],
        float64,
      );
      assert.deepEqual([...first[1]!.values], order.slice(0, k), 'the first of them');
      assert.deepEqual([...indices!.values], order, 'the permutation');
      assert.deepEqual(
        [...sorted!.values],
        order.map((i) => values[i]),
        'the values',
      );
    }),
    { numRuns: 500 },
  );
});

/** Winograd's tiles against the definition in float64: right for every size, padding and group, and rough where it must be. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostTensor } from '../types.ts';
import type { ArithmeticChoice } from './arithmetic.ts';
import { testRandom } from './cases.ts';
import { evaluateNode } from './evaluate.ts';
import { hostTensor } from './tensor.ts';

const random = testRandom(17);
const drawn = (...shape: number[]): HostTensor => {
  const count = shape.reduce((n, s) => n * s, 1);
  return hostTensor(
    shape,
    'float32',
    Array.from({ length: count }, () => random() - 0.5),
  );
};

function convolved(x: HostTensor, weight: HostTensor, padding: number[], groups: number, choice: ArithmeticChoice) {
  const attributes = { stride: [1, 1], padding, dilation: [1, 1], groups, bias: false };
  const node = { op: 'conv2d', attributes, inputs: [], outputs: [], line: 1 };
  return evaluateNode(node, [x, weight], choice)[0]!.values;
}

const tiles: ArithmeticChoice = { format: 'float32', transformed: true };
const worst = (got: Float64Array, want: Float64Array) =>
  got.reduce((most, y, i) => Math.max(most, Math.abs(y - want[i]!)), 0);

describe("convolutions through Winograd's tiles", () => {
  for (const [shape, filters, padding, groups] of [
    [[2, 3, 8, 8], [4, 3, 3, 3], [1, 1], 1],
    [[1, 4, 7, 13], [6, 2, 3, 3], [0, 2], 2],
    [[1, 5, 3, 3], [5, 1, 3, 3], [0, 0], 5],
    [[3, 2, 5, 4], [1, 2, 3, 3], [2, 0], 1],
  ] as const) {
    it(`${shape.join(' x ')}, padding ${padding.join(' and ')}, ${groups} groups`, () => {
      const [x, weight] = [drawn(...shape), drawn(...filters)];
      const want = convolved(x, weight, [...padding], groups, { format: 'float64' });
      const got = convolved(x, weight, [...padding], groups, tiles);
      assert.ok(worst(got, want) < 3e-6, `off by ${worst(got, want)}`);
      const straight = convolved(x, weight, [...padding], groups, { format: 'float32' });
      assert.notDeepEqual(got, straight);
    });
  }

  it('one large input shows in outputs that do not see it', () => {
    const [x, weight] = [drawn(1, 1, 12, 12), drawn(1, 1, 3, 3)];
    x.values[0] = 1e4;
    const off = (choice: ArithmeticChoice) => {
      const want = convolved(x, weight, [1, 1], 1, { format: 'float64' });
      return convolved(x, weight, [1, 1], 1, choice).map((y, i) => Math.abs(y - want[i]!));
    };
    // Output (3, 3) sees inputs from (2, 2) on; it is in the tile of (0, 0).
    assert.ok(off(tiles)[3 * 12 + 3]! > 1e-5, `${off(tiles)[3 * 12 + 3]}`);
    assert.ok(off({ format: 'float32' })[3 * 12 + 3]! < 1e-6, `${off({ format: 'float32' })[3 * 12 + 3]}`);
    assert.ok(off(tiles)[8 * 12 + 8]! < 1e-5, `${off(tiles)[8 * 12 + 8]}`);
  });

  it('what is not finite goes straight', () => {
    const [x, weight] = [drawn(1, 1, 6, 6), drawn(1, 1, 3, 3)];
    x.values[0] = Infinity;
    assert.deepEqual(convolved(x, weight, [1, 1], 1, tiles), convolved(x, weight, [1, 1], 1, { format: 'float32' }));
  });
});

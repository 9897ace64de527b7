/** Products against the plain triple loop: in float64 to the bit, as the same sums in the same order. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { arithmeticFor } from './arithmetic.ts';
import { testRandom } from './cases.ts';
import { gemm, type Matrix } from './gemm.ts';
import { PANEL_K } from './gemm-kernel.ts';

/** The terms of an element in panels of PANEL_K, each panel summed by itself, as gemm documents; one panel is the plain loop. */
function plain(m: number, n: number, k: number, a: Matrix, b: Matrix, reversed: boolean): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let p0 = 0; p0 < k; p0 += PANEL_K) {
        let sum = 0;
        for (let q = p0; q < Math.min(k, p0 + PANEL_K); q++) {
          const p = reversed ? k - 1 - q : q;
          sum += a.values[a.start + i * a.row + p * a.column]! * b.values[b.start + p * b.row + j * b.column]!;
        }
        total += sum;
      }
      out[i * n + j] = total;
    }
  }
  return out;
}

describe('float64 products', () => {
  const random = testRandom(5);
  const filled = (count: number) => Float64Array.from({ length: count }, () => random() - 0.5);

  it('are those of the plain loop to the bit: tails, panels, strides, transposes, orders', () => {
    const sizes = [
      ...[
        [4, 4, 1],
        [5, 7, 3],
        [64, 256, 256],
        [65, 257, 257],
        [67, 30, 600],
        [130, 515, 9],
      ],
      ...[[4, 4, 0]],
    ] as [number, number, number][];
    for (const [m, n, k] of sizes) {
      for (const order of ['sequential', 'reversed'] as const) {
        for (const transposed of [false, true]) {
          const a: Matrix = {
            values: filled(m * k + 3),
            start: 3,
            row: transposed ? 1 : k,
            column: transposed ? m : 1,
          };
          const b: Matrix = { values: filled(k * n), start: 0, row: transposed ? 1 : n, column: transposed ? k : 1 };
          const out = new Float64Array(m * n + 2).fill(7);
          gemm(m, n, k, a, b, out, 1, arithmeticFor({ format: 'float64', order }));
          assert.deepEqual([out[0], out[m * n + 1]], [7, 7]);
          assert.deepEqual(out.subarray(1, m * n + 1), plain(m, n, k, a, b, order === 'reversed'), `${m} ${n} ${k}`);
        }
      }
    }
  });

  it('keep infinities and NaN where they belong', () => {
    const values = filled(8 * 8);
    values[3] = Infinity;
    values[8 * 2 + 5] = Number.NaN;
    const a: Matrix = { values, start: 0, row: 8, column: 1 };
    const b: Matrix = { values: filled(64), start: 0, row: 8, column: 1 };
    const out = new Float64Array(64);
    gemm(8, 8, 8, a, b, out, 0, arithmeticFor({ format: 'float64' }));
    assert.deepEqual(out, plain(8, 8, 8, a, b, false));
    assert.ok(out.subarray(16, 24).every(Number.isNaN) && out.subarray(24).every(Number.isFinite));
  });
});

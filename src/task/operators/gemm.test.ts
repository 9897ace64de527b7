/** Products against plain loops, to the bit, as the same sums in the same order. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ArithmeticChoice, arithmeticFor } from './arithmetic.ts';
import { testRandom } from './cases.ts';
import { gemm, type Matrix } from './gemm.ts';
import { PANEL_K } from './gemm-kernel.ts';
import { gemmSingle, gemmSingleRows } from './gemm-single.ts';

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

describe('float32 products', () => {
  const random = testRandom(6);
  const filled = (count: number) => Float64Array.from({ length: count }, () => Math.fround((random() - 0.5) * 3));
  const sizes: [number, number, number][] = [
    [4, 4, 1],
    [4, 1, 7],
    [5, 7, 3],
    [8, 9, 16],
    [6, 5, 31],
    [7, 6, 257],
    [9, 10, 600],
    [70, 33, 64],
  ];
  const orders: Partial<ArithmeticChoice>[] = [
    { order: 'sequential' },
    { order: 'reversed' },
    { order: 'pairwise' },
    { order: 'blocked', lanes: 1 },
    { order: 'blocked', lanes: 8 },
    { order: 'blocked', lanes: 32 },
    { order: 'blocked', lanes: 256 },
  ];
  /** Both ways on the same operands. */
  const both = (m: number, n: number, k: number, a: Matrix, b: Matrix, choice: ArithmeticChoice) =>
    [gemmSingle, gemmSingleRows].map((product) => {
      const out = new Float64Array(m * n + 2).fill(7);
      product(m, n, k, a, b, out, 1, arithmeticFor(choice));
      return out;
    }) as [Float64Array, Float64Array];

  it('in tiles are those of the plain loop to the bit: sizes, strides, orders, formats, fused or not', () => {
    for (const [m, n, k] of sizes) {
      for (const transposed of [false, true]) {
        const a: Matrix = {
          values: filled(m * k + 3),
          start: 3,
          row: transposed ? 1 : k,
          column: transposed ? m : 1,
        };
        const b: Matrix = { values: filled(k * n), start: 0, row: transposed ? 1 : n, column: transposed ? k : 1 };
        for (const order of orders) {
          for (const fused of [true, false]) {
            for (const format of ['float32', 'tf32', 'float16', 'bfloat16'] as const) {
              const choice: ArithmeticChoice = { format, fused, ...order };
              const [tiled, plain] = both(m, n, k, a, b, choice);
              assert.deepEqual(tiled, plain, `${m} ${n} ${k} ${JSON.stringify(choice)}`);
            }
          }
        }
      }
    }
  });

  it('in tiles round a fused sum as one rounding of the exact one, and what is apart twice', () => {
    const x = Math.fround(1 + 2 ** -12);
    const a: Matrix = { values: Float64Array.from([1, x, 1, x, 1, x, 1, x]), start: 0, row: 2, column: 1 };
    const b: Matrix = { values: Float64Array.from([-1, x]), start: 0, row: 1, column: 1 };
    const first = (fused: boolean) => both(4, 1, 2, a, b, { format: 'float32', fused })[0][1];
    assert.equal(first(true), x * x - 1);
    assert.equal(first(false), Math.fround(x * x) - 1);
    assert.notEqual(first(true), first(false));
  });

  it('in panels, and with infinities, NaN, overflow and subnormal numbers, agree as well', () => {
    const [m, n, k] = [9, 6, 140_001];
    const a: Matrix = { values: filled(m * k), start: 0, row: k, column: 1 };
    const b: Matrix = { values: filled(k * n), start: 0, row: n, column: 1 };
    for (const order of orders.slice(0, 6)) {
      const [tiled, plain] = both(m, n, k, a, b, { format: 'float32', ...order });
      assert.deepEqual(tiled, plain, JSON.stringify(order));
    }
    const odd = [Infinity, -Infinity, Number.NaN, 3e38, -3e38, 1e-40, -1e-45, 0, -0, 1e-20];
    const strange = (count: number) =>
      Float64Array.from({ length: count }, () =>
        Math.fround(random() < 0.9 ? random() * 1e-22 : odd[Math.floor(random() * 10)]!),
      );
    for (const fused of [true, false]) {
      for (const order of orders) {
        const left: Matrix = { values: strange(40 * 24), start: 0, row: 24, column: 1 };
        const right: Matrix = { values: strange(24 * 40), start: 0, row: 40, column: 1 };
        const [tiled, plain] = both(40, 40, 24, left, right, { format: 'float32', fused, ...order });
        // Not as bytes: the sign of a NaN says nothing.
        assert.ok(
          tiled.every((y, i) => Object.is(y, plain[i])),
          JSON.stringify([fused, order]),
        );
        assert.ok(tiled.some(Number.isNaN) && tiled.some((y) => y !== 0 && Math.abs(y) < 1e-38));
      }
    }
  });
});

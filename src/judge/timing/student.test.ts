import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { studentQuantile, studentTail } from './student.ts';

describe("Student's t", () => {
  it('has the quantiles of the printed tables', () => {
    // Abramowitz and Stegun, table 26.10, and the normal's in the last row.
    const table: readonly (readonly [tail: number, freedom: number, t: number])[] = [
      [0.025, 1, 12.706205],
      [0.025, 4, 2.776445],
      [0.005, 3, 5.840909],
      [0.005, 11, 3.105807],
      [0.0005, 3, 12.923979],
      [0.05, 30, 1.697261],
      [0.025, 1e7, 1.959964],
    ];
    for (const [tail, freedom, t] of table) {
      const found = studentQuantile(tail, freedom);
      assert.ok(Math.abs(found - t) < 2e-6, `t(${tail}, ${freedom}) = ${found}, not ${t}`);
    }
  });

  it('with one and two degrees of freedom is what algebra gives', () => {
    for (const t of [0, 0.3, 1, 7, 400]) {
      assert.ok(
        Math.abs(studentTail(t, 1) - (0.5 - Math.atan(t) / Math.PI)) < 1e-12,
        'Math.abs(studentTail(t, 1) - (0.5 - Math.atan(t) / Math.PI)) < 1e-12',
      );
      assert.ok(
        Math.abs(studentTail(t, 2) - 0.5 * (1 - t / Math.sqrt(2 + t * t))) < 1e-12,
        'Math.abs(studentTail(t, 2) - 0.5 * (1 - t / Math.sqrt(2 + t * t))) < 1e-12',
      );
    }
  });

  it('quantile and tail are inverse', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
        fc.integer({ min: 1, max: 200 }),
        (tail, freedom) => {
          assert.ok(
            Math.abs(studentTail(studentQuantile(tail, freedom), freedom) / tail - 1) < 1e-9,
            'Math.abs(studentTail(studentQuantile(tail, freedom), freedom) / tail - 1) < 1e-9',
          );
        },
      ),
    );
  });

  it('refuses what is no tail', () => {
    for (const tail of [0, -1, 0.6, Number.NaN]) assert.throws(() => studentQuantile(tail, 3), RangeError);
    assert.throws(() => studentQuantile(0.1, 0), RangeError);
  });
});

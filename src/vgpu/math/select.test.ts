/** Minimum, maximum and comparisons: the rules for NaN, signed zero and unsigned names. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  FLOAT_COMPARISONS,
  type FloatComparison,
  floatComparison,
  integerComparison,
  integerComparison64,
} from './compare.ts';
import { bf16ToNumber, f16ToNumber } from './half.ts';
import { minMaxFunction, minMaxHalf } from './minmax.ts';
import { EDGES_32, randomBits, same } from './testing/rational.ts';

const NAN = Number.NaN;

describe('min and max', () => {
  it('ignore a NaN operand unless .NaN, and order the zeros', () => {
    const min = minMaxFunction('min');
    const max = minMaxFunction('max');
    assert.equal(min(NAN, 3), 3);
    assert.equal(max(3, NAN), 3);
    assert.ok(Number.isNaN(min(NAN, NAN)));
    assert.ok(Number.isNaN(minMaxFunction('min', { nan: true })(NAN, 3)));
    assert.ok(Number.isNaN(minMaxFunction('max', { nan: true })(3, NAN)));
    assert.ok(same(min(0, -0), -0) && same(min(-0, 0), -0));
    assert.ok(same(max(0, -0), 0) && same(max(-0, 0), 0));
    assert.equal(min(Number.NEGATIVE_INFINITY, 1), Number.NEGATIVE_INFINITY);
  });

  it('flush operands with .ftz', () => {
    assert.ok(same(minMaxFunction('max', { ftz: true })(-1, 2 ** -130), 0));
    assert.ok(same(minMaxFunction('min', { ftz: true })(-(2 ** -130), 1), -0));
  });

  it('compare magnitudes and multiply signs with .xorsign.abs', () => {
    const min = minMaxFunction('min', { xorsignAbs: true });
    assert.equal(min(-2, 3), -2);
    assert.equal(min(-3, -2), 2);
    assert.equal(minMaxFunction('max', { xorsignAbs: true })(-2, 3), -3);
    assert.equal(min(-5, NAN), -5);
  });

  for (const [type, decode] of [
    ['f16', f16ToNumber],
    ['bf16', bf16ToNumber],
  ] as const) {
    it(`agree between ${type} patterns and values`, () => {
      const random = randomBits(21);
      const edges = [0, 0x8000, 1, 0x8001, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7f80, 0xff80];
      for (const operation of ['min', 'max'] as const) {
        for (const nan of [false, true]) {
          for (const xorsignAbs of [false, true]) {
            const onValues = minMaxFunction(operation, { nan, xorsignAbs });
            const onBits = minMaxHalf(operation, type, { nan, xorsignAbs });
            const check = (a: number, b: number) => {
              const [x, y] = [decode(a), decode(b)];
              const bits = onBits(a, b);
              // A NaN's sign is no value: leave out what .xorsign would take from it.
              if (xorsignAbs && (Number.isNaN(x) || Number.isNaN(y)) && !nan) return;
              assert.ok(same(decode(bits), onValues(x, y)), `${operation} ${a} ${b}`);
              if (Number.isNaN(decode(bits))) assert.equal(bits, 0x7fff);
            };
            for (const a of edges) for (const b of edges) check(a, b);
            for (let i = 0; i < 2000; i++) check(random() & 0xffff, random() & 0xffff);
          }
        }
      }
    });
  }
});

describe('comparisons', () => {
  it('split into ordered and unordered ones', () => {
    for (const a of EDGES_32) {
      for (const b of EDGES_32) {
        const unordered = Number.isNaN(a) || Number.isNaN(b);
        const sign = unordered ? NAN : a < b ? -1 : a > b ? 1 : 0;
        const table: Record<FloatComparison, boolean> = {
          eq: sign === 0,
          ne: sign === -1 || sign === 1,
          lt: sign === -1,
          le: sign === -1 || sign === 0,
          gt: sign === 1,
          ge: sign === 1 || sign === 0,
          equ: unordered || sign === 0,
          neu: unordered || sign !== 0,
          ltu: unordered || sign === -1,
          leu: unordered || sign !== 1,
          gtu: unordered || sign === 1,
          geu: unordered || sign !== -1,
          num: !unordered,
          nan: unordered,
        };
        for (const [name, expected] of Object.entries(table) as [FloatComparison, boolean][]) {
          assert.equal(FLOAT_COMPARISONS[name](a, b), expected, `${a} ${name} ${b}`);
        }
      }
    }
    assert.equal(floatComparison('eq', true)(2 ** -130, -(2 ** -149)), true);
    assert.equal(floatComparison('eq')(2 ** -130, 0), false);
  });

  it('read integers as the type or the operator says', () => {
    assert.equal(integerComparison('lt', 32, true)(-1, 1), true);
    assert.equal(integerComparison('lt', 32, false)(-1, 1), false);
    assert.equal(integerComparison('lo', 32, true)(-1, 1), false);
    assert.equal(integerComparison('hs', 32, true)(-1, 1), true);
    assert.equal(integerComparison('hi', 16, false)(0xffff, 1), true);
    assert.equal(integerComparison('gt', 16, true)(0xffff, 1), false);
    assert.equal(integerComparison('ls', 32, false)(5, 5), true);
    assert.equal(integerComparison('eq', 32, false)(-1, 0xffffffff), true);
    assert.equal(integerComparison('ne', 16, true)(-1, 0xffff), false);
    assert.equal(integerComparison64('lt', true)((1n << 64n) - 1n, 0n), true);
    assert.equal(integerComparison64('lo', true)((1n << 64n) - 1n, 0n), false);
    assert.equal(integerComparison64('eq', true)((1n << 64n) - 1n, -1n), true);
  });
});

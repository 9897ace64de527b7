import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { f64FromBits } from './bits.ts';
import { add64, div64, fma64, mul64, rcp64, sqrt64, sub64 } from './float64.ts';
import type { Rounding } from './rounding.ts';
import {
  add,
  BINARY64,
  divide,
  EDGES_64,
  multiply,
  type Rational,
  rational,
  round,
  same,
  squareRoot,
} from './testing/rational.ts';

const MODES: readonly Rounding[] = ['rn', 'rz', 'rm', 'rp'];
const finite = (...xs: number[]) => xs.every(Number.isFinite);

function expectRounded(exact: Rational, mode: Rounding, actual: number, what: () => string): void {
  const expected = round(exact, BINARY64, mode);
  const signed = expected === 0 && exact.n < 0n ? -0 : expected;
  assert.ok(same(actual, signed), `${what()} .${mode}: got ${actual}, expected ${signed}`);
}

function checkFma(a: number, b: number, c: number, modes: readonly Rounding[] = MODES): void {
  for (const mode of modes) {
    const actual = fma64(a, b, c, mode);
    if (!finite(a, b, c)) {
      const special = finite(a, b) ? c : a * b + c;
      assert.ok(same(actual, special), `fma ${a} ${b} ${c}: ${actual}`);
      continue;
    }
    const exact = add(multiply(rational(a), rational(b)), rational(c));
    if (exact.n !== 0n) expectRounded(exact, mode, actual, () => `fma ${a} ${b} ${c}`);
    else if (a !== 0 && b !== 0) assert.ok(same(actual, mode === 'rm' ? -0 : 0));
    else if (same(a * b, c)) assert.ok(same(actual, c));
    else assert.ok(same(actual, mode === 'rm' ? -0 : 0));
  }
}

function checkBinary(a: number, b: number): void {
  for (const mode of MODES) {
    if (!finite(a, b)) {
      assert.ok(same(add64(a, b, mode), a + b));
      assert.ok(same(mul64(a, b, mode), a * b));
      assert.ok(same(div64(a, b, mode), a / b));
      continue;
    }
    const sum = add(rational(a), rational(b));
    if (sum.n !== 0n) expectRounded(sum, mode, add64(a, b, mode), () => `${a} + ${b}`);
    else assert.ok(same(add64(a, b, mode), same(a, b) ? a : mode === 'rm' ? -0 : 0), `${a} + ${b} .${mode}`);
    const difference = add(rational(a), rational(-b));
    if (difference.n !== 0n) expectRounded(difference, mode, sub64(a, b, mode), () => `${a} - ${b}`);
    if (a === 0 || b === 0) {
      assert.ok(same(mul64(a, b, mode), a * b));
      assert.ok(same(div64(a, b, mode), a / b));
      continue;
    }
    expectRounded(multiply(rational(a), rational(b)), mode, mul64(a, b, mode), () => `${a} * ${b}`);
    expectRounded(divide(rational(a), rational(b)), mode, div64(a, b, mode), () => `${a} / ${b}`);
  }
}

const bits = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(f64FromBits);
/** Values of moderate exponent, where the double-double way is taken. */
const moderate = fc
  .tuple(fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }), fc.integer({ min: 900, max: 1150 }), fc.boolean())
  .map(([fraction, exponent, negative]) =>
    f64FromBits(((negative ? 2048n : 0n) + BigInt(exponent)) * (1n << 52n) + fraction),
  );

describe('f64 arithmetic', () => {
  it('computes fma like exact rationals on edge values', () => {
    for (const a of EDGES_64) {
      if (a < 0) continue;
      for (const b of EDGES_64) for (const c of EDGES_64) checkFma(a, b, c, ['rn', b < 0 ? 'rm' : 'rp']);
    }
  });

  it('computes fma like exact rationals on random bits', () => {
    fc.assert(
      fc.property(bits, bits, bits, (a, b, c) => checkFma(a, b, c)),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(moderate, moderate, moderate, (a, b, c) => checkFma(a, b, c, ['rn', 'rz'])),
      { numRuns: 3000 },
    );
  });

  it('computes fma through cancellation and next to ties', () => {
    fc.assert(
      fc.property(
        moderate,
        moderate,
        fc.integer({ min: -3, max: 3 }),
        fc.integer({ min: 40, max: 120 }),
        (a, b, n, s) => {
          checkFma(a, b, -(a * b), ['rn', 'rm']);
          checkFma(a, b, -(a * b) * (1 + n * 2 ** -52), ['rn', 'rp']);
          // Significands of few bits make exact midpoints; a far addend breaks the tie.
          checkFma(1 + 2 ** -26, 1 + 2 ** -27, n * 2 ** -s, ['rn', 'rz']);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('rounds add, mul and div in all directions', () => {
    for (const a of EDGES_64) for (const b of EDGES_64) checkBinary(a, b);
    fc.assert(fc.property(bits, bits, checkBinary), { numRuns: 300 });
    fc.assert(fc.property(moderate, moderate, checkBinary), { numRuns: 300 });
  });

  it('takes square roots and reciprocals in all directions', () => {
    const check = (x: number) => {
      for (const mode of MODES) {
        const a = Math.abs(x);
        if (!finite(a) || a === 0) assert.ok(same(sqrt64(a, mode), Math.sqrt(a)));
        else expectRounded(squareRoot(rational(a)), mode, sqrt64(a, mode), () => `sqrt ${a}`);
        if (finite(x) && x !== 0) expectRounded(divide(rational(1), rational(x)), mode, rcp64(x, mode), () => `1/${x}`);
      }
    };
    EDGES_64.forEach(check);
    fc.assert(fc.property(bits, check), { numRuns: 150 });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { f32FromBits, f32ToBits } from './bits.ts';
import {
  add32,
  binary32,
  copysign,
  div32,
  fma32,
  fma32Directed,
  mul32,
  rcp32,
  sqrt32,
  sub32,
  ternary32,
  unary32,
} from './float32.ts';
import { flush32, type Rounding, saturate } from './rounding.ts';
import {
  add,
  BINARY32,
  divide,
  EDGES_32,
  multiply,
  type Rational,
  randomBits,
  rational,
  round,
  same,
  squareRoot,
} from './testing/rational.ts';

const MODES: readonly Rounding[] = ['rn', 'rz', 'rm', 'rp'];

/** The result of an exact non-zero rational, or undefined to skip (specials are asked of IEEE f64, which has the same rules). */
function expectRounded(exact: Rational, mode: Rounding, actual: number, what: () => string): void {
  const expected = round(exact, BINARY32, mode);
  // The oracle gives a zero without sign of an underflow: sign of the exact value.
  const signed = expected === 0 && exact.n < 0n ? -0 : expected;
  assert.ok(same(actual, signed), `${what()} .${mode}: got ${actual}, expected ${signed}`);
}

const finite = (...xs: number[]) => xs.every(Number.isFinite);

function checkBinary(a: number, b: number): void {
  const ra = finite(a) ? rational(a) : undefined;
  const rb = finite(b) ? rational(b) : undefined;
  for (const mode of MODES) {
    if (ra === undefined || rb === undefined) {
      assert.ok(same(add32(a, b, mode), a + b));
      assert.ok(same(sub32(a, b, mode), a - b));
      assert.ok(same(mul32(a, b, mode), a * b));
      assert.ok(same(div32(a, b, mode), a / b));
      continue;
    }
    const sum = add(ra, rb);
    if (sum.n !== 0n) expectRounded(sum, mode, add32(a, b, mode), () => `${a} + ${b}`);
    else {
      const zero = Object.is(a, b) ? a + b : mode === 'rm' ? -0 : 0;
      assert.ok(same(add32(a, b, mode), zero), `${a} + ${b} .${mode}`);
    }
    const difference = add(ra, { n: -rb.n, d: rb.d });
    if (difference.n !== 0n) expectRounded(difference, mode, sub32(a, b, mode), () => `${a} - ${b}`);
    const product = multiply(ra, rb);
    if (product.n !== 0n) expectRounded(product, mode, mul32(a, b, mode), () => `${a} * ${b}`);
    else assert.ok(same(mul32(a, b, mode), a * b));
    if (rb.n === 0n || ra.n === 0n) assert.ok(same(div32(a, b, mode), a / b));
    else expectRounded(divide(ra, rb), mode, div32(a, b, mode), () => `${a} / ${b}`);
  }
}

function checkFma(a: number, b: number, c: number, modes: readonly Rounding[] = MODES): void {
  for (const mode of modes) {
    const actual = fma32Directed(a, b, c, mode);
    if (!finite(a, b, c)) {
      const product = a * b;
      assert.ok(same(actual, Number.isFinite(product) ? c : product + c), `fma ${a} ${b} ${c}`);
      continue;
    }
    const exact = add(multiply(rational(a), rational(b)), rational(c));
    if (exact.n !== 0n) expectRounded(exact, mode, actual, () => `fma ${a} ${b} ${c}`);
    else {
      const like = Object.is(Math.sign(a) * Math.sign(b) < 0 || Object.is(a * b, -0), c < 0 || Object.is(c, -0));
      const zero = a * b === 0 && c === 0 && like ? c : mode === 'rm' ? -0 : 0;
      assert.ok(same(actual, zero), `fma ${a} ${b} ${c} .${mode}: ${actual}`);
    }
  }
}

describe('f32 arithmetic', () => {
  it('adds, subtracts, multiplies and divides like exact rationals on edge values', () => {
    for (const a of EDGES_32) for (const b of EDGES_32) checkBinary(a, b);
  });

  it('does so on random bit patterns', () => {
    const bits = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(bits, bits, (x, y) => checkBinary(f32FromBits(x), f32FromBits(y))),
      { numRuns: 1500 },
    );
  });

  it('takes square roots and reciprocals in all directions', () => {
    const random = randomBits(7);
    const values = [...EDGES_32, ...Array.from({ length: 400 }, () => Math.abs(f32FromBits(random())))];
    for (const a of values) {
      for (const mode of MODES) {
        if (!finite(a) || a <= 0) {
          assert.ok(same(sqrt32(a, mode), Math.sqrt(a)));
        } else {
          expectRounded(squareRoot(rational(a)), mode, sqrt32(a, mode), () => `sqrt ${a}`);
        }
        if (!finite(a) || a === 0) assert.ok(same(rcp32(a, mode), 1 / a));
        else expectRounded(divide(rational(1), rational(a)), mode, rcp32(a, mode), () => `1 / ${a}`);
      }
    }
  });

  it('rounds fma.rn once where f64 arithmetic rounds twice', () => {
    const a = 1 + 2 ** -12;
    assert.equal(f32ToBits(fma32(a, a, 2 ** -80)), f32ToBits(1 + 2 ** -11 + 2 ** -23));
    assert.notEqual(Math.fround(a * a + 2 ** -80), fma32(a, a, 2 ** -80));
    // The same tie with a negative tail stays below.
    assert.equal(fma32(a, a, -(2 ** -80)), 1 + 2 ** -11);
  });

  it('computes fma like exact rationals on edge values', () => {
    for (const a of EDGES_32)
      for (const b of EDGES_32)
        for (const c of EDGES_32) if (a >= 0 || Number.isNaN(a)) checkFma(a, b, c, ['rn', b < 0 ? 'rm' : 'rz']);
  });

  it('computes fma near ties and in the subnormal range', () => {
    const random = randomBits(99);
    for (let i = 0; i < 4000; i++) {
      // Products that end exactly on a midpoint, with far-away or tiny addends.
      const a = Math.fround(1 + (random() >>> 20) * 2 ** -12);
      const b = Math.fround(1 + 2 ** -(12 + (i % 4)));
      const scale = 2 ** -((random() % 150) + (i & 1 ? 0 : 20));
      const c = Math.fround((random() & 1 ? 1 : -1) * scale);
      checkFma(a, b, c);
      // The product in the subnormal range.
      checkFma(Math.fround(a * 2 ** -70), Math.fround(b * 2 ** -(56 + (i % 24))), Math.fround(c * 2 ** -100));
    }
  });

  it('computes fma like exact rationals on random bit patterns', () => {
    const bits = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(bits, bits, bits, (x, y, z) => checkFma(f32FromBits(x), f32FromBits(y), f32FromBits(z))),
      { numRuns: 2000 },
    );
  });

  it('flushes subnormals with .ftz and keeps their sign', () => {
    assert.ok(same(flush32(-(2 ** -149)), -0));
    assert.ok(same(flush32(2 ** -126), 2 ** -126));
    assert.ok(same(flush32(Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY));
    const mul = binary32('mul', { ftz: true });
    assert.ok(same(mul(-(2 ** -100), 2 ** -40), -0));
    assert.ok(same(mul(2 ** -140, 2 ** 100), 0), 'operands are flushed first');
    assert.ok(same(ternary32({ ftz: true })(2 ** -140, 2 ** 100, -0), 0));
    assert.equal(unary32('rcp', { ftz: true })(2 ** -130), Number.POSITIVE_INFINITY);
    assert.ok(same(unary32('rcp', { ftz: true })(-(2 ** 127)), -0));
    assert.equal(unary32('rcp')(2 ** 127), 2 ** -127);
  });

  it('saturates to [0, 1] with NaN as +0', () => {
    const cases: [number, number][] = [
      [Number.NaN, 0],
      [-0, 0],
      [-3, 0],
      [0.25, 0.25],
      [1, 1],
      [Number.POSITIVE_INFINITY, 1],
    ];
    for (const [x, expected] of cases) assert.ok(same(saturate(x), expected));
    assert.equal(binary32('add', { sat: true })(0.75, 0.75), 1);
    assert.ok(same(ternary32({ sat: true, rounding: 'rz' })(2, -3, 1), 0));
  });

  it('gives the canonical NaN 0x7fffffff', () => {
    assert.equal(f32ToBits(add32(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)), 0x7fffffff);
    assert.equal(f32ToBits(f32FromBits(0xffc12345)), 0x7fffffff);
    assert.equal(f32ToBits(-0) >>> 0, 0x80000000);
  });

  it("copies a's sign onto b's magnitude", () => {
    assert.equal(copysign(-0, 3), -3);
    assert.equal(copysign(1, -3), 3);
  });
});

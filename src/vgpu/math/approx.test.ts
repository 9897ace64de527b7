import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  approxBounds,
  boundFor,
  cosApprox,
  divApprox,
  divFull,
  ex2Approx,
  ex2Bf16,
  ex2F16,
  lg2Approx,
  perturb,
  rcpApprox,
  rcpApproxF64,
  rsqrtApprox,
  rsqrtApproxF64,
  rsqrtApproxF64Ftz,
  sinApprox,
  sqrtApprox,
  tanhApprox,
  tanhBf16,
  tanhF16,
  ulp32,
  withinBound,
} from './approx.ts';
import { f32FromBits, f64ToBits } from './bits.ts';
import { bf16ToNumber, f16ToNumber } from './half.ts';
import { divide, EDGES_32, multiply, randomBits, rational, same, squareRoot } from './testing/rational.ts';

const INF = Number.POSITIVE_INFINITY;
const TINY = 2 ** -149;

describe('approximate instructions', () => {
  it("give the ISA's special cases", () => {
    const cases: [string, number, number][] = [
      ['ex2 -inf', ex2Approx(-INF), 0],
      ['ex2 inf', ex2Approx(INF), INF],
      ['ex2 128', ex2Approx(128), INF],
      ['ex2 1025', ex2Approx(1025), INF],
      ['ex2 NaN', ex2Approx(Number.NaN), Number.NaN],
      ['ex2 -0', ex2Approx(-0), 1],
      ['ex2 subnormal', ex2Approx(TINY), 1],
      ['ex2 underflow', ex2Approx(-140), 2 ** -140],
      ['ex2.ftz underflow', ex2Approx(-140, true), 0],
      ['lg2 0', lg2Approx(0), -INF],
      ['lg2 -0', lg2Approx(-0), -INF],
      ['lg2 inf', lg2Approx(INF), INF],
      ['lg2 -1', lg2Approx(-1), Number.NaN],
      ['lg2 subnormal', lg2Approx(TINY), -149],
      ['lg2.ftz subnormal', lg2Approx(TINY, true), -INF],
      ['rcp -0', rcpApprox(-0), -INF],
      ['rcp -inf', rcpApprox(-INF), -0],
      ['rcp.ftz subnormal', rcpApprox(-TINY, true), -INF],
      ['rcp.ftz 2^127', rcpApprox(2 ** 127, true), 0],
      ['rsqrt -0', rsqrtApprox(-0), -INF],
      ['rsqrt inf', rsqrtApprox(INF), 0],
      ['rsqrt -1', rsqrtApprox(-1), Number.NaN],
      ['rsqrt.ftz subnormal', rsqrtApprox(TINY, true), INF],
      ['sqrt -0', sqrtApprox(-0), -0],
      ['sqrt -1', sqrtApprox(-1), Number.NaN],
      ['sin inf', sinApprox(INF), Number.NaN],
      ['sin -0', sinApprox(-0), -0],
      ['sin.ftz subnormal', sinApprox(-TINY, true), -0],
      ['cos -0', cosApprox(-0), 1],
      ['tanh inf', tanhApprox(-INF), -1],
      ['tanh subnormal', tanhApprox(-TINY), -TINY],
      ['div 1 by 2^127', divApprox(1, 2 ** 127), 0],
      ['div inf by 2^127', divApprox(INF, 2 ** 127), Number.NaN],
      ['div -1 by inf', divApprox(-1, INF), -0],
      ['div 3 by 2^126', divApprox(3, 2 ** 126), 3 * 2 ** -126],
      ['div.full 1 by 2^127', divFull(1, 2 ** 127), 2 ** -127],
      ['div.full.ftz 1 by 2^127', divFull(1, 2 ** 127, true), 0],
    ];
    for (const [name, actual, expected] of cases) assert.ok(same(actual, expected), `${name}: ${actual}`);
  });

  it('lie within half a unit of exact roots, reciprocals and quotients', () => {
    const random = randomBits(17);
    for (let i = 0; i < 400; i++) {
      const a = Math.abs(f32FromBits(random()));
      const b = f32FromBits(random());
      if (!(a > 0 && a < INF && Math.abs(b) > 0 && Math.abs(b) < INF)) continue;
      const close = (actual: number, exact: { n: bigint; d: bigint }, what: string) => {
        // |actual - exact| <= ulp/2 (1 + 2^-20), compared exactly.
        if (!Number.isFinite(actual) || actual === 0) return;
        const limit = rational((ulp32(actual) / 2) * (1 + 2 ** -20));
        const x = rational(actual);
        const difference = x.n * exact.d - exact.n * x.d;
        const magnitude = difference < 0n ? -difference : difference;
        assert.ok(magnitude * limit.d <= limit.n * x.d * exact.d, `${what} of ${a}, ${b}: ${actual}`);
      };
      close(rcpApprox(a), divide(rational(1), rational(a)), 'rcp');
      close(sqrtApprox(a), squareRoot(rational(a)), 'sqrt');
      close(rsqrtApprox(a), squareRoot(divide(rational(1), rational(a))), 'rsqrt');
      close(divFull(a, b), divide(rational(a), rational(b)), 'div.full');
    }
  });

  it('keep identities that f64 error would break', () => {
    for (let e = -149; e < 128; e++) {
      assert.equal(ex2Approx(e), 2 ** e);
      assert.equal(lg2Approx(2 ** e), e);
    }
    // The quick 2^a against the host's pow, which differ by far less than an f32 unit.
    const wide = randomBits(29);
    for (let i = 0; i < 50_000; i++) {
      const a = Math.fround((wide() / 2 ** 32) * 290 - 155);
      const expected = 2 ** a;
      assert.ok(
        Math.abs(ex2Approx(a) - expected) <= (ulp32(expected) / 2) * (1 + 2 ** -20) || expected > 3.4028235e38,
        `2^${a}`,
      );
    }
    // 2^x squared against 2^(2x), by exact rationals: relative error of the square within one ulp.
    const random = randomBits(23);
    for (let i = 0; i < 200; i++) {
      const x = Math.fround((random() / 2 ** 32) * 60 - 30);
      const half = rational(ex2Approx(x));
      const square = multiply(half, half);
      const ratio = divide(square, rational(ex2Approx(2 * x)));
      const error = Number(((ratio.n - ratio.d) << 60n) / ratio.d) / 2 ** 60;
      assert.ok(Math.abs(error) < 1.6 * 2 ** -23, `2^${x}: ${error}`);
    }
  });

  it('round halves once', () => {
    assert.equal(f16ToNumber(ex2F16(0x4000)), 4);
    assert.equal(ex2F16(0x4c00), 0x7c00);
    assert.equal(bf16ToNumber(ex2Bf16(0xc000)), 0.25);
    assert.equal(ex2Bf16(0xc302), 0, '2^-130 is a subnormal bf16 and is flushed');
    for (let bits = 0; bits < 0x7c00; bits += 7) {
      const exact = Math.tanh(f16ToNumber(bits));
      assert.ok(Math.abs(f16ToNumber(tanhF16(bits)) - exact) <= 2 ** -12);
    }
    for (let bits = 0; bits < 0x7f80; bits += 7) {
      const exact = Math.tanh(bf16ToNumber(bits));
      assert.ok(Math.abs(bf16ToNumber(tanhBf16(bits)) - exact) <= 2 ** -9);
    }
  });

  it('work on the upper word of an f64', () => {
    assert.equal(f64ToBits(rcpApproxF64(3)) & 0xffffffffn, 0n);
    assert.ok(Math.abs(rcpApproxF64(3) * 3 - 1) < 2 ** -19);
    assert.equal(rcpApproxF64(-(2 ** -1060)), -INF);
    assert.ok(same(rcpApproxF64(-INF), -0));
    assert.ok(Math.abs(rsqrtApproxF64Ftz(2) ** 2 * 2 - 1) < 2 ** -18);
    assert.equal(rsqrtApproxF64Ftz(2 ** -1060), INF);
    assert.equal(rsqrtApproxF64(2 ** -1060), 2 ** 530);
    assert.ok(Number.isNaN(rsqrtApproxF64(-1)));
  });
});

describe('the table of bounds', () => {
  it('is met by every f32 function and respected by perturbation', () => {
    const functions: Record<string, [(a: number, b: number) => number, (a: number, b: number) => number]> = {
      'rcp.approx.f32': [(a) => rcpApprox(a), (a) => 1 / a],
      'sqrt.approx.f32': [(a) => sqrtApprox(a), Math.sqrt],
      'rsqrt.approx.f32': [(a) => rsqrtApprox(a), (a) => 1 / Math.sqrt(a)],
      'sin.approx.f32': [(a) => sinApprox(a), Math.sin],
      'cos.approx.f32': [(a) => cosApprox(a), Math.cos],
      'lg2.approx.f32': [(a) => lg2Approx(a), Math.log2],
      'ex2.approx.f32': [(a) => ex2Approx(a), (a) => 2 ** a],
      'tanh.approx.f32': [(a) => tanhApprox(a), Math.tanh],
      'div.approx.f32': [(a, b) => divApprox(a, b), (a, b) => a / b],
      'div.full.f32': [(a, b) => divFull(a, b), (a, b) => a / b],
    };
    const random = randomBits(31);
    const values = [...EDGES_32, ...Array.from({ length: 500 }, () => f32FromBits(random()))];
    let moved = 0;
    for (const [name, [f, exact]] of Object.entries(functions)) {
      assert.ok(approxBounds.some((entry) => entry.instruction === name));
      values.forEach((a, i) => {
        const b = values[(i * 7 + 3) % values.length]!;
        const bound = boundFor(name, a, b);
        const e = exact(a, b);
        // Below 2^-126 a relative bound cannot be met by a format whose quantum is 2^-149.
        if (bound === undefined || Number.isNaN(e)) return;
        if (bound.relative !== undefined && Math.abs(e) < 2 ** -126) return;
        if (Math.abs(e) > 3.4028235e38) return;
        assert.ok(withinBound(bound, e, f(a, b)), `${name} ${a} ${b}`);
        for (let seed = 1; seed <= 4; seed++) {
          const p = perturb(bound, e, seed);
          assert.ok(withinBound(bound, e, p), `perturbed ${name} ${a} ${b}`);
          assert.equal(p, perturb(bound, e, seed));
          if (p !== f(a, b)) moved++;
        }
      });
    }
    assert.ok(moved > 1000, `perturbation moved ${moved} results`);
  });

  it('picks the tightest range and promises nothing outside', () => {
    assert.equal(boundFor('sin.approx.f32', 1)?.absolute, 2 ** -20.5);
    assert.equal(boundFor('sin.approx.f32', 100)?.absolute, 2 ** -14.7);
    assert.equal(boundFor('sin.approx.f32', 1000), undefined);
    assert.equal(boundFor('div.approx.f32', 1, 2 ** 127), undefined);
    assert.equal(boundFor('lg2.approx.f32', 3)?.relative, 2 ** -22);
  });
});

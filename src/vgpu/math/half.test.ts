import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { f32FromBits, f32ToBits } from './bits.ts';
import {
  bf16ToNumber,
  f16ToNumber,
  f32ToBf16,
  f32ToF16,
  numberToBf16,
  numberToF16,
  pack16,
  toBf16,
  toF16,
} from './half.ts';
import {
  absHalf,
  addBf16,
  addF16,
  binaryHalf,
  fmaBf16,
  fmaF16,
  fmaHalf,
  mulBf16,
  mulF16,
  negHalf,
  packed2,
  packed3,
  subBf16,
  subF16,
} from './halfarithmetic.ts';
import { f32ToTf32, fp8PairToF16x2, fp8ToNumber, numberToFp8, packFp8, readTf32 } from './narrow.ts';
import type { Rounding } from './rounding.ts';
import {
  add,
  BFLOAT16,
  BINARY16,
  type BinaryFormat,
  EDGES_32,
  multiply,
  type Rational,
  randomBits,
  rational,
  round,
  same,
  TF32,
} from './testing/rational.ts';

const MODES: readonly Rounding[] = ['rn', 'rz', 'rm', 'rp'];
const halves = Array.from({ length: 65536 }, (_, i) => i);

/** Sign, exponent and fraction fields read by the definition of the format. */
function decodePlainly(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits >> (exponentBits + fractionBits) ? -1 : 1;
  const field = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = bits & (2 ** fractionBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (field === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (field === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (field - bias);
}

const FORMATS = [
  { name: 'f16', e: 5, f: 10, decode: f16ToNumber, quick: f32ToF16, encode: numberToF16, format: BINARY16 },
  { name: 'bf16', e: 8, f: 7, decode: bf16ToNumber, quick: f32ToBf16, encode: numberToBf16, format: BFLOAT16 },
] as const;

/** Expected value of rounding, zeros signed like the operand. */
function rounded(x: number, format: BinaryFormat, mode: Rounding): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const r = round(rational(x), format, mode);
  return r === 0 && x < 0 ? -0 : r;
}

describe('f16 and bf16 conversion', () => {
  for (const { name, e, f, decode, quick, encode, format } of FORMATS) {
    it(`decodes and re-encodes all 65536 ${name} patterns`, () => {
      for (const bits of halves) {
        const x = decodePlainly(bits, e, f);
        assert.ok(same(decode(bits), x), `${name} 0x${bits.toString(16)}`);
        const canonical = Number.isNaN(x) ? 0x7fff : bits;
        assert.equal(quick(x), canonical);
        for (const mode of MODES) assert.equal(encode(x, mode), canonical);
      }
    });

    it(`rounds midpoints between ${name} neighbours, and what lies next to them, in all modes`, () => {
      for (let bits = 0; bits < (2 ** e - 1) << f; bits += name === 'f16' ? 3 : 5) {
        const low = decode(bits);
        const next = decode(bits + 1);
        // Past the greatest value the midpoint is where the next binade's value would be.
        const high = Number.isFinite(next) ? next : 2 * low - decode(bits - 1);
        const middle = (low + high) / 2;
        const isSubnormalBf16 = name === 'bf16' && bits < 0x80;
        for (const x of [middle, middle * (1 + 2 ** -23), middle * (1 - 2 ** -24)]) {
          for (const mode of MODES) {
            assert.ok(same(decode(encode(x, mode)), rounded(x, format, mode)), `${name} ${x} .${mode}`);
            assert.ok(same(decode(encode(-x, mode)), rounded(-x, format, mode)), `${name} ${-x} .${mode}`);
          }
          if (Math.fround(x) === x || !isSubnormalBf16) {
            const y = Math.fround(x);
            assert.equal(quick(y), encode(y));
            assert.equal(quick(-y), encode(-y));
          }
        }
      }
    });

    it(`agrees between the quick and the plain ${name} rounding on random f32`, () => {
      const random = randomBits(3);
      for (let i = 0; i < 200_000; i++) {
        const x = f32FromBits(random());
        assert.equal(quick(x), encode(x));
      }
      for (const x of EDGES_32)
        for (const mode of MODES) assert.ok(same(decode(encode(x, mode)), rounded(x, format, mode)));
    });
  }

  it('applies .satfinite, .relu and .sat', () => {
    assert.equal(toF16({ satfinite: true })(1e9), 0x7bff);
    assert.equal(toF16({ satfinite: true })(Number.NEGATIVE_INFINITY), 0xfbff);
    assert.equal(toBf16({ satfinite: true, rounding: 'rz' })(Number.POSITIVE_INFINITY), 0x7f7f);
    assert.equal(toF16({ satfinite: true })(Number.NaN), 0x7fff);
    assert.equal(toF16({ relu: true })(-2), 0);
    assert.equal(toF16({ relu: true })(Number.NaN), 0x7fff);
    assert.equal(toBf16({ relu: true })(-0), 0);
    assert.equal(toF16({ sat: true })(7), 0x3c00);
    assert.equal(toF16({ sat: true })(Number.NaN), 0);
    assert.equal(pack16(0x1234, 0xabcd) >>> 0, 0xabcd1234);
  });
});

describe('f16 and bf16 arithmetic', () => {
  const ARITHMETIC = [
    { type: 'f16', format: BINARY16, decode: f16ToNumber, ops: [addF16, subF16, mulF16, fmaF16] },
    { type: 'bf16', format: BFLOAT16, decode: bf16ToNumber, ops: [addBf16, subBf16, mulBf16, fmaBf16] },
  ] as const;

  for (const { type, format, decode, ops } of ARITHMETIC) {
    it(`rounds ${type} add, sub, mul and fma once`, () => {
      const [addOp, subOp, mulOp, fmaOp] = ops;
      const general = {
        add: binaryHalf('add', type),
        sub: binaryHalf('sub', type),
        mul: binaryHalf('mul', type),
        fma: fmaHalf(type),
      };
      const check = (exact: Rational | undefined, ieee: number, actual: number, again: number, what: string) => {
        assert.equal(actual, again, what);
        if (Number.isNaN(ieee)) assert.equal(actual, 0x7fff, what);
        else if (exact === undefined || exact.n === 0n) assert.ok(same(decode(actual), ieee), what);
        else {
          const r = round(exact, format, 'rn');
          assert.ok(same(decode(actual), r === 0 && exact.n < 0n ? -0 : r), what);
        }
      };
      const run = (a: number, b: number, c: number) => {
        const [x, y, z] = [decode(a), decode(b), decode(c)];
        const finite = Number.isFinite(x) && Number.isFinite(y);
        const [p, q] = finite ? [rational(x), rational(y)] : [undefined, undefined];
        const what = `${type} 0x${a.toString(16)} 0x${b.toString(16)} 0x${c.toString(16)}`;
        check(p && add(p, q!), x + y, addOp(a, b), general.add(a, b), `add ${what}`);
        check(p && add(p, rational(-y)), x - y, subOp(a, b), general.sub(a, b), `sub ${what}`);
        check(p && multiply(p, q!), x * y, mulOp(a, b), general.mul(a, b), `mul ${what}`);
        const exact = p && Number.isFinite(z) ? add(multiply(p, q!), rational(z)) : undefined;
        check(exact, x * y + z, fmaOp(a, b, c), general.fma(a, b, c), `fma ${what}`);
      };
      const half = fc.integer({ min: 0, max: 65535 });
      fc.assert(fc.property(half, half, half, run), { numRuns: 4000 });
      const random = randomBits(11);
      for (let i = 0; i < 8000; i++) {
        // Exponents close to each other, where cancellation and ties live.
        const r = random();
        const base = type === 'f16' ? 0x3c00 : 0x3f80;
        run(base + (r & 0x7ff), base + ((r >>> 11) & 0x7ff), (random() & 0x8000) | (random() % (2 * base)));
      }
      const edges = [
        0, 0x8000, 1, 0x8001, 0x0400, 0x0080, 0x3c00, 0x3f80, 0x7bff, 0x7f7f, 0x7c00, 0x7f80, 0xfc00, 0xff80, 0x7e00,
      ];
      for (const a of edges) for (const b of edges) for (const c of edges) run(a, b, c);
    });
  }

  it('breaks a bf16 tie by an addend far below f64 precision', () => {
    // 1 + 2^-8 is halfway between bf16 neighbours 1 and 1 + 2^-7: (1 + 2^-4)(1 - 2^-4 + 2^-8...) made from two factors.
    const a = numberToBf16(1 + 2 ** -7);
    const b = numberToBf16(1.5);
    // 1.5 (1 + 2^-7) = 1.51171875 is a tie; 2^-100 above it rounds up, below it down.
    assert.equal(bf16ToNumber(fmaBf16(a, b, numberToBf16(2 ** -100))), 1.515625);
    assert.equal(bf16ToNumber(fmaBf16(a, b, numberToBf16(-(2 ** -100)))), 1.5078125);
  });

  it('applies .ftz, .sat and .relu', () => {
    assert.equal(binaryHalf('mul', 'f16', { ftz: true })(0x0001, 0x7bff), 0);
    assert.equal(binaryHalf('mul', 'f16', { ftz: true })(0x8400, 0x3800), 0x8000);
    assert.equal(binaryHalf('add', 'f16', { sat: true })(0x3c00, 0x3c00), 0x3c00);
    assert.equal(fmaHalf('f16', { relu: true })(0xbc00, 0x3c00, 0), 0);
    assert.equal(fmaHalf('bf16', { relu: true })(0x7fc0, 0x3f80, 0), 0x7fff);
  });

  it('negates and takes absolute values', () => {
    assert.equal(negHalf(0x3c00, 'f16'), 0xbc00);
    assert.equal(negHalf(0xfe00, 'f16'), 0x7fff);
    assert.equal(absHalf(0x8001, 'f16', true), 0);
    assert.equal(absHalf(0xff7f, 'bf16'), 0x7f7f);
  });

  it('works on packed pairs', () => {
    assert.equal(packed2(addF16)(pack16(0x3c00, 0x4000), pack16(0x3c00, 0xc000)), pack16(0x4000, 0));
    assert.equal(
      packed3(fmaF16)(pack16(0x4000, 0x3c00), pack16(0x4000, 0xbc00), pack16(0x3c00, 0)),
      pack16(0x4500, 0xbc00),
    );
  });
});

describe('tf32, e4m3 and e5m2', () => {
  it('rounds to tf32', () => {
    const random = randomBits(5);
    for (let i = 0; i < 20_000; i++) {
      const x = i < EDGES_32.length ? EDGES_32[i]! : f32FromBits(random());
      for (const mode of ['rna', 'rn', 'rz'] as const) {
        const r = f32ToTf32(x, mode);
        if (!Number.isFinite(x) || x === 0) assert.ok(same(r, x));
        else {
          const expected = round(rational(x), TF32, mode);
          assert.ok(same(r, expected === 0 && x < 0 ? -0 : expected), `${x} .${mode}: ${r} vs ${expected}`);
        }
        if (!Number.isNaN(r)) assert.equal(f32ToBits(r) & 0x1fff, 0);
      }
    }
    assert.equal(f32ToBits(f32ToTf32(3.4028e38, 'rna', { satfinite: true })), 0x7f7fe000);
    assert.equal(f32ToTf32(-1, 'rn', { relu: true }), 0);
    assert.equal(readTf32(0x3f801fff), 1);
  });

  for (const [type, e, f, max] of [
    ['e4m3', 4, 3, 448],
    ['e5m2', 5, 2, 57344],
  ] as const) {
    it(`decodes and encodes all ${type} patterns and rounds to the nearest even one`, () => {
      const values: number[] = [];
      for (let bits = 0; bits < 256; bits++) {
        const x = fp8ToNumber(bits, type);
        const isNaN8 = type === 'e4m3' ? (bits & 0x7f) === 0x7f : (bits & 0x7f) > 0x7c;
        if (isNaN8) assert.ok(Number.isNaN(x));
        else if (type === 'e5m2' && (bits & 0x7f) === 0x7c) assert.equal(Math.abs(x), Number.POSITIVE_INFINITY);
        else {
          const field = (bits >> f) & (2 ** e - 1);
          const fraction = bits & (2 ** f - 1);
          const bias = 2 ** (e - 1) - 1;
          const magnitude =
            field === 0 ? fraction * 2 ** (1 - bias - f) : (1 + fraction / 2 ** f) * 2 ** (field - bias);
          assert.ok(same(x, bits & 0x80 ? -magnitude : magnitude), `${type} ${bits}`);
          assert.equal(numberToFp8(x, type), bits);
          if (bits < 0x80) values.push(x);
        }
      }
      assert.equal(values.at(-1), max);
      for (let i = 0; i + 1 < values.length; i++) {
        const middle = (values[i]! + values[i + 1]!) / 2;
        const even = i % 2 === 0 ? i : i + 1;
        assert.equal(numberToFp8(middle, type), even);
        assert.equal(numberToFp8(middle * (1 + 2 ** -23), type), i + 1);
        assert.equal(numberToFp8(-middle * (1 - 2 ** -24), type), 0x80 | i);
      }
      const top = values.length - 1;
      assert.equal(numberToFp8(max * 1.0001, type), top);
      assert.equal(numberToFp8(Number.NEGATIVE_INFINITY, type), 0x80 | top);
      assert.equal(numberToFp8(Number.NaN, type), 0x7f);
      assert.equal(numberToFp8(-1, type, true), 0);
    });
  }

  it('packs a into the upper byte and unpacks into f16x2', () => {
    assert.equal(packFp8(1, -2, 'e4m3'), 0x38c0);
    assert.equal(fp8PairToF16x2(0x38c0, 'e4m3'), pack16(0xc000, 0x3c00));
    assert.equal(fp8PairToF16x2(0x38c0, 'e4m3', true), pack16(0, 0x3c00));
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { f32FromBits, f64FromBits } from './bits.ts';
import {
  bigintToF32,
  bigintToF64,
  bigintToOdd,
  convertInteger,
  floatToInteger,
  floatToInteger64,
  INTEGER_TYPES,
  type IntegerType,
  integerToF32,
} from './convert.ts';
import { numberToF16 } from './half.ts';
import { type IntegerRounding, type Rounding, roundToIntegral } from './rounding.ts';
import { BINARY16, BINARY32, BINARY64, EDGES_64, rational, round, same } from './testing/rational.ts';

const MODES: readonly Rounding[] = ['rn', 'rz', 'rm', 'rp'];
const INTEGER_MODES: readonly IntegerRounding[] = ['rni', 'rzi', 'rmi', 'rpi'];
const NARROW = ['u8', 's8', 'u16', 's16', 'u32', 's32'] as const;
const TYPES = Object.keys(INTEGER_TYPES) as IntegerType[];

/** Rounding to an integer by exact arithmetic. */
function toBigint(x: number, mode: IntegerRounding): bigint {
  const { n, d } = rational(x);
  let floor = n / d;
  if (n < 0n && floor * d !== n) floor -= 1n;
  const rest = n - floor * d;
  if (rest === 0n) return floor;
  switch (mode) {
    case 'rmi':
      return floor;
    case 'rpi':
      return floor + 1n;
    case 'rzi':
      return n < 0n ? floor + 1n : floor;
    case 'rni':
      if (2n * rest === d) return floor % 2n === 0n ? floor : floor + 1n;
      return 2n * rest > d ? floor + 1n : floor;
  }
}

function range(type: IntegerType): [bigint, bigint] {
  const { bits, signed } = INTEGER_TYPES[type];
  return signed ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n] : [0n, (1n << BigInt(bits)) - 1n];
}

function checkFloat(x: number): void {
  if (!Number.isFinite(x)) return;
  for (const mode of INTEGER_MODES) {
    const exact = toBigint(x, mode);
    const integral = roundToIntegral(x, mode);
    assert.equal(BigInt(integral), exact, `${x} .${mode}`);
    assert.equal(Object.is(integral, -0), exact === 0n && (x < 0 || Object.is(x, -0)), `sign of zero: ${x} .${mode}`);
    for (const type of TYPES) {
      const [min, max] = range(type);
      const expected = exact < min ? min : exact > max ? max : exact;
      const actual = type === 'u64' || type === 's64' ? floatToInteger64(x, type, mode) : floatToInteger(x, type, mode);
      assert.equal(BigInt(actual), expected, `cvt.${mode}.${type} ${x}`);
      assert.ok(!Object.is(actual, -0));
    }
  }
}

const HALVES = [
  0.5,
  1.5,
  2.5,
  127.5,
  128.5,
  255.5,
  32767.5,
  65535.5,
  2147483647.5,
  4294967295.5,
  2 ** 52 + 0.5,
  2 ** 63,
  2 ** 64,
];

describe('float to integer', () => {
  it('rounds in four directions and clamps', () => {
    for (const x of [
      ...EDGES_64,
      ...HALVES,
      ...HALVES.map((h) => -h),
      2 ** 63 - 1024,
      2 ** 64 - 2048,
      -(2 ** 63) - 2048,
    ]) {
      checkFloat(x);
    }
    const near = fc.double({ min: -70000, max: 70000, noNaN: true });
    fc.assert(
      fc.property(near, fc.integer(), (x, y) => [x, Math.round(x) + 0.5, f32FromBits(y)].forEach(checkFloat)),
      {
        numRuns: 400,
      },
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (b) => checkFloat(f64FromBits(b))),
      { numRuns: 300 },
    );
  });

  it('clamps infinities and turns NaN into what the ISA says', () => {
    assert.equal(floatToInteger(Number.POSITIVE_INFINITY, 's32'), 2147483647);
    assert.equal(floatToInteger(Number.NEGATIVE_INFINITY, 'u8'), 0);
    assert.equal(floatToInteger64(Number.NEGATIVE_INFINITY, 's64'), -(1n << 63n));
    for (const type of NARROW) assert.equal(floatToInteger(Number.NaN, type), 0);
    assert.equal(floatToInteger(Number.NaN, 's32', 'rzi', true), -2147483648);
    assert.equal(floatToInteger(Number.NaN, 'u32', 'rzi', true), 0x80000000);
    assert.equal(floatToInteger64(Number.NaN, 'u64'), 1n << 63n);
    assert.equal(floatToInteger64(Number.NaN, 's64'), -(1n << 63n));
  });
});

describe('integer to float', () => {
  const wide = fc.oneof(
    fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }),
    // A few bits and a distant tail: midpoints of f32 and f64 and values next to them.
    fc
      .tuple(
        fc.integer({ min: 24, max: 63 }),
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: -1, max: 1 }),
        fc.boolean(),
      )
      .map(([top, low, tail, negative]) => {
        const v = (1n << BigInt(top)) + (1n << BigInt(low)) + BigInt(tail);
        return negative && v <= 1n << 63n ? -v : v;
      }),
  );

  it('rounds 64-bit integers once', () => {
    fc.assert(
      fc.property(wide, (v) => {
        for (const mode of MODES) {
          assert.equal(bigintToF64(v, mode), round({ n: v, d: 1n }, BINARY64, mode), `${v} f64 .${mode}`);
          assert.equal(bigintToF32(v, mode), round({ n: v, d: 1n }, BINARY32, mode), `${v} f32 .${mode}`);
          const f16 = numberToF16(bigintToOdd(v), mode);
          const expected = round({ n: v, d: 1n }, BINARY16, mode);
          assert.equal(f16, numberToF16(expected), `${v} f16 .${mode}`);
        }
      }),
      { numRuns: 1500 },
    );
    assert.ok(same(bigintToF32(0n, 'rm'), 0));
  });

  it('rounds 32-bit integers once', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), (v) => {
        for (const mode of MODES) assert.equal(integerToF32(v, mode), round({ n: BigInt(v), d: 1n }, BINARY32, mode));
      }),
    );
  });
});

describe('integer to integer', () => {
  it('truncates or saturates between every pair of types', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(60), (pattern, shift) => {
        for (const from of TYPES) {
          const { bits, signed } = INTEGER_TYPES[from];
          const wide = signed
            ? BigInt.asIntN(bits, pattern >> BigInt(shift))
            : BigInt.asUintN(bits, pattern >> BigInt(shift));
          const value = bits === 64 ? wide : Number(wide);
          for (const to of TYPES) {
            const [min, max] = range(to);
            const target = INTEGER_TYPES[to];
            const low = wide & ((1n << BigInt(target.bits)) - 1n);
            const truncated = target.signed && low > max ? low - (1n << BigInt(target.bits)) : low;
            const clamped = wide < min ? min : wide > max ? max : wide;
            assert.equal(BigInt(convertInteger(value, to)), truncated, `cvt.${to}.${from} ${wide}`);
            assert.equal(BigInt(convertInteger(value, to, true)), clamped, `cvt.sat.${to}.${from} ${wide}`);
            assert.equal(typeof convertInteger(value, to), target.bits === 64 ? 'bigint' : 'number');
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ELEMENT_BITS,
  elementsPerRegister,
  type FragmentLayout,
  ldmatrixAddressLane,
  ldmatrixPlace,
  MMA_SHAPES,
  mmaFragment,
  mmaM8n8k4F16,
  quadPair,
  wmmaFragment,
} from './fragments.ts';
import { f16ToNumber, numberToF16 } from './half.ts';
import { accumulationBound, integerElement, mmaBit, mmaF64, mmaFloat, mmaInteger } from './matrix.ts';
import { add, BINARY32, BINARY64, multiply, randomBits, rational, round } from './testing/rational.ts';

const lanes = Array.from({ length: 32 }, (_, i) => i);

/** How often each matrix element is held, over the given lanes. */
function coverage(layout: FragmentLayout, of: readonly number[] = lanes): number[] {
  const counts = new Array<number>(layout.rows * layout.columns).fill(0);
  for (const lane of of) {
    for (let i = 0; i < layout.elements; i++) {
      const { row, column } = layout.place(lane, i);
      assert.ok(row >= 0 && row < layout.rows && column >= 0 && column < layout.columns, `lane ${lane} element ${i}`);
      counts[row * layout.columns + column]! += 1;
    }
  }
  return counts;
}

describe('mma.sync fragments', () => {
  it('hold each element exactly once, for every shape', () => {
    for (const [bits, shapes] of Object.entries(MMA_SHAPES)) {
      for (const [m, n, k] of shapes) {
        for (const fragment of ['a', 'b', 'c'] as const) {
          const counts = coverage(mmaFragment({ m, n, k }, fragment, Number(bits)));
          assert.ok(
            counts.every((c) => c === 1),
            `m${m}n${n}k${k} ${bits}-bit ${fragment}`,
          );
        }
      }
    }
  });

  // The ISA's own formulas, shape by shape, as it writes them.
  const g = (lane: number) => lane >> 2;
  const t = (lane: number) => lane % 4;
  type Formula = (lane: number, i: number) => [number, number];
  const FORMULAS: [string, [number, number, number], number, 'a' | 'b' | 'c', Formula][] = [
    [
      'm16n8k16 f16 A',
      [16, 8, 16],
      16,
      'a',
      (l, i) => [
        (i >= 0 && i < 2) || (i >= 4 && i < 6) ? g(l) : g(l) + 8,
        i < 4 ? t(l) * 2 + (i & 1) : t(l) * 2 + (i & 1) + 8,
      ],
    ],
    ['m16n8k16 f16 B', [16, 8, 16], 16, 'b', (l, i) => [i < 2 ? t(l) * 2 + (i & 1) : t(l) * 2 + (i & 1) + 8, g(l)]],
    ['m16n8k16 C', [16, 8, 16], 16, 'c', (l, i) => [i < 2 ? g(l) : g(l) + 8, t(l) * 2 + (i & 1)]],
    ['m16n8k8 f16 A', [16, 8, 8], 16, 'a', (l, i) => [i < 2 ? g(l) : g(l) + 8, t(l) * 2 + (i & 1)]],
    ['m16n8k8 f16 B', [16, 8, 8], 16, 'b', (l, i) => [t(l) * 2 + i, g(l)]],
    ['m16n8k4 tf32 A', [16, 8, 4], 32, 'a', (l, i) => [i === 0 ? g(l) : g(l) + 8, t(l)]],
    ['m16n8k8 tf32 A', [16, 8, 8], 32, 'a', (l, i) => [i === 0 || i === 2 ? g(l) : g(l) + 8, i < 2 ? t(l) : t(l) + 4]],
    ['m16n8k8 tf32 B', [16, 8, 8], 32, 'b', (l, i) => [i === 0 ? t(l) : t(l) + 4, g(l)]],
    ['m16n8k16 s8 A', [16, 8, 16], 8, 'a', (l, i) => [i < 4 ? g(l) : g(l) + 8, t(l) * 4 + (i & 3)]],
    ['m16n8k16 s8 B', [16, 8, 16], 8, 'b', (l, i) => [t(l) * 4 + i, g(l)]],
    [
      'm16n8k32 s8 A',
      [16, 8, 32],
      8,
      'a',
      (l, i) => [i < 4 || (i >= 8 && i < 12) ? g(l) : g(l) + 8, i < 8 ? t(l) * 4 + (i & 3) : t(l) * 4 + (i & 3) + 16],
    ],
    ['m16n8k32 s8 B', [16, 8, 32], 8, 'b', (l, i) => [i < 4 ? t(l) * 4 + (i & 3) : t(l) * 4 + (i & 3) + 16, g(l)]],
    [
      'm16n8k64 s4 A',
      [16, 8, 64],
      4,
      'a',
      (l, i) => [i < 8 || (i >= 16 && i < 24) ? g(l) : g(l) + 8, i < 16 ? t(l) * 8 + (i & 7) : t(l) * 8 + (i & 7) + 32],
    ],
    ['m8n8k16 s8 A', [8, 8, 16], 8, 'a', (l, i) => [g(l), t(l) * 4 + i]],
    ['m8n8k16 s8 C', [8, 8, 16], 8, 'c', (l, i) => [g(l), t(l) * 2 + i]],
    ['m8n8k4 f64 A', [8, 8, 4], 64, 'a', (l) => [g(l), t(l)]],
    ['m8n8k4 f64 B', [8, 8, 4], 64, 'b', (l) => [t(l), g(l)]],
    ['m16n8k8 f64 A', [16, 8, 8], 64, 'a', (l, i) => [i % 2 === 0 ? g(l) : g(l) + 8, i < 2 ? t(l) : t(l) + 4]],
  ];
  for (const [name, [m, n, k], bits, fragment, formula] of FORMULAS) {
    it(`follow the ISA's formula for ${name}`, () => {
      const layout = mmaFragment({ m, n, k }, fragment, bits);
      for (const lane of lanes) {
        for (let i = 0; i < layout.elements; i++) {
          const [row, column] = formula(lane, i);
          assert.deepEqual(layout.place(lane, i), { row, column }, `lane ${lane} element ${i}`);
        }
      }
    });
  }

  it('rejects a shape that PTX does not have', () => {
    assert.throws(() => mmaFragment({ m: 16, n: 16, k: 16 }, 'a', 16), /no shape m16n16k16/);
    assert.throws(() => wmmaFragment({ m: 16, n: 16, k: 8 }, 'a', 'f16'), /no shape m16n16k8 for f16/);
  });

  it('cover the four products of m8n8k4 f16', () => {
    for (const pair of [0, 1, 2, 3]) {
      const of = lanes.filter((lane) => quadPair(lane) === pair);
      assert.equal(of.length, 8);
      for (const major of ['row', 'col'] as const) {
        for (const fragment of ['a', 'b', 'c'] as const) {
          for (const accumulator of ['f16', 'f32'] as const) {
            assert.ok(coverage(mmaM8n8k4F16(fragment, major, accumulator), of).every((c) => c === 1));
          }
        }
      }
    }
  });
});

describe('wmma fragments', () => {
  const SHAPES: [string, number, number, number][] = [
    ...['f16', 'bf16', 's8', 'u8'].flatMap((type): [string, number, number, number][] => [
      [type, 16, 16, 16],
      [type, 32, 8, 16],
      [type, 8, 32, 16],
    ]),
    ['tf32', 16, 16, 8],
    ['f64', 8, 8, 4],
    ['s4', 8, 8, 32],
    ['b1', 8, 8, 128],
  ];
  it('hold every element equally often, in whole registers', () => {
    for (const [type, m, n, k] of SHAPES) {
      for (const fragment of ['a', 'b', 'c'] as const) {
        const layout = wmmaFragment({ m, n, k }, fragment, type);
        const counts = coverage(layout);
        assert.ok(counts[0]! >= 1 && counts.every((c) => c === counts[0]), `${type} m${m}n${n}k${k} ${fragment}`);
        if (fragment !== 'c') {
          assert.equal(layout.elements % elementsPerRegister(ELEMENT_BITS[type]!), 0);
          if (type === 'f16') assert.equal(layout.elements, 16);
          else assert.equal(counts[0], 1);
        }
      }
    }
  });
});

describe('ldmatrix', () => {
  it('covers 8 x 8 with and without .trans, and .x4 makes the A fragment of m16n8k16', () => {
    for (const transposed of [false, true]) {
      const seen = new Set<number>();
      for (const lane of lanes) {
        for (const j of [0, 1] as const) {
          const { row, column } = ldmatrixPlace(lane, j, transposed);
          seen.add(row * 8 + column);
        }
      }
      assert.equal(seen.size, 64);
    }
    // Matrices: rows 0-7 k 0-7, rows 8-15 k 0-7, rows 0-7 k 8-15, rows 8-15 k 8-15.
    const a = mmaFragment({ m: 16, n: 8, k: 16 }, 'a', 16);
    const b = mmaFragment({ m: 16, n: 8, k: 16 }, 'b', 16);
    for (const lane of lanes) {
      for (let r = 0; r < 4; r++) {
        for (const j of [0, 1] as const) {
          const { row, column } = ldmatrixPlace(lane, j, false);
          assert.deepEqual(a.place(lane, 2 * r + j), { row: row + 8 * (r & 1), column: column + 8 * (r >> 1) });
          // A row-major k x n tile loaded with .trans is the B fragment.
          if (r < 2) {
            const place = ldmatrixPlace(lane, j, true);
            assert.deepEqual(b.place(lane, 2 * r + j), { row: place.row + 8 * r, column: place.column });
          }
        }
      }
    }
    assert.equal(ldmatrixAddressLane(3, 7), 31);
  });
});

describe('matrix products', () => {
  const random = randomBits(41);
  const shape = { m: 16, n: 8, k: 16 };
  const half = () => f16ToNumber(random() & 0xbfff);

  it('rounds exact f16 dot products once to f32', () => {
    for (let trial = 0; trial < 5; trial++) {
      const a = Float64Array.from({ length: 256 }, half);
      const b = Float64Array.from({ length: 128 }, half);
      const c = Float64Array.from({ length: 128 }, () => Math.fround(half() * 1.1));
      const d = new Float64Array(128);
      mmaFloat(shape, a, b, c, d);
      for (let row = 0; row < 16; row++) {
        for (let column = 0; column < 8; column++) {
          let exact = rational(c[row * 8 + column]!);
          let magnitude = Math.abs(c[row * 8 + column]!);
          for (let i = 0; i < 16; i++) {
            exact = add(exact, multiply(rational(a[row * 16 + i]!), rational(b[i * 8 + column]!)));
            magnitude += Math.abs(a[row * 16 + i]! * b[i * 8 + column]!);
          }
          const expected = exact.n === 0n ? 0 : round(exact, BINARY32, 'rn');
          // The f64 sum of 17 terms is exact to 2^-49 of their magnitude; only a near tie or cancellation may show.
          const slack = magnitude * 2 ** -48;
          const actual = d[row * 8 + column]!;
          const nearest = Number((exact.n << 200n) / exact.d) / 2 ** 200;
          assert.ok(actual === expected || Math.abs(actual - nearest) <= Math.abs(expected - nearest) + slack);
          assert.ok(Math.abs(actual - expected) <= accumulationBound(16, magnitude));
        }
      }
    }
  });

  it('rounds to f16 accumulators and by groups when asked', () => {
    const one = { m: 1, n: 1, k: 4 };
    const d = [0];
    // 2048 + 1 + 1: rounding after each product loses both ones, rounding once keeps two.
    mmaFloat(one, [1, 1, 0, 0], [1, 1, 0, 0], [2048], d, 'f16');
    assert.equal(d[0], 2050);
    mmaFloat(one, [1, 1, 0, 0], [1, 1, 0, 0], [2048], d, 'f16', 1);
    assert.equal(d[0], 2048);
    mmaFloat(one, [300, 0, 0, 0], [300, 0, 0, 0], [0], d, 'f16');
    assert.equal(d[0], Number.POSITIVE_INFINITY);
    assert.equal(numberToF16(d[0]!), 0x7c00);
  });

  it('chains fma.rn for f64', () => {
    const k = 4;
    const a = [1 + 2 ** -30, 3, 1 / 3, -7];
    const b = [1 - 2 ** -30, 1 / 7, 3, 0.1];
    const d = [0];
    mmaF64({ m: 1, n: 1, k }, a, b, [-1], d);
    let expected = -1;
    for (let i = 0; i < k; i++) {
      expected = round(add(multiply(rational(a[i]!), rational(b[i]!)), rational(expected)), BINARY64, 'rn');
    }
    assert.equal(d[0], expected);
  });

  it('wraps or saturates integer accumulators', () => {
    const one = { m: 1, n: 1, k: 2 };
    const d = [0];
    mmaInteger(one, [127, 127], [127, 127], [2147483647], d);
    assert.equal(d[0], (2147483647 + 2 * 127 * 127) | 0);
    mmaInteger(one, [127, 127], [127, 127], [2147483647], d, true);
    assert.equal(d[0], 2147483647);
    mmaInteger(one, [-128, -128], [127, 127], [-2147483648], d, true);
    assert.equal(d[0], -2147483648);
  });

  it('counts bits and reads packed integers', () => {
    const d = [0];
    mmaBit({ m: 1, n: 1, k: 4 }, [1, 0, 1, 1], [1, 1, 0, 1], [10], d, 'xor');
    assert.equal(d[0], 12);
    mmaBit({ m: 1, n: 1, k: 4 }, [1, 0, 1, 1], [1, 1, 0, 1], [10], d, 'and');
    assert.equal(d[0], 12);
    assert.equal(integerElement(0x80ff7f01, 3, 's8'), -128);
    assert.equal(integerElement(0x80ff7f01, 3, 'u8'), 128);
    assert.equal(integerElement(0x80ff7f01, 7, 's4'), -8);
    assert.equal(integerElement(0x80ff7f01, 4, 'u4'), 15);
  });
});

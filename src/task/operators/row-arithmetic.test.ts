/** Rows against the same arithmetic number by number, and sums against plain loops, to the bit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Arithmetic, type ArithmeticChoice, arithmeticFor } from './arithmetic.ts';
import { testRandom } from './cases.ts';
import { Attributes } from './operator.ts';
import { unaryFormula } from './pointwise.ts';
import { overRows, rowFormulas } from './pointwise-rows.ts';
import { rowFunctions } from './row-arithmetic.ts';

const random = testRandom(11);
const odd = [0, -0, 1, -1, Infinity, -Infinity, Number.NaN, 1e-45, -1e-40, 3e38, -3e38, 1e-310, 88.8, -104, 0.5, 6];
/** Ordinary numbers of several sizes, and odd ones among them, all of them float32 where that is wanted. */
const filled = (count: number, single: boolean) =>
  Float64Array.from({ length: count }, () => {
    const x = random() < 0.1 ? odd[Math.floor(random() * odd.length)]! : (random() - 0.5) * 10 ** (random() * 6 - 4);
    return single ? Math.fround(x) : x;
  });

const choices: ArithmeticChoice[] = [
  { format: 'float64' },
  { format: 'float64', order: 'pairwise' },
  { format: 'float64', order: 'blocked', lanes: 8 },
  { format: 'float32' },
  { format: 'float32', order: 'reversed', approximate: { seed: 5, ulps: 16 } },
  { format: 'float16', order: 'pairwise', approximate: { seed: 6, ulps: 2 } },
  { format: 'float32', textbook: true, approximate: { seed: 7, ulps: 2 } },
  { format: 'float32', order: 'blocked', lanes: 32 },
];

/** Asserts that each of `got` is what `want` gives for its index; NaN is NaN, and the zeros differ. */
function same(got: Float64Array, want: (i: number) => number, what: string): void {
  got.forEach((y, i) => {
    if (!Object.is(y, want(i))) assert.fail(`${what}: element ${i} is ${y}, not ${want(i)}`);
  });
}

/** The sum as its order is described, with no thought of speed. */
function plainSum(values: Float64Array, a: Arithmetic): number {
  const list = [...values];
  const tree = (some: number[]): number => {
    let level = some;
    while (level.length > 1) {
      level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
        2 * i + 1 < level.length ? a.round(level[2 * i]! + level[2 * i + 1]!) : level[2 * i]!,
      );
    }
    return level[0] ?? 0;
  };
  switch (a.order) {
    case 'sequential':
      return list.reduce((sum, x) => a.round(sum + x), 0);
    case 'reversed':
      return list.reduceRight((sum, x) => a.round(sum + x), 0);
    case 'pairwise':
      return tree(list);
    case 'blocked': {
      const partial = Array.from({ length: a.lanes }, (_, lane) =>
        list.filter((_x, i) => i % a.lanes === lane).reduce((sum, x) => a.round(sum + x), 0),
      );
      for (let half = a.lanes / 2; half >= 1; half /= 2)
        for (let i = 0; i < half; i++) partial[i] = a.round(partial[i]! + partial[i + half]!);
      return partial[0]!;
    }
    case 'compensated': {
      // Neumaier's form, with its branch.
      let [sum, lost] = [0, 0];
      for (const x of list) {
        const next = sum + x;
        lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
        sum = next;
      }
      return Number.isFinite(sum) ? sum + lost : sum;
    }
  }
}

describe('rows', () => {
  for (const choice of choices) {
    const a = arithmeticFor(choice);
    const n = 3000;
    const x = filled(n, a.single);
    const y = filled(n, a.single);
    const out = new Float64Array(n + 1);
    const at = (values: Float64Array | number, i: number) => (typeof values === 'number' ? values : values[i]!);

    it(`compute in ${JSON.stringify(choice)} what single numbers give`, () => {
      for (const other of [y, 3, -0, Number.NaN]) {
        const cases = [
          ['add', (p: number, q: number) => a.round(p + q)],
          ['subtract', (p: number, q: number) => a.round(p - q)],
          ['multiply', (p: number, q: number) => a.round(p * q)],
          ['divide', (p: number, q: number) => a.divide(p, q)],
        ] as const;
        for (const [name, one] of cases) {
          out.fill(7);
          a.rows[name](x, other, out, n);
          same(out.subarray(0, n), (i) => one(x[i]!, at(other, i)), name);
          assert.equal(out[n], 7);
          const inPlace = x.slice();
          a.rows[name](inPlace, other, inPlace, n);
          same(inPlace, (i) => one(x[i]!, at(other, i)), `${name} in place`);
        }
      }
      a.rows.divideInto(1, x, out, n);
      same(out.subarray(0, n), (i) => a.divide(1, x[i]!), 'divideInto');
      for (const name of rowFunctions) {
        a.rows.apply(name, x, out, n);
        same(out.subarray(0, n), (i) => a[name](x[i]!), name);
      }
    });

    it(`give pointwise operators in ${JSON.stringify(choice)} what their formulas give`, () => {
      const of: Record<string, Record<string, number | string>[]> = {
        leaky_relu: [{ negative_slope: 0.01 }, { negative_slope: -2 }],
        gelu: [{ approximate: 'none' }, { approximate: 'tanh' }],
      };
      for (const name of Object.keys(rowFormulas)) {
        for (const values of of[name] ?? [{}]) {
          const attributes = new Attributes(name, values);
          const formula = unaryFormula(name, attributes);
          for (const count of [0, 1, 1023, 1024, n]) {
            overRows(rowFormulas[name]!(attributes), x.subarray(0, count), out.subarray(0, count), a);
            same(out.subarray(0, count), (i) => formula(x[i]!, a), `${name} ${JSON.stringify(values)}`);
          }
        }
      }
    });

    it(`sum in ${JSON.stringify(choice)} as the order says`, () => {
      for (const count of [0, 1, 2, 3, 7, 8, 9, 31, 33, 256, 1000]) {
        const ordinary = Float64Array.from({ length: count }, () => {
          const value = (random() - 0.5) * 10 ** (random() * 12 - 6);
          return a.single ? Math.fround(value) : value;
        });
        for (const values of [ordinary, filled(count, a.single)])
          assert.ok(Object.is(a.sum(values.slice(), count), plainSum(values, a)), `${count}`);
      }
    });
  }
});

/** Honest float32 kernels in many styles are accepted, wrong ones are not, on tolerances that are derived and not chosen. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { HostTensor, TensorSpec } from '../task/index.ts';
import {
  bf16,
  byRow,
  erf,
  exactNormalise,
  exactSoftmaxRow,
  exactSum,
  f,
  fastExp,
  inexact,
  normalise,
  normals,
  onlineSoftmaxRow,
  pairwise,
  reversed,
  type Sum,
  sequential,
  softmaxRow,
  squares,
  strided,
  twoPass,
  welford,
} from './honest-kernels.fixture.ts';
import { compareOutput, deriveTolerance, type HonestRun, type OutputTolerance } from './tolerance.ts';

const spec = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });
const tensor = (values: Float64Array, ...shape: number[]): HostTensor => ({ spec: spec(...shape), values });
const sums: Record<string, Sum> = { sequential, reversed, pairwise, strided: strided(64) };
const exps = {
  exact: (x: number) => f(Math.exp(x)),
  'off by 4 ulp': inexact(Math.exp, 4),
  'off by -4 ulp': inexact(Math.exp, -4),
  fast: fastExp,
};

/** Six honest runs: each summation with two accuracies of the function. */
function runs(evaluate: (sum: Sum, exp: (x: number) => number) => Float64Array): HonestRun[] {
  return Object.entries(sums).flatMap(([order, sum]) =>
    Object.entries(exps).map(([accuracy, exp]) => ({ name: `${order}, ${accuracy}`, values: evaluate(sum, exp) })),
  );
}

function accepted(got: Float64Array, tolerance: OutputTolerance): boolean {
  return compareOutput(got, tolerance).accepted;
}

/** Fails with the worst element, so that a false alarm can be understood from the report. */
function mustPass(got: Float64Array, tolerance: OutputTolerance): void {
  const { accepted: passed, wrong, worst, rms, rmsLimit } = compareOutput(got, tolerance);
  if (!passed)
    assert.fail(`falsely rejected: ${wrong} wrong, worst ${JSON.stringify(worst)}, rms ${rms} of ${rmsLimit}`);
}

describe('row sums', () => {
  const rows = 64;
  const columns = 1000;
  for (const [name, x] of Object.entries({
    normal: normals(1, rows * columns),
    shifted: normals(2, rows * columns, 100),
    tiny: normals(3, rows * columns, 0, 1e-6),
  })) {
    const reference = tensor(
      byRow(x, columns, (row) => Float64Array.of(exactSum(row))),
      rows,
    );
    const tolerance = deriveTolerance(
      reference,
      runs((sum) => byRow(x, columns, (row) => Float64Array.of(sum(row)))),
    );
    test(`orders that the tolerance never saw pass on ${name} inputs`, () => {
      for (const threads of [32, 128, 256, 1024]) {
        mustPass(
          byRow(x, columns, (row) => Float64Array.of(strided(threads)(row))),
          tolerance,
        );
      }
    });
    test(`a row's last element left out fails on ${name} inputs`, () => {
      const short = byRow(x, columns, (row) => Float64Array.of(sequential(row.subarray(0, columns - 1))));
      assert.equal(accepted(short, tolerance), false);
    });
    test(`bfloat16 inside fails on ${name} inputs`, () => {
      const lowered = byRow(x, columns, (row) => Float64Array.of(sequential(row.map(bf16))));
      assert.equal(accepted(lowered, tolerance), false);
    });
    test(`one element off by 1e-3 fails on ${name} inputs`, () => {
      const got = byRow(x, columns, (row) => Float64Array.of(pairwise(row)));
      got[17] = f(got[17]! * 1.001);
      const comparison = compareOutput(got, tolerance);
      assert.equal(comparison.wrong, 1);
      assert.deepEqual(comparison.worst?.coordinates, [17]);
    });
  }
});

describe('softmax', () => {
  const rows = 32;
  const columns = 509;
  for (const [name, x] of Object.entries({
    normal: normals(4, rows * columns),
    large: normals(5, rows * columns, 20, 30),
  })) {
    const reference = tensor(byRow(x, columns, exactSoftmaxRow), rows, columns);
    const tolerance = deriveTolerance(
      reference,
      runs((sum, exp) => byRow(x, columns, (row) => softmaxRow(row, sum, exp))),
    );
    test(`three-pass, warp-shuffle and online forms pass on ${name} inputs`, () => {
      mustPass(
        byRow(x, columns, (row) => softmaxRow(row, strided(128), exps.exact)),
        tolerance,
      );
      mustPass(
        byRow(x, columns, (row) => onlineSoftmaxRow(row, exps.exact)),
        tolerance,
      );
      mustPass(
        byRow(x, columns, (row) => onlineSoftmaxRow(row, inexact(Math.exp, 3))),
        tolerance,
      );
    });
    // On large inputs one power is nearly all of the sum, and the last is seldom that one.
    const hidden = name === 'large' && 'the last element does not show in the sum there';
    test(`a row's last element missing from the sum fails on ${name} inputs`, { skip: hidden }, () => {
      const short: Sum = (terms) => sequential(terms.subarray(0, terms.length - 1));
      assert.equal(
        accepted(
          byRow(x, columns, (row) => softmaxRow(row, short, exps.exact)),
          tolerance,
        ),
        false,
      );
    });
    test(`one element off by 1e-3 fails on ${name} inputs, small ones too`, () => {
      const honest = byRow(x, columns, (row) => softmaxRow(row, pairwise, exps.exact));
      for (const i of [0, 100, 7000, 12345]) {
        if (honest[i]! < 2 ** -126) continue;
        const got = honest.slice();
        got[i] = f(got[i]! * 1.001);
        assert.equal(compareOutput(got, tolerance).wrong, 1, `element ${i}, ${honest[i]}`);
      }
    });
    test(`bfloat16 powers fail on ${name} inputs`, () => {
      const lowered = byRow(x, columns, (row) => softmaxRow(row, sequential, (v) => bf16(Math.exp(v))));
      assert.equal(accepted(lowered, tolerance), false);
    });
  }
  test('__expf passes', () => {
    const x = normals(4, rows * columns, 3, 20);
    const reference = tensor(byRow(x, columns, exactSoftmaxRow), rows, columns);
    const tolerance = deriveTolerance(
      reference,
      runs((sum, exp) => byRow(x, columns, (row) => softmaxRow(row, sum, exp))),
    );
    mustPass(
      byRow(x, columns, (row) => softmaxRow(row, strided(32), fastExp)),
      tolerance,
    );
  });
  test('without subtracting the maximum it fails on large inputs', () => {
    const x = normals(6, rows * columns, 100, 5);
    const reference = tensor(byRow(x, columns, exactSoftmaxRow), rows, columns);
    const tolerance = deriveTolerance(
      reference,
      runs((sum, exp) => byRow(x, columns, (row) => softmaxRow(row, sum, exp))),
    );
    const unshifted = byRow(x, columns, (row) => {
      const powers = row.map((v) => f(Math.exp(v)));
      const total = sequential(powers);
      return powers.map((p) => f(p / total));
    });
    const comparison = compareOutput(unshifted, tolerance);
    assert.equal(comparison.accepted, false);
    assert.equal(comparison.worst?.ratio, Infinity);
  });
});

describe('normalisation', () => {
  const rows = 48;
  const columns = 300;
  const eps = 1e-5;
  const cases = {
    normal: normals(7, rows * columns),
    'small-scale': normals(8, rows * columns, 0, 1e-3),
    shifted: normals(9, rows * columns, 30, 1),
  };
  for (const [name, x] of Object.entries(cases)) {
    const reference = tensor(
      byRow(x, columns, (row) => exactNormalise(row, eps)),
      rows,
      columns,
    );
    const tolerance = deriveTolerance(
      reference,
      runs((sum) => byRow(x, columns, (row) => normalise(row, twoPass(row, sum), eps))),
    );
    test(`two passes and Welford pass on ${name} inputs`, () => {
      mustPass(
        byRow(x, columns, (row) => normalise(row, twoPass(row, strided(256)), eps)),
        tolerance,
      );
      mustPass(
        byRow(x, columns, (row) => normalise(row, welford(row), eps)),
        tolerance,
      );
    });
    test(`a dropped epsilon fails on ${name} inputs`, {
      skip: name === 'shifted' && 'its effect is below the rounding there',
    }, () => {
      const without = byRow(x, columns, (row) => normalise(row, twoPass(row, pairwise), 0));
      assert.equal(accepted(without, tolerance), false);
    });
    test(`the unbiased variance fails on ${name} inputs`, () => {
      const unbiased = byRow(x, columns, (row) => {
        const { mean, variance } = twoPass(row, pairwise);
        return normalise(row, { mean, variance: (variance * columns) / (columns - 1) }, eps);
      });
      assert.equal(accepted(unbiased, tolerance), false);
    });
  }
  test('E[x^2] - E[x]^2 passes on centred inputs and fails on inputs far from zero', () => {
    for (const [mean, passes] of [
      [0, true],
      [1000, false],
    ] as const) {
      const x = normals(10, rows * columns, mean, 1);
      const tolerance = deriveTolerance(
        tensor(
          byRow(x, columns, (row) => exactNormalise(row, eps)),
          rows,
          columns,
        ),
        runs((sum) => byRow(x, columns, (row) => normalise(row, twoPass(row, sum), eps))),
      );
      assert.equal(
        accepted(
          byRow(x, columns, (row) => normalise(row, squares(row, strided(128)), eps)),
          tolerance,
        ),
        passes,
      );
    }
  });
});

describe('gelu', () => {
  const x = normals(11, 4096);
  const exact = x.map((v) => 0.5 * v * (1 + erf(v / Math.SQRT2)));
  const honest = (error: number): HonestRun => {
    const deviceErf = inexact(erf, error);
    return {
      name: `erf off by ${error} ulp`,
      values: x.map((v) => f(f(0.5 * v) * f(1 + deviceErf(f(v * f(Math.SQRT1_2)))))),
    };
  };
  const tolerance = deriveTolerance(tensor(exact, 64, 64), [0, 1, -1, 2, -2, 4, -4].map(honest));
  test('the erf form passes', () => mustPass(honest(3).values, tolerance));
  test('the tanh form fails', () => {
    const tanh = x.map((v) => f(0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))));
    assert.equal(accepted(tanh, tolerance), false);
  });
});

describe('matmul', () => {
  const [m, k, n] = [24, 700, 40];
  const a = normals(12, m * k);
  const b = normals(13, k * n);
  const product = (sum: Sum, term: (p: number, q: number) => number) =>
    Float64Array.from({ length: m * n }, (_, i) => {
      const [row, column] = [Math.floor(i / n), i % n];
      return sum(Float64Array.from({ length: k }, (_, t) => term(a[row * k + t]!, b[t * n + column]!)));
    });
  const rounded = (p: number, q: number) => f(p * q);
  const tolerance = deriveTolerance(
    tensor(
      product(exactSum, (p, q) => p * q),
      m,
      n,
    ),
    Object.entries(sums).map(([name, sum]) => ({ name, values: product(sum, rounded) })),
  );
  test('a tiled and a split-k order pass', () => {
    const tiled: Sum = (terms) => {
      let total = 0;
      for (let t = 0; t < terms.length; t += 16) total = f(total + sequential(terms.subarray(t, t + 16)));
      return total;
    };
    mustPass(product(tiled, rounded), tolerance);
    mustPass(
      product(strided(8), (p, q) => p * q),
      tolerance,
    );
  });
  test('tf32 and bfloat16 operands fail', () => {
    const tf32 = (v: number) => Math.round(v * 2 ** 10) / 2 ** 10;
    assert.equal(
      accepted(
        product(pairwise, (p, q) => f(tf32(p) * tf32(q))),
        tolerance,
      ),
      false,
    );
    assert.equal(
      accepted(
        product(pairwise, (p, q) => f(bf16(p) * bf16(q))),
        tolerance,
      ),
      false,
    );
  });
  test('a tile left out fails', () => {
    const short: Sum = (terms) => sequential(terms.subarray(0, 688));
    assert.equal(accepted(product(short, rounded), tolerance), false);
  });
});

describe('what is exact', () => {
  test('a copy may be off by nothing much', () => {
    const x = normals(14, 256);
    const tolerance = deriveTolerance(tensor(x, 16, 16), [{ name: 'copy', values: x }]);
    mustPass(x, tolerance);
    assert.equal(
      accepted(
        x.map((v, i) => (i === 77 ? f(v * (1 + 2 ** -18)) : v)),
        tolerance,
      ),
      false,
    );
  });
  test('zeros are not excused by a flat absolute tolerance', () => {
    const x = normals(15, 4096, 0, 1e-7);
    const tolerance = deriveTolerance(tensor(x, 64, 64), [{ name: 'copy', values: x }]);
    assert.equal(accepted(new Float64Array(4096), tolerance), false);
  });
  test('integers are exact, but for what honest runs give', () => {
    const reference: HostTensor = { spec: { shape: [3], dtype: 'int64' }, values: Float64Array.of(4, 5, 6) };
    const tolerance = deriveTolerance(reference, [{ name: 'run', values: Float64Array.of(4, 9, 6) }]);
    mustPass(Float64Array.of(4, 9, 6), tolerance);
    assert.equal(accepted(Float64Array.of(4, 5, 7), tolerance), false);
  });
  test('NaN and infinities must be in their places', () => {
    const values = Float64Array.of(NaN, Infinity, -Infinity, 1);
    const tolerance = deriveTolerance(tensor(values, 4), [{ name: 'run', values }]);
    mustPass(values, tolerance);
    assert.equal(accepted(Float64Array.of(0, Infinity, -Infinity, 1), tolerance), false);
    assert.equal(accepted(Float64Array.of(NaN, -Infinity, -Infinity, 1), tolerance), false);
    assert.equal(accepted(Float64Array.of(NaN, Infinity, -Infinity, NaN), tolerance), false);
  });
});

test('a comparison is what its definition says, element by element', () => {
  const odd = [0, -0, Number.NaN, Infinity, -Infinity, 1e-40, 3.5e38, 1];
  const number = fc.oneof(fc.double({ min: -10, max: 10, noNaN: true }), fc.constantFrom(...odd));
  const element = fc.record({
    expected: number,
    got: number,
    bound: fc.oneof(fc.double({ min: 1e-3, max: 30, noNaN: true }), fc.constantFrom(0, Infinity, 1, 0.5, 2 ** -9)),
  });
  fc.assert(
    fc.property(fc.array(element, { minLength: 1, maxLength: 40 }), (elements) => {
      const expected = Float64Array.from(elements, (one) => one.expected);
      const got = Float64Array.from(elements, (one) => one.got);
      const bound = Float64Array.from(elements, (one) => one.bound);
      const spec = { shape: [elements.length], dtype: 'float64' } as const;
      const rest = { rmsLimit: 1, honestRms: 0, honestWorst: 0, undecided: 0, runs: [] };
      const made = compareOutput(got, { kind: 'float', spec, expected, bound, ...rest });
      const ratios = elements.map((one) => {
        if (one.got === one.expected || one.bound === Infinity) return 0;
        if (Number.isNaN(one.got) && Number.isNaN(one.expected)) return 0;
        const finite = Number.isFinite(one.got) && Number.isFinite(one.expected);
        return finite ? Math.abs(one.got - one.expected) / one.bound : Infinity;
      });
      const edges = [0, ...Array.from({ length: 9 }, (_, i) => 2 ** (i - 8)), Infinity];
      const histogram = edges.map((edge, i) => ratios.filter((r) => r <= edge && !(r <= (edges[i - 1] ?? -1))).length);
      const decided = ratios.filter((r, i) => Number.isFinite(r) && Number.isFinite(expected[i]!));
      const squares = decided.reduce((sum, r) => sum + r * r, 0);
      assert.equal(made.wrong, ratios.filter((r) => r > 1).length);
      assert.deepEqual(
        [...made.mask],
        ratios.map((r) => Number(r > 1)),
      );
      assert.deepEqual(made.histogram, histogram);
      assert.equal(made.worst?.ratio, Math.max(...ratios));
      assert.equal(made.worst?.index, ratios.indexOf(Math.max(...ratios)));
      const rms = decided.length === 0 ? 0 : Math.sqrt(squares / decided.length);
      assert.ok(Math.abs(made.rms - rms) <= 1e-12 * rms);
    }),
    { numRuns: 2000 },
  );
});

describe('results far below the normal numbers', () => {
  test('rows that are all but zero neither spoil the bounds nor loosen them', () => {
    // Rows of a softmax of large inputs: one element is 1, most are 1e-320; some rows have nothing but zeros besides.
    const [rows, columns] = [40, 64];
    const expected = Float64Array.from({ length: rows * columns }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      if (column === row % columns) return row % 3 === 0 ? 1 : 1 - 2 ** -30;
      return row % 4 === 0 ? 0 : 1e-320;
    });
    const single = expected.map((x) => Math.fround(x) * (x < 1 && x > 0.5 ? 1 - 2 ** -24 : 1));
    const tolerance = deriveTolerance(tensor(expected, rows, columns), [
      { name: 'single', values: single },
      { name: 'again', values: expected.map(Math.fround) },
    ]);
    assert.equal(tolerance.kind, 'float');
    if (tolerance.kind !== 'float') return;
    assert.ok(
      tolerance.bound.every((bound) => bound < 1e-4),
      `a bound is ${Math.max(...tolerance.bound)}`,
    );
    assert.ok(tolerance.rmsLimit >= 0, `the limit is ${tolerance.rmsLimit}`);
    mustPass(single, tolerance);
  });
});

describe('outputs that share their rounding', () => {
  // Of a tile of 4x4 outputs around a large one, the honest run shows an error in one alone.
  const [rows, columns] = [64, 64];
  const expected = normals(17, rows * columns);
  const at = (row: number, column: number) => row * columns + column;
  const off = (places: readonly (readonly [number, number])[]) => {
    const values = expected.map(f);
    for (const [row, column] of places) values[at(row, column)]! += 1e-3;
    return values;
  };
  const run = { name: "in Winograd's tiles", values: off([[20, 20]]) };
  const [apart, together] = [undefined, 3].map((reach) =>
    deriveTolerance(tensor(expected, rows, columns), [{ ...run, reach }]),
  ) as [OutputTolerance, OutputTolerance];

  test('have the largest error within their reach', () => {
    const neighbours = off([
      [17, 23],
      [20, 17],
    ]);
    mustPass(neighbours, together);
    assert.equal(accepted(neighbours, apart), false);
  });
  test('and no more in rows beyond it', () => {
    for (const [row, column] of [
      [16, 20],
      [24, 20],
      [24, 24],
    ] as const) {
      assert.equal(accepted(off([[row, column]]), together), false, `${row}, ${column}`);
    }
  });
});

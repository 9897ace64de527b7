/**
 * Row forms of the pointwise operators that are used most: the same elementary steps as the formulas of pointwise.ts, each step done to a
 * whole row before the next (see row-arithmetic.ts for why), with the same bits as the formula gives.
 */
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes } from './operator.ts';
import { type Row, type RowFunction, rowFunctions } from './row-arithmetic.ts';
import { copyRun } from './stride.ts';

export const SQRT_HALF = Math.SQRT1_2;
export const SQRT_TWO_OVER_PI = 0.7978845608028654;
export const GELU_CUBIC = 0.044715;

/** Elements that go together through all steps of a formula: few enough to stay in the first cache with the scratch rows. */
const ROW = 1024;

/** Fills the first `n` of `out` from those of `x`, which it may overwrite; `s` and `t` are scratch. All four are different arrays. */
export type RowFormula = (x: Row, out: Row, n: number, a: Arithmetic, s: Row, t: Row) => void;

/** Runs a row formula over all of an array. */
export function overRows(formula: RowFormula, from: Row, out: Row, a: Arithmetic): void {
  const length = Math.min(ROW, from.length);
  const [x, y, s, t] = Array.from({ length: 4 }, () => new Float64Array(length)) as [Row, Row, Row, Row];
  for (let start = 0; start < from.length; start += length) {
    const n = Math.min(length, from.length - start);
    copyRun(from, start, x, n);
    formula(x, y, n, a, s, t);
    out.set(n === length ? y : y.subarray(0, n), start);
  }
}

function negate(x: Row, out: Row, n: number): void {
  for (let i = 0; i < n; i++) out[i] = -x[i]!;
}

/** 1 + exp(-x) into out. */
function onePlusExpOfMinus(x: Row, out: Row, n: number, a: Arithmetic, s: Row): void {
  negate(x, s, n);
  a.rows.apply('exp', s, out, n);
  a.rows.add(out, 1, out, n);
}

const sigmoid: RowFormula = (x, out, n, a, s) => {
  onePlusExpOfMinus(x, out, n, a, s);
  a.rows.divideInto(1, out, out, n);
};

const silu: RowFormula = (x, out, n, a, s) => {
  onePlusExpOfMinus(x, out, n, a, s);
  a.rows.divide(x, out, out, n);
};

/** (x / 2) (1 + out), into out; overwrites x. */
function halfTimesOnePlus(x: Row, out: Row, n: number, a: Arithmetic): void {
  a.rows.multiply(x, 0.5, x, n);
  a.rows.add(out, 1, out, n);
  a.rows.multiply(x, out, out, n);
}

const geluExact: RowFormula = (x, out, n, a, s, t) => {
  a.rows.multiply(x, a.round(SQRT_HALF), s, n);
  a.rows.apply('erf', s, out, n);
  if (a.single) {
    halfTimesOnePlus(x, out, n, a);
    return;
  }
  // In float64 the tail below -1 comes from erfc: those elements are gathered, and put back.
  let tail = 0;
  for (let i = 0; i < n; i++) if (x[i]! < -1) s[tail++] = -x[i]! * SQRT_HALF;
  if (tail > 0) a.rows.apply('erfc', s, t, tail);
  for (let i = 0, j = 0; i < n; i++) {
    const half = 0.5 * x[i]!;
    out[i] = x[i]! < -1 ? half * t[j++]! : half * (1 + out[i]!);
  }
};

const geluTanh: RowFormula = (x, out, n, a, s) => {
  a.rows.multiply(x, x, s, n);
  a.rows.multiply(s, x, s, n);
  a.rows.multiply(s, a.round(GELU_CUBIC), s, n);
  a.rows.add(x, s, s, n);
  a.rows.multiply(s, a.round(SQRT_TWO_OVER_PI), s, n);
  a.rows.apply('tanh', s, out, n);
  halfTimesOnePlus(x, out, n, a);
};

/** max(x, 0) + log1p(exp(-|x|)) into out, as the formula branches. */
const softplus: RowFormula = (x, out, n, a, s, t) => {
  for (let i = 0; i < n; i++) s[i] = x[i]! > 0 ? -x[i]! : x[i]!;
  a.rows.apply('exp', s, t, n);
  if (a.single && a.choice.textbook) {
    a.rows.add(t, 1, t, n);
    a.rows.apply('log', t, out, n);
  } else a.rows.apply('log1p', t, out, n);
  a.rows.add(x, out, s, n);
  for (let i = 0; i < n; i++) if (x[i]! > 0) out[i] = s[i]!;
};

const mish: RowFormula = (x, out, n, a, s, t) => {
  softplus(x, out, n, a, s, t);
  a.rows.apply('tanh', out, t, n);
  a.rows.multiply(x, t, out, n);
};

const relu: RowFormula = (x, out, n) => {
  for (let i = 0; i < n; i++) out[i] = x[i]! < 0 ? 0 : x[i]!;
};

/** A row form without attributes. */
const plain = (formula: RowFormula) => () => formula;

/** By operator; those that are not here go number by number. */
export const rowFormulas: Readonly<Record<string, (attributes: Attributes) => RowFormula>> = {
  ...Object.fromEntries(
    rowFunctions.map((name: RowFunction) => [name, plain((x, out, n, a) => a.rows.apply(name, x, out, n))]),
  ),
  neg: plain(negate),
  abs: plain((x, out, n) => {
    for (let i = 0; i < n; i++) out[i] = Math.abs(x[i]!);
  }),
  reciprocal: plain((x, out, n, a) => a.rows.divideInto(1, x, out, n)),
  relu: plain(relu),
  leaky_relu: (attributes) => {
    const slope = attributes.number('negative_slope');
    return (x, out, n, a) => {
      a.rows.multiply(x, a.round(slope), out, n);
      for (let i = 0; i < n; i++) if (x[i]! > 0) out[i] = x[i]!;
    };
  },
  sigmoid: plain(sigmoid),
  silu: plain(silu),
  mish: plain(mish),
  gelu: (attributes) => (attributes.choice('approximate', ['none', 'tanh']) === 'tanh' ? geluTanh : geluExact),
};

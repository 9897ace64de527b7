/**
 * Reductions over dimensions: sums, means, products, extremes, norms, variances, and where extremes lie.
 * Each gathers the reduced elements of one output into a scratch row, in row-major order, and folds the row.
 */
import type { DType } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, outputCount } from './operator.ts';
import { around, copyRun, reductionOffsets } from './stride.ts';
import { elementCount } from './tensor.ts';

/** Folds the first `count` values of a scratch row, which it may overwrite. */
type Fold = (row: Float64Array, count: number, a: Arithmetic) => number;

interface Reduction {
  fold: (attributes: Attributes) => Fold;
  /** Defined over nothing: sum 0, prod 1; extremes are not. */
  empty: boolean;
  floating?: boolean;
  bool?: boolean;
  special?: number;
  arithmetic?: number;
}

/** The greatest value; NaN if any is. */
export function maximumOf(row: Float64Array, count: number): number {
  let best = row[0]!;
  if (Number.isNaN(best)) return best;
  for (let i = 1; i < count; i++) {
    const x = row[i]!;
    if (!(x <= best)) {
      best = x;
      if (Number.isNaN(x)) return x;
    }
  }
  return best;
}

function minimumOf(row: Float64Array, count: number): number {
  let best = row[0]!;
  if (Number.isNaN(best)) return best;
  for (let i = 1; i < count; i++) {
    const x = row[i]!;
    if (!(x >= best)) {
      best = x;
      if (Number.isNaN(x)) return x;
    }
  }
  return best;
}

/** log(sum(exp(x))), shifted by the maximum; an infinite maximum is not subtracted (inf - inf), as in PyTorch. */
export function logSumExp(row: Float64Array, count: number, a: Arithmetic): number {
  const top = maximumOf(row, count);
  const shift = Math.abs(top) === Infinity ? 0 : top;
  const exponentials = new Float64Array(count);
  a.rows.subtract(row, shift, row, count);
  a.rows.apply('exp', row, exponentials, count);
  return a.round(a.log(a.sum(exponentials, count)) + shift);
}

/** Mean of a row. Uses a copy, because sums may overwrite their scratch. */
export function meanOf(row: Float64Array, count: number, a: Arithmetic, scratch: Float64Array): number {
  copyRun(row, 0, scratch, count);
  return a.divide(a.sum(scratch, count), count);
}

/** Sum of squared deviations from the mean, which may be given; `scratch` holds `count` numbers. */
export function squaredDeviations(
  row: Float64Array,
  count: number,
  a: Arithmetic,
  scratch: Float64Array = new Float64Array(count),
  mean = meanOf(row, count, a, scratch),
): number {
  a.rows.subtract(row, mean, scratch, count);
  a.rows.multiply(scratch, scratch, scratch, count);
  return a.sum(scratch, count);
}

function variance(attributes: Attributes): Fold {
  const correction = attributes.number('correction');
  return (row, count, a) => a.divide(squaredDeviations(row, count, a), Math.max(0, count - correction));
}

function norm(attributes: Attributes): Fold {
  const p = attributes.number('p');
  const map = (f: (x: number, a: Arithmetic) => number, finish: Fold): Fold => {
    return (row, count, a) => {
      for (let i = 0; i < count; i++) row[i] = f(Math.abs(row[i]!), a);
      return finish(row, count, a);
    };
  };
  const sum: Fold = (row, count, a) => a.sum(row, count);
  if (p === Infinity) return map((x) => x, maximumOf);
  if (p === -Infinity) return map((x) => x, minimumOf);
  if (p === 0) return map((x) => (x === 0 ? 0 : 1), sum);
  if (p === 1) return map((x) => x, sum);
  if (p === 2) {
    return map(
      (x, a) => a.round(x * x),
      (row, count, a) => a.sqrt(a.sum(row, count)),
    );
  }
  return map(
    (x, a) => a.pow(x, p),
    (row, count, a) => a.pow(a.sum(row, count), 1 / p),
  );
}

function product(row: Float64Array, count: number, a: Arithmetic): number {
  let result = 1;
  if (a.order === 'reversed') for (let i = count - 1; i >= 0; i--) result = a.round(result * row[i]!);
  else for (let i = 0; i < count; i++) result = a.round(result * row[i]!);
  return result;
}

const always = (fold: Fold) => () => fold;

const reductions: Record<string, Reduction> = {
  sum: { fold: always((row, count, a) => a.sum(row, count)), empty: true },
  mean: { fold: always((row, count, a) => a.divide(a.sum(row, count), count)), empty: true, floating: true },
  prod: { fold: always(product), empty: true },
  max: { fold: always(maximumOf), empty: false },
  min: { fold: always(minimumOf), empty: false },
  logsumexp: { fold: always(logSumExp), empty: false, floating: true, special: 1 },
  var: { fold: variance, empty: true, floating: true, arithmetic: 3 },
  std: {
    fold: (attributes) => {
      const fold = variance(attributes);
      return (row, count, a) => a.sqrt(fold(row, count, a));
    },
    empty: true,
    floating: true,
    arithmetic: 3,
  },
  norm: { fold: norm, empty: true, floating: true, arithmetic: 2 },
  any: {
    fold: always((row, count) => {
      for (let i = 0; i < count; i++) if (row[i] !== 0) return 1;
      return 0;
    }),
    empty: true,
    bool: true,
  },
  all: {
    fold: always((row, count) => {
      for (let i = 0; i < count; i++) if (row[i] === 0) return 0;
      return 1;
    }),
    empty: true,
    bool: true,
  },
};

/** x's shape with the dimensions removed, or kept as ones. */
export function reducedShape(shape: readonly number[], dims: readonly number[], keepdim: boolean): number[] {
  if (keepdim) return shape.map((size, d) => (dims.includes(d) ? 1 : size));
  return shape.filter((_, d) => !dims.includes(d));
}

function reductionOperator(name: string, row: Reduction): Operator {
  return {
    name,
    kind: 'reduction',
    infer(inputs, attributes) {
      expectOperands(inputs, 1);
      const [x] = inputs;
      if (row.floating) expectFloating(x!);
      const dims = attributes.dimensions('dims', x!.shape.length);
      row.fold(attributes);
      if (!row.empty && elementCount(dims.map((d) => x!.shape[d]!)) === 0) {
        throw new Error(`It reduces no elements, over which a ${name} is not defined.`);
      }
      const dtype: DType = row.bool ? 'bool' : x!.dtype;
      return [{ shape: reducedShape(x!.shape, dims, attributes.boolean('keepdim')), dtype }];
    },
    evaluate([x], attributes, arithmetic, outputs) {
      const { kept, reduced } = reductionOffsets(x!.spec.shape, attributes.dimensions('dims', x!.spec.shape.length));
      const fold = row.fold(attributes);
      const scratch = new Float64Array(reduced.length);
      const out = new Float64Array(outputCount(outputs));
      const from = x!.values;
      const count = scratch.length;
      const adjacent = count > 0 && reduced[count - 1] === count - 1;
      for (let o = 0; o < out.length; o++) {
        const base = kept[o]!;
        if (adjacent) copyRun(from, base, scratch, count);
        else for (let i = 0; i < count; i++) scratch[i] = from[base + reduced[i]!]!;
        out[o] = fold(scratch, count, arithmetic);
      }
      return [out];
    },
    operations(inputs, _attributes, outputs) {
      const n = elementCount(inputs[0]!.shape);
      return {
        arithmetic: n * (row.arithmetic ?? 1),
        special: n * (row.special ?? 0) + outputCount(outputs),
        contraction: 0,
      };
    },
  };
}

/** Index of the first extreme; a NaN counts as more extreme than everything, as in PyTorch. */
function firstExtreme(row: Float64Array, greater: boolean): number {
  let best = 0;
  for (let i = 0; i < row.length; i++) {
    const x = row[i]!;
    if (Number.isNaN(x)) return i;
    if (greater ? x > row[best]! : x < row[best]!) best = i;
  }
  return best;
}

function argOperator(name: string, greater: boolean): Operator {
  return {
    name,
    kind: 'reduction',
    infer(inputs, attributes) {
      expectOperands(inputs, 1);
      const [x] = inputs;
      const rank = x!.shape.length;
      const dim = rank === 0 ? 0 : attributes.dimension('dim', rank);
      if (around(x!.shape, dim).size === 0)
        throw new Error(`It reduces no elements, over which ${name} is not defined.`);
      return [
        { shape: reducedShape(x!.shape, rank === 0 ? [] : [dim], attributes.boolean('keepdim')), dtype: 'int64' },
      ];
    },
    evaluate([x], attributes, _arithmetic, outputs) {
      const { shape } = x!.spec;
      const { kept, reduced } = reductionOffsets(
        shape,
        shape.length === 0 ? [] : [attributes.dimension('dim', shape.length)],
      );
      const scratch = new Float64Array(reduced.length);
      const out = new Float64Array(outputCount(outputs));
      for (let o = 0; o < out.length; o++) {
        for (let i = 0; i < scratch.length; i++) scratch[i] = x!.values[kept[o]! + reduced[i]!]!;
        out[o] = firstExtreme(scratch, greater);
      }
      return [out];
    },
    operations: (inputs) => ({ arithmetic: elementCount(inputs[0]!.shape), special: 0, contraction: 0 }),
  };
}

/** sum ... all, argmax, argmin. */
export const reductionOperators: readonly Operator[] = [
  ...Object.entries(reductions).map(([name, row]) => reductionOperator(name, row)),
  argOperator('argmax', true),
  argOperator('argmin', false),
];

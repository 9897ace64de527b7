/**
 * Operators along one dimension that keep its size (or sort it): softmax and its logarithm, scans, sort, topk.
 */
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator, OperatorKind } from './operator.ts';
import { expectFloating, expectOperands } from './operator.ts';
import { maximumOf } from './reduce.ts';
import { around, copyRun } from './stride.ts';
import { elementCount } from './tensor.ts';

/** Maps a row in place; `spare` is scratch of the same length. */
type RowMap = (row: Float64Array, spare: Float64Array, a: Arithmetic) => void;

/** Runs a row map over every line of a tensor along `dim`. */
export function mapLines(
  values: Float64Array,
  shape: readonly number[],
  dim: number,
  a: Arithmetic,
  map: RowMap,
): Float64Array {
  const { outer, size, inner } = around(shape, dim);
  const out = new Float64Array(values.length);
  const row = new Float64Array(size);
  const spare = new Float64Array(size);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const base = o * size * inner + i;
      if (inner === 1) {
        copyRun(values, base, row, size);
        map(row, spare, a);
        out.set(row, base);
        continue;
      }
      for (let k = 0, at = base; k < size; k++, at += inner) row[k] = values[at]!;
      map(row, spare, a);
      for (let k = 0, at = base; k < size; k++, at += inner) out[at] = row[k]!;
    }
  }
  return out;
}

const LOG2E = Math.fround(Math.LOG2E);

/** exp(x - max) of a row into `spare`, by way of `row`. Returns the maximum. */
function powersOfRow(row: Float64Array, spare: Float64Array, a: Arithmetic): number {
  const n = row.length;
  const top = maximumOf(row, n);
  if (a.single && a.choice.lateMaximum) {
    a.rows.multiply(row, LOG2E, row, n);
    a.rows.subtract(row, a.round(top * LOG2E), row, n);
    a.rows.apply('exp2', row, spare, n);
  } else {
    a.rows.subtract(row, top, row, n);
    a.rows.apply('exp', row, spare, n);
  }
  return top;
}

/** exp(x - max) / sum, in place. */
export function softmaxRow(row: Float64Array, spare: Float64Array, a: Arithmetic): void {
  const n = row.length;
  powersOfRow(row, spare, a);
  row.set(spare);
  a.rows.divide(row, a.sum(spare, n), row, n);
}

/** x - logsumexp(x), in place. */
export function logSoftmaxRow(row: Float64Array, spare: Float64Array, a: Arithmetic): void {
  const n = row.length;
  if (a.single && a.choice.lateMaximum) {
    const scores = row.slice();
    const top = powersOfRow(row, spare, a);
    a.rows.subtract(scores, a.round(top + a.log(a.sum(spare, n))), row, n);
    return;
  }
  // The two subtractions stay apart, as careful kernels have them: x - max is small and exact more often than max + log(sum).
  powersOfRow(row, spare, a);
  a.rows.subtract(row, a.log(a.sum(spare, n)), row, n);
}

/**
 * A running fold. `sequential` is one pass; every other order is what a parallel scan does: blocks of `lanes` are scanned by
 * themselves and the total of all blocks before is combined in last.
 */
function scan(step: (total: number, x: number, a: Arithmetic) => number): RowMap {
  return (row, _spare, a) => {
    const n = row.length;
    const block = a.order === 'sequential' || a.order === 'compensated' ? n : a.lanes;
    let carry = Number.NaN;
    for (let start = 0; start < n; start += block) {
      const end = Math.min(n, start + block);
      for (let i = start + 1; i < end; i++) row[i] = step(row[i - 1]!, row[i]!, a);
      if (start > 0) for (let i = start; i < end; i++) row[i] = step(carry, row[i]!, a);
      carry = row[end - 1]!;
    }
  };
}

/** The float64 running sum keeps a correction, so that a scan of millions stays a reference. */
const cumulativeSum: RowMap = (row, spare, a) => {
  if (a.order !== 'compensated') return scanSum(row, spare, a);
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < row.length; i++) {
    const x = row[i]!;
    const next = sum + x;
    lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
    sum = next;
    row[i] = Number.isFinite(sum) ? sum + lost : sum;
  }
};
const scanSum = scan((total, x, a) => a.round(total + x));

function logAddExp(x: number, y: number, a: Arithmetic): number {
  const top = Math.max(x, y);
  if (Math.abs(top) === Infinity || Number.isNaN(top)) return top;
  return a.round(top + a.log1p(a.exp(-Math.abs(a.round(x - y)))));
}

function alongOperator(
  name: string,
  kind: OperatorKind,
  map: RowMap,
  floating: boolean,
  special: number,
  operations: number,
): Operator {
  return {
    name,
    kind,
    infer(inputs, attributes) {
      expectOperands(inputs, 1);
      if (floating) expectFloating(inputs[0]!);
      lineDimension(attributes, inputs[0]!.shape.length);
      return [inputs[0]!];
    },
    evaluate([x], attributes, arithmetic) {
      const { shape } = x!.spec;
      return [mapLines(x!.values, shape, lineDimension(attributes, shape.length), arithmetic, map)];
    },
    operations(inputs) {
      const n = elementCount(inputs[0]!.shape);
      return { arithmetic: n * operations, special: n * special, contraction: 0 };
    },
    // Softmax needs all of a line for any element of it; a scan needs at least the element itself.
    reads: (inputs, attributes, _outputs, [demand]) => {
      const count = elementCount(inputs[0]!.shape);
      if (kind !== 'softmax' || demand === 0) return [Math.min(count, demand!)];
      const { size } = around(inputs[0]!.shape, lineDimension(attributes, inputs[0]!.shape.length));
      return [Math.min(count, Math.ceil(demand! / size) * size)];
    },
  };
}

/** The dimension, where a zero-dimensional tensor counts as a line of one. */
function lineDimension(attributes: Attributes, rank: number): number {
  return rank === 0 ? attributes.dimension('dim', 1) : attributes.dimension('dim', rank);
}

/** The first `keep` of a row in the order of sort and topk: NaN is the greatest, equals keep their order. Returns their indices. */
function sortedOrder(row: Float64Array, descending: boolean, keep: number): Uint32Array {
  const keys = descending ? row.map((x) => -x) : row;
  if (keep <= FEW && keep < row.length && !row.some(Number.isNaN)) return least(keys, keep);
  const numbers: number[] = [];
  const nans: number[] = [];
  for (let i = 0; i < row.length; i++) (Number.isNaN(row[i]!) ? nans : numbers).push(i);
  const sorted = mergeSorted(keys, Uint32Array.from(numbers));
  const order = new Uint32Array(row.length);
  order.set(sorted, descending ? nans.length : 0);
  order.set(nans, descending ? 0 : numbers.length);
  return order;
}

/** So many of a row are looked for one by one: nearly all others are seen at one comparison not to be among them. */
const FEW = 32;

/** The indices of the `keep` least keys in their order, equals as they were. No key is NaN. */
function least(keys: Float64Array, keep: number): Uint32Array {
  const order = new Uint32Array(keep);
  for (let i = 0, found = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (found === keep && key >= keys[order[keep - 1]!]!) continue;
    let at = found < keep ? found++ : keep - 1;
    for (; at > 0 && key < keys[order[at - 1]!]!; at--) order[at] = order[at - 1]!;
    order[at] = i;
  }
  return order;
}

/** The indices in the order of their keys, equals as they were: merges runs of doubling length, many times faster than `sort` with a function to compare by. */
function mergeSorted(keys: Float64Array, indices: Uint32Array): Uint32Array {
  const { length } = indices;
  let from = indices;
  let to: Uint32Array = new Uint32Array(length);
  for (let run = 1; run < length; run *= 2) {
    for (let start = 0; start < length; start += 2 * run) {
      const middle = Math.min(start + run, length);
      const end = Math.min(start + 2 * run, length);
      for (let left = start, right = middle, k = start; k < end; k++) {
        const takeRight = right < end && (left >= middle || keys[from[right]!]! < keys[from[left]!]!);
        to[k] = takeRight ? from[right++]! : from[left++]!;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Sorts every line and keeps the first `keep` of each; gives values and indices. */
function sortLines(
  values: Float64Array,
  shape: readonly number[],
  dim: number,
  keep: number,
  descending: boolean,
): Float64Array[] {
  const { outer, size, inner } = around(shape, dim);
  const sorted = new Float64Array(outer * keep * inner);
  const indices = new Float64Array(outer * keep * inner);
  const row = new Float64Array(size);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      for (let k = 0; k < size; k++) row[k] = values[(o * size + k) * inner + i]!;
      const order = sortedOrder(row, descending, keep);
      for (let k = 0; k < keep; k++) {
        sorted[(o * keep + k) * inner + i] = row[order[k]!]!;
        indices[(o * keep + k) * inner + i] = order[k]!;
      }
    }
  }
  return [sorted, indices];
}

const sort: Operator = {
  name: 'sort',
  kind: 'scan',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    lineDimension(attributes, inputs[0]!.shape.length);
    attributes.boolean('descending');
    attributes.boolean('stable');
    return [inputs[0]!, { shape: inputs[0]!.shape, dtype: 'int64' }];
  },
  evaluate([x], attributes) {
    const { shape } = x!.spec;
    const dim = lineDimension(attributes, shape.length);
    return sortLines(x!.values, shape, dim, around(shape, dim).size, attributes.boolean('descending'));
  },
  operations: (inputs) => ({ arithmetic: elementCount(inputs[0]!.shape), special: 0, contraction: 0 }),
  reads: (inputs, _attributes, _outputs, demand) => [demand.some((d) => d > 0) ? elementCount(inputs[0]!.shape) : 0],
};

const topk: Operator = {
  name: 'topk',
  kind: 'scan',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    const { shape } = inputs[0]!;
    const dim = lineDimension(attributes, shape.length);
    const k = attributes.integer('k');
    if (k > around(shape, dim).size) throw new Error(`It asks for ${k} of ${around(shape, dim).size} elements.`);
    attributes.boolean('largest');
    attributes.boolean('sorted');
    const kept = shape.map((size, d) => (d === dim ? k : size));
    return [
      { shape: kept, dtype: inputs[0]!.dtype },
      { shape: kept, dtype: 'int64' },
    ];
  },
  evaluate([x], attributes) {
    const { shape } = x!.spec;
    return sortLines(
      x!.values,
      shape,
      lineDimension(attributes, shape.length),
      attributes.integer('k'),
      attributes.boolean('largest'),
    );
  },
  operations: (inputs) => ({ arithmetic: elementCount(inputs[0]!.shape), special: 0, contraction: 0 }),
  reads: (inputs, _attributes, _outputs, demand) => [demand.some((d) => d > 0) ? elementCount(inputs[0]!.shape) : 0],
};

/** softmax, log_softmax, the scans, sort, topk. */
export const alongOperators: readonly Operator[] = [
  alongOperator('softmax', 'softmax', softmaxRow, true, 1, 4),
  alongOperator('log_softmax', 'softmax', logSoftmaxRow, true, 1, 4),
  alongOperator('cumsum', 'scan', cumulativeSum, false, 0, 1),
  alongOperator(
    'cumprod',
    'scan',
    scan((total, x, a) => a.round(total * x)),
    false,
    0,
    1,
  ),
  alongOperator(
    'cummax',
    'scan',
    scan((total, x) => Math.max(total, x)),
    false,
    0,
    1,
  ),
  alongOperator(
    'cummin',
    'scan',
    scan((total, x) => Math.min(total, x)),
    false,
    0,
    1,
  ),
  alongOperator('logcumsumexp', 'scan', scan(logAddExp), true, 2, 2),
  sort,
  topk,
];

/**
 * Views and rearrangements: every output element is one input element (or a fill). Nothing is computed, so nothing is rounded.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectOperands, expectRank, expectSameDtype, expectShape, noOperations, outputCount } from './operator.ts';
import { around, broadcastStrides, gatherStrided } from './stride.ts';
import { contiguousStrides, elementCount, sameShape } from './tensor.ts';

interface Layout {
  name: string;
  shape: (x: TensorSpec, attributes: Attributes, rest: readonly TensorSpec[]) => number[];
  move: (x: HostTensor, attributes: Attributes, shape: readonly number[], rest: readonly HostTensor[]) => Float64Array;
  /** How many operands; default 1. */
  operands?: number;
  reads?: Operator['reads'];
}

/** A layout keeps at most as many elements as are asked of it; one that repeats elements overrides this. */
const readsAtMost: NonNullable<Operator['reads']> = (inputs, _attributes, _outputs, [demand]) => [
  Math.min(demand!, elementCount(inputs[0]!.shape)),
];

function layoutOperator(row: Layout): Operator {
  return {
    name: row.name,
    kind: 'layout',
    infer(inputs, attributes) {
      expectOperands(inputs, row.operands ?? 1);
      expectSameDtype(inputs);
      return [{ shape: row.shape(inputs[0]!, attributes, inputs.slice(1)), dtype: inputs[0]!.dtype }];
    },
    evaluate: (inputs, attributes, _arithmetic, outputs) => [
      row.move(inputs[0]!, attributes, outputs[0]!.shape, inputs.slice(1)),
    ],
    operations: noOperations,
    reads: row.reads ?? readsAtMost,
  };
}

/** Elements that lie on the kept side of a diagonal of an M x N matrix: j - i <= diagonal. */
export function lowerCount(m: number, n: number, diagonal: number): number {
  let count = 0;
  for (let i = 0; i < m; i++) count += Math.min(n, Math.max(0, i + diagonal + 1));
  return count;
}

function triangle(name: 'tril' | 'triu'): Layout {
  const keeps = (i: number, j: number, diagonal: number) => (name === 'tril' ? j - i <= diagonal : j - i >= diagonal);
  return {
    name,
    shape(x, attributes) {
      expectRank(x, 2);
      attributes.integer('diagonal', -Infinity);
      return [...x.shape];
    },
    move(x, attributes, shape) {
      const diagonal = attributes.integer('diagonal', -Infinity);
      const [m, n] = shape.slice(-2) as [number, number];
      const out = x.values.slice();
      for (let at = 0; at < out.length; at += m * n) {
        for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) if (!keeps(i, j, diagonal)) out[at + i * n + j] = 0;
      }
      return out;
    },
    reads: (inputs, attributes, _outputs, [demand]) => {
      const { shape } = inputs[0]!;
      const [m, n] = shape.slice(-2) as [number, number];
      const diagonal = attributes.integer('diagonal', -Infinity);
      const lower = lowerCount(m, n, name === 'tril' ? diagonal : diagonal - 1);
      const kept = name === 'tril' ? lower : m * n - lower;
      // Of `demand` elements at least those beyond the zeros are read.
      const total = elementCount(shape);
      const zeros = total - (total / Math.max(1, m * n)) * kept;
      return [Math.max(0, demand! - zeros)];
    },
  };
}

function sliceRange(attributes: Attributes, size: number): { start: number; step: number; count: number } {
  const start = attributes.integer('start');
  const end = attributes.integer('end');
  const step = attributes.integer('step', 1);
  if (start > size || end > size) throw new Error(`The slice ${start}:${end} does not lie within a size of ${size}.`);
  return { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
}

/** Copies `src` into a copy of x: element k of the dimension goes to start + k*step. */
function scatterInto(
  x: HostTensor,
  src: HostTensor,
  dim: number,
  start: number,
  step: number,
  count: number,
): Float64Array {
  const { outer, size, inner } = around(x.spec.shape, dim);
  const out = x.values.slice();
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < count; k++) {
      const from = (o * count + k) * inner;
      out.set(src.values.subarray(from, from + inner), (o * size + start + k * step) * inner);
    }
  }
  return out;
}

const readsScatter: NonNullable<Operator['reads']> = (inputs, _attributes, outputs, [demand]) => {
  const total = outputCount(outputs);
  const src = elementCount(inputs[1]!.shape);
  return [Math.max(0, demand! - src), Math.max(0, demand! - (total - src))];
};

/** Where an index of the padded dimension comes from in one of `size`; -1 for the fill. */
export function padIndex(index: number, size: number, mode: string): number {
  if (index >= 0 && index < size) return index;
  switch (mode) {
    case 'reflect':
      return index < 0 ? -index : 2 * (size - 1) - index;
    case 'replicate':
      return index < 0 ? 0 : size - 1;
    case 'circular':
      return ((index % size) + size) % size;
    default:
      return -1;
  }
}

const padModes = ['constant', 'reflect', 'replicate', 'circular'] as const;

const layouts: readonly Layout[] = [
  {
    name: 'reshape',
    shape(x, attributes) {
      const shape = attributes.integers('shape');
      if (elementCount(shape) !== elementCount(x.shape)) {
        throw new Error(
          `[${x.shape.join(', ')}] does not reshape to [${shape.join(', ')}]: the element counts differ.`,
        );
      }
      return shape;
    },
    move: (x) => x.values,
  },
  {
    name: 'permute',
    shape(x, attributes) {
      const dims = attributes.integers('dims', 0, x.shape.length);
      if (new Set(dims).size !== dims.length || dims.some((d) => d >= x.shape.length)) {
        throw new Error(`[${dims.join(', ')}] is not a permutation of ${x.shape.length} dimensions.`);
      }
      return dims.map((d) => x.shape[d]!);
    },
    move(x, attributes, shape) {
      const strides = contiguousStrides(x.spec.shape);
      return gatherStrided(
        x.values,
        shape,
        attributes.integers('dims').map((d) => strides[d]!),
      );
    },
  },
  {
    name: 'expand',
    shape(x, attributes) {
      const shape = attributes.integers('shape', 0, x.shape.length);
      x.shape.forEach((size, d) => {
        if (size !== shape[d] && size !== 1)
          throw new Error(`[${x.shape.join(', ')}] does not expand to [${shape.join(', ')}].`);
      });
      return shape;
    },
    move: (x, _attributes, shape) => gatherStrided(x.values, shape, broadcastStrides(x.spec.shape, shape)),
    reads: (inputs, _attributes, outputs, [demand]) => {
      const count = elementCount(inputs[0]!.shape);
      return [Math.ceil((demand! * count) / Math.max(1, outputCount(outputs)))];
    },
  },
  {
    name: 'slice',
    shape(x, attributes) {
      const dim = attributes.dimension('dim', x.shape.length);
      const { count } = sliceRange(attributes, x.shape[dim]!);
      return x.shape.map((size, d) => (d === dim ? count : size));
    },
    move(x, attributes, shape) {
      const strides = contiguousStrides(x.spec.shape);
      const dim = attributes.dimension('dim', shape.length);
      const { start, step } = sliceRange(attributes, x.spec.shape[dim]!);
      return gatherStrided(
        x.values,
        shape,
        strides.map((s, d) => (d === dim ? s * step : s)),
        start * strides[dim]!,
      );
    },
  },
  {
    name: 'select',
    shape(x, attributes) {
      const dim = attributes.dimension('dim', x.shape.length);
      if (attributes.integer('index') >= x.shape[dim]!)
        throw new Error(`The index ${attributes.integer('index')} is beyond a size of ${x.shape[dim]}.`);
      return x.shape.filter((_, d) => d !== dim);
    },
    move(x, attributes, shape) {
      const strides = contiguousStrides(x.spec.shape);
      const dim = attributes.dimension('dim', strides.length);
      return gatherStrided(
        x.values,
        shape,
        strides.filter((_, d) => d !== dim),
        attributes.integer('index') * strides[dim]!,
      );
    },
  },
  {
    name: 'slice_scatter',
    operands: 2,
    shape(x, attributes, [src]) {
      const dim = attributes.dimension('dim', x.shape.length);
      const { count } = sliceRange(attributes, x.shape[dim]!);
      expectShape(
        src,
        x.shape.map((size, d) => (d === dim ? count : size)),
        'src',
      );
      return [...x.shape];
    },
    move(x, attributes, shape, [src]) {
      const dim = attributes.dimension('dim', shape.length);
      const { start, step, count } = sliceRange(attributes, shape[dim]!);
      return scatterInto(x, src!, dim, start, step, count);
    },
    reads: readsScatter,
  },
  {
    name: 'select_scatter',
    operands: 2,
    shape(x, attributes, [src]) {
      const dim = attributes.dimension('dim', x.shape.length);
      if (attributes.integer('index') >= x.shape[dim]!)
        throw new Error(`The index ${attributes.integer('index')} is beyond a size of ${x.shape[dim]}.`);
      expectShape(
        src,
        x.shape.filter((_, d) => d !== dim),
        'src',
      );
      return [...x.shape];
    },
    move: (x, attributes, shape, [src]) =>
      scatterInto(x, src!, attributes.dimension('dim', shape.length), attributes.integer('index'), 1, 1),
    reads: readsScatter,
  },
  {
    name: 'pad',
    shape(x, attributes) {
      const rank = x.shape.length;
      const before = attributes.integers('before', -Infinity, rank);
      const after = attributes.integers('after', -Infinity, rank);
      const mode = attributes.choice('mode', padModes);
      attributes.number('value');
      return x.shape.map((size, d) => {
        const [low, high] = [before[d]!, after[d]!];
        if (mode !== 'constant' && (low < 0 || high < 0))
          throw new Error(`Negative padding goes with mode 'constant' only.`);
        const most = mode === 'reflect' ? size - 1 : mode === 'circular' ? size : Infinity;
        if (low > most || high > most || (mode !== 'constant' && size === 0 && low + high > 0)) {
          throw new Error(`Padding of ${low} and ${high} is too much for a size of ${size} in mode '${mode}'.`);
        }
        const padded = size + low + high;
        if (padded < 0) throw new Error(`Padding of ${low} and ${high} leaves nothing of a size of ${size}.`);
        return padded;
      });
    },
    move(x, attributes, shape) {
      const mode = attributes.choice('mode', padModes);
      const value = attributes.number('value');
      const before = attributes.integers('before', -Infinity);
      const strides = contiguousStrides(x.spec.shape);
      // Where each index of each dimension comes from, -1 for the fill.
      const sources = shape.map((size, d) =>
        Int32Array.from({ length: size }, (_, i) => padIndex(i - before[d]!, x.spec.shape[d]!, mode)),
      );
      const out = new Float64Array(elementCount(shape)).fill(value);
      const fill = (d: number, from: number, to: number): void => {
        const source = sources[d];
        if (!source) {
          out[to] = x.values[from]!;
          return;
        }
        const step = elementCount(shape.slice(d + 1));
        for (let i = 0; i < source.length; i++)
          if (source[i]! >= 0) fill(d + 1, from + source[i]! * strides[d]!, to + i * step);
      };
      if (out.length > 0) fill(0, 0, 0);
      return out;
    },
    reads: (inputs, _attributes, outputs, [demand]) => {
      const count = elementCount(inputs[0]!.shape);
      // All of the output needs what is not cropped; part of it may lie in the padding.
      const shape = outputs[0]!.shape;
      const kept = inputs[0]!.shape.reduce((n, size, d) => n * Math.min(size, shape[d]!), 1);
      return [Math.max(0, Math.min(count, demand! - (outputCount(outputs) - kept)))];
    },
  },
  triangle('tril'),
  triangle('triu'),
  {
    name: 'diag_embed',
    shape(x, attributes) {
      expectRank(x, 1);
      const size = x.shape.at(-1)! + Math.abs(attributes.integer('offset', -Infinity));
      return [...x.shape.slice(0, -1), size, size];
    },
    move(x, attributes, shape) {
      const offset = attributes.integer('offset', -Infinity);
      const n = x.spec.shape.at(-1)!;
      const size = shape.at(-1)!;
      const out = new Float64Array(elementCount(shape));
      const first = offset >= 0 ? offset : -offset * size;
      for (let i = 0; i < x.values.length; i++)
        out[Math.floor(i / n) * size * size + first + (i % n) * (size + 1)] = x.values[i]!;
      return out;
    },
    reads: (inputs, _attributes, outputs, [demand]) => {
      const count = elementCount(inputs[0]!.shape);
      return [Math.max(0, demand! - (outputCount(outputs) - count))];
    },
  },
  {
    name: 'diagonal',
    shape(x, attributes) {
      const dim1 = attributes.dimension('dim1', x.shape.length);
      const dim2 = attributes.dimension('dim2', x.shape.length);
      if (dim1 === dim2) throw new Error('Its two dimensions must differ.');
      const offset = attributes.integer('offset', -Infinity);
      const length = Math.max(0, Math.min(x.shape[dim1]! + Math.min(0, offset), x.shape[dim2]! - Math.max(0, offset)));
      return [...x.shape.filter((_, d) => d !== dim1 && d !== dim2), length];
    },
    move(x, attributes, shape) {
      const rank = x.spec.shape.length;
      const [dim1, dim2] = [attributes.dimension('dim1', rank), attributes.dimension('dim2', rank)];
      const offset = attributes.integer('offset', -Infinity);
      const strides = contiguousStrides(x.spec.shape);
      const start = offset >= 0 ? offset * strides[dim2]! : -offset * strides[dim1]!;
      return gatherStrided(
        x.values,
        shape,
        [...strides.filter((_, d) => d !== dim1 && d !== dim2), strides[dim1]! + strides[dim2]!],
        start,
      );
    },
  },
  {
    name: 'flip',
    shape(x, attributes) {
      attributes.dimensions('dims', x.shape.length);
      return [...x.shape];
    },
    move(x, attributes, shape) {
      const dims = attributes.dimensions('dims', shape.length);
      const strides = contiguousStrides(shape);
      const start = dims.reduce((at, d) => at + Math.max(0, shape[d]! - 1) * strides[d]!, 0);
      return gatherStrided(
        x.values,
        shape,
        strides.map((s, d) => (dims.includes(d) ? -s : s)),
        start,
      );
    },
  },
  {
    name: 'roll',
    shape(x, attributes) {
      const dims = attributes.integers('dims');
      attributes.integers('shifts', -Infinity, dims.length);
      if (dims.some((d) => d >= x.shape.length)) throw new Error('It rolls a dimension that is not there.');
      return [...x.shape];
    },
    move(x, attributes, shape) {
      const shifts = attributes.integers('shifts', -Infinity);
      let values = x.values;
      attributes.integers('dims').forEach((dim, i) => {
        const { outer, size, inner } = around(shape, dim);
        const out = new Float64Array(values.length);
        for (let o = 0; o < outer; o++) {
          for (let k = 0; k < size; k++) {
            const to = (((k + shifts[i]!) % size) + size) % size;
            out.set(values.subarray((o * size + k) * inner, (o * size + k + 1) * inner), (o * size + to) * inner);
          }
        }
        values = out;
      });
      return values;
    },
  },
  {
    name: 'unfold',
    shape(x, attributes) {
      const dim = attributes.dimension('dim', x.shape.length);
      const size = attributes.integer('size');
      const step = attributes.integer('step', 1);
      if (size > x.shape[dim]!) throw new Error(`A window of ${size} does not fit a size of ${x.shape[dim]}.`);
      return [...x.shape.map((s, d) => (d === dim ? Math.floor((s - size) / step) + 1 : s)), size];
    },
    move(x, attributes, shape) {
      const strides = contiguousStrides(x.spec.shape);
      const dim = attributes.dimension('dim', strides.length);
      return gatherStrided(x.values, shape, [
        ...strides.map((s, d) => (d === dim ? s * attributes.integer('step', 1) : s)),
        strides[dim]!,
      ]);
    },
    reads: (inputs, attributes, outputs, [demand]) => {
      const { size, inner, outer } = around(inputs[0]!.shape, attributes.dimension('dim', inputs[0]!.shape.length));
      const windows = outputs[0]!.shape[attributes.integer('dim')]!;
      const covered = Math.min(
        size,
        attributes.integer('size') +
          (windows - 1) * Math.min(attributes.integer('step', 1), attributes.integer('size')),
      );
      const all = demand! >= outputCount(outputs);
      return [all ? outer * inner * covered : Math.ceil(demand! / Math.max(1, attributes.integer('size')))];
    },
  },
];

/** cat, and stack as cat along a new dimension of ones. */
function joinOperator(name: 'cat' | 'stack'): Operator {
  const parts = (inputs: readonly TensorSpec[], attributes: Attributes): { shapes: number[][]; dim: number } => {
    if (inputs.length === 0) throw new Error('It takes at least one operand.');
    const rank = inputs[0]!.shape.length;
    const dim = attributes.dimension('dim', name === 'cat' ? rank : rank + 1);
    return {
      dim,
      shapes: inputs.map(({ shape }) =>
        name === 'cat' ? [...shape] : [...shape.slice(0, dim), 1, ...shape.slice(dim)],
      ),
    };
  };
  return {
    name,
    kind: 'layout',
    infer(inputs, attributes) {
      expectSameDtype(inputs);
      const { shapes, dim } = parts(inputs, attributes);
      const without = (shape: readonly number[]) => shape.filter((_, d) => d !== dim);
      for (const shape of shapes) {
        if (shape.length !== shapes[0]!.length || !sameShape(without(shape), without(shapes[0]!))) {
          throw new Error(
            `The shapes ${inputs.map((s) => `[${s.shape.join(', ')}]`).join(' and ')} do not join along dimension ${dim}.`,
          );
        }
      }
      const total = shapes.reduce((n, shape) => n + shape[dim]!, 0);
      return [{ shape: shapes[0]!.map((size, d) => (d === dim ? total : size)), dtype: inputs[0]!.dtype }];
    },
    evaluate(inputs, attributes, _arithmetic, outputs) {
      const { shapes, dim } = parts(
        inputs.map((t) => t.spec),
        attributes,
      );
      const out = new Float64Array(outputCount(outputs));
      const { outer, size, inner } = around(outputs[0]!.shape, dim);
      let done = 0;
      inputs.forEach((t, i) => {
        const run = shapes[i]![dim]! * inner;
        for (let o = 0; o < outer; o++) out.set(t.values.subarray(o * run, (o + 1) * run), o * size * inner + done);
        done += run;
      });
      return [out];
    },
    operations: noOperations,
    reads(inputs, _attributes, outputs, [demand]) {
      const missing = outputCount(outputs) - demand!;
      return inputs.map((spec) => Math.max(0, elementCount(spec.shape) - missing));
    },
  };
}

/** reshape ... unfold, cat, stack. */
export const layoutOperators: readonly Operator[] = [
  ...layouts.map(layoutOperator),
  joinOperator('cat'),
  joinOperator('stack'),
];

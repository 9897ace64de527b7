/**
 * Normalisations. All are one idea: a set of elements shares a mean and a variance (or a root mean square), and is then scaled and shifted
 * by parameters. They differ in which elements form a set and which parameter an element meets.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, expectRank, expectSameDtype, expectShape } from './operator.ts';
import { meanOf, squaredDeviations } from './reduce.ts';
import { copyRun } from './stride.ts';
import { elementCount } from './tensor.ts';

/** The optional operands after x, by the boolean attributes that announce them. */
function optional<T>(
  inputs: readonly T[],
  attributes: Attributes,
  names: readonly string[],
  first = 1,
): (T | undefined)[] {
  let at = first;
  return names.map((name) => (attributes.boolean(name) ? inputs[at++] : undefined));
}

/** Checks x floating, operand count, one dtype, and the shapes of the optional operands. */
function inferNormalised(
  inputs: readonly TensorSpec[],
  attributes: Attributes,
  names: readonly string[],
  shape: readonly number[],
  first = 1,
): TensorSpec[] {
  expectOperands(inputs, first + names.filter((name) => attributes.boolean(name)).length);
  expectFloating(inputs[0]!);
  expectSameDtype(inputs);
  optional(inputs, attributes, names, first).forEach((spec, i) => {
    if (spec) expectShape(spec, shape, names[i]!);
  });
  attributes.number('eps');
  return [inputs[0]!];
}

/** (x - mean) * rsqrt(variance + eps) over a row, in place. */
function standardise(row: Float64Array, spare: Float64Array, eps: number, a: Arithmetic): void {
  const n = row.length;
  const mean = meanOf(row, n, a, spare);
  const variance = a.divide(squaredDeviations(row, n, a, spare, mean), n);
  const scale = a.rsqrt(a.round(variance + a.round(eps)));
  a.rows.subtract(row, mean, row, n);
  a.rows.multiply(row, scale, row, n);
}

/** row * weight + bias, in place, by what there is of the two; one number serves all of a row. */
function affine(
  row: Float64Array,
  weight: Float64Array | number | undefined,
  bias: Float64Array | number | undefined,
  a: Arithmetic,
): void {
  if (weight !== undefined) a.rows.multiply(row, weight, row, row.length);
  if (bias !== undefined) a.rows.add(row, bias, row, row.length);
}

const operations = (inputs: readonly TensorSpec[]) => {
  const n = elementCount(inputs[0]!.shape);
  return { arithmetic: 5 * n, special: 0, contraction: 0 };
};

/** Sizes of the last dimensions that `normalized_shape` names, checked against x. */
function normalisedCount(x: TensorSpec, attributes: Attributes): { shape: number[]; count: number } {
  const shape = attributes.integers('normalized_shape');
  expectShape({ shape: x.shape.slice(x.shape.length - shape.length), dtype: x.dtype }, shape, 'last dimensions');
  return { shape, count: elementCount(shape) };
}

const layerNorm: Operator = {
  name: 'layer_norm',
  kind: 'normalisation',
  infer: (inputs, attributes) =>
    inferNormalised(inputs, attributes, ['weight', 'bias'], normalisedCount(inputs[0]!, attributes).shape),
  evaluate(inputs, attributes, a) {
    const { count } = normalisedCount(inputs[0]!.spec, attributes);
    const [weight, bias] = optional(inputs, attributes, ['weight', 'bias']);
    const eps = attributes.number('eps');
    return [
      normaliseRuns(inputs[0]!.values, count, (row, spare) => {
        standardise(row, spare, eps, a);
        affine(row, weight?.values, bias?.values, a);
      }),
    ];
  },
  operations,
};

/** Runs `each`, which works in place, over consecutive runs of `count` elements. */
function normaliseRuns(
  values: Float64Array,
  count: number,
  each: (row: Float64Array, spare: Float64Array, start: number) => void,
): Float64Array {
  const out = new Float64Array(values.length);
  const row = new Float64Array(count);
  const spare = new Float64Array(count);
  for (let start = 0; start < values.length; start += count) {
    copyRun(values, start, row, count);
    each(row, spare, start);
    out.set(row, start);
  }
  return out;
}

const rmsNorm: Operator = {
  name: 'rms_norm',
  kind: 'normalisation',
  infer: (inputs, attributes) =>
    inferNormalised(inputs, attributes, ['weight'], normalisedCount(inputs[0]!, attributes).shape),
  evaluate(inputs, attributes, a) {
    const { count } = normalisedCount(inputs[0]!.spec, attributes);
    const [weight] = optional(inputs, attributes, ['weight']);
    const eps = attributes.number('eps');
    return [
      normaliseRuns(inputs[0]!.values, count, (row, spare) => {
        a.rows.multiply(row, row, spare, count);
        const scale = a.rsqrt(a.round(a.divide(a.sum(spare, count), count) + a.round(eps)));
        a.rows.multiply(row, scale, row, count);
        affine(row, weight?.values, undefined, a);
      }),
    ];
  },
  operations: (inputs) => ({ arithmetic: 3 * elementCount(inputs[0]!.shape), special: 0, contraction: 0 }),
};

const groupNorm: Operator = {
  name: 'group_norm',
  kind: 'normalisation',
  infer(inputs, attributes) {
    const [x] = inputs;
    expectRank(x!, 2);
    const groups = attributes.integer('num_groups', 1);
    const channels = x!.shape[1]!;
    if (channels % groups !== 0) throw new Error(`Its ${channels} channels do not divide into ${groups} groups.`);
    return inferNormalised(inputs, attributes, ['weight', 'bias'], [channels]);
  },
  evaluate(inputs, attributes, a) {
    return [perChannelRuns(inputs, attributes, attributes.integer('num_groups', 1), a)];
  },
  operations,
};

const instanceNorm: Operator = {
  name: 'instance_norm',
  kind: 'normalisation',
  infer(inputs, attributes) {
    expectRank(inputs[0]!, 3);
    return inferNormalised(inputs, attributes, ['weight', 'bias'], [inputs[0]!.shape[1]!]);
  },
  evaluate(inputs, attributes, a) {
    return [perChannelRuns(inputs, attributes, inputs[0]!.spec.shape[1]!, a)];
  },
  operations,
};

/** Group norm: runs of (channels / groups) whole channels; weight and bias go by channel. */
function perChannelRuns(
  inputs: readonly HostTensor[],
  attributes: Attributes,
  groups: number,
  a: Arithmetic,
): Float64Array {
  const { shape } = inputs[0]!.spec;
  const channels = shape[1]!;
  const spatial = elementCount(shape.slice(2));
  const [weight, bias] = optional(inputs, attributes, ['weight', 'bias']);
  const eps = attributes.number('eps');
  const inGroup = channels / groups;
  return normaliseRuns(inputs[0]!.values, inGroup * spatial, (row, spare, start) => {
    standardise(row, spare, eps, a);
    const first = Math.floor(start / spatial) % channels;
    for (let c = 0; c < inGroup; c++)
      affine(row.subarray(c * spatial, (c + 1) * spatial), weight?.values[first + c], bias?.values[first + c], a);
  });
}

const batchNorm: Operator = {
  name: 'batch_norm',
  kind: 'normalisation',
  infer(inputs, attributes) {
    const [x] = inputs;
    expectRank(x!, 2);
    attributes.numberOrNull('momentum');
    const channels = [x!.shape[1]!];
    const training = attributes.boolean('training');
    if (!training) {
      expectShape(inputs[1], channels, 'running_mean');
      expectShape(inputs[2], channels, 'running_var');
    } else if (elementCount(x!.shape) === channels[0]) {
      throw new Error('It would take statistics of one value a channel, which PyTorch refuses in training.');
    }
    return inferNormalised(inputs, attributes, ['weight', 'bias'], channels, training ? 1 : 3);
  },
  evaluate(inputs, attributes, a) {
    const { shape } = inputs[0]!.spec;
    const from = inputs[0]!.values;
    const [batch, channels] = shape as readonly [number, number];
    const spatial = elementCount(shape.slice(2));
    const training = attributes.boolean('training');
    const eps = attributes.number('eps');
    const [weight, bias] = optional(inputs, attributes, ['weight', 'bias'], training ? 1 : 3);
    const out = new Float64Array(from.length);
    const row = new Float64Array(batch * spatial);
    const spare = new Float64Array(row.length);
    for (let c = 0; c < channels; c++) {
      for (let n = 0, i = 0; n < batch; n++) {
        const at = (n * channels + c) * spatial;
        for (let s = 0; s < spatial; s++, i++) row[i] = from[at + s]!;
      }
      if (training) {
        standardise(row, spare, eps, a);
      } else {
        const mean = inputs[1]!.values[c]!;
        const scale = a.rsqrt(a.round(inputs[2]!.values[c]! + a.round(eps)));
        a.rows.subtract(row, mean, row, row.length);
        a.rows.multiply(row, scale, row, row.length);
      }
      affine(row, weight?.values[c], bias?.values[c], a);
      for (let n = 0, i = 0; n < batch; n++) {
        const at = (n * channels + c) * spatial;
        for (let s = 0; s < spatial; s++, i++) out[at + s] = row[i]!;
      }
    }
    return [out];
  },
  operations,
};

/** layer_norm, rms_norm, batch_norm, group_norm, instance_norm. */
export const normalisationOperators: readonly Operator[] = [layerNorm, rmsNorm, batchNorm, groupNorm, instanceNorm];

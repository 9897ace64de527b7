/**
 * Convolutions and transposed convolutions of one to three dimensions, all seen as three: columns (im2col), a product, and for the transposed
 * ones the columns added back. Sums inside the product follow the arithmetic's order.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import { addBias } from './contract.ts';
import { allFinite, singleOperand, type TapRuns, thinDouble, thinSingle } from './conv-thin.ts';
import { winogradSingle } from './conv-winograd.ts';
import { gemm } from './gemm.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, expectSameDtype, expectShape } from './operator.ts';
import { elementCount } from './tensor.ts';
import { convolvedSize } from './window.ts';

type Three = [number, number, number];
type Pair = readonly [number, number];

/** The geometry of a convolution as three dimensions: `large` is the side the kernel slides over, `small` counts its positions. */
interface Geometry {
  large: Three;
  small: Three;
  kernel: Three;
  stride: Three;
  padding: Three;
  dilation: Three;
}

const three = (list: readonly number[], fill: number): Three =>
  [...new Array<number>(3 - list.length).fill(fill), ...list] as Three;

function geometry(
  spatial: number,
  attributes: Attributes,
  large: readonly number[],
  small: readonly number[],
  kernel: readonly number[],
): Geometry {
  return {
    large: three(large, 1),
    small: three(small, 1),
    kernel: three(kernel, 1),
    stride: three(attributes.integers('stride', 1, spatial), 1),
    padding: three(attributes.integers('padding', 0, spatial), 0),
    dilation: three(attributes.integers('dilation', 1, spatial), 1),
  };
}

/**
 * Visits every (tap, position) of a kernel that lies inside `large`, as runs along the last dimension: column row, first position,
 * offset of that in `large`, how many, and the step in `large`.
 */
function forEachRun(
  g: Geometry,
  run: (tap: number, position: number, offset: number, count: number, step: number) => void,
): void {
  const [d2, h2, w2] = g.large;
  const [d1, h1, w1] = g.small;
  const [kd, kh, kw] = g.kernel;
  for (let a = 0; a < kd; a++) {
    for (let b = 0; b < kh; b++) {
      for (let c = 0; c < kw; c++) {
        const tap = (a * kh + b) * kw + c;
        const shift = c * g.dilation[2] - g.padding[2];
        const first = Math.max(0, Math.ceil(-shift / g.stride[2]));
        const last = Math.min(w1 - 1, Math.floor((w2 - 1 - shift) / g.stride[2]));
        if (last < first) continue;
        for (let z = 0; z < d1; z++) {
          const dz = z * g.stride[0] - g.padding[0] + a * g.dilation[0];
          if (dz < 0 || dz >= d2) continue;
          for (let y = 0; y < h1; y++) {
            const dy = y * g.stride[1] - g.padding[1] + b * g.dilation[1];
            if (dy < 0 || dy >= h2) continue;
            const offset = (dz * h2 + dy) * w2 + first * g.stride[2] + shift;
            run(tap, (z * h1 + y) * w1 + first, offset, last - first + 1, g.stride[2]);
          }
        }
      }
    }
  }
}

/**
 * What libraries put through Winograd's tiles: 3x3 filters that see every element.
 * @param weight of a `conv2d`: (out channels, channels of a group, height, width).
 */
export function goesThroughTiles(weight: TensorSpec, attributes: Attributes): boolean {
  const steps = ['stride', 'dilation'].flatMap((name) => attributes.integers(name, 1, 2));
  return weight.shape[2] === 3 && weight.shape[3] === 3 && steps.every((size) => size === 1);
}

/** The runs of {@link forEachRun} by tap, for going over them many times. */
function thinRuns(g: Geometry, taps: number): TapRuns {
  const runs = Array.from({ length: taps }, (): number[] => []);
  forEachRun(g, (tap, position, offset, count) => runs[tap]!.push(position, offset, count));
  return { runs: runs.map((list) => Int32Array.from(list)), step: g.stride[2] };
}

/** Checks what both directions share; gives the sizes. */
function inferShared(
  inputs: readonly TensorSpec[],
  attributes: Attributes,
  spatial: number,
  channelAxis: 0 | 1,
): { groups: number; bias: boolean } {
  const bias = attributes.boolean('bias');
  expectOperands(inputs, bias ? 3 : 2);
  expectSameDtype(inputs);
  expectFloating(inputs[0]!);
  for (const spec of inputs.slice(0, 2)) {
    if (spec.shape.length !== spatial + 2)
      throw new Error(`It takes tensors of ${spatial + 2} dimensions, not [${spec.shape.join(', ')}].`);
  }
  const groups = attributes.integer('groups', 1);
  const [x, weight] = inputs as readonly [TensorSpec, TensorSpec];
  const fits =
    channelAxis === 1
      ? weight.shape[1]! * groups === x.shape[1] && weight.shape[0]! % groups === 0
      : weight.shape[0] === x.shape[1] && x.shape[1]! % groups === 0;
  if (!fits)
    throw new Error(
      `A weight of shape [${weight.shape.join(', ')}] in ${groups} groups does not fit ${x.shape[1]} channels.`,
    );
  return { groups, bias };
}

/** True if every element of x meets some tap, and every tap some element. */
function isDense(x: TensorSpec, attributes: Attributes, kernel: readonly number[]): boolean {
  const stride = attributes.integers('stride', 1);
  const padding = attributes.integers('padding', 0);
  const dilation = attributes.integers('dilation', 1);
  return kernel.every(
    (k, d) =>
      dilation[d] === 1 &&
      stride[d]! <= k &&
      padding[d]! < k &&
      (x.shape[d + 2]! + 2 * padding[d]! - k) % stride[d]! === 0,
  );
}

const reads: NonNullable<Operator['reads']> = (inputs, attributes, outputs, [demand]) => {
  // A stride beyond the kernel skips elements; then only the weight is sure.
  if (demand! < elementCount(outputs[0]!.shape)) return inputs.map(() => 0);
  const dense = isDense(inputs[0]!, attributes, inputs[1]!.shape.slice(2));
  return inputs.map((spec, i) => (i === 0 && !dense ? 0 : i === 1 && !dense ? 0 : elementCount(spec.shape)));
};

function convolution(spatial: number): Operator {
  return {
    name: `conv${spatial}d`,
    kind: 'contraction',
    infer(inputs, attributes) {
      const { bias } = inferShared(inputs, attributes, spatial, 1);
      const [x, weight] = inputs as readonly [TensorSpec, TensorSpec];
      const stride = attributes.integers('stride', 1, spatial);
      const padding = attributes.integers('padding', 0, spatial);
      const dilation = attributes.integers('dilation', 1, spatial);
      const out = weight.shape
        .slice(2)
        .map((k, d) => convolvedSize(x.shape[d + 2]!, k, stride[d]!, padding[d]!, dilation[d]!));
      if (bias) expectShape(inputs[2], [weight.shape[0]!], 'bias');
      return [{ shape: [x.shape[0]!, weight.shape[0]!, ...out], dtype: x.dtype }];
    },
    evaluate(inputs, attributes, a, outputs) {
      const [x, weight, bias] = inputs as readonly [HostTensor, HostTensor, HostTensor | undefined];
      const groups = attributes.integer('groups', 1);
      const [batch, channelsIn] = x.spec.shape as readonly [number, number];
      const { shape } = outputs[0]!;
      const g = geometry(spatial, attributes, x.spec.shape.slice(2), shape.slice(2), weight.spec.shape.slice(2));
      const [inSize, positions, taps] = [elementCount(g.large), elementCount(g.small), elementCount(g.kernel)];
      const inGroup = channelsIn / groups;
      const outGroup = shape[1]! / groups;
      const out = new Float64Array(elementCount(shape));
      const tiled = a.transformed && spatial === 2 && goesThroughTiles(weight.spec, attributes);
      if (tiled && [x, weight].every(({ values }) => allFinite(values))) {
        const [inTiles, outTiles] = [g.large, g.small].map(([, h, w]) => [h, w] as const) as [Pair, Pair];
        const sizes = { channels: inGroup, outChannels: outGroup, inSize: inTiles, outSize: outTiles };
        for (let n = 0; n < batch * groups; n++) {
          const where = {
            inputAt: n * inGroup * inSize,
            weightAt: (n % groups) * outGroup * inGroup * taps,
            outAt: n * outGroup * positions,
          };
          winogradSingle(
            x.values,
            weight.values,
            out,
            { ...sizes, ...where, padding: [g.padding[1], g.padding[2]] },
            a,
          );
        }
        if (bias) addBias(out, bias.values, positions, a);
        if (allFinite(out)) return [out];
        // An overflow of the transforms alone is nobody's answer.
        out.fill(0);
      }
      const thin = outGroup < 4 && allFinite(weight.values) ? thinRuns(g, taps) : undefined;
      const lowered = thin && a.single ? [x, weight].map(({ values }) => singleOperand(values, a)) : undefined;
      const columns = new Float64Array(thin ? 0 : inGroup * taps * positions);
      for (let n = 0; n < batch; n++) {
        for (let group = 0; group < groups; group++) {
          if (thin) {
            const where = {
              channels: inGroup,
              inSize,
              inputAt: (n * channelsIn + group * inGroup) * inSize,
              weightAt: group * outGroup * inGroup * taps,
              outChannels: outGroup,
              positions,
              outAt: (n * groups + group) * outGroup * positions,
            };
            if (lowered) thinSingle(lowered[0]!, lowered[1]!, out, thin, where, a);
            else thinDouble(x.values, weight.values, out, thin, where);
            continue;
          }
          gatherColumns(g, x.values, (n * channelsIn + group * inGroup) * inSize, inGroup, inSize, columns, positions);
          const left = {
            values: weight.values,
            start: group * outGroup * inGroup * taps,
            row: inGroup * taps,
            column: 1,
          };
          const right = { values: columns, start: 0, row: positions, column: 1 };
          gemm(outGroup, positions, inGroup * taps, left, right, out, (n * groups + group) * outGroup * positions, a);
        }
      }
      if (bias) addBias(out, bias.values, positions, a);
      return [out];
    },
    operations(inputs, attributes, outputs) {
      const count = elementCount(outputs[0]!.shape);
      const terms = elementCount(inputs[1]!.shape.slice(1));
      return { arithmetic: attributes.boolean('bias') ? count : 0, special: 0, contraction: 2 * count * terms };
    },
    reads,
  };
}

function transposedConvolution(spatial: number): Operator {
  return {
    name: `conv_transpose${spatial}d`,
    kind: 'contraction',
    infer(inputs, attributes) {
      const { groups, bias } = inferShared(inputs, attributes, spatial, 0);
      const [x, weight] = inputs as readonly [TensorSpec, TensorSpec];
      const [stride, dilation] = [
        attributes.integers('stride', 1, spatial),
        attributes.integers('dilation', 1, spatial),
      ];
      const [padding, extra] = [
        attributes.integers('padding', 0, spatial),
        attributes.integers('output_padding', 0, spatial),
      ];
      const out = weight.shape.slice(2).map((k, d) => {
        if (extra[d]! >= Math.max(stride[d]!, dilation[d]!))
          throw new Error(`Its output_padding of ${extra[d]} must be below stride or dilation.`);
        const size = (x.shape[d + 2]! - 1) * stride[d]! - 2 * padding[d]! + dilation[d]! * (k - 1) + extra[d]! + 1;
        if (size < 1) throw new Error(`It leaves a size of ${size} in dimension ${d + 2}.`);
        return size;
      });
      const channels = weight.shape[1]! * groups;
      if (bias) expectShape(inputs[2], [channels], 'bias');
      return [{ shape: [x.shape[0]!, channels, ...out], dtype: x.dtype }];
    },
    evaluate(inputs, attributes, a, outputs) {
      const [x, weight, bias] = inputs as readonly [HostTensor, HostTensor, HostTensor | undefined];
      const groups = attributes.integer('groups', 1);
      const [batch, channelsIn] = x.spec.shape as readonly [number, number];
      const { shape } = outputs[0]!;
      const g = geometry(spatial, attributes, shape.slice(2), x.spec.shape.slice(2), weight.spec.shape.slice(2));
      const [outSize, positions, taps] = [elementCount(g.large), elementCount(g.small), elementCount(g.kernel)];
      const inGroup = channelsIn / groups;
      const outGroup = shape[1]! / groups;
      const columns = new Float64Array(outGroup * taps * positions);
      const out = new Float64Array(elementCount(shape));
      if (bias && a.biasFirst) addBias(out, bias.values, outSize, a);
      for (let n = 0; n < batch; n++) {
        for (let group = 0; group < groups; group++) {
          // columns[(co, tap), position] = sum over ci of weight[ci, co, tap] x[ci, position]
          const left = {
            values: weight.values,
            start: group * inGroup * outGroup * taps,
            row: 1,
            column: outGroup * taps,
          };
          const right = {
            values: x.values,
            start: (n * channelsIn + group * inGroup) * positions,
            row: positions,
            column: 1,
          };
          gemm(outGroup * taps, positions, inGroup, left, right, columns, 0, a);
          for (let c = 0; c < outGroup; c++) {
            const to = ((n * groups + group) * outGroup + c) * outSize;
            addColumns(g, columns, c * taps * positions, positions, out, to, a);
          }
        }
      }
      if (bias && !a.biasFirst) addBias(out, bias.values, outSize, a);
      return [out];
    },
    operations(inputs, attributes, outputs) {
      const bias = attributes.boolean('bias') ? elementCount(outputs[0]!.shape) : 0;
      const multiplyAdds = elementCount(inputs[0]!.shape) * elementCount(inputs[1]!.shape.slice(1));
      return { arithmetic: bias, special: 0, contraction: 2 * multiplyAdds };
    },
    reads: (inputs, attributes, outputs, [demand]) => {
      // Padding crops the result, and with it perhaps the only uses of an element.
      const whole =
        demand! >= elementCount(outputs[0]!.shape) && attributes.integers('padding', 0).every((p) => p === 0);
      return inputs.map((spec, i) => (whole || i === 2 ? elementCount(spec.shape) : 0));
    },
  };
}

/**
 * The gradient of a convolution's weight: element (co, ci, tap) sums, over images and positions, the gradient at a position times the element that
 * the tap saw from there. Serves the transposed convolution too, with the roles of its input and gradient exchanged.
 */
const weightBackward: Operator = {
  name: 'conv_weight_backward',
  kind: 'contraction',
  infer(inputs, attributes) {
    expectOperands(inputs, 2);
    expectSameDtype(inputs);
    expectFloating(inputs[0]!);
    const [x, grad] = inputs as readonly [TensorSpec, TensorSpec];
    const kernel = attributes.integers('kernel', 1);
    const spatial = kernel.length;
    const groups = attributes.integer('groups', 1);
    if (spatial < 1 || spatial > 3) throw new Error('It takes one to three kernel sizes.');
    for (const spec of inputs) {
      if (spec.shape.length !== spatial + 2)
        throw new Error(`It takes tensors of ${spatial + 2} dimensions, not [${spec.shape.join(', ')}].`);
    }
    if (x.shape[0] !== grad.shape[0]) throw new Error('Its operands differ in the number of images.');
    if (x.shape[1]! % groups !== 0 || grad.shape[1]! % groups !== 0)
      throw new Error(`Its channels do not divide into ${groups} groups.`);
    const [stride, padding, dilation] = [
      attributes.integers('stride', 1, spatial),
      attributes.integers('padding', 0, spatial),
      attributes.integers('dilation', 1, spatial),
    ];
    kernel.forEach((k, d) => {
      const most = convolvedSize(x.shape[d + 2]!, k, stride[d]!, padding[d]!, dilation[d]!);
      if (grad.shape[d + 2]! > most)
        throw new Error(`A gradient of ${grad.shape[d + 2]} positions is more than the ${most} there are.`);
    });
    return [{ shape: [grad.shape[1]!, x.shape[1]! / groups, ...kernel], dtype: x.dtype }];
  },
  evaluate([x, grad], attributes, a, outputs) {
    const groups = attributes.integer('groups', 1);
    const kernel = attributes.integers('kernel', 1);
    const [batch, channelsIn] = x!.spec.shape as readonly [number, number];
    const channelsOut = grad!.spec.shape[1]!;
    const g = geometry(kernel.length, attributes, x!.spec.shape.slice(2), grad!.spec.shape.slice(2), kernel);
    const [inSize, positions, taps] = [elementCount(g.large), elementCount(g.small), elementCount(g.kernel)];
    const [inGroup, outGroup] = [channelsIn / groups, channelsOut / groups];
    const out = new Float64Array(elementCount(outputs[0]!.shape));
    const columns = new Float64Array(inGroup * taps * positions);
    const part = new Float64Array(outGroup * inGroup * taps);
    for (let step = 0; step < batch; step++) {
      const n = a.order === 'reversed' ? batch - 1 - step : step;
      for (let group = 0; group < groups; group++) {
        gatherColumns(g, x!.values, (n * channelsIn + group * inGroup) * inSize, inGroup, inSize, columns, positions);
        const start = (n * channelsOut + group * outGroup) * positions;
        const left = { values: grad!.values, start, row: positions, column: 1 };
        const right = { values: columns, start: 0, row: 1, column: positions };
        gemm(outGroup, inGroup * taps, positions, left, right, part, 0, a);
        const at = group * part.length;
        for (let i = 0; i < part.length; i++) out[at + i] = a.round(out[at + i]! + part[i]!);
      }
    }
    return [out];
  },
  operations(inputs, attributes) {
    const terms =
      (inputs[0]!.shape[1]! / attributes.integer('groups', 1)) * elementCount(attributes.integers('kernel'));
    return { arithmetic: 0, special: 0, contraction: 2 * elementCount(inputs[1]!.shape) * terms };
  },
  // Which elements a tap sees depends on stride and padding: only a dense convolution surely reads all.
  reads: (inputs, attributes, outputs, [demand]) => {
    const dense = isDense(inputs[0]!, attributes, attributes.integers('kernel'));
    const whole = dense && demand! >= elementCount(outputs[0]!.shape);
    return inputs.map((spec) => (whole ? elementCount(spec.shape) : 0));
  },
};

/** Copies what the taps see of some channels into columns[(channel, tap), position]. Every place that no run writes is padding, and stays zero. */
function gatherColumns(
  g: Geometry,
  values: Float64Array,
  start: number,
  channels: number,
  size: number,
  columns: Float64Array,
  positions: number,
): void {
  const taps = elementCount(g.kernel);
  for (let c = 0; c < channels; c++) {
    const from = start + c * size;
    forEachRun(g, (tap, position, offset, count, step) => {
      const to = (c * taps + tap) * positions + position;
      for (let i = 0, s = from + offset; i < count; i++, s += step) columns[to + i] = values[s]!;
    });
  }
}

/** Adds columns back to where they came from (col2im). */
function addColumns(
  g: Geometry,
  columns: Float64Array,
  start: number,
  positions: number,
  out: Float64Array,
  to: number,
  a: Arithmetic,
): void {
  forEachRun(g, (tap, position, offset, count, step) => {
    const from = start + tap * positions + position;
    for (let i = 0, s = to + offset; i < count; i++, s += step) out[s] = a.round(out[s]! + columns[from + i]!);
  });
}

/** conv1d to conv3d, conv_transpose1d to conv_transpose3d, conv_weight_backward. */
export const convolutionOperators: readonly Operator[] = [
  ...[1, 2, 3].flatMap((n) => [convolution(n), transposedConvolution(n)]),
  weightBackward,
];

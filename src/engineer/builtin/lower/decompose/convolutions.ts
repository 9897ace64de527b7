/**
 * Convolutions: a virtual map of products over (outputs x channels x window), then a sum. Transposed ones are written from
 * the side of the output (which inputs reach this element?), so that no two threads add to one element.
 */
import type { Contraction, Gather, Operand, View } from '../program.ts';
import { contiguousStrides, product } from '../strides.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';

interface Settings {
  groups: number;
  stride: readonly number[];
  padding: readonly number[];
  dilation: readonly number[];
}

function settings(lower: Lowering): Settings {
  const [stride, padding, dilation] = [lower.numbers('stride'), lower.numbers('padding'), lower.numbers('dilation')];
  return { groups: lower.number('groups'), stride, padding, dilation };
}

/** The affine function of a domain's coordinates that is `strides[d]` at each named dimension. */
function indexOver(rank: number, strides: Readonly<Record<number, number>>, offset: number): Operand {
  return { kind: 'index', offset, strides: Array.from({ length: rank }, (_, d) => strides[d] ?? 0) };
}

const lazyRead = (view: View, strides: readonly number[], offset: number): Operand => ({
  ...{ kind: 'load', lazy: true, value: view.value },
  ...{ strides, offset },
});

/** The sum of the products, with the node's bias if it has one. */
function summed(
  lower: Lowering,
  label: string,
  products: View,
  axes: readonly number[],
  contraction?: Contraction,
): void {
  const outputShape = lower.outputShape();
  const sum = lower.reduce(label, products, axes, 'sum', contraction && { contraction });
  let result = lower.reshape(sum, outputShape);
  if (lower.node.attributes.bias === true) {
    const bias = lower.reshape(
      lower.input(2),
      outputShape.map((size, d) => (d === 1 ? size : 1)),
    );
    result = lower.compute('biased', [result, bias], lower.dtype(result), ([y, b]) => `${y} + ${b}`);
  }
  lower.output(result);
}

/** Where the window of the first output begins in x, padding and all. */
function firstSeen(x: View, padding: readonly number[]): number {
  return x.offset - x.strides.slice(2).reduce((sum, own, d) => sum + own * padding[d]!, 0);
}

/** Spatial dimensions with padding: there an index must be looked at. */
function paddedDimensions(padding: readonly number[]): number[] {
  return padding.map((_, d) => d).filter((d) => padding[d]! > 0);
}

/**
 * The terms of a convolution's sums: a factor times the element of x that it meets, nothing in the padding. The domain has three dimensions, the spatial ones of what is
 * computed, one more, and those that are summed over; `steps` are how far x goes along the former and the latter.
 */
function productsInside(
  lower: Lowering,
  domain: readonly number[],
  factor: { view: View; strides: readonly number[] },
  seen: {
    view: View;
    strides: readonly number[];
    steps: readonly [readonly number[], readonly number[]];
    padding: readonly number[];
  },
) {
  const { view: x, strides, steps, padding } = seen;
  const padded = paddedDimensions(padding);
  const positions = padded.map((d) =>
    indexOver(domain.length, { [3 + d]: steps[0][d]!, [4 + padding.length + d]: steps[1][d]! }, -padding[d]!),
  );
  return lower.map(
    [{ value: factor.view.value, offset: factor.view.offset, shape: domain, strides: factor.strides }],
    lower.dtype(x),
    ([f, read, ...at]) => {
      const inside = at
        .map((index, k) => `${index.text} >= 0 && ${index.text} < ${x.shape[2 + padded[k]!]}`)
        .join(' && ');
      return inside ? `(${inside} ? ${read!.at('0')} * ${f!.text} : 0)` : `${read!.at('0')} * ${f!.text}`;
    },
    {
      label: 'product',
      shape: domain,
      virtual: true,
      more: [lazyRead(x, strides, firstSeen(x, padding)), ...positions],
    },
  );
}

/** A convolution of any rank: out[n, g, co, o...] = sum over ci, k... of x[n, g, ci, o*s - p + k*d] * w[g, co, ci, k]. */
function convolution(lower: Lowering): void {
  const x = lower.input(0);
  const weight = lower.input(1);
  const { groups, stride, padding, dilation } = settings(lower);
  const outputShape = lower.outputShape();
  const [n, co] = [outputShape[0]!, outputShape[1]!];
  const out = outputShape.slice(2);
  const kernel = weight.shape.slice(2);
  const inChannels = weight.shape[1]!;
  const perGroup = co / groups;
  // Domain: N, G, Co/G, out..., Ci/G, kernel...
  const domain = [n, groups, perGroup, ...out, inChannels, ...kernel];
  const spatial = x.strides.slice(2);
  const xStrides = [
    x.strides[0]!,
    x.strides[1]! * inChannels,
    0,
    ...spatial.map((own, d) => own * stride[d]!),
    x.strides[1]!,
    ...spatial.map((own, d) => own * dilation[d]!),
  ];
  const xOffset = firstSeen(x, padding);
  const wStrides = [
    0,
    weight.strides[0]! * perGroup,
    weight.strides[0]!,
    ...out.map(() => 0),
    weight.strides[1]!,
    ...weight.strides.slice(2),
  ];
  const seen = { view: x, strides: xStrides, steps: [stride, dilation], padding } as const;
  const products = productsInside(lower, domain, { view: weight, strides: wStrides }, seen);
  const windows: Gather = {
    k: { sizes: [inChannels, ...kernel], strides: xStrides.slice(3 + out.length) },
    n: { sizes: out, strides: xStrides.slice(3, 3 + out.length) },
    inside: paddedDimensions(padding).map((d) => ({
      ...{ ofN: d, stepN: stride[d]!, ofK: 1 + d, stepK: dilation[d]! },
      ...{ offset: -padding[d]!, size: x.shape[2 + d]! },
    })),
  };
  const axes = domain.map((_, d) => d).slice(3 + out.length);
  summed(
    lower,
    'conv',
    products,
    axes,
    windowProduct([n, groups], perGroup, weight, wStrides, x, xStrides, xOffset, windows),
  );
}

/** Filters of a group below which a product of tiles would mostly multiply nothing. */
const fewestFilters = 8;

/**
 * The convolution as a product for each sample and group: filters [Co/G, Ci/G * kernel] times windows [Ci/G * kernel, outputs]. Undefined where the
 * filters are too few, or do not lie as a matrix.
 */
function windowProduct(
  batch: readonly number[],
  m: number,
  weight: View,
  weightStrides: readonly number[],
  x: View,
  xStrides: readonly number[],
  offset: number,
  gather: Gather,
): Contraction | undefined {
  const k = product(gather.k.sizes);
  const dense = contiguousStrides(gather.k.sizes);
  const own = weightStrides.slice(-gather.k.sizes.length);
  const lies = own.every((stride, d) => gather.k.sizes[d] === 1 || stride === dense[d]);
  if (m < fewestFilters || !lies) return undefined;
  return {
    ...{ batch, m, n: product(gather.n.sizes), k },
    a: {
      value: weight.value,
      offset: weight.offset,
      strides: [weightStrides[0]!, weightStrides[1]!, weightStrides[2]!, 1],
    },
    b: { value: x.value, offset, strides: [xStrides[0]!, xStrides[1]!, 0, 1], gather },
  };
}

/**
 * A transposed convolution of any rank: out[n, g, co, o...] = sum over ci, k... of x[n, g, ci, i] * w[g, ci, co, k] where i*s = o + p - k*d.
 *
 * Without dilation the taps that meet this are k = (o + p) % s + s*t at i = (o + p) / s - t: the loop goes over t and skips nothing.
 * With dilation it goes over k and tests for divisibility.
 */
function transposedConvolution(lower: Lowering): void {
  const x = lower.input(0);
  const weight = lower.input(1);
  const { groups, stride, padding, dilation } = settings(lower);
  const outputShape = lower.outputShape();
  const [n, co] = [outputShape[0]!, outputShape[1]!];
  const out = outputShape.slice(2);
  const kernel = weight.shape.slice(2);
  const [inChannels, perGroup] = [x.shape[1]! / groups, co / groups];
  const phased = kernel.map((_, d) => dilation[d] === 1);
  const taps = kernel.map((size, d) => (phased[d] ? Math.ceil(size / stride[d]!) : size));
  // Domain: N, G, Co/G, out..., Ci/G, taps...
  const domain = [n, groups, perGroup, ...out, inChannels, ...taps];
  const none = taps.map(() => 0);
  const xStrides = [x.strides[0]!, x.strides[1]! * inChannels, 0, ...none, x.strides[1]!, ...none];
  const wStrides = [0, weight.strides[0]! * inChannels, weight.strides[1]!, ...none, weight.strides[0]!, ...none];
  // For each dimension o + p, and t or k; then what is read there.
  const positions = out.flatMap((_, d) => [
    indexOver(domain.length, { [3 + d]: 1 }, padding[d]!),
    indexOver(domain.length, { [4 + out.length + d]: 1 }, 0),
  ]);
  const [readX, readWeight] = [lazyRead(x, xStrides, x.offset), lazyRead(weight, wStrides, weight.offset)];
  const products = lower.map(
    [],
    lower.dtype(x),
    ([input, filter, ...at]) => {
      const tests: string[] = [];
      const [fromX, fromWeight]: string[][] = [[], []];
      kernel.forEach((size, d) => {
        const [reach, tap] = [at[2 * d]!.text, at[2 * d + 1]!.text];
        const s = stride[d]!;
        const ahead = phased[d] ? reach : `(${reach} - ${tap} * ${dilation[d]})`;
        const own = s === 1 ? ahead : `${ahead} / ${s}`;
        const from = phased[d] ? `(${own} - ${tap})` : `(${own})`;
        const k = phased[d] && s > 1 ? `(${reach} % ${s} + ${tap} * ${s})` : tap;
        if (!phased[d]) tests.push(`${ahead} >= 0`, ...(s > 1 ? [`${ahead} % ${s} == 0`] : []));
        else tests.push(`${from} >= 0`);
        if (phased[d] && size % s !== 0) tests.push(`${k} < ${size}`);
        tests.push(`${from} < ${x.shape[2 + d]}`);
        fromX!.push(`${from} * ${x.strides[2 + d]}`);
        fromWeight!.push(`${k} * ${weight.strides[2 + d]}`);
      });
      return `(${tests.join(' && ')} ? ${input!.at(fromX!.join(' + '))} * ${filter!.at(fromWeight!.join(' + '))} : 0)`;
    },
    { label: 'product', shape: domain, virtual: true, more: [readX, readWeight, ...positions] },
  );
  summed(lower, 'conv_transpose', products, domain.map((_, d) => d).slice(3 + out.length));
}

/** The gradient of a convolution's weight: w[g, co, ci, k...] = sum over n, o... of x[n, g, ci, o*s - p + k*d] * d[n, g, co, o]. */
function weightGradient(lower: Lowering): void {
  const x = lower.input(0);
  const gradient = lower.input(1);
  const { groups, stride, padding, dilation } = settings(lower);
  const [co, inChannels, ...kernel] = lower.outputShape() as [number, number, ...number[]];
  const perGroup = co / groups;
  const [n, , ...out] = gradient.shape as [number, number, ...number[]];
  // Domain: G, Co/G, Ci/G, kernel..., N, out...
  const domain = [groups, perGroup, inChannels, ...kernel, n, ...out];
  const [ofX, ofGradient] = [x.strides.slice(2), gradient.strides.slice(2)];
  const xStrides = [
    ...[x.strides[1]! * inChannels, 0, x.strides[1]!],
    ...ofX.map((own, d) => own * dilation[d]!),
    x.strides[0]!,
    ...ofX.map((own, d) => own * stride[d]!),
  ];
  const gradientStrides = [
    ...[gradient.strides[1]! * perGroup, gradient.strides[1]!, 0],
    ...kernel.map(() => 0),
    gradient.strides[0]!,
    ...ofGradient,
  ];
  const seen = { view: x, strides: xStrides, steps: [dilation, stride], padding } as const;
  const products = productsInside(lower, domain, { view: gradient, strides: gradientStrides }, seen);
  summed(lower, 'weight_gradient', products, domain.map((_, d) => d).slice(3 + kernel.length));
}

export const convolutionRules: Readonly<Record<string, Rule>> = {
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  conv_transpose1d: transposedConvolution,
  conv_transpose2d: transposedConvolution,
  conv_transpose3d: transposedConvolution,
  conv_weight_backward: weightGradient,
};

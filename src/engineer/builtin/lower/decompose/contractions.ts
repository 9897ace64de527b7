/**
 * Contractions: a virtual map of products over (outputs x summed), then a sum. Matrix products are marked as such, so that
 * tiled kernels can be used; convolutions are the same shape of loop with a guarded read.
 */
import type { Contraction, Operand, View } from '../program.ts';
import { product } from '../strides.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';

/** a [..., M, K] times b [..., K, N]; batch dimensions broadcast by strides. */
export function matrixProduct(lower: Lowering, a: View, b: View): View {
  const rank = Math.max(a.shape.length, b.shape.length) - 2;
  const batch = Array.from({ length: rank }, (_, d) => {
    const left = a.shape[d - rank + a.shape.length - 2] ?? 1;
    const right = b.shape[d - rank + b.shape.length - 2] ?? 1;
    return left === 1 ? right : left;
  });
  const [m, k] = [a.shape.at(-2)!, a.shape.at(-1)!];
  const n = b.shape.at(-1)!;
  const wideA = lower.expand(a, [...batch, m, k]);
  const wideB = lower.expand(b, [...batch, k, n]);
  const contraction: Contraction = { batch, m, n, k, a: wideA, b: wideB };
  const domain = [...batch, m, n, k];
  const over = (view: View, insertAt: 'n' | 'm'): View => {
    const [first, second] = [view.strides.at(-2)!, view.strides.at(-1)!];
    const own = view.strides.slice(0, -2);
    return {
      value: view.value,
      offset: view.offset,
      shape: domain,
      strides: insertAt === 'n' ? [...own, first, 0, second] : [...own, 0, second, first],
    };
  };
  const dtype = lower.dtype(a);
  const products = lower.map([over(wideA, 'n'), over(wideB, 'm')], dtype, ([x, y]) => `${x!.text} * ${y!.text}`, {
    label: 'product',
    shape: domain,
    virtual: true,
  });
  return lower.reduce(lower.node.op === 'linear' ? 'linear' : 'matmul', products, [domain.length - 1], 'sum', {
    contraction,
  });
}

function linear(lower: Lowering): void {
  const x = lower.input(0);
  const weight = lower.permute(lower.input(1), [1, 0]);
  const rows = product(x.shape.slice(0, -1));
  const flat = lower.reshape(x, [rows, x.shape.at(-1)!]);
  let result = lower.reshape(matrixProduct(lower, flat, weight), lower.outputShape());
  if (lower.has('bias')) {
    result = lower.compute('biased', [result, lower.input(2)], lower.dtype(x), ([y, b]) => `${y} + ${b}`);
  }
  lower.output(result);
}

/** A convolution of any rank: out[n, g, co, o...] = sum over ci, k... of x[n, g, ci, o*s - p + k*d] * w[g, co, ci, k]. */
function convolution(lower: Lowering): void {
  const x = lower.input(0);
  const weight = lower.input(1);
  const groups = lower.number('groups');
  const [stride, padding, dilation] = [lower.numbers('stride'), lower.numbers('padding'), lower.numbers('dilation')];
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
  const xOffset = x.offset - spatial.reduce((sum, own, d) => sum + own * padding[d]!, 0);
  const wStrides = [
    0,
    weight.strides[0]! * perGroup,
    weight.strides[0]!,
    ...out.map(() => 0),
    weight.strides[1]!,
    ...weight.strides.slice(2),
  ];
  const padded = out.map((_, d) => d).filter((d) => padding[d]! > 0);
  const positions: Operand[] = padded.map((d) => ({
    kind: 'index',
    offset: -padding[d]!,
    strides: domain.map((_, k) => (k === 3 + d ? stride[d]! : k === 4 + out.length + d ? dilation[d]! : 0)),
  }));
  const dtype = lower.dtype(x);
  const products = lower.map(
    [{ value: weight.value, offset: weight.offset, shape: domain, strides: wStrides }],
    dtype,
    ([w, read, ...at]) => {
      const inside = at
        .map((index, k) => `${index.text} >= 0 && ${index.text} < ${x.shape[2 + padded[k]!]}`)
        .join(' && ');
      return inside ? `(${inside} ? ${read!.at('0')} * ${w!.text} : 0)` : `${read!.at('0')} * ${w!.text}`;
    },
    {
      label: 'product',
      shape: domain,
      virtual: true,
      more: [{ kind: 'load', lazy: true, value: x.value, strides: xStrides, offset: xOffset }, ...positions],
    },
  );
  const axes = domain.map((_, d) => d).slice(3 + out.length);
  let result = lower.reshape(lower.reduce('conv', products, axes, 'sum'), outputShape);
  if (lower.has('bias')) {
    const bias = lower.reshape(lower.input(2), [1, co, ...out.map(() => 1)]);
    result = lower.compute('biased', [result, bias], dtype, ([y, b]) => `${y} + ${b}`);
  }
  lower.output(result);
}

export const contractionRules: Readonly<Record<string, Rule>> = {
  matmul: (lower) => lower.output(matrixProduct(lower, lower.input(0), lower.input(1))),
  linear,
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
};

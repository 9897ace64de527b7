/**
 * Gradients of the normalisations. All are one formula: with xhat = (x - mean) r and r = 1/sqrt(var + eps) over a set of elements, and h the gradient of xhat,
 * dx = r (h - mean(h) - xhat mean(h xhat)). They differ in which elements form a set and which parameter an element meets.
 */
import { elementCount } from '../tensor.ts';
import type { Differentiability, GradientBuilder, GradientContext, Value } from './gradient.ts';
import { allDims } from './gradient.ts';

/** xhat and r over sets that share all but `dims`. */
function standardised(g: GradientBuilder, x: Value, dims: readonly number[], eps: number): { xhat: Value; r: Value } {
  const centred = g.sub(x, g.mean(x, dims));
  const r = g.unary('rsqrt', g.add(g.reduce('var', x, dims, true, { correction: 0 }), eps));
  return { xhat: g.mul(centred, r), r };
}

/** dx from the gradient of xhat. */
function throughStatistics(g: GradientBuilder, h: Value, xhat: Value, r: Value, dims: readonly number[]): Value {
  const centred = g.sub(h, g.mean(h, dims));
  return g.mul(g.sub(centred, g.mul(xhat, g.mean(g.mul(h, xhat), dims))), r);
}

/** The operands after `first` that the attributes announce. */
function affineOperands({ inputs, attributes }: GradientContext, first: number): { weight?: Value; bias?: Value } {
  let at = first;
  const next = (name: string) => (attributes.has(name) && attributes.boolean(name) ? inputs[at++] : undefined);
  return { weight: next('weight'), bias: next('bias') };
}

/** The gradients of weight and bias, for those that are there, by the dimensions along which they are shared. */
function affineGradients(
  g: GradientBuilder,
  d: Value,
  xhat: Value,
  shared: readonly number[],
  { weight, bias }: { weight?: Value; bias?: Value },
): Value[] {
  return [
    ...(weight ? [g.reshape(g.sum(g.mul(d, xhat), shared), weight.spec.shape)] : []),
    ...(bias ? [g.reshape(g.sum(d, shared), bias.spec.shape)] : []),
  ];
}

/** [C] as [C, 1, ...]: what meets the channels of [N, C, ...]. */
function perChannel(g: GradientBuilder, v: Value, rank: number): Value {
  return g.reshape(v, [v.spec.shape[0]!, ...new Array<number>(rank - 2).fill(1)]);
}

const notChannels = (rank: number): number[] => Array.from({ length: rank }, (_, d) => d).filter((d) => d !== 1);

const layerNorm: Differentiability = (context) => {
  const { g, grad, inputs, attributes } = context;
  const x = inputs[0]!;
  const rank = x.spec.shape.length;
  const own = attributes.integers('normalized_shape').length;
  const dims = allDims(x.spec.shape).slice(rank - own);
  const affine = affineOperands(context, 1);
  const { xhat, r } = standardised(g, x, dims, attributes.number('eps'));
  const h = affine.weight ? g.mul(grad, affine.weight) : grad;
  const lead = allDims(x.spec.shape).slice(0, rank - own);
  return [throughStatistics(g, h, xhat, r, dims), ...affineGradients(g, grad, xhat, lead, affine)];
};

const rmsNorm: Differentiability = (context) => {
  const { g, grad, inputs, attributes } = context;
  const x = inputs[0]!;
  const rank = x.spec.shape.length;
  const own = attributes.integers('normalized_shape').length;
  const dims = allDims(x.spec.shape).slice(rank - own);
  const { weight } = affineOperands(context, 1);
  const r = g.unary('rsqrt', g.add(g.mean(g.square(x), dims), attributes.number('eps')));
  const xhat = g.mul(x, r);
  const h = weight ? g.mul(grad, weight) : grad;
  const dx = g.mul(g.sub(h, g.mul(xhat, g.mean(g.mul(h, xhat), dims))), r);
  const lead = allDims(x.spec.shape).slice(0, rank - own);
  return [dx, ...affineGradients(g, grad, xhat, lead, { weight })];
};

/** group_norm, and instance_norm as a group a channel. */
function grouped(groupsOf: (context: GradientContext) => number): Differentiability {
  return (context) => {
    const { g, grad, inputs, attributes } = context;
    const x = inputs[0]!;
    const { shape } = x.spec;
    const groups = groupsOf(context);
    const affine = affineOperands(context, 1);
    const sets = [shape[0]!, groups, elementCount(shape.slice(1)) / groups];
    const { xhat, r } = standardised(g, g.reshape(x, sets), [2], attributes.number('eps'));
    const h = affine.weight ? g.mul(grad, perChannel(g, affine.weight, shape.length)) : grad;
    const dx = g.reshape(throughStatistics(g, g.reshape(h, sets), xhat, r, [2]), shape);
    return [dx, ...affineGradients(g, grad, g.reshape(xhat, shape), notChannels(shape.length), affine)];
  };
}

const batchNorm: Differentiability = (context) => {
  const { g, grad, inputs, attributes } = context;
  const x = inputs[0]!;
  const rank = x.spec.shape.length;
  const shared = notChannels(rank);
  const eps = attributes.number('eps');
  const training = attributes.boolean('training');
  const affine = affineOperands(context, training ? 1 : 3);
  const h = affine.weight ? g.mul(grad, perChannel(g, affine.weight, rank)) : grad;
  if (training) {
    const { xhat, r } = standardised(g, x, shared, eps);
    return [throughStatistics(g, h, xhat, r, shared), ...affineGradients(g, grad, xhat, shared, affine)];
  }
  // Running statistics are state, not something to be learned: nothing flows to them.
  const r = perChannel(g, g.unary('rsqrt', g.add(inputs[2]!, eps)), rank);
  const xhat = g.mul(g.sub(x, perChannel(g, inputs[1]!, rank)), r);
  return [g.mul(h, r), undefined, undefined, ...affineGradients(g, grad, xhat, shared, affine)];
};

/** By operator. */
export const normalisationGradients: Readonly<Record<string, Differentiability>> = {
  layer_norm: layerNorm,
  rms_norm: rmsNorm,
  group_norm: grouped(({ attributes }) => attributes.integer('num_groups', 1)),
  instance_norm: grouped(({ inputs }) => inputs[0]!.spec.shape[1]!),
  batch_norm: batchNorm,
};

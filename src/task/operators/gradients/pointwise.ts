/** Gradients of the pointwise operators of one operand. Values at kinks (relu at 0, clamp at its bounds, shrinking at lambda) are PyTorch's. */
import type { Differentiability, GradientBuilder, GradientContext, Value } from './gradient.ts';
import { carriesGradient } from './gradient.ts';

/** dL/dx from the builder, dL/dy, x, y = op(x), and the attributes. */
type Rule = (g: GradientBuilder, d: Value, x: Value, y: Value, context: GradientContext) => Value;

const rules: Readonly<Record<string, Rule>> = {
  neg: (g, d) => g.neg(d),
  abs: (g, d, x) => g.mul(d, g.unary('sign', x)),
  frac: (_g, d) => d,
  exp: (g, d, _x, y) => g.mul(d, y),
  exp2: (g, d, _x, y) => g.mul(g.mul(d, y), Math.LN2),
  expm1: (g, d, _x, y) => g.mul(d, g.add(y, 1)),
  log: (g, d, x) => g.div(d, x),
  log2: (g, d, x) => g.div(d, g.mul(x, Math.LN2)),
  log10: (g, d, x) => g.div(d, g.mul(x, Math.LN10)),
  log1p: (g, d, x) => g.div(d, g.add(x, 1)),
  sqrt: (g, d, _x, y) => g.div(d, g.mul(y, 2)),
  rsqrt: (g, d, _x, y) => g.mul(g.mul(d, -0.5), g.pow(y, 3)),
  reciprocal: (g, d, _x, y) => g.mul(g.neg(d), g.square(y)),
  sin: (g, d, x) => g.mul(d, g.unary('cos', x)),
  cos: (g, d, x) => g.mul(d, g.neg(g.unary('sin', x))),
  tan: (g, d, _x, y) => g.mul(d, g.add(g.square(y), 1)),
  asin: (g, d, x) => g.mul(d, g.unary('rsqrt', g.sub(1, g.square(x)))),
  acos: (g, d, x) => g.mul(d, g.neg(g.unary('rsqrt', g.sub(1, g.square(x))))),
  atan: (g, d, x) => g.div(d, g.add(g.square(x), 1)),
  sinh: (g, d, x) => g.mul(d, g.unary('cosh', x)),
  cosh: (g, d, x) => g.mul(d, g.unary('sinh', x)),
  tanh: (g, d, _x, y) => g.mul(d, g.sub(1, g.square(y))),
  asinh: (g, d, x) => g.mul(d, g.unary('rsqrt', g.add(g.square(x), 1))),
  acosh: (g, d, x) => g.mul(d, g.unary('rsqrt', g.sub(g.square(x), 1))),
  atanh: (g, d, x) => g.div(d, g.sub(1, g.square(x))),
  erf: (g, d, x) => g.mul(d, g.mul(g.unary('exp', g.neg(g.square(x))), 2 / Math.sqrt(Math.PI))),
  erfc: (g, d, x) => g.mul(d, g.mul(g.unary('exp', g.neg(g.square(x))), -2 / Math.sqrt(Math.PI))),
  sigmoid: (g, d, _x, y) => g.mul(d, g.mul(g.sub(1, y), y)),
  logsigmoid: (g, d, x) => g.mul(d, g.unary('sigmoid', g.neg(x))),
  relu: (g, d, x) => g.fill(d, g.test('le', x, 0)),
  silu: (g, d, x) => {
    const s = g.unary('sigmoid', x);
    return g.mul(d, g.mul(s, g.add(g.mul(x, g.sub(1, s)), 1)));
  },
  mish: (g, d, x) => {
    const t = g.unary('tanh', g.unary('softplus', x, { beta: 1, threshold: 20 }));
    const slope = g.mul(g.mul(x, g.unary('sigmoid', x)), g.sub(1, g.square(t)));
    return g.mul(d, g.add(t, slope));
  },
  softsign: (g, d, x) => g.div(d, g.square(g.add(g.unary('abs', x), 1))),
  selu: (g, d, x) => {
    const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
    return g.where(g.test('gt', x, 0), g.mul(d, scale), g.mul(d, g.mul(g.unary('exp', x), alpha * scale)));
  },
  hardsigmoid: (g, d, x) => {
    const inside = g.binary('logical_and', g.test('gt', x, -3), g.test('lt', x, 3));
    return g.where(inside, g.div(d, 6), 0);
  },
  hardswish: (g, d, x) => {
    const middle = g.where(g.test('ge', x, 3), d, g.mul(d, g.add(g.div(x, 3), 0.5)));
    return g.fill(middle, g.test('le', x, -3));
  },
  leaky_relu: (g, d, x, _y, { attributes }) =>
    g.where(g.test('gt', x, 0), d, g.mul(d, attributes.number('negative_slope'))),
  elu: (g, d, x, _y, { attributes }) =>
    g.where(g.test('gt', x, 0), d, g.mul(d, g.mul(g.unary('exp', x), attributes.number('alpha')))),
  celu: (g, d, x, _y, { attributes }) =>
    g.where(g.test('gt', x, 0), d, g.mul(d, g.unary('exp', g.div(x, attributes.number('alpha'))))),
  gelu: (g, d, x, _y, { attributes }) => g.mul(d, geluSlope(g, x, attributes.string('approximate') === 'tanh')),
  softplus: (g, d, x, _y, { attributes }) => {
    const scaled = g.mul(x, attributes.number('beta'));
    const straight = g.test('gt', scaled, attributes.number('threshold'));
    return g.where(straight, d, g.mul(d, g.unary('sigmoid', scaled)));
  },
  hardtanh: (g, d, x, _y, { attributes }) => {
    const low = g.test('gt', x, attributes.number('min_val'));
    return g.where(g.binary('logical_and', low, g.test('lt', x, attributes.number('max_val'))), d, 0);
  },
  softshrink: (g, d, x, _y, { attributes }) => g.where(beyond(g, x, attributes.number('lambd')), d, 0),
  hardshrink: (g, d, x, _y, { attributes }) => g.where(beyond(g, x, attributes.number('lambd')), d, 0),
  clamp: (g, d, x, _y, { attributes }) => {
    const [low, high] = [attributes.numberOrNull('min'), attributes.numberOrNull('max')];
    const tests = [...(low === null ? [] : [g.test('ge', x, low)]), ...(high === null ? [] : [g.test('le', x, high)])];
    if (tests.length === 0) return d;
    return g.where(
      tests.reduce((a, b) => g.binary('logical_and', a, b)),
      d,
      0,
    );
  },
};

/** |x| > lambda. */
function beyond(g: GradientBuilder, x: Value, lambda: number): Value {
  return g.binary('logical_or', g.test('lt', x, -lambda), g.test('gt', x, lambda));
}

/** d gelu(x) / dx: Phi(x) + x phi(x), or the derivative of the tanh form. */
function geluSlope(g: GradientBuilder, x: Value, tanh: boolean): Value {
  const square = g.square(x);
  if (!tanh) {
    const cdf = g.mul(g.add(g.unary('erf', g.mul(x, Math.SQRT1_2)), 1), 0.5);
    const pdf = g.mul(g.unary('exp', g.mul(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return g.add(cdf, g.mul(x, pdf));
  }
  const k = Math.sqrt(2 / Math.PI);
  const inner = g.mul(g.add(x, g.mul(g.mul(square, x), 0.044715)), k);
  const t = g.unary('tanh', inner);
  const slope = g.mul(g.add(g.mul(square, 3 * 0.044715), 1), k);
  const bend = g.mul(g.mul(g.mul(x, 0.5), g.sub(1, g.square(t))), slope);
  return g.add(g.mul(g.add(t, 1), 0.5), bend);
}

/** By operator; rounding, signs and tests pass nothing on. */
export const pointwiseGradients: Readonly<Record<string, Differentiability>> = {
  ...Object.fromEntries(
    Object.entries(rules).map(([name, rule]): [string, Differentiability] => [
      name,
      (context) => [rule(context.g, context.grad, context.inputs[0]!, context.outputs[0]!, context)],
    ]),
  ),
  cast: ({ g, grad, inputs }) => [carriesGradient(inputs[0]!.spec) ? g.cast(grad, inputs[0]!.spec.dtype) : undefined],
  ...Object.fromEntries(
    ['sign', 'floor', 'ceil', 'round', 'trunc', 'logical_not', 'isnan', 'isinf', 'isfinite'].map((name) => [
      name,
      'none' as const,
    ]),
  ),
};

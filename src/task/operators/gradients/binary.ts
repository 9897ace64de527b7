/** Gradients of the pointwise operators of two and three operands. Gradients of broadcast operands are summed back to their shapes. */
import type { Differentiability, GradientBuilder, GradientContext, Value } from './gradient.ts';

type Side = (g: GradientBuilder, d: Value, x: Value | number, y: Value | number, out: Value) => Value | undefined;

/** Gradients with respect to the left and the right operand, either of which may be a number. */
interface Rule {
  left: Side;
  right: Side;
}

/** maximum and minimum: the gradient goes to the winner, half each where the two are equal, to both where one is NaN. */
function extreme(loses: 'lt' | 'gt'): Rule {
  const side = (g: GradientBuilder, d: Value, own: Value | number, other: Value | number): Value | undefined => {
    if (typeof own === 'number') return undefined;
    const shared = g.where(g.test('eq', own, other), g.mul(d, 0.5), d);
    return g.where(g.test(loses, own, other), g.zerosLike(shared), shared);
  };
  return { left: (g, d, x, y) => side(g, d, x, y), right: (g, d, x, y) => side(g, d, y, x) };
}

/** x - y * round(x / y): fmod and remainder. */
function modulo(rounding: 'trunc' | 'floor'): Rule {
  return {
    left: (_g, d) => d,
    right: (g, d, x, y) => g.mul(g.neg(d), g.binary('div', x, y, { rounding })),
  };
}

const rules: Readonly<Record<string, Rule>> = {
  add: { left: (_g, d) => d, right: (_g, d) => d },
  sub: { left: (_g, d) => d, right: (g, d) => g.neg(d) },
  mul: { left: (g, d, _x, y) => g.mul(d, y), right: (g, d, x) => g.mul(d, x) },
  div: {
    left: (g, d, _x, y) => g.div(d, y),
    right: (g, d, _x, y, out) => g.mul(g.neg(d), g.div(out, y)),
  },
  pow: {
    left: (g, d, x, y) => {
      if (y === 0) return undefined;
      if (typeof y === 'number') return g.mul(d, g.mul(g.pow(x, y - 1), y));
      const slope = g.mul(y, g.pow(x, g.sub(y, 1)));
      return g.mul(d, g.where(g.test('eq', y, 0), g.zerosLike(slope), slope));
    },
    right: (g, d, x, y, out) => {
      if (typeof y === 'number') return undefined;
      // 0^y is flat for y >= 0, where y log 0 would not be a number.
      const atLeast = g.test('ge', y, 0);
      if (typeof x === 'number') {
        const slope = g.mul(out, Math.log(x));
        return g.mul(d, x === 0 ? g.fill(slope, atLeast) : slope);
      }
      const slope = g.mul(out, g.unary('log', x));
      return g.mul(d, g.where(g.binary('logical_and', g.test('eq', x, 0), atLeast), g.zerosLike(slope), slope));
    },
  },
  atan2: {
    left: (g, d, x, y) => g.mul(d, g.mul(inverseSquares(g, x, y), y)),
    right: (g, d, x, y) => g.neg(g.mul(d, g.mul(inverseSquares(g, x, y), x))),
  },
  fmod: modulo('trunc'),
  remainder: modulo('floor'),
  minimum: extreme('gt'),
  maximum: extreme('lt'),
};

/** 1 / (x^2 + y^2), zero at the origin, where the angle has no slope. */
function inverseSquares(g: GradientBuilder, x: Value | number, y: Value | number): Value {
  const square = (v: Value | number) => (typeof v === 'number' ? v * v : g.square(v));
  const sum = g.add(square(x), square(y));
  return g.fill(g.unary('reciprocal', sum), g.test('eq', sum, 0));
}

/** Binds a rule to a node: which operand is a number, and each tensor's gradient summed to its shape. */
function differentiate(rule: Rule, { g, grad, inputs, outputs, attributes }: GradientContext): (Value | undefined)[] {
  const out = outputs[0]!;
  const summed = (value: Value | undefined, like: Value) => value && g.sumTo(value, like.spec.shape);
  const [first, second] = inputs as readonly [Value, Value | undefined];
  if (second) {
    return [
      summed(rule.left(g, grad, first, second, out), first),
      summed(rule.right(g, grad, first, second, out), second),
    ];
  }
  const other = attributes.number('other');
  return [
    attributes.boolean('reverse') ? rule.right(g, grad, other, first, out) : rule.left(g, grad, first, other, out),
  ];
}

const tests = ['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'logical_and', 'logical_or', 'logical_xor'];

/** By operator; comparisons, logic and bits pass nothing on. */
export const binaryGradients: Readonly<Record<string, Differentiability>> = {
  ...Object.fromEntries(
    Object.entries(rules).map(([name, rule]): [string, Differentiability] => [
      name,
      (context) => {
        // A quotient that is rounded is flat wherever it has a derivative.
        if (name === 'div' && context.attributes.choice('rounding', [null, 'floor', 'trunc']) !== null) return [];
        return differentiate(rule, context);
      },
    ]),
  ),
  ...Object.fromEntries([...tests, 'bitwise_and', 'bitwise_or', 'bitwise_xor'].map((name) => [name, 'none' as const])),
  where: ({ g, grad, inputs: [condition, x, y] }) => {
    const zero = g.zerosLike(grad);
    return [
      undefined,
      g.sumTo(g.node('where', [condition!, grad, zero]), x!.spec.shape),
      g.sumTo(g.node('where', [condition!, zero, grad]), y!.spec.shape),
    ];
  },
  masked_fill: ({ g, grad, inputs }) => [g.fill(grad, inputs[1]!)],
};

/** Gradients of contractions: products with the other operand transposed, convolutions the other way round. */
import { elementCount } from '../tensor.ts';
import type { Differentiability, GradientBuilder, Value } from './gradient.ts';
import { allDims } from './gradient.ts';

/** All but the last dimension as one: [..., K] to [rows, K]. */
function rows(g: GradientBuilder, x: Value): Value {
  return g.reshape(x, [elementCount(x.spec.shape.slice(0, -1)), x.spec.shape.at(-1)!]);
}

const matmul: Differentiability = ({ g, grad, inputs: [a, b] }) => {
  const left = g.sumTo(g.matmul(grad, g.transpose(b!)), a!.spec.shape);
  // Matrices of a stack that share b add up in one tall product instead of many whose results are summed.
  const right =
    b!.spec.shape.length === 2
      ? g.matmul(g.transpose(rows(g, a!)), rows(g, grad))
      : g.sumTo(g.matmul(g.transpose(a!), grad), b!.spec.shape);
  return [left, right];
};

const linear: Differentiability = ({ g, grad, inputs: [x, weight], attributes }) => {
  const d = rows(g, grad);
  return [
    g.reshape(g.matmul(d, weight!), x!.spec.shape),
    g.matmul(g.transpose(d), rows(g, x!)),
    ...(attributes.boolean('bias') ? [g.sum(d, [0])] : []),
  ];
};

/** Each operand's gradient is an einsum of the output's gradient with the other operands. */
const einsum: Differentiability = ({ g, grad, inputs, attributes }) => {
  const [left, output] = attributes.string('equation').split('->') as [string, string];
  const operands = left.split(',');
  const sizes = new Map<string, number>();
  operands.forEach((letters, i) => {
    [...letters].forEach((letter, d) => {
      const size = inputs[i]!.spec.shape[d]!;
      if (size !== 1 || !sizes.has(letter)) sizes.set(letter, size);
    });
  });
  return operands.map((letters, i) => {
    const own = [...new Set(letters)];
    const others = operands.filter((_, j) => j !== i);
    const known = own.filter((l) => output.includes(l) || others.some((o) => o.includes(l))).join('');
    const from = [grad, ...inputs.filter((_, j) => j !== i)];
    let d = g.node('einsum', from, { equation: `${[output, ...others].join(',')}->${known}` });
    // A letter of this operand alone was summed: its gradient is the same along it.
    const shape = own.map((l) => sizes.get(l)!);
    d = g.reshape(
      d,
      own.map((l) => (known.includes(l) ? sizes.get(l)! : 1)),
    );
    d = g.expand(d, shape);
    d = ontoDiagonals(g, d, own.join(''), letters);
    return g.sumTo(d, inputs[i]!.spec.shape);
  });
};

/** A tensor over distinct letters placed on the diagonals of an operand that repeats some: `i` becomes `ii`. */
function ontoDiagonals(g: GradientBuilder, d: Value, own: string, letters: string): Value {
  let value = d;
  let order = own;
  for (const letter of own) {
    for (let extra = [...letters].filter((l) => l === letter).length - 1; extra > 0; extra--) {
      const at = order.indexOf(letter);
      const rest = allDims(value.spec.shape).filter((k) => k !== at);
      value = g.node('diag_embed', [g.permute(value, [...rest, at])], { offset: 0 });
      order = `${[...order].filter((_, k) => k !== at).join('')}${letter}${letter}`;
    }
  }
  const taken = new Set<number>();
  const dims = [...letters].map((letter) => {
    const at = [...order].findIndex((l, k) => l === letter && !taken.has(k));
    taken.add(at);
    return at;
  });
  return g.permute(value, dims);
}

/** Softmax(q k^T scale + mask) v, with the probabilities computed again, as every kernel that does not store them does. */
const attention: Differentiability = ({ g, grad, inputs, attributes }) => {
  const [q, k, v, mask] = inputs as readonly [Value, Value, Value, Value | undefined];
  const scale = attributes.number('scale');
  let scores = g.mul(g.matmul(q, g.transpose(k)), scale);
  const { shape } = scores.spec;
  if (attributes.boolean('is_causal')) {
    const seen = g.node('tril', [g.constant(shape.slice(-2), 'bool', 1)], { diagonal: 0 });
    scores = g.fill(scores, g.unary('logical_not', seen), -Infinity);
  }
  if (mask) {
    scores =
      mask.spec.dtype === 'bool'
        ? g.fill(scores, g.unary('logical_not', mask), -Infinity)
        : g.add(scores, g.cast(mask, scores.spec.dtype));
  }
  let p = g.node('softmax', [scores], { dim: shape.length - 1 });
  // A query that sees no key attends to nothing: its row is zeros, not 0/0.
  if (mask) p = g.fill(p, g.test('eq', scores, -Infinity));
  const dp = g.matmul(grad, g.transpose(v));
  const ds = g.mul(p, g.sub(dp, g.sum(g.mul(dp, p), [dp.spec.shape.length - 1], true)));
  const scaled = g.mul(ds, scale);
  return [
    g.sumTo(g.matmul(scaled, k), q.spec.shape),
    g.sumTo(g.matmul(g.transpose(scaled), q), k.spec.shape),
    g.sumTo(g.matmul(g.transpose(p), grad), v.spec.shape),
    ...(mask && mask.spec.dtype !== 'bool' ? [g.cast(g.sumTo(ds, mask.spec.shape), mask.spec.dtype)] : []),
  ];
};

/** Everything but the channels. */
const notChannels = (x: Value): number[] => allDims(x.spec.shape).filter((d) => d !== 1);

/** dx is the transposed convolution that ends at x's size; dw correlates x with the gradient; db sums it. */
function convolution(spatial: number): Differentiability {
  return ({ g, grad, inputs: [x, weight], attributes }) => {
    const [stride, padding, dilation] = ['stride', 'padding', 'dilation'].map((name) => attributes.integers(name)) as [
      number[],
      number[],
      number[],
    ];
    const groups = attributes.integer('groups', 1);
    const kernel = weight!.spec.shape.slice(2);
    // What the last stride left over: the transposed convolution must end there.
    const output_padding = kernel.map(
      (k, d) => (x!.spec.shape[d + 2]! + 2 * padding[d]! - dilation[d]! * (k - 1) - 1) % stride[d]!,
    );
    const dx = g.node(`conv_transpose${spatial}d`, [grad, weight!], {
      ...{ stride, padding, output_padding, dilation, groups },
      bias: false,
    });
    const dw = g.node('conv_weight_backward', [x!, grad], { kernel, stride, padding, dilation, groups });
    return [dx, dw, ...(attributes.boolean('bias') ? [g.sum(grad, notChannels(grad))] : [])];
  };
}

function transposedConvolution(spatial: number): Differentiability {
  return ({ g, grad, inputs: [x, weight], attributes }) => {
    const [stride, padding, dilation] = ['stride', 'padding', 'dilation'].map((name) => attributes.integers(name)) as [
      number[],
      number[],
      number[],
    ];
    const groups = attributes.integer('groups', 1);
    const kernel = weight!.spec.shape.slice(2);
    const given = { stride, padding, dilation, groups };
    let dx = g.node(`conv${spatial}d`, [grad, weight!], { ...given, bias: false });
    // An output_padding of a stride or more leaves room for positions that x does not have.
    kernel.forEach((_, d) => {
      dx = g.slice(dx, d + 2, 0, x!.spec.shape[d + 2]!);
    });
    const dw = g.node('conv_weight_backward', [grad, x!], { kernel, ...given });
    return [dx, dw, ...(attributes.boolean('bias') ? [g.sum(grad, notChannels(grad))] : [])];
  };
}

/** By operator. */
export const contractionGradients: Readonly<Record<string, Differentiability>> = {
  matmul,
  linear,
  einsum,
  scaled_dot_product_attention: attention,
  ...Object.fromEntries(
    [1, 2, 3].flatMap((n) => [
      [`conv${n}d`, convolution(n)],
      [`conv_transpose${n}d`, transposedConvolution(n)],
    ]),
  ),
  conv_weight_backward: 'unsupported',
};

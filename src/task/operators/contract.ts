/**
 * Contractions: matmul, linear, einsum, scaled dot-product attention. Convolutions are in conv.ts. All end in gemm.ts.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import { softmaxRow } from './along.ts';
import type { Arithmetic } from './arithmetic.ts';
import { gemm } from './gemm.ts';
import type { Attributes, Operations, Operator } from './operator.ts';
import { expectFloating, expectOperands, expectRank, expectSameDtype, expectShape } from './operator.ts';
import { broadcastShapes, broadcastStrides, broadcastTo, gatherStrided, walkOffsets } from './stride.ts';
import { contiguousStrides, elementCount, isFloating } from './tensor.ts';

const contraction = (multiplyAdds: number, arithmetic = 0): Operations => ({
  arithmetic,
  special: 0,
  contraction: 2 * multiplyAdds,
});

/** The product of two stacks of matrices whose leading dimensions broadcast; `b` may be given transposed, as [..., N, K]. */
function batchedMatmul(
  a: HostTensor,
  b: HostTensor,
  transposed: boolean,
  arithmetic: Arithmetic,
): { values: Float64Array; shape: number[] } {
  const sa = a.spec.shape;
  const sb = b.spec.shape;
  const m = sa[sa.length - 2]!;
  const k = sa[sa.length - 1]!;
  const n = sb[sb.length - (transposed ? 2 : 1)]!;
  const batchA = sa.slice(0, -2);
  const batchB = sb.slice(0, -2);
  const batch = broadcastShapes(batchA, batchB);
  const out = new Float64Array(elementCount(batch) * m * n);
  const right = transposed ? { row: 1, column: k } : { row: n, column: 1 };
  // Matrices of a stack that share B are one taller matrix: one call instead of many thin ones.
  if (elementCount(batchB) === 1) {
    const rows = elementCount(batch) * m;
    gemm(
      rows,
      n,
      k,
      { values: a.values, start: 0, row: k, column: 1 },
      { values: b.values, start: 0, ...right },
      out,
      0,
      arithmetic,
    );
    return { values: out, shape: [...batch, m, n] };
  }
  const startsA = walkOffsets(batch, broadcastStrides(batchA, batch));
  const startsB = walkOffsets(batch, broadcastStrides(batchB, batch));
  for (let i = 0; i < startsA.length; i++) {
    const left = { values: a.values, start: startsA[i]! * m * k, row: k, column: 1 };
    gemm(m, n, k, left, { values: b.values, start: startsB[i]! * k * n, ...right }, out, i * m * n, arithmetic);
  }
  return { values: out, shape: [...batch, m, n] };
}

const matmul: Operator = {
  name: 'matmul',
  kind: 'contraction',
  infer(inputs) {
    expectOperands(inputs, 2);
    expectSameDtype(inputs);
    const [a, b] = inputs as readonly [TensorSpec, TensorSpec];
    expectRank(a, 2);
    expectRank(b, 2);
    if (a.shape.at(-1) !== b.shape.at(-2)) {
      throw new Error(`The inner sizes of [${a.shape.join(', ')}] and [${b.shape.join(', ')}] differ.`);
    }
    return [
      {
        shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), a.shape.at(-2)!, b.shape.at(-1)!],
        dtype: a.dtype,
      },
    ];
  },
  evaluate: ([a, b], _attributes, arithmetic) => [batchedMatmul(a!, b!, false, arithmetic).values],
  operations: (inputs, _attributes, outputs) => contraction(elementCount(outputs[0]!.shape) * inputs[0]!.shape.at(-1)!),
  reads(inputs, _attributes, outputs, [demand]) {
    const [m, n] = outputs[0]!.shape.slice(-2) as [number, number];
    const k = inputs[0]!.shape.at(-1)!;
    // d elements of a stack of products touch at least d / (elements that share a row of A) rows of A, and so for columns of B.
    const total = elementCount(outputs[0]!.shape);
    const rowsOfA = elementCount(inputs[0]!.shape) / Math.max(1, k);
    const columnsOfB = elementCount(inputs[1]!.shape) / Math.max(1, k);
    if (m === 0 || n === 0) return [0, 0];
    return [Math.ceil((demand! * rowsOfA) / total) * k, Math.ceil((demand! * columnsOfB) / total) * k];
  },
};

const linear: Operator = {
  name: 'linear',
  kind: 'contraction',
  infer(inputs, attributes) {
    const bias = attributes.boolean('bias');
    expectOperands(inputs, bias ? 3 : 2);
    expectSameDtype(inputs);
    const [x, weight, b] = inputs as readonly [TensorSpec, TensorSpec, TensorSpec | undefined];
    expectFloating(x);
    expectRank(x, 1);
    if (weight.shape.length !== 2)
      throw new Error(`Its weight must have 2 dimensions, not [${weight.shape.join(', ')}].`);
    const [n, k] = weight.shape as readonly [number, number];
    if (x.shape.at(-1) !== k) throw new Error(`Its weight takes ${k} features, and x has ${x.shape.at(-1)}.`);
    if (bias) expectShape(b, [n], 'bias');
    return [{ shape: [...x.shape.slice(0, -1), n], dtype: x.dtype }];
  },
  evaluate(inputs, attributes, arithmetic, outputs) {
    const [x, weight, bias] = inputs as readonly [HostTensor, HostTensor, HostTensor | undefined];
    const [n, k] = weight.spec.shape as readonly [number, number];
    const rows = elementCount(outputs[0]!.shape.slice(0, -1));
    const out = new Float64Array(rows * n);
    const left = { values: x.values, start: 0, row: k, column: 1 };
    gemm(rows, n, k, left, { values: weight.values, start: 0, row: 1, column: k }, out, 0, arithmetic);
    if (attributes.boolean('bias')) addBias(out, bias!.values, 1, arithmetic);
    return [out];
  },
  operations: (inputs, attributes, outputs) => {
    const count = elementCount(outputs[0]!.shape);
    return contraction(count * inputs[1]!.shape[1]!, attributes.boolean('bias') ? count : 0);
  },
  reads(inputs, attributes, outputs, [demand]) {
    const [n, k] = inputs[1]!.shape as readonly [number, number];
    const rows = elementCount(outputs[0]!.shape.slice(0, -1));
    if (rows === 0 || n === 0) return inputs.map(() => 0);
    const columns = Math.ceil(demand! / rows);
    return [Math.ceil(demand! / n) * k, columns * k, ...(attributes.boolean('bias') ? [columns] : [])];
  },
};

/** Adds bias[c] where c counts runs of `inner` elements. */
export function addBias(out: Float64Array, bias: Float64Array, inner: number, a: Arithmetic): void {
  for (let at = 0, c = 0; at < out.length; at += inner, c = c + 1 === bias.length ? 0 : c + 1) {
    const b = bias[c]!;
    for (let i = at; i < at + inner; i++) out[i] = a.round(out[i]! + b);
  }
}

/** Splits an equation into the operands' letters and the output's. */
function equationOf(attributes: Attributes): { operands: string[]; output: string } {
  const equation = attributes.string('equation');
  const match = /^([a-zA-Z]*(?:,[a-zA-Z]*)*)->([a-zA-Z]*)$/.exec(equation);
  if (!match) throw new Error(`The equation ${JSON.stringify(equation)} is not of the form ab,bc->ac.`);
  return { operands: match[1]!.split(','), output: match[2]! };
}

/** The size of every letter; throws where two uses differ. */
function letterSizes(inputs: readonly TensorSpec[], operands: readonly string[], output: string): Map<string, number> {
  if (operands.length !== inputs.length)
    throw new Error(`The equation names ${operands.length} operands, and there are ${inputs.length}.`);
  const sizes = new Map<string, number>();
  operands.forEach((letters, i) => {
    const { shape } = inputs[i]!;
    if (letters.length !== shape.length)
      throw new Error(`The equation gives operand ${i + 1} ${letters.length} dimensions, and it has ${shape.length}.`);
    [...letters].forEach((letter, d) => {
      const known = sizes.get(letter);
      // A dimension of one broadcasts against the same letter elsewhere.
      if (known === undefined || known === 1) sizes.set(letter, shape[d]!);
      else if (shape[d] !== known && shape[d] !== 1)
        throw new Error(`The letter ${letter} has sizes ${known} and ${shape[d]}.`);
    });
  });
  for (const letter of output)
    if (!sizes.has(letter)) throw new Error(`The output's letter ${letter} is in no operand.`);
  if (new Set(output).size !== output.length) throw new Error('The output repeats a letter.');
  return sizes;
}

/** A tensor whose dimensions are named by letters. */
interface Lettered {
  letters: string;
  values: Float64Array;
}

/** Reads a lettered tensor in another order of its letters (a repeated letter reads a diagonal; a size of one is expanded). */
function arrange(t: Lettered, shape: readonly number[], order: string, sizes: Map<string, number>): Float64Array {
  const own = contiguousStrides(shape);
  const strides = [...order].map((letter) =>
    [...t.letters].reduce((sum, l, d) => (l === letter && shape[d] !== 1 ? sum + own[d]! : sum), 0),
  );
  return gatherStrided(
    t.values,
    [...order].map((l) => sizes.get(l)!),
    strides,
  );
}

/** Sums out of `t` (dense, unique letters) all letters that are not in `keep`. */
function sumLetters(
  t: Lettered,
  keep: (letter: string) => boolean,
  sizes: Map<string, number>,
  a: Arithmetic,
): Lettered {
  const kept = [...t.letters].filter(keep).join('');
  if (kept.length === t.letters.length) return t;
  const summed = [...t.letters].filter((l) => !keep(l)).join('');
  const shape = [...t.letters].map((l) => sizes.get(l)!);
  const values = arrange(t, shape, kept + summed, sizes);
  const run = [...summed].reduce((n, l) => n * sizes.get(l)!, 1);
  const out = new Float64Array(values.length / Math.max(1, run));
  for (let i = 0; i < out.length; i++) out[i] = a.sum(values.slice(i * run, (i + 1) * run), run);
  return { letters: kept, values: out };
}

/** Contracts two lettered tensors; letters not `needed` afterwards are summed. */
function contractPair(
  x: Lettered,
  y: Lettered,
  needed: (letter: string) => boolean,
  sizes: Map<string, number>,
  a: Arithmetic,
): Lettered {
  const left = sumLetters(x, (l) => needed(l) || y.letters.includes(l), sizes, a);
  const right = sumLetters(y, (l) => needed(l) || x.letters.includes(l), sizes, a);
  const shared = [...left.letters].filter((l) => right.letters.includes(l));
  const batch = shared.filter(needed).join('');
  const inner = shared.filter((l) => !needed(l)).join('');
  const rows = [...left.letters].filter((l) => !shared.includes(l)).join('');
  const columns = [...right.letters].filter((l) => !shared.includes(l)).join('');
  const count = (letters: string) => [...letters].reduce((n, l) => n * sizes.get(l)!, 1);
  const dense = (t: Lettered, order: string) =>
    arrange(
      t,
      [...t.letters].map((l) => sizes.get(l)!),
      order,
      sizes,
    );
  const av = dense(left, batch + rows + inner);
  const bv = dense(right, batch + inner + columns);
  const [m, n, k] = [count(rows), count(columns), count(inner)];
  const out = new Float64Array(count(batch) * m * n);
  for (let i = 0; i < count(batch); i++) {
    gemm(
      m,
      n,
      k,
      { values: av, start: i * m * k, row: k, column: 1 },
      { values: bv, start: i * k * n, row: n, column: 1 },
      out,
      i * m * n,
      a,
    );
  }
  return { letters: batch + rows + columns, values: out };
}

const einsum: Operator = {
  name: 'einsum',
  kind: 'contraction',
  infer(inputs, attributes) {
    expectSameDtype(inputs);
    const { operands, output } = equationOf(attributes);
    const sizes = letterSizes(inputs, operands, output);
    return [{ shape: [...output].map((l) => sizes.get(l)!), dtype: inputs[0]!.dtype }];
  },
  evaluate(inputs, attributes, a) {
    const { operands, output } = equationOf(attributes);
    const sizes = letterSizes(
      inputs.map((t) => t.spec),
      operands,
      output,
    );
    const lettered = inputs.map((t, i): Lettered => {
      const letters = [...new Set(operands[i]!)].join('');
      return { letters, values: arrange({ letters: operands[i]!, values: t.values }, t.spec.shape, letters, sizes) };
    });
    let result = lettered[0]!;
    for (let i = 1; i < lettered.length; i++) {
      const later = output + operands.slice(i + 1).join('');
      result = contractPair(result, lettered[i]!, (l) => later.includes(l), sizes, a);
    }
    const summed = sumLetters(result, (l) => output.includes(l), sizes, a);
    const shape = [...summed.letters].map((l) => sizes.get(l)!);
    return [arrange(summed, shape, output, sizes)];
  },
  operations(inputs, attributes) {
    const { operands, output } = equationOf(attributes);
    const sizes = letterSizes(inputs, operands, output);
    let total = 0;
    let letters = operands[0]!;
    for (let i = 1; i < operands.length; i++) {
      const later = output + operands.slice(i + 1).join('');
      const all = [...new Set(letters + operands[i]!)];
      total += all.reduce((n, l) => n * sizes.get(l)!, 1);
      letters = all.filter((l) => later.includes(l)).join('');
    }
    return contraction(total);
  },
  reads: (inputs, attributes, outputs, [demand]) => {
    // Every element off the diagonals of repeated letters meets some output element; all are needed when all outputs are.
    const { operands } = equationOf(attributes);
    const all = demand! >= elementCount(outputs[0]!.shape);
    return inputs.map((spec, i) =>
      all && new Set(operands[i]!).size === operands[i]!.length ? elementCount(spec.shape) : 0,
    );
  },
};

const attention: Operator = {
  name: 'scaled_dot_product_attention',
  kind: 'contraction',
  infer(inputs, attributes) {
    const masked = attributes.boolean('mask');
    expectOperands(inputs, masked ? 4 : 3);
    const [q, k, v, mask] = inputs as readonly [TensorSpec, TensorSpec, TensorSpec, TensorSpec | undefined];
    expectSameDtype([q, k, v]);
    expectFloating(q);
    for (const t of [q, k, v]) expectRank(t, 2);
    if (q.shape.at(-1) !== k.shape.at(-1)) throw new Error('Its q and k differ in their last dimension.');
    if (k.shape.at(-2) !== v.shape.at(-2)) throw new Error('Its k and v differ in the number of keys.');
    const batch = broadcastShapes(q.shape.slice(0, -2), k.shape.slice(0, -2), v.shape.slice(0, -2));
    const scores = [...batch, q.shape.at(-2)!, k.shape.at(-2)!];
    if (mask) {
      if (mask.dtype !== 'bool' && !isFloating(mask.dtype)) throw new Error('Its mask must be bool or floating.');
      expectShape({ shape: broadcastShapes(mask.shape, scores), dtype: q.dtype }, scores, 'mask, broadcast,');
    }
    attributes.boolean('is_causal');
    attributes.number('scale');
    return [{ shape: [...batch, q.shape.at(-2)!, v.shape.at(-1)!], dtype: q.dtype }];
  },
  evaluate(inputs, attributes, a) {
    const [q, k, v, mask] = inputs as readonly [HostTensor, HostTensor, HostTensor, HostTensor | undefined];
    const scale = a.round(attributes.number('scale'));
    const scores = batchedMatmul(q, k, true, a);
    const { shape } = scores;
    const keys = shape.at(-1)!;
    const queries = shape.at(-2)!;
    const s = scores.values;
    const bias = mask ? broadcastTo(mask.values, mask.spec.shape, shape) : undefined;
    const causal = attributes.boolean('is_causal');
    const row = new Float64Array(keys);
    const spare = new Float64Array(keys);
    for (let start = 0, line = 0; start < s.length; start += keys, line++) {
      let alive = false;
      for (let j = 0; j < keys; j++) {
        let x = a.round(s[start + j]! * scale);
        if (bias) x = mask!.spec.dtype === 'bool' ? (bias[start + j] ? x : -Infinity) : a.round(x + bias[start + j]!);
        if (causal && j > line % queries) x = -Infinity;
        if (x !== -Infinity) alive = true;
        row[j] = x;
      }
      // A query that may attend to nothing gets zeros, as in PyTorch.
      if (alive) softmaxRow(row, spare, a);
      else row.fill(0);
      s.set(row, start);
    }
    return [batchedMatmul({ spec: { shape, dtype: q.spec.dtype }, values: s }, v, false, a).values];
  },
  operations(inputs, _attributes, outputs) {
    const [q, k, v] = inputs as readonly [TensorSpec, TensorSpec, TensorSpec];
    const scores = elementCount(outputs[0]!.shape.slice(0, -2)) * q.shape.at(-2)! * k.shape.at(-2)!;
    return { arithmetic: 4 * scores, special: scores, contraction: 2 * scores * (q.shape.at(-1)! + v.shape.at(-1)!) };
  },
  // A mask may hide any key; queries are read only where some key is seen, which the causal form guarantees but a mask does not.
  reads: (inputs, attributes, outputs, [demand]) => {
    const all = demand! >= elementCount(outputs[0]!.shape);
    const [q, k, v] = inputs.map((spec) => elementCount(spec.shape));
    if (!all) return inputs.map(() => 0);
    if (attributes.boolean('mask')) return [0, 0, 0, elementCount(inputs[3]!.shape)];
    return attributes.boolean('is_causal') ? [q!, ...visible(inputs, k!, v!)] : [q!, k!, v!];
  },
};

/** With top-left causality, keys beyond the last query are never seen. */
function visible(inputs: readonly TensorSpec[], k: number, v: number): [number, number] {
  const keys = inputs[1]!.shape.at(-2)!;
  const share = Math.min(1, inputs[0]!.shape.at(-2)! / Math.max(1, keys));
  return [Math.floor(k * share), Math.floor(v * share)];
}

/** matmul, linear, einsum, scaled_dot_product_attention. */
export const contractionOperators: readonly Operator[] = [matmul, linear, einsum, attention];

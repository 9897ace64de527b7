/**
 * Contractions: a virtual map of products over (outputs x summed), then a sum. Matrix products are marked as such, so that
 * tiled kernels can be used; einsum is brought to matrix products, attention is two of them with a softmax between.
 */
import type { Contraction, Operand, View } from '../program.ts';
import { type ComputeType, literal, mathFunction } from '../scalar.ts';
import { broadcastShapes, product } from '../strides.ts';
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

/** A tensor whose dimensions have the letters of an einsum equation, each once. */
interface Lettered {
  view: View;
  letters: string;
}

/** Repeated letters of an operand become its diagonal: one dimension with the sum of the strides. */
function diagonalised(view: View, letters: string): Lettered {
  const distinct = [...new Set(letters)];
  const places = distinct.map((letter) => [...letters].flatMap((own, d) => (own === letter ? [d] : [])));
  return {
    letters: distinct.join(''),
    view: {
      ...view,
      shape: places.map(([first]) => view.shape[first!]!),
      strides: places.map((dims) => dims.reduce((sum, d) => sum + view.strides[d]!, 0)),
    },
  };
}

function arranged(lower: Lowering, { view, letters }: Lettered, order: string): View {
  return lower.permute(
    view,
    [...order].map((letter) => letters.indexOf(letter)),
  );
}

/** Sums the letters that nothing else has. */
function withoutOwn(lower: Lowering, own: Lettered, keep: (letter: string) => boolean): Lettered {
  const axes = [...own.letters].flatMap((letter, d) => (keep(letter) ? [] : [d]));
  if (axes.length === 0) return own;
  return { view: lower.reduce('sum', own.view, axes, 'sum'), letters: [...own.letters].filter(keep).join('') };
}

/** Two operands as one batched matrix product; letters not `needed` afterwards are summed. */
function contractPair(lower: Lowering, x: Lettered, y: Lettered, needed: (letter: string) => boolean): Lettered {
  const left = withoutOwn(lower, x, (letter) => needed(letter) || y.letters.includes(letter));
  const right = withoutOwn(lower, y, (letter) => needed(letter) || x.letters.includes(letter));
  const shared = [...left.letters].filter((letter) => right.letters.includes(letter));
  const [batch, depth] = [shared.filter(needed).join(''), shared.filter((letter) => !needed(letter)).join('')];
  const apart = (own: Lettered) => [...own.letters].filter((letter) => !shared.includes(letter)).join('');
  const [rows, columns] = [apart(left), apart(right)];
  const sizes = (own: Lettered, letters: string) => arranged(lower, own, letters).shape;
  const flat = (own: Lettered, ...parts: string[]) =>
    lower.reshape(arranged(lower, own, batch + parts.join('')), [
      ...sizes(own, batch),
      ...parts.map((letters) => product(sizes(own, letters))),
    ]);
  const [a, b] = [flat(left, rows, depth), flat(right, depth, columns)];
  const shape = [...sizes(left, batch), ...sizes(left, rows), ...sizes(right, columns)];
  return { view: lower.reshape(matrixProduct(lower, a, b), shape), letters: batch + rows + columns };
}

/** Operands from left to right, two at a time. */
function einsum(lower: Lowering): void {
  const [left, output] = String(lower.node.attributes.equation).split('->') as [string, string];
  const operands = left.split(',').map((letters, k) => diagonalised(lower.input(k), letters));
  let result = operands[0]!;
  for (let k = 1; k < operands.length; k++) {
    const later =
      output +
      operands
        .slice(k + 1)
        .map(({ letters }) => letters)
        .join('');
    result = contractPair(lower, result, operands[k]!, (letter) => later.includes(letter));
  }
  lower.output(
    arranged(
      lower,
      withoutOwn(lower, result, (letter) => output.includes(letter)),
      output,
    ),
  );
}

/** softmax(q k^T scale + mask) v. A query that may attend to nothing gets zeros, as in PyTorch. */
function attention(lower: Lowering): void {
  const [q, k, v] = [lower.input(0), lower.input(1), lower.input(2)];
  const dtype = lower.dtype(q);
  const scale = lower.number('scale');
  const transposed = lower.permute(k, [
    ...k.shape.slice(0, -2).map((_, d) => d),
    k.shape.length - 1,
    k.shape.length - 2,
  ]);
  const products = matrixProduct(lower, q, transposed);
  const batch = broadcastShapes(products.shape.slice(0, -2), v.shape.slice(0, -2));
  const shape = [...batch, q.shape.at(-2)!, k.shape.at(-2)!];
  const mask = lower.has('mask') ? lower.input(3) : undefined;
  const causal = lower.has('is_causal');
  const distance: Operand = {
    kind: 'index',
    offset: 0,
    strides: shape.map((_, d) => (d === shape.length - 1 ? 1 : d === shape.length - 2 ? -1 : 0)),
  };
  const isBool = mask && lower.dtype(mask) === 'bool';
  const scores = lower.map(
    mask ? [products, mask] : [products],
    dtype,
    (args, type) => {
      const scaled = `${args[0]!.text} * ${literal(scale, type)}`;
      const hidden = literal(-Infinity, type);
      const masked = !mask
        ? scaled
        : isBool
          ? `(${args[1]!.text} ? ${scaled} : ${hidden})`
          : `${scaled} + ${args[1]!.text}`;
      return causal ? `(${args.at(-1)!.text} <= 0 ? ${masked} : ${hidden})` : masked;
    },
    { label: 'scores', shape, more: causal ? [distance] : [] },
  );
  const axes = [shape.length - 1];
  const peak = lower.reduce('max', scores, axes, 'max', { keepdim: true });
  // Where all is hidden the maximum is -inf: exp(-inf - 0) is 0 for each key, and the sum that divides them is made 1.
  const seen = (text: string, otherwise: number, hidden: number, type: ComputeType) =>
    `(${text} == ${literal(hidden, type)} ? ${literal(otherwise, type)} : ${text})`;
  const masks = mask !== undefined;
  const shift = masks ? lower.compute('finite_max', [peak], dtype, ([m], type) => seen(m!, 0, -Infinity, type)) : peak;
  const shifted = lower.compute('sub', [scores, shift], dtype, ([x, m]) => `${x} - ${m}`);
  const weights = lower.compute('exp', [shifted], dtype, ([x], type) => `${mathFunction('exp', type)}(${x})`);
  const total = lower.reduce('sum', weights, axes, 'sum', { keepdim: true });
  const divisor = masks ? lower.compute('divisor', [total], dtype, ([s], type) => seen(s!, 1, 0, type)) : total;
  const shares = lower.compute('softmax', [weights, divisor], dtype, ([e, s]) => `${e} / ${s}`);
  lower.output(matrixProduct(lower, shares, v));
}

export const contractionRules: Readonly<Record<string, Rule>> = {
  matmul: (lower) => lower.output(matrixProduct(lower, lower.input(0), lower.input(1))),
  linear,
  einsum,
  scaled_dot_product_attention: attention,
};

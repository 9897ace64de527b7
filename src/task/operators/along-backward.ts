/**
 * Gradients of the scans that have no short form in other operators. Each is a recurrence from the end of a line to its start, and divides by nothing: zeros
 * in a running product and infinities in a running logarithm are no special cases.
 */
import type { TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Operator } from './operator.ts';
import { expectFloating, expectOperands, expectSameDtype, expectShape } from './operator.ts';
import { around } from './stride.ts';
import { elementCount } from './tensor.ts';

/** Turns a line's gradient, in place, into the gradient of x's line. */
type LineGradient = (x: Float64Array, grad: Float64Array, a: Arithmetic) => void;

/** dx[k] = (x[0] ... x[k-1]) s[k], with s[k] = d[k] + x[k+1] s[k+1]. */
const throughProducts: LineGradient = (x, grad, a) => {
  const n = x.length;
  for (let k = n - 2; k >= 0; k--) grad[k] = a.round(grad[k]! + a.round(x[k + 1]! * grad[k + 1]!));
  for (let k = 0, before = 1; k < n; k++) {
    grad[k] = a.round(grad[k]! * before);
    before = a.round(before * x[k]!);
  }
};

/** Each position's gradient goes to where the extreme so far was last seen (the last of equals, and a NaN before all else), as in PyTorch. */
const throughExtremes =
  (greater: boolean): LineGradient =>
  (x, grad, a) => {
    const sums = new Float64Array(x.length);
    for (let k = 0, best = 0; k < x.length; k++) {
      const [now, held] = [x[k]!, x[best]!];
      if (Number.isNaN(now) || (!Number.isNaN(held) && (greater ? now >= held : now <= held))) best = k;
      sums[best] = a.round(sums[best]! + grad[k]!);
    }
    grad.set(sums);
  };

/** dx[k] = exp(x[k] - y[k]) t[k], with y the running logsumexp and t[k] = d[k] + exp(y[k] - y[k+1]) t[k+1]: no exponent is positive. */
const throughLogSums: LineGradient = (x, grad, a) => {
  const n = x.length;
  const y = new Float64Array(n);
  for (let k = 0, total = -Infinity; k < n; k++) {
    const top = Math.max(total, x[k]!);
    const flat = Math.abs(top) === Infinity || Number.isNaN(top);
    total = flat ? top : a.round(top + a.log1p(a.exp(-Math.abs(a.round(total - x[k]!)))));
    y[k] = total;
  }
  /** exp(p - q), where -inf, a sum of nothing, passes nothing, and inf is all of inf. */
  const ratio = (p: number, q: number) => (p === -Infinity ? 0 : p === q ? 1 : a.exp(a.round(p - q)));
  for (let k = n - 2; k >= 0; k--) grad[k] = a.round(grad[k]! + a.round(ratio(y[k]!, y[k + 1]!) * grad[k + 1]!));
  for (let k = 0; k < n; k++) grad[k] = a.round(ratio(x[k]!, y[k]!) * grad[k]!);
};

function scanBackward(name: string, through: LineGradient, special: number): Operator {
  return {
    name,
    kind: 'scan',
    infer(inputs, attributes) {
      expectOperands(inputs, 2);
      expectSameDtype(inputs);
      const [x, grad] = inputs as readonly [TensorSpec, TensorSpec];
      expectFloating(x);
      expectShape(grad, x.shape, 'gradient');
      attributes.dimension('dim', Math.max(1, x.shape.length));
      return [x];
    },
    evaluate([x, grad], attributes, a) {
      const { outer, size, inner } = around(x!.spec.shape, attributes.integer('dim'));
      const out = new Float64Array(x!.values.length);
      const [line, d] = [new Float64Array(size), new Float64Array(size)];
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          const base = o * size * inner + i;
          for (let k = 0, at = base; k < size; k++, at += inner) {
            line[k] = x!.values[at]!;
            d[k] = grad!.values[at]!;
          }
          through(line, d, a);
          for (let k = 0, at = base; k < size; k++, at += inner) out[at] = d[k]!;
        }
      }
      return [out];
    },
    operations(inputs) {
      const n = elementCount(inputs[0]!.shape);
      return { arithmetic: 3 * n, special: special * n, contraction: 0 };
    },
    // The first gradient of a line of extremes goes to the first element whatever x is: only the gradients are sure to be read.
    reads: (inputs, _attributes, outputs, [demand]) => [
      0,
      demand! < elementCount(outputs[0]!.shape) ? 0 : elementCount(inputs[1]!.shape),
    ],
  };
}

/** cumprod_backward, cummax_backward, cummin_backward, logcumsumexp_backward: of x and the output's gradient. */
export const alongBackwardOperators: readonly Operator[] = [
  scanBackward('cumprod_backward', throughProducts, 0),
  scanBackward('cummax_backward', throughExtremes(true), 0),
  scanBackward('cummin_backward', throughExtremes(false), 0),
  scanBackward('logcumsumexp_backward', throughLogSums, 2),
];

/** Gradients of rearrangements that repeat elements: what every copy got is added up. */
import type { TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import { padIndex } from './layout.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, expectShape } from './operator.ts';
import { around } from './stride.ts';
import { elementCount } from './tensor.ts';

/** Adds lines along one dimension into another length: `target(k)` says where element k goes. */
function addLines(
  values: Float64Array,
  shape: readonly number[],
  dim: number,
  length: number,
  target: (k: number) => number,
  a: Arithmetic,
): Float64Array {
  const { outer, size, inner } = around(shape, dim);
  const out = new Float64Array(outer * length * inner);
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < size; k++) {
      const from = (o * size + k) * inner;
      const to = (o * length + target(k)) * inner;
      for (let i = 0; i < inner; i++) out[to + i] = a.round(out[to + i]! + values[from + i]!);
    }
  }
  return out;
}

const operations = (inputs: readonly TensorSpec[]) => ({
  arithmetic: elementCount(inputs[0]!.shape),
  special: 0,
  contraction: 0,
});

const readsWhole: NonNullable<Operator['reads']> = (inputs, _attributes, outputs, [demand]) => [
  demand! < elementCount(outputs[0]!.shape) ? 0 : elementCount(inputs[0]!.shape),
];

function padding(attributes: Attributes) {
  const size = attributes.integers('size');
  return {
    size,
    before: attributes.integers('before', 0, size.length),
    after: attributes.integers('after', 0, size.length),
    mode: attributes.choice('mode', ['reflect', 'replicate', 'circular']),
  };
}

/** The transpose of pad in the modes that repeat elements. (In mode 'constant' the gradient is a crop.) */
const padBackward: Operator = {
  name: 'pad_backward',
  kind: 'window',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    expectFloating(inputs[0]!);
    const { size, before, after, mode } = padding(attributes);
    size.forEach((n, d) => {
      const most = mode === 'reflect' ? n - 1 : mode === 'circular' ? n : n === 0 ? 0 : Infinity;
      if (before[d]! > most || after[d]! > most)
        throw new Error(`Padding of ${before[d]} and ${after[d]} is too much for a size of ${n} in mode '${mode}'.`);
    });
    expectShape(
      inputs[0],
      size.map((n, d) => n + before[d]! + after[d]!),
      'gradient',
    );
    return [{ shape: size, dtype: inputs[0]!.dtype }];
  },
  evaluate([grad], attributes, a) {
    const { size, before, mode } = padding(attributes);
    let { values } = grad!;
    let shape = [...grad!.spec.shape];
    size.forEach((n, dim) => {
      if (shape[dim] === n) return;
      values = addLines(values, shape, dim, n, (k) => padIndex(k - before[dim]!, n, mode), a);
      shape = shape.map((s, d) => (d === dim ? n : s));
    });
    return [values];
  },
  operations,
  reads: readsWhole,
};

/** The transpose of unfold: windows along `dim`, their elements last, added back to a dimension of `length`. */
const unfoldBackward: Operator = {
  name: 'unfold_backward',
  kind: 'window',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    expectFloating(inputs[0]!);
    const grad = inputs[0]!;
    const dim = attributes.dimension('dim', Math.max(1, grad.shape.length - 1));
    const [length, size, step] = [
      attributes.integer('length'),
      attributes.integer('size'),
      attributes.integer('step', 1),
    ];
    if (size > length) throw new Error(`A window of ${size} does not fit a size of ${length}.`);
    const windows = Math.floor((length - size) / step) + 1;
    const rest = grad.shape.slice(0, -1);
    expectShape(grad, [...rest.map((s, d) => (d === dim ? windows : s)), size], 'gradient');
    return [{ shape: rest.map((s, d) => (d === dim ? length : s)), dtype: grad.dtype }];
  },
  evaluate([grad], attributes, a, outputs) {
    const { shape } = outputs[0]!;
    const dim = attributes.integer('dim');
    const step = attributes.integer('step', 1);
    const { outer, size: length, inner } = around(shape, dim);
    const windows = grad!.spec.shape[dim]!;
    const size = grad!.spec.shape.at(-1)!;
    const out = new Float64Array(outer * length * inner);
    for (let o = 0, at = 0; o < outer; o++) {
      for (let w = 0; w < windows; w++) {
        for (let i = 0; i < inner; i++) {
          for (let k = 0; k < size; k++, at++) {
            const to = (o * length + w * step + k) * inner + i;
            out[to] = a.round(out[to]! + grad!.values[at]!);
          }
        }
      }
    }
    return [out];
  },
  operations,
  reads: readsWhole,
};

/** pad_backward, unfold_backward. */
export const layoutBackwardOperators: readonly Operator[] = [padBackward, unfoldBackward];

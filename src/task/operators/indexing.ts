/**
 * Operators whose operands are addressed by the values of another: gather, scatter, embedding, one-hot.
 * A bad index is an error, as in PyTorch. Which elements are read depends on data, so a floor counts the indices alone.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import type { Operator } from './operator.ts';
import { expectDtype, expectOperands, expectSameDtype, noOperations, outputCount } from './operator.ts';
import { around } from './stride.ts';
import { contiguousStrides, elementCount } from './tensor.ts';

/** An index made non-negative and checked. */
function checkedIndex(index: number, size: number, wrap: boolean): number {
  const at = wrap && index < 0 ? index + size : index;
  if (!(at >= 0 && at < size)) throw new Error(`The index ${index} is out of range for a size of ${size}.`);
  return at;
}

/** Positions in x's storage that index[...] names along dim, for gather and scatter: other coordinates are the index's own. */
function positions(x: TensorSpec, index: HostTensor, dim: number): Int32Array {
  const shape = index.spec.shape;
  const out = new Int32Array(index.values.length);
  const strides = contiguousStrides(x.shape);
  const own = contiguousStrides(shape);
  for (let i = 0; i < out.length; i++) {
    let at = 0;
    for (let d = 0; d < shape.length; d++) {
      const coordinate =
        d === dim ? checkedIndex(index.values[i]!, x.shape[d]!, false) : Math.floor(i / own[d]!) % shape[d]!;
      at += coordinate * strides[d]!;
    }
    out[i] = at;
  }
  return out;
}

function expectIndexFits(x: TensorSpec, index: TensorSpec, dim: number): void {
  expectDtype(index, 'int64', 'index');
  const fits =
    index.shape.length === x.shape.length && index.shape.every((size, d) => d === dim || size <= x.shape[d]!);
  if (!fits)
    throw new Error(`An index of shape [${index.shape.join(', ')}] does not fit x of shape [${x.shape.join(', ')}].`);
}

/** The indices in full where all outputs are wanted, nothing else for sure. */
const readsIndices =
  (which: number): NonNullable<Operator['reads']> =>
  (inputs, _attributes, outputs, [demand]) =>
    inputs.map((spec, i) => (i === which && demand! >= outputCount(outputs) ? elementCount(spec.shape) : 0));

const gather: Operator = {
  name: 'gather',
  kind: 'indexing',
  infer(inputs, attributes) {
    expectOperands(inputs, 2);
    const [x, index] = inputs as readonly [TensorSpec, TensorSpec];
    expectIndexFits(x, index, attributes.dimension('dim', x.shape.length));
    return [{ shape: index.shape, dtype: x.dtype }];
  },
  evaluate([x, index], attributes) {
    const from = positions(x!.spec, index!, attributes.dimension('dim', x!.spec.shape.length));
    return [Float64Array.from(from, (at) => x!.values[at]!)];
  },
  operations: noOperations,
  reads: readsIndices(1),
};

const scatter: Operator = {
  name: 'scatter',
  kind: 'indexing',
  infer(inputs, attributes) {
    expectOperands(inputs, 3);
    const [x, index, src] = inputs as readonly [TensorSpec, TensorSpec, TensorSpec];
    expectSameDtype([x, src]);
    const dim = attributes.dimension('dim', x.shape.length);
    expectIndexFits(x, index, dim);
    if (src.shape.length !== index.shape.length || index.shape.some((size, d) => size > src.shape[d]!)) {
      throw new Error('Its src must be at least as large as its index.');
    }
    attributes.choice('reduce', [null, 'add']);
    return [x];
  },
  evaluate([x, index, src], attributes, a) {
    const to = positions(x!.spec, index!, attributes.dimension('dim', x!.spec.shape.length));
    const out = x!.values.slice();
    const add = attributes.choice('reduce', [null, 'add']) === 'add';
    const own = contiguousStrides(index!.spec.shape);
    const strides = contiguousStrides(src!.spec.shape);
    // Additions in float32 come in no defined order on a GPU; the reversed order stands for the others.
    const reversed = a.order === 'reversed';
    for (let step = 0; step < to.length; step++) {
      const i = add && reversed ? to.length - 1 - step : step;
      let from = 0;
      for (let d = 0; d < own.length; d++) from += (Math.floor(i / own[d]!) % index!.spec.shape[d]!) * strides[d]!;
      const at = to[i]!;
      out[at] = add ? a.round(out[at]! + src!.values[from]!) : src!.values[from]!;
    }
    return [out];
  },
  operations: noOperations,
  reads: readsIndices(1),
};

const indexSelect: Operator = {
  name: 'index_select',
  kind: 'indexing',
  infer(inputs, attributes) {
    expectOperands(inputs, 2);
    const [x, index] = inputs as readonly [TensorSpec, TensorSpec];
    expectDtype(index, 'int64', 'index');
    if (index.shape.length !== 1) throw new Error('Its index must have one dimension.');
    const dim = attributes.dimension('dim', x.shape.length);
    return [{ shape: x.shape.map((size, d) => (d === dim ? index.shape[0]! : size)), dtype: x.dtype }];
  },
  evaluate([x, index], attributes, _arithmetic, outputs) {
    const { outer, size, inner } = around(x!.spec.shape, attributes.dimension('dim', x!.spec.shape.length));
    const out = new Float64Array(outputCount(outputs));
    const count = index!.values.length;
    for (let k = 0; k < count; k++) {
      const at = checkedIndex(index!.values[k]!, size, true);
      for (let o = 0; o < outer; o++) {
        const from = (o * size + at) * inner;
        out.set(x!.values.subarray(from, from + inner), (o * count + k) * inner);
      }
    }
    return [out];
  },
  operations: noOperations,
  reads: readsIndices(1),
};

const embedding: Operator = {
  name: 'embedding',
  kind: 'indexing',
  infer(inputs) {
    expectOperands(inputs, 2);
    const [index, weight] = inputs as readonly [TensorSpec, TensorSpec];
    if (index.dtype !== 'int64' && index.dtype !== 'int32') throw new Error('Its index must be int64 or int32.');
    if (weight.shape.length !== 2) throw new Error('Its weight must have 2 dimensions.');
    return [{ shape: [...index.shape, weight.shape[1]!], dtype: weight.dtype }];
  },
  evaluate([index, weight], _attributes, _arithmetic, outputs) {
    const [rows, width] = weight!.spec.shape as readonly [number, number];
    const out = new Float64Array(outputCount(outputs));
    for (let i = 0; i < index!.values.length; i++) {
      const at = checkedIndex(index!.values[i]!, rows, false) * width;
      out.set(weight!.values.subarray(at, at + width), i * width);
    }
    return [out];
  },
  operations: noOperations,
  reads: readsIndices(0),
};

const oneHot: Operator = {
  name: 'one_hot',
  kind: 'indexing',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    expectDtype(inputs[0], 'int64', 'operand');
    return [{ shape: [...inputs[0]!.shape, attributes.integer('num_classes', 1)], dtype: 'int64' }];
  },
  evaluate([x], attributes, _arithmetic, outputs) {
    const classes = attributes.integer('num_classes', 1);
    const out = new Float64Array(outputCount(outputs));
    for (let i = 0; i < x!.values.length; i++) out[i * classes + checkedIndex(x!.values[i]!, classes, false)] = 1;
    return [out];
  },
  operations: noOperations,
  reads: readsIndices(0),
};

/** gather, scatter, index_select, embedding, one_hot. */
export const indexingOperators: readonly Operator[] = [gather, scatter, indexSelect, embedding, oneHot];

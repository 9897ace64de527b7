/** Pointwise nodes: one map each, broadcasting by strides. */
import type { DType } from '../../../../task/index.ts';
import { pointwise } from '../pointwise.ts';
import type { View } from '../program.ts';
import { attributeNumber, type ComputeType, isFloating, literal, storage } from '../scalar.ts';
import type { Lowering } from './context.ts';

export type Rule = (lower: Lowering) => void;

/** The node of an operator of the pointwise table. A Python scalar (`other`) becomes a literal of the operands' type. */
function lowerPointwise(lower: Lowering): void {
  const { node } = lower;
  const entry = pointwise[node.op]!;
  const views = node.inputs.map((_, k) => lower.input(k));
  // Conditions come first, but for the mask of masked_fill: literals have the type of what is computed with.
  const inputDtype = lower.dtype(node.op === 'masked_fill' ? views[0]! : views.at(-1)!);
  const inputType = storage[inputDtype].compute;
  if (entry.floating && !isFloating(inputType))
    lower.fail(`operands of ${inputDtype}, where floating point is expected`);
  if (!isFloating(inputType) && ['floor', 'ceil', 'round', 'trunc'].includes(node.op)) {
    lower.output(views[0]!);
    return;
  }
  const { other } = node.attributes;
  const outputDtype = lower.outputDtype();
  const result = lower.map(
    views,
    outputDtype,
    (args) => {
      const x = args.map((arg) => arg.text);
      if (other !== undefined && other !== null && x.length === 1) {
        const scalar = literal(scalarFor(attributeNumber(other), inputType), inputType);
        if (node.attributes.reverse === true) x.unshift(scalar);
        else x.push(scalar);
      }
      return narrowed(entry.expression(x, inputType, node.attributes), outputDtype);
    },
    { label: node.op, shape: lower.outputShape(), ...(entry.helpers ? { helpers: entry.helpers } : {}) },
  );
  lower.output(result);
}

/** A scalar beside integers that is not one (comparisons with 0.5) has no literal of that type. */
function scalarFor(value: number, type: ComputeType): number {
  if (!isFloating(type) && !Number.isInteger(value)) throw new RangeError(`the scalar ${value} beside integers`);
  return value;
}

/** Small integers compute in int; each result wraps to the dtype, as PyTorch's does. */
function narrowed(expression: string, dtype: DType): string {
  return dtype === 'int8' || dtype === 'int16' || dtype === 'uint8'
    ? `static_cast<${storage[dtype].type}>(${expression})`
    : expression;
}

function lowerCast(lower: Lowering): void {
  lower.output(cast(lower, lower.input(0), lower.outputDtype()));
}

/** Conversion between dtypes: float to integer truncates, to bool is x != 0. */
export function cast(lower: Lowering, view: View, dtype: DType): View {
  if (lower.dtype(view) === dtype) return view;
  const target = storage[dtype].compute;
  return lower.compute('cast', [view], dtype, ([x]) =>
    target === 'bool' ? `${x} != 0` : narrowed(`static_cast<${target}>(${x})`, dtype),
  );
}

export const pointwiseRules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(Object.keys(pointwise).map((op) => [op, lowerPointwise])),
  cast: lowerCast,
};

/**
 * Evaluating many variants of one graph on the same inputs. A mutant differs from its task in a node or two: what does not depend on them is
 * taken from the task's own evaluation, so that fifty mutants cost a few evaluations and not fifty.
 */

import { type ArithmeticChoice, float64 } from '../operators/arithmetic.ts';
import { evaluateNode, fixedTensor } from '../operators/evaluate.ts';
import { isFloating, roundArray } from '../operators/tensor.ts';
import type { Graph, GraphNode, HostTensor } from '../types.ts';

/** A graph evaluated in float64 with all its values kept. */
export class Variants {
  readonly #graph: Graph;
  readonly #values = new Map<number, HostTensor>();
  readonly #nodes = new Map<number, GraphNode>();

  /**
   * `inputs` are the inputs, then the parameters and buffers. Evaluates the whole graph once. `disturb` is applied to all floating values, arguments
   * too, for asking how much rounding matters.
   */
  constructor(
    graph: Graph,
    inputs: readonly HostTensor[],
    choice: ArithmeticChoice = float64,
    disturb?: (values: Float64Array) => Float64Array,
  ) {
    this.#graph = graph;
    [...graph.inputs, ...graph.parameters].forEach((argument, i) => {
      const { spec, values } = inputs[i]!;
      this.#values.set(argument.id, disturb && isFloating(spec.dtype) ? { spec, values: disturb(values) } : inputs[i]!);
    });
    for (const { id, spec, draw } of graph.constants) this.#values.set(id, fixedTensor(spec, draw));
    for (const node of graph.nodes) {
      compute(node, this.#values, this.#values, choice);
      this.#nodes.set(node.outputs[0]!.id, node);
      if (!disturb) continue;
      for (const { id } of node.outputs) {
        const { spec, values } = this.value(id);
        if (isFloating(spec.dtype)) this.#values.set(id, { spec, values: disturb(values) });
      }
    }
  }

  /** A value of the graph itself, as the arithmetic left it. */
  value(id: number): HostTensor {
    const value = this.#values.get(id);
    if (value === undefined) throw new Error(`The graph has no value ${id}.`);
    return value;
  }

  /** The graph's outputs, rounded to their types. */
  outputs(): HostTensor[] {
    return this.#graph.outputs.map((id) => rounded(this.value(id)));
  }

  /**
   * Values of a variant: of a graph that was edited from this one, so that equal ids name equal values unless what makes them
   * was changed. Gives a look-up by id; values of the variant that reach none of its outputs are not there.
   */
  evaluate(variant: Graph): (id: number) => HostTensor {
    const own = new Map<number, HostTensor>();
    const known = { get: (id: number) => own.get(id) ?? this.#values.get(id) };
    for (const { id, spec, draw } of variant.constants) if (!this.#values.has(id)) own.set(id, fixedTensor(spec, draw));
    for (const node of variant.nodes) {
      const before = this.#nodes.get(node.outputs[0]!.id);
      const same =
        before !== undefined &&
        before.op === node.op &&
        before.attributes === node.attributes &&
        before.inputs.length === node.inputs.length &&
        node.inputs.every((id, i) => id === before.inputs[i] && !own.has(id));
      if (!same) compute(node, known, own, float64);
    }
    return (id) => {
      const value = known.get(id);
      if (value === undefined) throw new Error(`The variant has no value ${id}.`);
      return value;
    };
  }

  /** The outputs of a variant, rounded to their types. */
  outputsOf(variant: Graph): HostTensor[] {
    const value = this.evaluate(variant);
    return variant.outputs.map((id) => rounded(value(id)));
  }
}

function compute(
  node: GraphNode,
  known: { get(id: number): HostTensor | undefined },
  into: Map<number, HostTensor>,
  choice: ArithmeticChoice,
): void {
  const results = evaluateNode(
    node,
    node.inputs.map((id) => known.get(id)!),
    choice,
  );
  node.outputs.forEach((output, o) => {
    into.set(output.id, results[o]!);
  });
}

function rounded({ spec, values }: HostTensor): HostTensor {
  return { spec, values: isFloating(spec.dtype) ? roundArray(values.slice(), spec.dtype) : values };
}

/**
 * A graph's backward: the gradients of its inputs and parameters as a graph of their own, from the gradients of its outputs, its inputs and its parameters.
 * Reverse-mode differentiation, node by node, with each operator's own gradient (operators/gradients). Forward values that a gradient needs are computed
 * again; what none needs is not there.
 */

import { inferNode } from './operators/evaluate.ts';
import type { GraphTarget, Value } from './operators/gradients/gradient.ts';
import { carriesGradient, GradientBuilder } from './operators/gradients/gradient.ts';
import { gradientOf } from './operators/gradients/table.ts';
import { Attributes } from './operators/operator.ts';
import { pruned, renumbered, valueSpecs } from './operators/rewrite.ts';
import { TaskError } from './trace/task-error.ts';
import type { Draw, Graph, GraphConstant, GraphNode, GraphValue, JsonNumber, TensorSpec } from './types.ts';

export interface Backward {
  /** Inputs: the outputs' gradients, then the forward's inputs; parameters as in the forward. Outputs: the gradients, in `of`'s order. */
  graph: Graph;
  /** How many of the graph's inputs are gradients of outputs; they come first. */
  given: number;
  /** Of which of the forward's outputs they are the gradients, by number. */
  outputs: readonly number[];
  /** Names of what the outputs are gradients of: inputs, then parameters, that are of a floating-point type and that some output depends on smoothly. */
  of: readonly string[];
}

/** Gradients of outputs are drawn as noise: a gradient of ones hides that a kernel ignores it. */
const gradientDraw: Draw = { kind: 'normal', mean: 0, std: 1 };

/** Appends nodes to a graph being made; ids go on from the highest. */
class Appender implements GraphTarget {
  readonly nodes: GraphNode[] = [];
  readonly constants: GraphConstant[] = [];
  readonly specs: Map<number, TensorSpec>;
  line = 0;
  #next: number;

  constructor(graph: Graph) {
    this.specs = valueSpecs(graph);
    this.#next = Math.max(-1, ...this.specs.keys()) + 1;
  }

  value(spec: TensorSpec): Value {
    const value = { id: this.#next++, spec };
    this.specs.set(value.id, spec);
    return value;
  }

  append(op: string, inputs: readonly number[], attributes: GraphNode['attributes']): Value[] {
    const bare: GraphNode = { op, inputs, attributes, outputs: [], line: this.line };
    const specs = inferNode(
      bare,
      inputs.map((id) => this.specs.get(id)!),
    );
    const outputs = specs.map((spec) => this.value(spec));
    this.nodes.push({ ...bare, outputs });
    return outputs;
  }

  constant(spec: TensorSpec, value: JsonNumber): Value {
    const made = this.value(spec);
    this.constants.push({ ...made, draw: { kind: 'constant', value } });
    return made;
  }
}

/** What gradients are wanted of: floating-point inputs and parameters; buffers are state. */
function wanted(graph: Graph): (GraphValue & { name: string })[] {
  return [...graph.inputs, ...graph.parameters.filter((p) => p.kind === 'parameter')].filter((leaf) =>
    carriesGradient(leaf.spec),
  );
}

/** Values that depend on a wanted leaf through operators that pass gradients on. */
function dependents(graph: Graph, leaves: readonly GraphValue[]): Set<number> {
  const found = new Set(leaves.map((leaf) => leaf.id));
  for (const node of graph.nodes) {
    if (gradientOf(node.op) === 'none' || !node.inputs.some((id) => found.has(id))) continue;
    for (const output of node.outputs) if (carriesGradient(output.spec)) found.add(output.id);
  }
  return found;
}

/** A name that no argument has yet. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  return taken.has(name) ? freeName(`${name}_`, taken) : name;
}

/**
 * The backward of a graph. Throws TaskError (`unsupported`, with the line) for an operator whose gradient is not written, and where nothing the graph
 * returns depends smoothly on anything it is given.
 */
export function backwardGraph(graph: Graph): Backward {
  const leaves = wanted(graph);
  const smooth = dependents(graph, leaves);
  const appender = new Appender(graph);
  const builder = new GradientBuilder(appender);
  for (const node of graph.nodes) builder.remember(node);
  const taken = new Set([...graph.inputs, ...graph.parameters].map((argument) => argument.name));
  const grads = new Map<number, Value>();
  const flow = (id: number, grad: Value | undefined) => {
    if (!grad || !smooth.has(id)) return;
    const before = grads.get(id);
    grads.set(id, before ? builder.add(before, grad) : grad);
  };

  const given = graph.outputs.flatMap((id, o) => {
    if (!smooth.has(id)) return [];
    const value = appender.value(appender.specs.get(id)!);
    flow(id, value);
    const name = graph.outputs.length === 1 ? 'grad_output' : `grad_output${o}`;
    return [{ ...value, name: freeName(name, taken), draw: gradientDraw }];
  });
  if (given.length === 0) {
    throw new TaskError(
      'unsupported',
      'There is nothing to differentiate: no output depends on a floating-point input or parameter through operators that have a gradient.',
    );
  }

  for (const node of graph.nodes.toReversed()) backThrough(node, grads, smooth, appender, builder, flow);

  const reached = leaves.filter((leaf) => grads.has(leaf.id));
  const made: Graph = {
    inputs: [...given, ...graph.inputs],
    parameters: graph.parameters,
    constants: [...graph.constants, ...appender.constants],
    nodes: [...graph.nodes, ...appender.nodes],
    outputs: reached.map((leaf) => grads.get(leaf.id)!.id),
  };
  const outputs = graph.outputs.flatMap((id, o) => (smooth.has(id) ? [o] : []));
  return { graph: renumbered(pruned(made)), given: given.length, outputs, of: reached.map((leaf) => leaf.name) };
}

/** Passes the gradients of a node's outputs on to its operands. */
function backThrough(
  node: GraphNode,
  grads: ReadonlyMap<number, Value>,
  smooth: ReadonlySet<number>,
  appender: Appender,
  builder: GradientBuilder,
  flow: (id: number, grad: Value | undefined) => void,
): void {
  const own = node.outputs.map((output) => grads.get(output.id));
  const gradient = gradientOf(node.op);
  if (own.every((grad) => grad === undefined) || gradient === 'none') return;
  if (!node.inputs.some((id) => smooth.has(id))) return;
  if (gradient === 'unsupported') {
    throw new TaskError(
      'unsupported',
      `Line ${node.line}: the gradient of \`${node.op}\` is not supported.`,
      node.line,
    );
  }
  appender.line = node.line;
  const first = node.outputs[0]!;
  const made = gradient({
    g: builder,
    inputs: node.inputs.map((id) => ({ id, spec: appender.specs.get(id)! })),
    outputs: node.outputs,
    grads: own,
    grad: own[0] ?? builder.zerosLike(first),
    attributes: new Attributes(node.op, node.attributes),
    raw: node.attributes,
  });
  node.inputs.forEach((id, i) => {
    flow(id, made[i]);
  });
}

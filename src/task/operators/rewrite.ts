/**
 * Building one graph from another: nodes and constants appended, values replaced, dead nodes dropped. Graphs are never changed in place.
 */
import type { Draw, Graph, GraphConstant, GraphNode, TensorSpec } from '../types.ts';
import { inferNode } from './evaluate.ts';

/** Specs of all values of a graph by id. */
export function valueSpecs(graph: Graph): Map<number, TensorSpec> {
  const specs = new Map<number, TensorSpec>();
  for (const value of [...graph.inputs, ...graph.parameters, ...graph.constants]) specs.set(value.id, value.spec);
  for (const node of graph.nodes) for (const output of node.outputs) specs.set(output.id, output.spec);
  return specs;
}

/** A graph being made from another. */
export class GraphEdit {
  readonly #graph: Graph;
  readonly #specs: Map<number, TensorSpec>;
  readonly #constants: GraphConstant[] = [];
  /** Nodes to stand before the original node of that index; the last list stands at the end. */
  readonly #inserted = new Map<number, GraphNode[]>();
  readonly #changed = new Map<number, GraphNode>();
  readonly #replaced = new Map<number, number>();
  #outputs: readonly number[];
  #next: number;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#specs = valueSpecs(graph);
    this.#outputs = graph.outputs;
    this.#next = Math.max(-1, ...this.#specs.keys()) + 1;
  }

  specOf(id: number): TensorSpec {
    const spec = this.#specs.get(id);
    if (!spec) throw new Error(`The graph has no value ${id}.`);
    return spec;
  }

  /** A new constant's id. */
  constant(spec: TensorSpec, draw: Draw): number {
    const id = this.#next++;
    this.#constants.push({ id, spec, draw });
    this.#specs.set(id, spec);
    return id;
  }

  /** A new node's first output; `before` is the index of the node it precedes, default the end. Throws where its operands do not fit. */
  node(
    op: string,
    inputs: readonly number[],
    attributes: GraphNode['attributes'],
    before = this.#graph.nodes.length,
  ): number {
    const line = this.#graph.nodes[Math.min(before, this.#graph.nodes.length - 1)]?.line ?? 0;
    const bare: GraphNode = { op, inputs, attributes, outputs: [], line };
    const specs = inferNode(
      bare,
      inputs.map((id) => this.specOf(id)),
    );
    const outputs = specs.map((spec) => ({ id: this.#next++, spec }));
    for (const output of outputs) this.#specs.set(output.id, output.spec);
    const list = this.#inserted.get(before) ?? [];
    list.push({ ...bare, outputs });
    this.#inserted.set(before, list);
    return outputs[0]!.id;
  }

  /** Puts another node in the place of the node of this index; its outputs keep their ids and must keep their specs. */
  change(index: number, node: Partial<Pick<GraphNode, 'op' | 'inputs' | 'attributes'>>): void {
    this.#changed.set(index, { ...this.#graph.nodes[index]!, ...node });
  }

  /** Every use of a value, by original nodes and by the outputs, becomes a use of another. */
  replace(id: number, by: number): void {
    this.#replaced.set(id, by);
  }

  setOutputs(outputs: readonly number[]): void {
    this.#outputs = outputs;
  }

  /** The graph made, without nodes that reach no output. Inputs and parameters all stay, because they are the signature. */
  done(): Graph {
    const by = (id: number) => this.#replaced.get(id) ?? id;
    const nodes: GraphNode[] = [];
    this.#graph.nodes.forEach((original, i) => {
      nodes.push(...(this.#inserted.get(i) ?? []));
      const node = this.#changed.get(i) ?? original;
      nodes.push({ ...node, inputs: node.inputs.map(by) });
    });
    nodes.push(...(this.#inserted.get(this.#graph.nodes.length) ?? []));
    return pruned({
      ...this.#graph,
      constants: [...this.#graph.constants, ...this.#constants],
      nodes,
      outputs: this.#outputs === this.#graph.outputs ? this.#outputs.map(by) : this.#outputs,
    });
  }
}

/** Without nodes and constants that reach no output. */
export function pruned(graph: Graph): Graph {
  const live = new Set(graph.outputs);
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => live.has(output.id))) continue;
    nodes.push(node);
    for (const id of node.inputs) live.add(id);
  }
  return { ...graph, nodes: nodes.reverse(), constants: graph.constants.filter((c) => live.has(c.id)) };
}

/** The same graph with ids that are dense and in order: inputs, parameters, constants, nodes' outputs. */
export function renumbered(graph: Graph): Graph {
  const ids = new Map<number, number>();
  const next = <V extends { id: number }>(value: V): V => {
    const id = ids.size;
    ids.set(value.id, id);
    return { ...value, id };
  };
  const inputs = graph.inputs.map(next);
  const parameters = graph.parameters.map(next);
  const constants = graph.constants.map(next);
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((id) => ids.get(id)!),
    outputs: node.outputs.map(next),
  }));
  return { inputs, parameters, constants, nodes, outputs: graph.outputs.map((id) => ids.get(id)!) };
}

/** For tests: graphs built operator by operator, with shapes from the task room's own rules. */
import {
  type Attribute,
  type Draw,
  type DType,
  type Graph,
  type GraphInput,
  type GraphNode,
  inferNode,
  signatureOf,
  type Task,
  type TensorSpec,
} from '../../task/index.ts';

export class GraphBuilder {
  readonly #inputs: GraphInput[] = [];
  readonly #nodes: GraphNode[] = [];
  readonly #specs: TensorSpec[] = [];

  input(shape: readonly number[], dtype: DType = 'float32', draw: Draw = { kind: 'normal', mean: 0, std: 1 }): number {
    const id = this.#add({ shape, dtype });
    this.#inputs.push({ id, spec: { shape, dtype }, name: `x${id}`, draw });
    return id;
  }

  /** Appends a node; returns its first output. Throws as the task room does when the operands do not fit. */
  op(op: string, inputs: readonly number[], attributes: Readonly<Record<string, Attribute>> = {}): number {
    const line = this.#nodes.length + 1;
    const node: GraphNode = { op, inputs, attributes, outputs: [], line };
    const specs = inferNode(
      node,
      inputs.map((id) => this.#specs[id]!),
    );
    const outputs = specs.map((spec) => ({ id: this.#add(spec), spec }));
    this.#nodes.push({ ...node, outputs });
    return outputs[0]!.id;
  }

  spec(id: number): TensorSpec {
    return this.#specs[id]!;
  }

  task(outputs: readonly number[], name = 'test'): Task {
    const graph: Graph = { inputs: this.#inputs, parameters: [], constants: [], nodes: this.#nodes, outputs };
    return { name, source: '', hash: name, graph, signature: signatureOf(graph, []), precision: 'fp32', scaled: [] };
  }

  #add(spec: TensorSpec): number {
    this.#specs.push(spec);
    return this.#specs.length - 1;
  }
}

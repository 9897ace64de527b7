/** What a graph returns. */
import type { Graph, TensorSpec } from './types.ts';

/** The specs of a graph's outputs. */
export function outputSpecs(graph: Graph): TensorSpec[] {
  const wanted = new Map<number, TensorSpec>();
  for (const v of [...graph.inputs, ...graph.parameters, ...graph.constants]) wanted.set(v.id, v.spec);
  for (const node of graph.nodes) for (const v of node.outputs) wanted.set(v.id, v.spec);
  return graph.outputs.map((id) => wanted.get(id)!);
}

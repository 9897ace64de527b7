/** A task in lines of text: the C++ function that a candidate exports, and the graph, an operator a line. */
import { specText } from './operators/tensor.ts';
import type { Graph, Task } from './types.ts';

/** The C++ function a candidate exports. */
export function signatureText({ signature }: Pick<Task, 'signature'>): string {
  const tensors = signature.tensors.map(({ name }) => `torch::Tensor ${name.replaceAll('.', '_')}`);
  const result = signature.outputs.length === 1 ? 'torch::Tensor' : 'std::vector<torch::Tensor>';
  return `${result} ${signature.entry ?? 'forward'}(${tensors.join(', ')})`;
}

/** `%7: float32[64, 10] = linear(x, weight, bias)   line 12` for each node. */
export function graphText(graph: Graph): string[] {
  const names = new Map<number, string>();
  for (const value of [...graph.inputs, ...graph.parameters]) names.set(value.id, value.name);
  for (const value of graph.constants) names.set(value.id, `constant ${specText(value.spec)}`);
  const name = (id: number) => names.get(id) ?? `%${id}`;
  return graph.nodes.map(({ op, inputs, attributes, outputs, line }) => {
    const operands = inputs.map(name).join(', ');
    const rest = Object.entries(attributes).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    const results = outputs.map(({ id, spec }) => `%${id}: ${specText(spec)}`).join(', ');
    return `${results} = ${op}(${[operands, ...rest].filter((part) => part !== '').join(', ')})   line ${line}`;
  });
}

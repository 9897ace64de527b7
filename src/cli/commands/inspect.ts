/** `assay task inspect task.py`: the graph, the signature a candidate must have, and the floor. */
import { floor, type Graph, type Task, type TensorSpec } from '../../task/index.ts';
import { gpuTarget } from '../../vgpu/index.ts';
import type { Places } from '../places.ts';
import { type TaskOptions, taskFrom } from '../task-options.ts';
import { printable, time } from '../terminal/format.ts';

export interface InspectOptions extends TaskOptions {
  gpu: string;
  json: boolean;
}

/** Prints; always 0, as a task that cannot be read is an error. */
export async function inspect(taskFile: string, options: InspectOptions, places: Places): Promise<number> {
  const target = gpuTarget(options.gpu);
  const task = await taskFrom(taskFile, options, places);
  const least = floor(task, target);
  if (options.json) {
    const { name, hash, signature, graph, scaled } = task;
    process.stdout.write(
      `${JSON.stringify({ name, hash, scaled, signature, cSignature: signatureText(task), graph, floor: least }, null, 2)}\n`,
    );
    return 0;
  }
  const out = (line = '') => process.stdout.write(`${printable(line)}\n`);
  out(`${task.name}   (${task.hash.slice(0, 12)})`);
  for (const { name, from, to } of task.scaled) out(`  scaled: ${name} ${from} -> ${to}`);
  out();
  out('signature');
  for (const line of signatureText(task).split('\n')) out(`  ${line}`);
  for (const { name, role, spec } of task.signature.tensors) out(`    ${name}: ${role} ${specText(spec)}`);
  for (const { name, value } of task.signature.scalars)
    out(`    ${name} = ${JSON.stringify(value)} (by name, if wanted)`);
  for (const spec of task.signature.outputs) out(`    returns ${specText(spec)}`);
  out();
  out('graph');
  for (const line of graphText(task.graph)) out(`  ${line}`);
  out();
  out(`floor on ${target.name}: ${time(least.microseconds)}, limited by ${least.limitedBy}`);
  return 0;
}

function specText({ dtype, shape }: TensorSpec): string {
  return `${dtype}[${shape.join(', ')}]`;
}

/** The C++ function a candidate exports. */
function signatureText({ signature }: Task): string {
  const tensors = signature.tensors.map(({ name }) => `torch::Tensor ${name.replaceAll('.', '_')}`);
  const result = signature.outputs.length === 1 ? 'torch::Tensor' : 'std::vector<torch::Tensor>';
  return `${result} forward(${tensors.join(', ')})`;
}

function graphText(graph: Graph): string[] {
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

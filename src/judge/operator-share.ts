/**
 * What of a submission's work is PyTorch's own operators and not its kernels: how much of it, by the operations that a straightforward algorithm does
 * and by the bytes that are read and written when each operator runs by itself, against the same counts of the task's whole graph.
 */
import type { OperatorStep, Plan } from '../kernel/index.ts';
import {
  Attributes,
  elementBytes,
  elementCount,
  type Graph,
  graphOperations,
  operatorOf,
  type TensorSpec,
} from '../task/index.ts';

export interface OperatorShare {
  operators: readonly { op: string; line: number; operations: number; bytes: number }[];
  /** Operations and bytes of all of them together, as a part of the task's; over 1 where they do more than the task asks for. */
  operations: number;
  bytes: number;
}

/** Undefined where the plan has no operators of PyTorch's. */
export function operatorShare(plan: Plan, graph: Graph): OperatorShare | undefined {
  const steps = plan.steps.filter((step): step is OperatorStep => step.kind === 'operator');
  if (steps.length === 0) return undefined;
  const operators = steps.map(({ op, attributes, inputs, outputs, line }) => {
    const operations = operationsOf(op, attributes, inputs, outputs);
    return { op, line, operations, bytes: bytesOf(inputs) + bytesOf(outputs) };
  });
  const sum = (of: 'operations' | 'bytes') => operators.reduce((total, one) => total + one[of], 0);
  const whole = graphOperations(graph);
  const operations = whole.arithmetic + whole.special + whole.contraction;
  return { operators, operations: part(sum('operations'), operations), bytes: part(sum('bytes'), graphBytes(graph)) };
}

/** In words: what was done by whom. */
export function operatorShareInWords({ operators, operations, bytes }: OperatorShare): string {
  const lines = new Map<string, Set<number>>();
  for (const { op, line } of operators) lines.set(op, (lines.get(op) ?? new Set()).add(line));
  const named = [...lines].map(([op, at]) => `${op} (line ${[...at].join(', ')})`);
  const list = named.length > 6 ? `${named.slice(0, 6).join(', ')} and ${named.length - 6} more` : named.join(', ');
  return `PyTorch's own operators, not this submission's kernels, do ${percent(operations)} of the task's operations and move ${percent(bytes)} of its bytes: ${list}. The judge evaluated them with its own float32 reference.`;
}

const percent = (share: number) => `${share > 0 && share < 0.01 ? 'under 1' : Math.round(100 * share)} %`;

const part = (some: number, whole: number) => (whole > 0 ? some / whole : some > 0 ? 1 : 0);

const bytesOf = (tensors: readonly TensorSpec[]) =>
  tensors.reduce((sum, { shape, dtype }) => sum + elementCount(shape) * elementBytes[dtype], 0);

function graphBytes(graph: Graph): number {
  const specs = new Map<number, TensorSpec>();
  for (const value of [...graph.inputs, ...graph.parameters, ...graph.constants]) specs.set(value.id, value.spec);
  let bytes = 0;
  for (const node of graph.nodes) {
    const outputs = node.outputs.map(({ id, spec }) => {
      specs.set(id, spec);
      return spec;
    });
    if (operatorOf(node.op).kind !== 'layout')
      bytes += bytesOf(node.inputs.map((id) => specs.get(id)!)) + bytesOf(outputs);
  }
  return bytes;
}

/**
 * Whether PyTorch's operators in the plan do everything that the task asks for: each operator of its graph that computes something, as often and on as much. Then nothing
 * is left for kernels: they copy, or their results come to nothing.
 */
export function operatorsDoTheTask(plan: Plan, graph: Graph): boolean {
  const specs = new Map<number, TensorSpec>();
  for (const value of [...graph.inputs, ...graph.parameters, ...graph.constants]) specs.set(value.id, value.spec);
  const asked = new Map<string, number>();
  for (const { op, attributes, inputs, outputs } of graph.nodes) {
    for (const { id, spec } of outputs) specs.set(id, spec);
    const results = outputs.map(({ spec }) => spec);
    const given = inputs.map((id) => specs.get(id)!);
    asked.set(op, (asked.get(op) ?? 0) + operationsOf(op, attributes, given, results));
  }
  asked.delete('cast');
  const work = [...asked].filter(([, operations]) => operations > 0);
  const done = new Map<string, number>();
  for (const step of plan.steps) {
    if (step.kind !== 'operator') continue;
    const { op, attributes, inputs, outputs } = step;
    done.set(op, (done.get(op) ?? 0) + operationsOf(op, attributes, inputs, outputs));
  }
  return work.length > 0 && work.every(([op, operations]) => (done.get(op) ?? 0) >= operations);
}

function operationsOf(
  op: string,
  attributes: OperatorStep['attributes'],
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
): number {
  const { arithmetic, special, contraction } = operatorOf(op).operations(
    inputs,
    new Attributes(op, attributes),
    outputs,
  );
  return arithmetic + special + contraction;
}

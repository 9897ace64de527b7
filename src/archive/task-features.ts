/**
 * What two tasks have in common, from their graphs alone: the operators and which feeds which, the sizes, and what limits them on a GPU.
 * Related work is found by it, so that a softmax finds other softmaxes first, then other normalisations over rows, and never a product of matrices
 * before them.
 */
import {
  compulsoryBytes,
  elementCount,
  graphOperations,
  operatorOf,
  type PrecisionPolicy,
  type Task,
} from '../task/index.ts';
import { gpuTarget } from '../vgpu/index.ts';

/** Kept with a task. Counts of operators and of pairs (`producer>consumer`); sizes in elements; work in bytes and operations. */
export interface TaskFeatures {
  version: 1;
  operators: Readonly<Record<string, number>>;
  pairs: Readonly<Record<string, number>>;
  /** Shape of the largest input, largest extents first. */
  extents: readonly number[];
  elements: { inputs: number; outputs: number };
  work: { bytes: number; arithmetic: number; special: number; contraction: number };
  precision: PrecisionPolicy;
}

export function taskFeatures({ graph, precision }: Pick<Task, 'graph' | 'precision'>): TaskFeatures {
  const operators: Record<string, number> = {};
  const pairs: Record<string, number> = {};
  const madeBy = new Map<number, string>();
  for (const node of graph.nodes) {
    operators[node.op] = (operators[node.op] ?? 0) + 1;
    for (const input of node.inputs) {
      const pair = `${madeBy.get(input) ?? 'input'}>${node.op}`;
      pairs[pair] = (pairs[pair] ?? 0) + 1;
    }
    for (const output of node.outputs) madeBy.set(output.id, node.op);
  }
  const shapes = graph.inputs.map(({ spec }) => spec.shape);
  const largest = shapes.toSorted((a, b) => elementCount(b) - elementCount(a))[0] ?? [];
  const specs = new Map(graph.nodes.flatMap(({ outputs }) => outputs.map(({ id, spec }) => [id, spec.shape] as const)));
  const { read, written } = compulsoryBytes(graph);
  return {
    version: 1,
    operators,
    pairs,
    extents: largest.toSorted((a, b) => b - a),
    elements: {
      inputs: shapes.reduce((sum, shape) => sum + elementCount(shape), 0),
      outputs: graph.outputs.reduce((sum, id) => sum + elementCount(specs.get(id) ?? []), 0),
    },
    work: { bytes: read + written, ...graphOperations(graph) },
    precision,
  };
}

/** Weights of what is compared; they sum to 1. Operators count most: what code looks like follows from them. */
const weights = { operators: 0.45, pairs: 0.25, shapes: 0.15, bottleneck: 0.15 };
/** Operators that only rearrange: code differs little with or without them. */
const layoutWeight = 0.25;

/** How alike two tasks are on a GPU: 0 nothing in common, 1 the same in all that is looked at; and what they share, in words. */
export function similarity(a: TaskFeatures, b: TaskFeatures, gpu: string): { value: number; shared: string } {
  const [limitA, limitB] = [limits(a, gpu), limits(b, gpu)];
  const value =
    weights.operators * overlap(a.operators, b.operators, weightOf) +
    weights.pairs * overlap(a.pairs, b.pairs, (pair) => weightOf(pair.split('>')[1]!)) +
    weights.shapes * shapeLikeness(a, b) +
    weights.bottleneck * cosine(limitA, limitB);
  const common = Object.keys(a.operators).filter((operator) => operator in b.operators);
  const shared = [common.length > 0 ? common.join(', ') : 'no operator'];
  const [mainA, mainB] = [mostOf(limitA), mostOf(limitB)];
  if (mainA === mainB) shared.push(`both limited by ${mainA}`);
  return { value, shared: shared.join('; ') };
}

function weightOf(operator: string): number {
  return operatorOf(operator).kind === 'layout' ? layoutWeight : 1;
}

/** Weighted Jaccard index of two bags: what both have over what either has. */
function overlap(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
  weight: (key: string) => number,
): number {
  let [both, either] = [0, 0];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [x, y] = [a[key] ?? 0, b[key] ?? 0];
    both += weight(key) * Math.min(x, y);
    either += weight(key) * Math.max(x, y);
  }
  return either === 0 ? 1 : both / either;
}

/** 1 for equal shapes, less by each power of two between extents, the largest compared with the largest. */
function shapeLikeness(a: TaskFeatures, b: TaskFeatures): number {
  const powers = (x: number, y: number) => Math.abs(Math.log2(Math.max(1, x) / Math.max(1, y)));
  const rank = Math.max(a.extents.length, b.extents.length);
  let apart = powers(a.elements.outputs, b.elements.outputs);
  for (let k = 0; k < rank; k++) apart += powers(a.extents[k] ?? 1, b.extents[k] ?? 1);
  return Math.exp(-apart / (4 * (rank + 1)));
}

/** Microseconds that each resource of the GPU takes by itself, done straightforwardly. */
function limits({ work, precision }: TaskFeatures, gpu: string): Record<string, number> {
  const { memoryBandwidth, flops, lanesPerClock, sms, clockHz } = gpuTarget(gpu);
  const contraction = precision === 'fp32' ? flops.fp32 : flops[precision];
  return {
    'memory bandwidth': (1e6 * work.bytes) / memoryBandwidth,
    arithmetic: (1e6 * work.arithmetic) / flops.fp32,
    'special functions': (1e6 * work.special) / (lanesPerClock.special * sms * clockHz),
    'multiply-adds': (1e6 * work.contraction) / contraction,
  };
}

function mostOf(parts: Readonly<Record<string, number>>): string {
  return Object.entries(parts).toSorted((x, y) => y[1] - x[1])[0]![0];
}

function cosine(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): number {
  let [dot, lengthA, lengthB] = [0, 0, 0];
  for (const key of Object.keys(a)) {
    dot += a[key]! * b[key]!;
    lengthA += a[key]! ** 2;
    lengthB += b[key]! ** 2;
  }
  return dot === 0 ? 0 : dot / Math.sqrt(lengthA * lengthB);
}

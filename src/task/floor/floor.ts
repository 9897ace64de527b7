/**
 * The floor (speed of light): the least time any kernel for a task could take on a GPU. A time below it is not believed, so it must never be
 * too high: bytes count what every algorithm must read and write once, operations what none can leave out, each at the vendor's peak.
 *
 * Bytes: of each argument the elements that the outputs demand, walked backwards through the simplified graph (a triangle, a slice or an embedding
 * demands part of its operand), and every output once. With a cold cache, as Assay measures, all that is read comes from memory; what is written may
 * stay in the L2 as far as it fits (vendors do not publish an L2's bandwidth, so it sets no floor). With a warm one (other people's numbers) only what exceeds the L2 need cross the memory's pins.
 *
 * Operations (work.ts), at the rate of the fastest unit that the precision policy allows; special functions at twice the special-function rate,
 * because half of them can be polynomials on the other units.
 */
import { Attributes, type Operations } from '../operators/operator.ts';
import { valueSpecs } from '../operators/rewrite.ts';
import { operatorOf } from '../operators/table.ts';
import { elementBytes, elementCount } from '../operators/tensor.ts';
import type { DType, Graph, GraphNode, PrecisionPolicy, Task, TensorSpec } from '../types.ts';
import { simplified } from './simplify.ts';
import { leastOperations } from './work.ts';

/** The facts of a GPU that the floor needs; `gpuTarget` of the virtual GPU gives them. */
export interface FloorTarget {
  id: string;
  name: string;
  sms: number;
  clockHz: number;
  memoryBandwidth: number;
  l2Bytes: number;
  flops: { fp32: number; fp64: number; tf32: number; fp16: number; bf16: number; fp64Tensor: number; int8: number };
  lanesPerClock: { fp32: number; special: number };
}

export interface Floor {
  gpu: string;
  microseconds: number;
  /** In words: the resource that sets the floor. */
  limitedBy: string;
  /** Bytes read and written at least. */
  bytes: number;
  /** Operations done at least, of all units; a multiply-add counts two. */
  operations: number;
  /** Microseconds each resource takes by itself. */
  parts: { memory: number; arithmetic: number; contraction: number; special: number };
}

/** Operations of the graph as it stands, done straightforwardly. For choosing effort, not for a floor. */
export function graphOperations(graph: Graph): Operations {
  const specs = valueSpecs(graph);
  const total: Operations = { arithmetic: 0, special: 0, contraction: 0 };
  for (const node of graph.nodes) {
    const operations = operatorOf(node.op).operations(
      node.inputs.map((id) => specs.get(id)!),
      new Attributes(node.op, node.attributes),
      node.outputs.map((output) => output.spec),
    );
    total.arithmetic += operations.arithmetic;
    total.special += operations.special;
    total.contraction += operations.contraction;
  }
  return total;
}

/** Least bytes that any kernel for the graph reads and writes. */
export function compulsoryBytes(graph: Graph): { read: number; written: number } {
  const simple = simplified(graph);
  const demand = demandedElements(simple);
  let read = 0;
  for (const argument of [...simple.inputs, ...simple.parameters]) {
    read += (demand.get(argument.id) ?? 0) * elementBytes[argument.spec.dtype];
  }
  // Two outputs that are one value are still two tensors, unless they are returned as one: count it once. An argument returned as it is needs no copy.
  const arguments_ = new Set([...simple.inputs, ...simple.parameters].map((a) => a.id));
  const specs = valueSpecs(simple);
  let written = 0;
  for (const id of new Set(simple.outputs)) {
    const spec = specs.get(id)!;
    if (!arguments_.has(id)) written += elementCount(spec.shape) * elementBytes[spec.dtype];
  }
  return { read, written };
}

/** How many elements of each value must be there for all outputs: a lower bound, walked backwards. */
function demandedElements(graph: Graph): Map<number, number> {
  const specs = valueSpecs(graph);
  const demand = new Map<number, number>();
  const arguments_ = new Set([...graph.inputs, ...graph.parameters].map((a) => a.id));
  for (const id of graph.outputs) if (!arguments_.has(id)) demand.set(id, elementCount(specs.get(id)!.shape));
  for (const node of graph.nodes.toReversed()) {
    const wanted = node.outputs.map((output) => demand.get(output.id) ?? 0);
    if (wanted.every((count) => count === 0)) continue;
    const inputs = node.inputs.map((id) => specs.get(id)!);
    const reads = readsOf(node, inputs, wanted);
    node.inputs.forEach((id, i) => {
      const most = elementCount(inputs[i]!.shape);
      // Different users may want the same elements: the greatest wish is all that is sure.
      demand.set(id, Math.max(demand.get(id) ?? 0, Math.min(most, Math.max(0, Math.floor(reads[i] ?? 0)))));
    });
  }
  return demand;
}

/** Elements of each operand that a node must read for the wanted outputs: its own rule, or its kind's. */
function readsOf(node: GraphNode, inputs: readonly TensorSpec[], wanted: readonly number[]): number[] {
  const operator = operatorOf(node.op);
  const outputs = node.outputs.map((output) => output.spec);
  const attributes = new Attributes(node.op, node.attributes);
  if (operator.reads) return operator.reads(inputs, attributes, outputs, wanted);
  const count = Math.max(1, elementCount(outputs[0]!.shape));
  const share = Math.min(1, wanted[0]! / count);
  switch (operator.kind) {
    case 'pointwise':
    // A broadcast operand serves several outputs.
    case 'normalisation':
      // A normalisation needs whole sets, but which part of the sets is wanted a count does not say.
      return inputs.map((spec, i) => (i === 0 && centresSingles(node, spec) ? 0 : share * elementCount(spec.shape)));
    case 'reduction':
      return readsOfReduction(node, inputs[0]!, share);
    default:
      return inputs.map((spec) => (share === 1 ? elementCount(spec.shape) : 0));
  }
}

/** True if each element is a set of its own: less its mean it is zero whatever it was. */
function centresSingles(node: GraphNode, { shape }: TensorSpec): boolean {
  const spatial = elementCount(shape.slice(2));
  if (node.op === 'layer_norm') return elementCount(node.attributes.normalized_shape as number[]) === 1;
  if (node.op === 'group_norm') return (shape[1]! / (node.attributes.num_groups as number)) * spatial === 1;
  return node.op === 'instance_norm' && spatial === 1;
}

/** `any` and `all` may stop early; every other reduction reads all it reduces. */
function readsOfReduction(node: GraphNode, x: TensorSpec, share: number): number[] {
  if (node.op === 'any' || node.op === 'all') return [share > 0 ? 1 : 0];
  return [share * elementCount(x.shape)];
}

const tensorUnit: Readonly<Record<PrecisionPolicy, 'fp32' | 'tf32' | 'fp16' | 'bf16'>> = {
  fp32: 'fp32',
  tf32: 'tf32',
  fp16: 'fp16',
  bf16: 'bf16',
};

/** The rate contractions of an element type may run at under a policy: the fastest unit whose rounding the policy allows. */
function contractionRate(dtype: DType, policy: PrecisionPolicy, target: FloorTarget): number {
  switch (dtype) {
    case 'float64':
      return Math.max(target.flops.fp64, target.flops.fp64Tensor);
    case 'float16':
      return target.flops.fp16;
    case 'bfloat16':
      return target.flops.bf16;
    case 'float32': {
      const rate = target.flops[tensorUnit[policy]];
      if (policy !== 'fp32') return Math.max(rate, target.flops.fp32);
      // Three fp16 or tf32 products with corrections give float32 accuracy on tensor cores (Ootomo and Yokota, 2022).
      return Math.max(target.flops.fp32, target.flops.tf32 / 3, target.flops.fp16 / 3);
    }
    default:
      return Math.max(target.flops.int8, target.flops.fp32);
  }
}

/** What the L2 holds when a call starts: nothing of use, or as much of the task's data as fits. */
export type CacheState = 'cold' | 'warm';

/** The least time any kernel for the task could take on the target. */
export function floor(task: Pick<Task, 'graph' | 'precision'>, target: FloorTarget, cache: CacheState = 'cold'): Floor {
  const graph = simplified(task.graph);
  const { read, written } = compulsoryBytes(graph);
  const bytes = read + written;
  const work = leastOperations(graph, demandedElements(graph));
  const fromMemory =
    cache === 'cold' ? read + Math.max(0, written - target.l2Bytes) : Math.max(0, bytes - target.l2Bytes);
  const memoryTime = fromMemory / target.memoryBandwidth;
  // Half-precision vectors do up to four times the work of a float32 lane (A100: 256 lanes to 64).
  const arithmeticRate = target.flops.fp32 * (task.precision === 'fp32' || task.precision === 'tf32' ? 1 : 4);
  const contraction = work.contraction.reduce(
    (s, { dtype, operations }) => s + operations / contractionRate(dtype, task.precision, target),
    0,
  );
  const seconds = {
    memory: memoryTime,
    arithmetic: work.arithmetic / arithmeticRate,
    contraction,
    special: work.special / (2 * target.lanesPerClock.special * target.sms * target.clockHz),
  };
  const words = {
    memory: 'memory bandwidth',
    arithmetic: 'arithmetic on CUDA cores',
    contraction: task.precision === 'fp32' ? 'multiply-adds' : 'multiply-adds on tensor cores',
    special: 'special functions',
  };
  const parts = Object.entries(seconds) as [keyof typeof seconds, number][];
  const [most] = parts.toSorted((x, y) => y[1] - x[1]);
  return {
    gpu: target.id,
    microseconds: most![1] * 1e6,
    limitedBy: words[most![0]],
    bytes,
    operations: work.arithmetic + work.special + work.contraction.reduce((s, c) => s + c.operations, 0),
    parts: {
      memory: seconds.memory * 1e6,
      arithmetic: seconds.arithmetic * 1e6,
      contraction: seconds.contraction * 1e6,
      special: seconds.special * 1e6,
    },
  };
}

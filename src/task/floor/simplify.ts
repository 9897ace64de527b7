/**
 * Algebraic simplification before counting. A floor may never be too high, so what a clever kernel could leave out is left out first:
 * common subexpressions, identities, values that are constant whatever the inputs are, work that reaches no output.
 * The simplified graph is for counting only; the reference is always the graph as traced.
 */
import { attributeNumber } from '../operators/operator.ts';
import { pruned, valueSpecs } from '../operators/rewrite.ts';
import { sameSpec } from '../operators/tensor.ts';
import type { Graph, GraphNode, TensorSpec } from '../types.ts';

/** What values a tensor can hold, NaN aside. */
interface Range {
  low: number;
  high: number;
}

const anything: Range = { low: -Infinity, high: Infinity };

/** The graph without work that algebra can leave out. Repeats until nothing changes. */
export function simplified(graph: Graph): Graph {
  let now = pruned(graph);
  for (;;) {
    const next = pruned(once(now));
    if (next.nodes.length === now.nodes.length && next.outputs.every((id, i) => id === now.outputs[i])) return next;
    now = next;
  }
}

/**
 * Statistics over a channel do not see what is added to all of it: the bias of a product or convolution right before them is dead.
 */
function withoutDeadBiases(graph: Graph): Graph {
  const users = new Map<number, number>();
  for (const id of [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs])
    users.set(id, (users.get(id) ?? 0) + 1);
  const blind = new Set<number>();
  for (const node of graph.nodes) {
    const perChannel = (node.op === 'batch_norm' && node.attributes.training === true) || node.op === 'instance_norm';
    if (perChannel && users.get(node.inputs[0]!) === 1) blind.add(node.inputs[0]!);
  }
  const nodes = graph.nodes.map((node) => {
    const output = node.outputs[0]!;
    // A linear layer's bias goes along the last dimension, which is the channel of two-dimensional tensors only.
    const biased =
      node.attributes.bias === true &&
      (node.op.startsWith('conv') || (node.op === 'linear' && output.spec.shape.length === 2));
    if (!biased || !blind.has(output.id)) return node;
    return { ...node, inputs: node.inputs.slice(0, 2), attributes: { ...node.attributes, bias: false } };
  });
  return { ...graph, nodes };
}

function once(original: Graph): Graph {
  const graph = withoutDeadBiases(original);
  const specs = valueSpecs(graph);
  const ranges = valueRanges(graph);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output.id, node] as const)));
  const replaced = new Map<number, number>();
  const by = (id: number): number => replaced.get(id) ?? id;
  const known = new Map<string, GraphNode>();
  const constants = [...graph.constants];
  const nodes: GraphNode[] = [];
  let next = Math.max(-1, ...specs.keys()) + 1;
  for (const traced of graph.nodes) {
    const node = { ...traced, inputs: traced.inputs.map(by) };
    const key = JSON.stringify([node.op, node.inputs, node.attributes]);
    const twin = node.op === 'dropout' ? undefined : known.get(key);
    if (twin) {
      node.outputs.forEach((output, i) => {
        replaced.set(output.id, twin.outputs[i]!.id);
      });
      continue;
    }
    const output = node.outputs[0]!;
    const range = ranges.get(output.id);
    if (node.outputs.length === 1 && range && range.low === range.high) {
      constants.push({
        id: next,
        spec: output.spec,
        draw: { kind: 'constant', value: Number.isFinite(range.low) ? range.low : 0 },
      });
      replaced.set(output.id, next++);
      continue;
    }
    const same = identityOf(node, specs, producers, ranges);
    if (same !== undefined) {
      replaced.set(output.id, by(same));
      continue;
    }
    known.set(key, node);
    nodes.push(node);
  }
  return { ...graph, nodes, constants, outputs: graph.outputs.map(by) };
}

/** The operand that a node merely passes on, if it does. */
function identityOf(
  node: GraphNode,
  specs: Map<number, TensorSpec>,
  producers: Map<number, GraphNode>,
  ranges: Map<number, Range>,
): number | undefined {
  const [first] = node.inputs;
  const output = node.outputs[0]!;
  const fits = (id: number | undefined) => (id !== undefined && sameSpec(specs.get(id)!, output.spec) ? id : undefined);
  const other = attributeNumber(node.attributes.other);
  const before = first === undefined ? undefined : producers.get(first);
  switch (node.op) {
    case 'add':
    case 'sub':
      return other === 0 && !node.attributes.reverse ? fits(first) : undefined;
    case 'mul':
    case 'pow':
      return other === 1 && !node.attributes.reverse ? fits(first) : undefined;
    case 'div':
      return other === 1 && node.attributes.rounding === null && !node.attributes.reverse ? fits(first) : undefined;
    case 'neg':
    case 'logical_not':
      return before?.op === node.op ? fits(before.inputs[0]) : undefined;
    case 'relu':
    case 'abs':
      return (ranges.get(first!)?.low ?? -Infinity) >= 0 ? fits(first) : undefined;
    case 'clamp': {
      const range = ranges.get(first!) ?? anything;
      const low = attributeNumber(node.attributes.min) ?? -Infinity;
      const high = attributeNumber(node.attributes.max) ?? Infinity;
      return range.low >= low && range.high <= high ? fits(first) : undefined;
    }
    case 'floor':
    case 'ceil':
    case 'round':
    case 'trunc':
    case 'tril':
    case 'triu':
      return before?.op === node.op && before.attributes.diagonal === node.attributes.diagonal
        ? fits(first)
        : undefined;
    // A tensor reshaped, permuted, expanded, cut or cast into what it is already.
    case 'cast':
    case 'reshape':
    case 'expand':
    case 'slice':
      return fits(first);
    case 'permute':
      return (node.attributes.dims as number[]).every((d, i) => d === i) ? fits(first) : undefined;
    // Over dimensions of size one these give their operand (norm and logsumexp may not).
    case 'sum':
    case 'mean':
    case 'prod':
    case 'max':
    case 'min':
      return fits(first) !== undefined && reducesNothing(node, specs) ? first : undefined;
    case 'cumsum':
    case 'cumprod':
    case 'cummax':
    case 'cummin':
      return specs.get(first!)!.shape[node.attributes.dim as number] === 1 ? fits(first) : undefined;
    case 'cat':
    case 'stack':
      return node.inputs.length === 1 ? fits(first) : undefined;
    case 'where':
      return node.inputs[1] === node.inputs[2] ? fits(node.inputs[1]) : undefined;
    default:
      return undefined;
  }
}

function reducesNothing(node: GraphNode, specs: Map<number, TensorSpec>): boolean {
  const { shape } = specs.get(node.inputs[0]!)!;
  return (node.attributes.dims as number[]).every((d) => shape[d] === 1);
}

/** Ranges of values from the graph alone: an operator with one possible value needs no inputs. */
function valueRanges(graph: Graph): Map<number, Range> {
  const ranges = new Map<number, Range>();
  for (const { id, draw } of graph.constants) {
    const value = draw.kind === 'constant' ? attributeNumber(draw.value) : undefined;
    if (value !== undefined && !Number.isNaN(value)) ranges.set(id, { low: value, high: value });
  }
  const specs = valueSpecs(graph);
  for (const node of graph.nodes) {
    const range = rangeOf(node, (i) => ranges.get(node.inputs[i]!) ?? anything, specs);
    if (range && range.low <= range.high) ranges.set(node.outputs[0]!.id, range);
  }
  return ranges;
}

/** Operators whose value lies in an interval whatever goes in. */
const bounded: Readonly<Record<string, Range>> = {
  sigmoid: { low: 0, high: 1 },
  hardsigmoid: { low: 0, high: 1 },
  tanh: { low: -1, high: 1 },
  erf: { low: -1, high: 1 },
  sin: { low: -1, high: 1 },
  cos: { low: -1, high: 1 },
  softmax: { low: 0, high: 1 },
  exp: { low: 0, high: Infinity },
  exp2: { low: 0, high: Infinity },
  softplus: { low: 0, high: Infinity },
  abs: { low: 0, high: Infinity },
  sqrt: { low: 0, high: Infinity },
  norm: { low: 0, high: Infinity },
  var: { low: 0, high: Infinity },
  std: { low: 0, high: Infinity },
};

/** Operators that only choose or move elements of their first operand. */
const moving = new Set([
  ...[
    'reshape',
    'permute',
    'expand',
    'slice',
    'select',
    'flip',
    'roll',
    'unfold',
    'diagonal',
    'max',
    'min',
    'mean',
    'cummax',
    'cummin',
  ],
  ...['max_pool1d', 'max_pool2d', 'max_pool3d', 'adaptive_max_pool', 'adaptive_avg_pool', 'index_select', 'gather'],
]);

function rangeOf(node: GraphNode, operand: (i: number) => Range, specs: Map<number, TensorSpec>): Range | undefined {
  const x = operand(0);
  const other = attributeNumber(node.attributes.other);
  const y: Range = other === undefined ? operand(1) : { low: other, high: other };
  const { op } = node;
  const raise = (low: number): Range => ({ low: Math.max(x.low, low), high: Math.max(x.high, low) });
  const lower = (r: Range, high: number): Range => ({ low: Math.min(r.low, high), high: Math.min(r.high, high) });
  if (moving.has(op)) return x;
  switch (op) {
    case 'relu':
      return raise(0);
    case 'clamp':
      return lower(
        raise(attributeNumber(node.attributes.min) ?? -Infinity),
        attributeNumber(node.attributes.max) ?? Infinity,
      );
    case 'hardtanh':
      return lower(raise(attributeNumber(node.attributes.min_val)!), attributeNumber(node.attributes.max_val)!);
    case 'maximum':
      return { low: Math.max(x.low, y.low), high: Math.max(x.high, y.high) };
    case 'minimum':
      return { low: Math.min(x.low, y.low), high: Math.min(x.high, y.high) };
    case 'mul':
      return (x.low === 0 && x.high === 0) || (y.low === 0 && y.high === 0) ? { low: 0, high: 0 } : undefined;
    case 'sub':
      // x - x, where the two operands are one value.
      if (other === undefined && node.inputs[0] === node.inputs[1]) return { low: 0, high: 0 };
      return x.low === x.high && y.low === y.high && Number.isFinite(x.low - y.low)
        ? {
            low: node.attributes.reverse ? y.low - x.low : x.low - y.low,
            high: node.attributes.reverse ? y.low - x.low : x.low - y.low,
          }
        : undefined;
    case 'softmax':
    case 'log_softmax': {
      const { shape } = specs.get(node.inputs[0]!)!;
      const only = shape[node.attributes.dim as number] === 1;
      if (only) return op === 'softmax' ? { low: 1, high: 1 } : { low: 0, high: 0 };
      return op === 'softmax' ? bounded.softmax : { low: -Infinity, high: 0 };
    }
    case 'gelu':
    case 'silu':
    case 'tanh':
    case 'erf':
    case 'sin':
    case 'mish':
    case 'hardswish':
    case 'leaky_relu':
    case 'elu':
    case 'selu':
    case 'softsign':
      // Zero goes to zero, and nothing else is known that matters here.
      return x.low === 0 && x.high === 0 ? { low: 0, high: 0 } : bounded[op];
    default:
      return bounded[op];
  }
}

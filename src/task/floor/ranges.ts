/**
 * Interval analysis: what values each tensor of a graph can hold, NaN aside, whatever the inputs are (or, given their domain, on that domain).
 * An interval is never too narrow: it proves that a rectifier passes everything on, or that an output is a constant.
 */
import { attributeNumber } from '../operators/operator.ts';
import { valueSpecs } from '../operators/rewrite.ts';
import { erf } from '../operators/special.ts';
import type { Graph, GraphNode, TensorSpec } from '../types.ts';

/** The least and the greatest value that a tensor's elements can have. */
export interface Range {
  low: number;
  high: number;
}

export const anything: Range = { low: -Infinity, high: Infinity };

/** Operators whose value lies in an interval whatever goes in. The negative ends of gelu, silu, mish are their minima, rounded down. */
const bounded: Readonly<Record<string, Range>> = {
  sigmoid: { low: 0, high: 1 },
  hardsigmoid: { low: 0, high: 1 },
  tanh: { low: -1, high: 1 },
  softsign: { low: -1, high: 1 },
  erf: { low: -1, high: 1 },
  erfc: { low: 0, high: 2 },
  sin: { low: -1, high: 1 },
  cos: { low: -1, high: 1 },
  softmax: { low: 0, high: 1 },
  log_softmax: { low: -Infinity, high: 0 },
  logsigmoid: { low: -Infinity, high: 0 },
  exp: { low: 0, high: Infinity },
  exp2: { low: 0, high: Infinity },
  softplus: { low: 0, high: Infinity },
  abs: { low: 0, high: Infinity },
  sqrt: { low: 0, high: Infinity },
  rsqrt: { low: 0, high: Infinity },
  norm: { low: 0, high: Infinity },
  var: { low: 0, high: Infinity },
  std: { low: 0, high: Infinity },
  gelu: { low: -0.171, high: Infinity },
  silu: { low: -0.279, high: Infinity },
  mish: { low: -0.309, high: Infinity },
  hardswish: { low: -0.375, high: Infinity },
};

/** Non-decreasing functions: the image of an interval is that of its ends. Infinite ends are taken from {@link bounded}. */
const rising: Readonly<Record<string, (x: number, node: GraphNode) => number>> = {
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  hardsigmoid: (x) => Math.min(1, Math.max(0, x / 6 + 0.5)),
  tanh: Math.tanh,
  erf,
  exp: Math.exp,
  softsign: (x) => x / (1 + Math.abs(x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  leaky_relu: (x, { attributes }) => (x < 0 ? x * attributeNumber(attributes.negative_slope)! : x),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  elu: (x, { attributes }) => (x > 0 ? x : attributeNumber(attributes.alpha)! * Math.expm1(x)),
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  sqrt: (x) => Math.sqrt(Math.max(0, x)),
};

/** Functions x * s(x) with s rising from 0 to 1: rising where x is not negative, which is where their image is that of the ends. */
const gated: Readonly<Record<string, (x: number) => number>> = {
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  mish: (x) => x * Math.tanh(Math.log1p(Math.exp(x))),
  hardswish: (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5)),
};

/** Operators that only choose, move or average elements of their first operand. */
const moving = new Set([
  ...['reshape', 'permute', 'expand', 'slice', 'select', 'flip', 'roll', 'unfold', 'diagonal', 'sort', 'topk'],
  ...['max', 'min', 'mean', 'cummax', 'cummin', 'index_select', 'gather', 'adaptive_max_pool', 'adaptive_avg_pool'],
  ...['max_pool1d', 'max_pool2d', 'max_pool3d'],
]);

/** Outward by what float64 rounding and an approximate minimum could hide. */
const widened = ({ low, high }: Range): Range => ({
  low: low - Math.abs(low) * 1e-6,
  high: high + Math.abs(high) * 1e-6,
});
const hull = (a: Range, b: Range): Range => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) });
const intersection = (a: Range, b: Range): Range => ({ low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) });
const point = (value: number): Range => ({ low: value, high: value });
/** 0 * Infinity is 0 here: an end of an open interval is not a value. */
const times = (x: number, y: number) => (x === 0 || y === 0 ? 0 : x * y);

function product(x: Range, y: Range): Range {
  const ends = [times(x.low, y.low), times(x.low, y.high), times(x.high, y.low), times(x.high, y.high)];
  return { low: Math.min(...ends), high: Math.max(...ends) };
}

/**
 * Ranges of the values of a graph, by id; values of which nothing is known are missing. `domain` gives what is known of the arguments.
 */
export function valueRanges(graph: Graph, domain: ReadonlyMap<number, Range> = new Map()): Map<number, Range> {
  const ranges = new Map<number, Range>(domain);
  for (const { id, draw } of graph.constants) {
    const value = draw.kind === 'constant' ? attributeNumber(draw.value) : undefined;
    if (value !== undefined && !Number.isNaN(value)) ranges.set(id, point(value));
  }
  const specs = valueSpecs(graph);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output.id, node] as const)));
  for (const node of graph.nodes) {
    const range = rangeOf(node, (i) => ranges.get(node.inputs[i]!) ?? anything, specs, producers);
    if (range && range.low <= range.high && (range.low !== -Infinity || range.high !== Infinity))
      ranges.set(node.outputs[0]!.id, range);
  }
  return ranges;
}

/** Elements that a reduction takes together. */
function reducedCount(node: GraphNode, specs: Map<number, TensorSpec>): number {
  const { shape } = specs.get(node.inputs[0]!)!;
  return (node.attributes.dims as number[]).reduce((n, d) => n * shape[d]!, 1);
}

function rangeOf(
  node: GraphNode,
  operand: (i: number) => Range,
  specs: Map<number, TensorSpec>,
  producers: Map<number, GraphNode>,
): Range | undefined {
  const x = operand(0);
  const { op, attributes: a } = node;
  const other = attributeNumber(a.other);
  const y: Range = other === undefined ? operand(1) : point(other);
  const [left, right] = a.reverse === true ? [y, x] : [x, y];
  if (op === 'softmax' || op === 'log_softmax') {
    if (specs.get(node.inputs[0]!)!.shape[a.dim as number] === 1) return point(op === 'softmax' ? 1 : 0);
    return bounded[op];
  }
  if (op === 'sum' || op === 'mean') {
    const total = knownSum(node, specs, producers);
    if (total !== undefined) return point(op === 'sum' ? total : total / reducedCount(node, specs));
  }
  if (moving.has(op)) return x;
  if (gated[op] && x.low >= 0)
    return widened({ low: gated[op](x.low), high: x.high === Infinity ? Infinity : gated[op](x.high) });
  if (gated[op] && x.high < Infinity) return widened({ low: bounded[op]!.low, high: Math.max(0, gated[op](x.high)) });
  if (rising[op]) {
    const limits = bounded[op] ?? anything;
    const at = (value: number, limit: number) => (Number.isFinite(value) ? rising[op]!(value, node) : limit);
    const image = { low: at(x.low, limits.low), high: at(x.high, limits.high) };
    if (op === 'elu' && x.low === -Infinity) image.low = -Math.abs(attributeNumber(a.alpha)!);
    if (op === 'selu' && x.low === -Infinity) image.low = -1.7581;
    if (op === 'leaky_relu' && attributeNumber(a.negative_slope)! < 0) return undefined;
    // Exact at 0 and 1, where proofs hang on it; elsewhere outward.
    return intersection(widened(image), limits);
  }
  switch (op) {
    case 'relu':
      return { low: Math.max(0, x.low), high: Math.max(0, x.high) };
    case 'clamp':
    case 'hardtanh': {
      const low = attributeNumber(op === 'clamp' ? a.min : a.min_val) ?? -Infinity;
      const high = attributeNumber(op === 'clamp' ? a.max : a.max_val) ?? Infinity;
      const raised = { low: Math.max(x.low, low), high: Math.max(x.high, low) };
      return { low: Math.min(raised.low, high), high: Math.min(raised.high, high) };
    }
    case 'maximum':
      return { low: Math.max(x.low, y.low), high: Math.max(x.high, y.high) };
    case 'minimum':
      return { low: Math.min(x.low, y.low), high: Math.min(x.high, y.high) };
    case 'abs':
      if (x.low >= 0) return x;
      return { low: 0, high: Math.max(-x.low, x.high) };
    case 'neg':
      return { low: -x.high, high: -x.low };
    case 'add':
      return { low: x.low + y.low, high: x.high + y.high };
    case 'sub':
      // x - x, where the two operands are one value.
      if (other === undefined && node.inputs[0] === node.inputs[1]) return point(0);
      return { low: left.low - right.high, high: left.high - right.low };
    case 'mul':
      if (other === undefined && node.inputs[0] === node.inputs[1]) return { low: 0, high: Infinity };
      return product(x, y);
    case 'div':
      if (a.rounding !== null || (right.low <= 0 && right.high >= 0)) return undefined;
      return widened(product(left, { low: 1 / right.high, high: 1 / right.low }));
    case 'pow':
      return other !== undefined && a.reverse !== true && other % 2 === 0 ? { low: 0, high: Infinity } : undefined;
    case 'sum': {
      const n = reducedCount(node, specs);
      return { low: times(n, x.low), high: times(n, x.high) };
    }
    case 'cat':
    case 'stack':
      return node.inputs.map((_, i) => operand(i)).reduce(hull);
    case 'where':
      return hull(operand(1), operand(2));
    case 'avg_pool1d':
    case 'avg_pool2d':
    case 'avg_pool3d':
    case 'tril':
    case 'triu':
      return a.divisor == null ? hull(x, point(0)) : undefined;
    case 'sin':
    case 'dropout':
    case 'softshrink':
      return x.low === 0 && x.high === 0 ? point(0) : bounded[op];
    default:
      return bounded[op];
  }
}

/** What a reduction sums to whatever the inputs are: a softmax along its own dimension to 1, a normalised tensor without affine part to 0. */
function knownSum(
  node: GraphNode,
  specs: Map<number, TensorSpec>,
  producers: Map<number, GraphNode>,
): number | undefined {
  const before = producers.get(node.inputs[0]!);
  if (before === undefined) return undefined;
  const dims = node.attributes.dims as number[];
  const { shape } = specs.get(node.inputs[0]!)!;
  const covers = (needed: number[]) => needed.every((d) => dims.includes(d));
  switch (before.op) {
    case 'softmax':
      return covers([before.attributes.dim as number])
        ? reducedCount(node, specs) / shape[before.attributes.dim as number]!
        : undefined;
    case 'layer_norm': {
      const last = (before.attributes.normalized_shape as number[]).length;
      const needed = shape.map((_, d) => d).slice(shape.length - last);
      return before.attributes.weight === false && before.attributes.bias === false && covers(needed) ? 0 : undefined;
    }
    case 'group_norm':
      return before.attributes.weight === false &&
        before.attributes.bias === false &&
        covers(shape.map((_, d) => d).slice(1))
        ? 0
        : undefined;
    case 'instance_norm':
      return before.attributes.weight === false &&
        before.attributes.bias === false &&
        covers(shape.map((_, d) => d).slice(2))
        ? 0
        : undefined;
    case 'batch_norm':
      return before.attributes.training === true &&
        before.attributes.weight === false &&
        before.attributes.bias === false &&
        covers(shape.map((_, d) => d).filter((d) => d !== 1))
        ? 0
        : undefined;
    default:
      return undefined;
  }
}

/**
 * Algebraic simplification before counting. A floor may never be too high, so what a clever kernel could leave out is left out first:
 * common subexpressions, identities, values that are constant whatever the inputs are, work that reaches no output.
 * The simplified graph is for counting only; the reference is always the graph as traced.
 */
import { attributeNumber } from '../operators/operator.ts';
import { pruned, valueSpecs } from '../operators/rewrite.ts';
import { sameSpec } from '../operators/tensor.ts';
import type { Graph, GraphNode, TensorSpec } from '../types.ts';
import { anything, type Range, valueRanges } from './ranges.ts';

/** Something that algebra leaves out, and why it may. */
export interface Omission {
  op: string;
  line: number;
  /** Follows on the operator's name: "passes its operand on, because no value there is below 0". */
  why: string;
}

/**
 * The graph without work that algebra can leave out. Repeats until nothing changes. `domain` holds what is known of the arguments' values,
 * by id (nothing, unless given); `omitted` is filled with what was left out.
 */
export function simplified(
  graph: Graph,
  domain: ReadonlyMap<number, Range> = new Map(),
  omitted: Omission[] = [],
): Graph {
  let now = pruned(graph);
  for (;;) {
    const next = pruned(once(now, domain, omitted));
    if (next.nodes.length === now.nodes.length && next.outputs.every((id, i) => id === now.outputs[i])) return next;
    now = next;
  }
}

/**
 * Statistics over a channel do not see what is added to all of it: the bias of a product or convolution right before them is dead.
 */
function withoutDeadBiases(graph: Graph, omitted: Omission[]): Graph {
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
    omitted.push({
      op: node.op,
      line: node.line,
      why: 'has a bias that changes nothing, because the normalisation after it takes the mean of each channel away',
    });
    return { ...node, inputs: node.inputs.slice(0, 2), attributes: { ...node.attributes, bias: false } };
  });
  return { ...graph, nodes };
}

function once(original: Graph, domain: ReadonlyMap<number, Range>, omitted: Omission[]): Graph {
  const graph = withoutDeadBiases(original, omitted);
  const specs = valueSpecs(graph);
  const ranges = valueRanges(graph, domain);
  const omit = ({ op, line }: GraphNode, why: string) => omitted.push({ op, line, why });
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
      omit(node, `computes what \`${twin.op}\` on line ${twin.line} has computed already`);
      node.outputs.forEach((output, i) => {
        replaced.set(output.id, twin.outputs[i]!.id);
      });
      continue;
    }
    const output = node.outputs[0]!;
    const range = ranges.get(output.id);
    if (node.outputs.length === 1 && range && range.low === range.high) {
      omit(node, `is ${range.low} whatever the inputs are`);
      constants.push({
        id: next,
        spec: output.spec,
        draw: { kind: 'constant', value: Number.isFinite(range.low) ? range.low : 0 },
      });
      specs.set(next, output.spec);
      replaced.set(output.id, next++);
      continue;
    }
    const same = identityOf(node, specs, producers, ranges, graph);
    if (same !== undefined) {
      omit(node, `passes its operand on, because ${whyIdentity(node, ranges.get(same), specs)}`);
      replaced.set(output.id, by(same));
      continue;
    }
    if (node.op === 'clamp' || node.op === 'hardtanh') {
      const bounded = boundedWhereReached(node, ranges.get(node.inputs[0]!) ?? anything);
      known.set(key, bounded);
      nodes.push(bounded);
      continue;
    }
    if (overNothing.has(node.op) && reducesNothing(node, specs)) {
      omit(node, 'only drops dimensions, because those it goes over have size 1');
      nodes.push({ ...node, op: 'reshape', attributes: { shape: output.spec.shape } });
      continue;
    }
    known.set(key, node);
    nodes.push(node);
  }
  return { ...graph, nodes, constants, outputs: graph.outputs.map(by) };
}

/** A clamp without the bounds that its operand never reaches. */
function boundedWhereReached(node: GraphNode, { low, high }: Range): GraphNode {
  const { min, min_val, max, max_val } = node.attributes;
  const lower = min ?? min_val ?? null;
  const upper = max ?? max_val ?? null;
  const reached = {
    min: low >= (attributeNumber(lower) ?? -Infinity) ? null : lower,
    max: high <= (attributeNumber(upper) ?? Infinity) ? null : upper,
  };
  return { ...node, op: 'clamp', attributes: reached };
}

/** Reductions that give their operand over dimensions of size one (norm, var and arg* do not). */
const overNothing = new Set(['sum', 'mean', 'prod', 'max', 'min', 'logsumexp']);

/** The operand that a node merely passes on, if it does. */
function identityOf(
  node: GraphNode,
  specs: Map<number, TensorSpec>,
  producers: Map<number, GraphNode>,
  ranges: Map<number, Range>,
  graph: Graph,
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
    case 'leaky_relu':
    case 'elu':
    case 'celu':
      return (ranges.get(first!)?.low ?? -Infinity) >= 0 ? fits(first) : undefined;
    case 'clamp':
    case 'hardtanh': {
      const range = ranges.get(first!) ?? anything;
      const low = attributeNumber(node.attributes.min ?? node.attributes.min_val) ?? -Infinity;
      const high = attributeNumber(node.attributes.max ?? node.attributes.max_val) ?? Infinity;
      return range.low >= low && range.high <= high ? fits(first) : undefined;
    }
    case 'maximum':
    case 'minimum': {
      if (node.inputs[0] === node.inputs[1]) return fits(first);
      const bound = other ?? Number.NaN;
      const range = ranges.get(first!) ?? anything;
      return (node.op === 'maximum' ? range.low >= bound : range.high <= bound) ? fits(first) : undefined;
    }
    case 'floor':
    case 'ceil':
    case 'round':
    case 'trunc':
      return before?.op === node.op ? fits(first) : undefined;
    case 'tril':
    case 'triu':
      return zerosBeyond(first!, node.op, graph) >= (node.op === 'triu' ? 1 : -1) * (node.attributes.diagonal as number)
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
    // Over dimensions of size one these give their operand (norm may not).
    case 'logsumexp':
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

/**
 * How triangular a value is: the greatest d so that all elements with column - row < d (of `triu`), or row - column < d (of `tril`), are zero; -Infinity if
 * nothing is known. A product of triangular matrices is triangular.
 */
function zerosBeyond(id: number, side: 'triu' | 'tril', graph: Graph): number {
  const node = graph.nodes.find(({ outputs }) => outputs.some((output) => output.id === id));
  switch (node?.op) {
    case side:
      return (side === 'triu' ? 1 : -1) * (node.attributes.diagonal as number);
    case 'matmul':
      return zerosBeyond(node.inputs[0]!, side, graph) + zerosBeyond(node.inputs[1]!, side, graph);
    case undefined: {
      // An input that the file itself makes triangular is so on every family.
      const draw = graph.inputs.find((input) => input.id === id)?.draw;
      return draw?.kind === 'computed' ? zerosBeyond(draw.graph.outputs[0]!, side, draw.graph) : -Infinity;
    }
    default:
      return -Infinity;
  }
}

/** Why {@link identityOf} may say so. */
function whyIdentity(node: GraphNode, range: Range | undefined, specs: Map<number, TensorSpec>): string {
  if (Array.isArray(node.attributes.dims) && node.op !== 'permute' && reducesNothing(node, specs))
    return 'the dimensions it goes over have size 1';
  if (typeof node.attributes.dim === 'number' && node.op.startsWith('cum'))
    return 'the dimension it goes along has size 1';
  switch (node.op) {
    case 'tril':
    case 'triu':
      return 'the values beyond that diagonal are zero already';
    case 'relu':
    case 'abs':
    case 'leaky_relu':
    case 'elu':
    case 'celu':
    case 'clamp':
    case 'hardtanh':
    case 'maximum':
    case 'minimum':
      return range === undefined ? 'it is given one value twice' : `the values there lie in ${interval(range)}`;
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'pow':
      return `${String(node.attributes.other)} is its neutral element`;
    default:
      return 'it has nothing to change there';
  }
}

function interval({ low, high }: Range): string {
  const bound = (x: number) => String(Number(x.toPrecision(4)));
  if (high === Infinity) return `[${bound(low)}, inf)`;
  return low === -Infinity ? `(-inf, ${bound(high)}]` : `[${bound(low)}, ${bound(high)}]`;
}

function reducesNothing(node: GraphNode, specs: Map<number, TensorSpec>): boolean {
  const { shape } = specs.get(node.inputs[0]!)!;
  return (node.attributes.dims as number[]).every((d) => shape[d] === 1);
}

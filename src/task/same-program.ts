/**
 * Whether a graph at smaller sizes is the same program as at the file's own: the same operators on tensors of the same ranks, and nothing that was many has
 * become one. A loop that the trace unrolled (steps of a sequence, written out in Python) may have fewer rounds.
 */
import type { Graph, GraphNode, TensorSpec } from './types.ts';

/** Values that some operators of a graph take together, or one by one: channels of a group. */
function groupSizes(graph: Graph, nodes: readonly GraphNode[]): number[] {
  const values = [...graph.inputs, ...graph.parameters, ...graph.constants, ...graph.nodes.flatMap((n) => n.outputs)];
  const specs = new Map(values.map(({ id, spec }) => [id, spec]));
  return nodes.flatMap(({ op, inputs, attributes, outputs }) => {
    const groups = attributes.num_groups ?? attributes.groups;
    if (typeof groups !== 'number') return [];
    const taken = specs.get(inputs[0]!)!.shape[1]! / groups;
    return op === 'group_norm' ? [taken] : [taken, outputs[0]!.spec.shape[1]! / groups];
  });
}

/** Rounds that an unrolled loop keeps at least: a first, a last, and one between. */
const LEAST_ROUNDS = 3;

/** Whether these nodes repeat themselves after `period`. */
function repeats(operators: readonly string[], from: number, to: number, period: number): boolean {
  for (let i = from; i + period < to; i++) if (operators[i] !== operators[i + period]) return false;
  return true;
}

/**
 * The nodes of `whole` that stand for those of `small`, in order: all where there are as many, else all but whole rounds of a loop of which at least
 * {@link LEAST_ROUNDS} are left. Undefined where the graphs differ otherwise.
 */
function counterparts(whole: Graph, small: Graph): readonly GraphNode[] | undefined {
  const [before, now] = [whole, small].map(({ nodes }) => nodes.map(({ op }) => op)) as [string[], string[]];
  const [n, m] = [before.length, now.length];
  const cut = n - m;
  let first = 0;
  while (first < m && before[first] === now[first]) first++;
  if (cut === 0) return first === n ? whole.nodes : undefined;
  let last = 0;
  while (last < m && before[n - 1 - last] === now[m - 1 - last]) last++;
  // A cut may stand anywhere from here to `first`: so far the loop reaches that is left.
  const from = m - last;
  if (cut < 0 || first - from < LEAST_ROUNDS) return undefined;
  const longest = Math.floor((first - from) / LEAST_ROUNDS);
  for (let period = 1; period <= longest; period++)
    if (cut % period === 0 && repeats(before, from, first + cut, period))
      return [...whole.nodes.slice(0, first), ...whole.nodes.slice(first + cut)];
  return undefined;
}

const many = (before: number, now: number) => now > 1 || before <= 1;

const keeps = (before: TensorSpec, now: TensorSpec) =>
  before.shape.length === now.shape.length && before.shape.every((size, d) => d === 0 || many(size, now.shape[d]!));

/**
 * Whether `small` is the same program as `whole`: nothing that was many has become one (a group of one channel, a mean over one element, a row of one column), except
 * the batch.
 */
export function sameProgram(whole: Graph, small: Graph): boolean {
  if (small.inputs.length !== whole.inputs.length || small.parameters.length !== whole.parameters.length) return false;
  const nodes = counterparts(whole, small);
  if (nodes === undefined) return false;
  const groupsNow = groupSizes(small, small.nodes);
  if (!groupSizes(whole, nodes).every((size, i) => many(size, groupsNow[i]!))) return false;
  const shorter = small.nodes.length < whole.nodes.length;
  return small.nodes.every(({ outputs }, i) => {
    const before = nodes[i]!.outputs;
    // A loop of fewer rounds may take a tensor apart into fewer pieces.
    if (outputs.length !== before.length && !(shorter && outputs.length < before.length)) return false;
    return outputs.every(({ spec }, o) => keeps(before[o]!.spec, spec));
  });
}

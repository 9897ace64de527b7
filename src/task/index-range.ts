/**
 * Whether indices that a file draws still point into what they index. Sizes that are made smaller one by one may leave `torch.randint(0, 200, ...)`
 * above a dimension that was 200 and is 99 now: such a task has no answer, and an honest kernel would read beyond its operand.
 */
import type { Draw, Graph, GraphNode, TensorSpec } from './types.ts';

/** Operators that index: the places of the index and of what it points into, and along which dimension. */
const INDEXING: Readonly<
  Record<string, { index: number; into: number; dim: (node: GraphNode, rank: number) => number }>
> = {
  gather: { index: 1, into: 0, dim: dimOf },
  scatter: { index: 1, into: 0, dim: dimOf },
  index_select: { index: 1, into: 0, dim: dimOf },
  embedding: { index: 0, into: 1, dim: () => 0 },
  cross_entropy: { index: 1, into: 0, dim: (_node, rank) => Math.min(1, rank - 1) },
  nll_loss: { index: 1, into: 0, dim: (_node, rank) => Math.min(1, rank - 1) },
};

/** Operators whose result holds the first operand's values and no others. */
const MOVES: ReadonlySet<string> = new Set(
  'reshape permute expand slice select flip roll diagonal unfold cast'.split(' '),
);

function dimOf({ attributes }: GraphNode): number {
  return attributes.dim as number;
}

/** One more than the largest integer that a draw gives; undefined where it says nothing of that. */
function endOf(draw: Draw, { shape, dtype }: TensorSpec): number | undefined {
  if (!/^u?int/.test(dtype)) return undefined;
  return draw.kind === 'integer' ? draw.high : draw.kind === 'permutation' ? shape[0] : undefined;
}

/** How many operators of a graph are given drawn indices that may lie beyond what they index. */
export function indicesBeyond(graph: Graph): number {
  const specs = new Map<number, TensorSpec>();
  const ends = new Map<number, number | undefined>();
  for (const { id, spec, draw } of [...graph.inputs, ...graph.parameters, ...graph.constants]) {
    specs.set(id, spec);
    ends.set(id, endOf(draw, spec));
  }
  let beyond = 0;
  for (const node of graph.nodes) {
    const indexing = INDEXING[node.op];
    if (indexing) {
      const { index, into, dim } = indexing;
      const { shape } = specs.get(node.inputs[into]!)!;
      const end = ends.get(node.inputs[index]!);
      if (end !== undefined && end > shape[dim(node, shape.length)]!) beyond++;
    }
    for (const { id, spec } of node.outputs) {
      specs.set(id, spec);
      if (MOVES.has(node.op)) ends.set(id, ends.get(node.inputs[0]!));
    }
  }
  return beyond;
}

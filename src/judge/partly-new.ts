/**
 * Inputs of which a part is new: two elements, or about half of them. A kernel that keeps results under a key made of a part of the input (its first elements, a window, samples all over it)
 * answers wholly new inputs rightly; it fails when what the key is made of stays and the rest changes. The fewer elements change, the larger the part that
 * a key may be made of and still miss them: two changes get past a key made of a hundredth of the input 98 times in 100, of an eighth 77 times. But what was kept may show in a few
 * outputs alone, which two changes hardly meet: so half of all elements are drawn anew, and in the next call the other half, and a key of one element stays in one of the two.
 * What changes must show in the result, also in maxima, minima and sums over everything: the new values are the
 * extremes of a fresh draw, of a family with extremes far out: a kernel that probes a part of the input for what it may leave out does not see them either.
 * They are at most {@link FAR_OUT} times the largest there is: beside one far out, an honest transform of a whole tile (Winograd's) is off in the tile's others.
 */
import { type Graph, type HostTensor, isFloating } from '../task/index.ts';

/** How far out, in units of the largest of the other elements; where tiles may be transformed, in a convolution, less. */
const FAR_OUT = { elsewhere: 32, convolution: 4 };

/** Pseudorandom whole numbers below n; they need no secrecy beyond that of the seed. Numerical Recipes' linear congruence. */
function places(seed: string): (n: number) => number {
  let state = Number.parseInt(seed.slice(0, 8), 16);
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** Inputs whose elements were drawn independently: one can change without the others. Symmetry, sorted rows and the like stay whole. */
function changeable({ inputs }: Pick<Graph, 'inputs'>): number[] {
  return inputs.flatMap(({ spec, draw }, i) =>
    isFloating(spec.dtype) && (draw.kind === 'normal' || draw.kind === 'uniform') ? [i] : [],
  );
}

/** Whether there is anything that {@link partlyNew} would change. */
export function canBePartlyNew(graph: Pick<Graph, 'inputs'>): boolean {
  return changeable(graph).some((i) => graph.inputs[i]!.spec.shape.reduce((a, b) => a * b, 1) > 2);
}

/** `before` with the least and the greatest value of `fresh` at two secret places, which follow from the seed; first and last elements stay. */
export function partlyNew(
  before: readonly HostTensor[],
  fresh: readonly HostTensor[],
  graph: Pick<Graph, 'inputs' | 'nodes'>,
  seed: string,
): readonly HostTensor[] {
  const chosen = new Set(changeable(graph));
  const farOut = graph.nodes.some(({ op }) => op.startsWith('conv')) ? FAR_OUT.convolution : FAR_OUT.elsewhere;
  const below = places(seed);
  return before.map((tensor, t) => {
    const inner = tensor.values.length - 2;
    if (!chosen.has(t) || inner < 1) return tensor;
    const values = tensor.values.slice();
    const drawn = fresh[t]!.values;
    const largest = values.reduce((most, x) => (Math.abs(x) < Infinity ? Math.max(most, Math.abs(x)) : most), 0);
    const limit = largest > 0 ? farOut * largest : Infinity;
    for (const better of [Math.min, Math.max]) {
      const extreme = drawn.reduce((a, b) => better(a, b));
      values[1 + below(inner)] = Math.max(-limit, Math.min(limit, extreme));
    }
    return { ...tensor, values };
  });
}

/** `before` with about half of the elements from `fresh`: one half, which follows from the seed, or the other. What belongs together stays as it is. */
export function halfNew(
  before: readonly HostTensor[],
  fresh: readonly HostTensor[],
  graph: Pick<Graph, 'inputs'>,
  seed: string,
  half: 0 | 1,
): readonly HostTensor[] {
  const chosen = new Set(changeable(graph));
  const below = places(seed);
  return before.map((tensor, t) => {
    if (!chosen.has(t)) return tensor;
    const drawn = fresh[t]!.values;
    return { ...tensor, values: tensor.values.map((x, i) => (below(2) === half ? drawn[i]! : x)) };
  });
}

/**
 * Inputs of which a part is new. A kernel that keeps results under a key made of a few input elements (the first, the last, some samples) answers
 * wholly new inputs rightly; it fails when those elements stay and others change.
 */
import { type Graph, type HostTensor, isFloating } from '../task/index.ts';

/** One element in this many changes: enough to move sums over all of them, few enough that a key of several samples stays. */
const CHANGED = 8;

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

/** `before` with elements of `fresh` at secret places, which follow from the seed; first and last elements stay. */
export function partlyNew(
  before: readonly HostTensor[],
  fresh: readonly HostTensor[],
  graph: Pick<Graph, 'inputs'>,
  seed: string,
): readonly HostTensor[] {
  const chosen = new Set(changeable(graph));
  let state = Number.parseInt(seed.slice(0, 8), 16);
  return before.map((tensor, t) => {
    if (!chosen.has(t)) return tensor;
    const values = tensor.values.slice();
    const last = values.length - 1;
    const offset = Number.parseInt(seed.slice(8, 12), 16) % CHANGED;
    for (let i = 1; i < last; i++) {
      // Numerical Recipes' linear congruence, its high bits: places need no secrecy beyond that of the seed.
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      if ((state >>> 16) % CHANGED === offset || last === 2) values[i] = fresh[t]!.values[i]!;
    }
    return { ...tensor, values };
  });
}

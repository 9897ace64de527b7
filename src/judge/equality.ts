/**
 * Whether a mutant that passes the comparison is another task at all. Algebra proves some equal to the task (src/task/mutants); this is
 * evidence for the others, in float64: a mutant whose operator gives other values, and whose outputs nevertheless are those of the task to within float64's
 * own rounding on every family of inputs, computes the same function. An identity between analytic functions that holds at random points
 * of an open set holds everywhere; that the pieces of a function with branches were met is what the first condition asks.
 */
import { evaluateGraph, type Graph, type HostTensor, type Mutant, Variants } from '../task/index.ts';

/** What one set of inputs says. */
export interface Equality {
  /** The changed operator gives other values than the task's. */
  differsInside: boolean;
  /** The outputs are the task's to within float64's rounding. */
  sameOutside: boolean;
}

/** Part of the largest output that counts as rounding: some thousand units of float64. */
const ROUNDING = 2 ** -41;
/** Times the difference between two orders of summation that counts as rounding. */
const SPREAD = 64;

/** The task in float64 on one set of inputs, for asking which mutants equal it there. */
export class EqualityTrial {
  readonly #graph: Graph;
  readonly #inputs: readonly HostTensor[];
  readonly #variants: Variants;
  /** What rounding does to each output. */
  readonly #noise: number[];

  constructor(graph: Graph, inputs: readonly HostTensor[]) {
    this.#graph = graph;
    this.#inputs = inputs;
    this.#variants = new Variants(graph, inputs);
    const orders = (['pairwise', 'reversed'] as const).map((order) =>
      evaluateGraph(graph, inputs, { format: 'float64', order }, 'exact'),
    );
    this.#noise = graph.outputs.map((id, o) => {
      const right = this.#variants.value(id).values;
      const spread = Math.max(...orders.map((outputs) => greatestDifference(outputs[o]!.values, right)));
      return ROUNDING * greatest(right) + (Number.isFinite(spread) ? SPREAD * spread : 0);
    });
  }

  /** Undefined for a mutant that cannot be evaluated on these inputs. */
  compare(mutant: Mutant): Equality | undefined {
    let value: (id: number) => HostTensor;
    try {
      if (mutant.frozen) {
        const own = new Variants(this.#graph, [...mutant.frozen, ...this.#inputs.slice(mutant.frozen.length)]);
        value = (id) => own.value(id);
      } else {
        value = this.#variants.evaluate(mutant.graph);
      }
    } catch {
      return undefined;
    }
    const sameOutside = mutant.graph.outputs.every(
      (id, o) =>
        greatestDifference(value(id).values, this.#variants.value(this.#graph.outputs[o]!).values) <= this.#noise[o]!,
    );
    const { at } = mutant;
    // Whole answers and ignored arguments differ from the task wherever they are applied.
    if (at === undefined) return { differsInside: true, sameOutside };
    const [was, is] = [this.#variants.value(at.was).values, value(at.is).values];
    return { differsInside: greatestDifference(is, was) > ROUNDING * greatest(was), sameOutside };
  }
}

function greatest(values: Float64Array): number {
  let most = 0;
  for (const x of values) if (Math.abs(x) > most && Number.isFinite(x)) most = Math.abs(x);
  return most;
}

/** Largest |x - y|; Infinity where one is NaN or infinite alone. */
function greatestDifference(x: Float64Array, y: Float64Array): number {
  let most = 0;
  for (let i = 0; i < y.length; i++) {
    const [a, b] = [x[i]!, y[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const difference = Math.abs(a - b);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}

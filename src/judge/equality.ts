/**
 * Whether a mutant that passes the comparison is another task at all. Algebra proves some equal to the task (src/task/mutants); this is
 * evidence for the others, in float64: a mutant whose operator gives other values, and whose outputs nevertheless are those of the task to within float64's
 * own rounding on every family of inputs, computes the same function. An identity between analytic functions that holds at random points
 * of an open set holds everywhere; that the pieces of functions with pieces were met is asked besides, of the changed operator and of all others.
 */
import { type Graph, type HostTensor, isFloating, type Mutant, Variants } from '../task/index.ts';

/** What one set of inputs says. */
export interface Equality {
  /** The changed operator gives other values than the task's. */
  differsInside: boolean;
  /** The outputs are the task's to within float64's rounding. */
  sameOutside: boolean;
}

/** Part of the largest output that counts as rounding: some thousand units of float64. */
const ROUNDING = 2 ** -41;
/** What every intermediate value is disturbed by, to see what rounding does to the outputs, and how many times that counts as rounding. */
const JITTER = 2 ** -46;
const SPREAD = 256;
/** A disturbance that grows beyond this part of the largest value met a jump (a comparison, a floor), and says nothing of rounding. */
const JUMP = 1e-6;

/** Operators with pieces: each must have been seen to change its operand, and not to give one value only, before equality is believed. */
const PIECEWISE: ReadonlySet<string> = new Set([
  ...['relu', 'leaky_relu', 'elu', 'celu', 'selu', 'clamp', 'hardtanh', 'minimum', 'maximum'],
  ...['hardsigmoid', 'hardswish', 'softshrink', 'hardshrink'],
]);

/** Indices of the nodes of a graph that have pieces. */
export function piecewiseNodes(graph: Graph): number[] {
  return graph.nodes.flatMap(({ op }, i) => (PIECEWISE.has(op) ? [i] : []));
}

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
    const disturbed = [1, 2].map((seed) => new Variants(graph, inputs, undefined, jitter(seed)));
    const values = graph.nodes.flatMap(({ outputs }) =>
      outputs.map(({ id }) => greatest(this.#variants.value(id).values)),
    );
    const jump = JUMP * values.reduce((most, x) => Math.max(most, x), 0);
    this.#noise = graph.outputs.map((id) => {
      const { spec, values: right } = this.#variants.value(id);
      if (!isFloating(spec.dtype)) return 0;
      const spread = Math.max(...disturbed.map((one) => greatestDifference(one.value(id).values, right)));
      return ROUNDING * greatest(right) + (spread <= jump ? SPREAD * spread : 0);
    });
  }

  /** The nodes with pieces that change their operand on these inputs and do not give one value only. */
  exercised(): number[] {
    return piecewiseNodes(this.#graph).filter((i) => {
      const { inputs, outputs } = this.#graph.nodes[i]!;
      const [x, y] = [this.#variants.value(inputs[0]!).values, this.#variants.value(outputs[0]!.id).values];
      return y.some((value) => value !== y[0]) && (x.length !== y.length || y.some((value, k) => value !== x[k]));
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

/** Disturbs values by {@link JITTER}, by a linear congruence: nothing here need be secret. */
function jitter(seed: number): (values: Float64Array) => Float64Array {
  let state = seed;
  return (values) =>
    values.map((x) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return x * (1 + JITTER * (state / 2 ** 31 - 1));
    });
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

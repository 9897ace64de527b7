/**
 * Smaller shapes of the same program. KernelBench's files are sized for an H100; the virtual GPU wants a millionth of that. What sets the sizes are integer constants at
 * module level (and literals in get_inputs); they are replaced and the file is traced again, so that every shape is one the program itself makes, and a
 * constant that must keep a divisor (heads, groups) shows itself by a trace that fails.
 *
 * The batch goes first, then whatever is largest, divided again and again. New sizes are odd and distinct where the program takes that: powers of two and squares hide
 * the faults that judging is for (a missing tail, a swapped dimension).
 */
import { indicesBeyond } from './index-range.ts';
import { Attributes } from './operators/operator.ts';
import { operatorOf } from './operators/table.ts';
import { sameProgram } from './same-program.ts';
import { TaskError } from './trace/task-error.ts';
import type { FileTracer, SizeConstant, Traced } from './trace/trace.ts';
import type { Graph, TensorSpec } from './types.ts';

/** Re-traces at most; one takes 20 to 300 ms. */
const MAX_TRACES = 120;
/** Constants below this are kernel sizes, dimensions, ranks: structure, not size. */
const SMALLEST_SIZE = 8;
/** No size but the batch is brought below this: a dimension of one or two is another program. */
const LEAST_SIZE = 5;
/** A graph of more operators is looked at for loops that a constant unrolls: each operator costs a launch, however small it is. */
const MANY_NODES = 300;
/** Rounds that are kept of such a loop. */
const ROUNDS = 7;
const STRUCTURE =
  /kernel|stride|pad|dilat|group|head|layers|(^|_| )n_layer|block|seed|eps|power|factor|scale|ratio|axis|bits|window/i;
/** The depth of a network, or of a volume: the latter is a size that some input has. */
const DEPTH = /depth/i;
const BATCH = /batch|(^|\bof )(b|n_samples|bs)$/i;

const count = (spec: TensorSpec) => spec.shape.reduce((n, s) => n * s, 1);

/** Elements of every value plus operations of every node: what evaluating the task costs, in order of magnitude. */
export function workOf(graph: Graph): number {
  const specs = [...graph.inputs, ...graph.parameters, ...graph.constants].map((v) => v.spec);
  let work = specs.reduce((n, s) => n + count(s), 0);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((i) => specs[i]!);
    const outputs = node.outputs.map((v) => v.spec);
    const operations = operatorOf(node.op).operations(inputs, new Attributes(node.op, node.attributes), outputs);
    work += operations.arithmetic + operations.special + operations.contraction;
    for (const spec of outputs) {
      specs.push(spec);
      work += count(spec);
    }
  }
  return work;
}

/** Values to try for a size of about `target`: odd and new first, then ones with the divisors that programs ask for. */
function candidates(target: number, from: number, taken: ReadonlySet<number>): number[] {
  const odd = target % 2 ? target : target - 1;
  const rough = [odd, odd - 2, odd - 4].filter((n) => !taken.has(n));
  const even = [target, target - (target % 4), target - (target % 8), from / 2, from / 4];
  return [...new Set([...rough, ...even])].filter(
    (n) => Number.isInteger(n) && n >= Math.min(LEAST_SIZE, target) && n < from,
  );
}

const alike = (names: readonly string[], value: number) => Object.fromEntries(names.map((n) => [n, value]));

/** One search for smaller constants. */
class Search {
  readonly #tracer: FileTracer;
  readonly #budget: number;
  readonly #workOf: (graph: Graph) => number;
  readonly #original: ReadonlyMap<string, SizeConstant>;
  readonly #now = new Map<string, number>();
  readonly #fixed = new Set<string>();
  readonly #dimensions: ReadonlySet<number>;
  readonly #whole: Graph;
  /** Constants that were changed together, because the file takes them only together. */
  readonly #together = new Map<string, readonly string[]>();
  /** Constants that say how many rounds an unrolled loop has. */
  readonly #rounds = new Set<string>();
  #traces = 0;
  traced: Traced;
  work: number;

  constructor(tracer: FileTracer, whole: Traced, budget: number, work: (graph: Graph) => number) {
    this.#tracer = tracer;
    this.#budget = budget;
    this.#workOf = work;
    this.#original = new Map(whole.constants.map((c) => [c.name, c]));
    this.#dimensions = new Set(whole.graph.inputs.flatMap(({ spec }) => spec.shape));
    this.#whole = whole.graph;
    this.traced = whole;
    this.work = work(whole.graph);
  }

  get done(): boolean {
    return this.work <= this.#budget;
  }

  #value(name: string): number {
    return this.#now.get(name) ?? this.#original.get(name)!.value;
  }

  /** A constant that is no size, by its name: kernel sizes, ranks, numbers of heads. */
  #isStructure(name: string): boolean {
    return STRUCTURE.test(name) || (DEPTH.test(name) && !this.#dimensions.has(this.#original.get(name)!.value));
  }

  /** Constants that may shrink further, largest first. */
  #open(): string[] {
    return [...this.#original.keys()]
      .filter(
        (n) => !this.#fixed.has(n) && !this.#rounds.has(n) && !this.#isStructure(n) && this.#value(n) >= SMALLEST_SIZE,
      )
      .sort((a, b) => this.#value(b) - this.#value(a));
  }

  /** Trace with these constants at these values; keep it if the file takes it, as the same program, and the new work is wanted. */
  async #attempt(
    values: Readonly<Record<string, number>>,
    wanted: (work: number, graph: Graph) => boolean,
  ): Promise<boolean> {
    if (++this.#traces > MAX_TRACES) return false;
    const names = Object.keys(values);
    const overrides = { ...Object.fromEntries(this.#now), ...values };
    let traced: Traced;
    try {
      traced = await this.#tracer.trace(overrides);
    } catch (error) {
      if (error instanceof TaskError && (error.kind === 'invalid' || error.kind === 'unsupported')) return false;
      throw error;
    }
    const work = this.#workOf(traced.graph);
    if (work === 0 || !wanted(work, traced.graph) || !sameProgram(this.#whole, traced.graph)) return false;
    if (indicesBeyond(traced.graph) > indicesBeyond(this.#whole)) return false;
    for (const [name, value] of Object.entries(values)) {
      this.#now.set(name, value);
      this.#together.set(name, names);
    }
    this.traced = traced;
    this.work = work;
    return true;
  }

  /** Bring a constant to about `target`: alone, or with every other constant of the same value (a size written twice). */
  async #shrink(name: string, target: number): Promise<boolean> {
    const from = this.#value(name);
    const twins = [...this.#original.keys()].filter(
      (n) => n !== name && this.#value(n) === from && !this.#isStructure(n),
    );
    const taken = new Set([...this.#original.keys()].filter((n) => n !== name).map((n) => this.#value(n)));
    const less = (work: number) => work < this.work;
    for (const value of candidates(target, from, taken)) {
      if (await this.#attempt({ [name]: value }, less)) return true;
      if (twins.length && (await this.#attempt(alike([name, ...twins], value), less))) return true;
      if (this.#traces > MAX_TRACES) return false;
    }
    if (await this.#shrinkWithPartner(name, from, less)) return true;
    this.#fixed.add(name);
    return false;
  }

  /** Halve a constant together with another that must stay in proportion to it: a width that a transposed convolution doubles to meet a normalised shape. */
  async #shrinkWithPartner(name: string, from: number, wanted: (work: number) => boolean): Promise<boolean> {
    for (const parts of [4, 2]) {
      for (const partner of this.#open().filter((n) => n !== name)) {
        const both = { [name]: from / parts, [partner]: this.#value(partner) / parts };
        if (!Object.values(both).every((n) => Number.isInteger(n) && n >= LEAST_SIZE)) continue;
        if (this.#traces > MAX_TRACES) return false;
        if (await this.#attempt(both, wanted)) return true;
      }
    }
    return false;
  }

  /** Fewer rounds of loops that the trace unrolled: steps of a sequence, written out in Python. */
  async #shorten(): Promise<void> {
    for (const name of this.#open()) {
      const [nodes, from] = [this.traced.graph.nodes.length, this.#value(name)];
      if (nodes <= MANY_NODES) return;
      // A loop of so many rounds has as many operators at least.
      if (from > nodes || from <= ROUNDS) continue;
      if (await this.#attempt({ [name]: ROUNDS }, (work, graph) => work < this.work && graph.nodes.length < nodes))
        this.#rounds.add(name);
    }
  }

  /** `least`: the fewest samples of a batch, when nothing else will do. */
  async run(least: number): Promise<void> {
    if (!this.done) await this.#shorten();
    // The batch: work is proportional to it, so one step goes far; three samples are kept where there were that many.
    const batch = [...this.#original.values()].find((c) => BATCH.test(c.name) && c.value > 1);
    if (batch && !this.done) {
      const target = Math.floor((batch.value * this.#budget) / this.work);
      await this.#shrink(batch.name, Math.max(Math.min(3, batch.value - 1), target));
      this.#fixed.add(batch.name);
    }
    while (!this.done && this.#traces < MAX_TRACES) {
      const [largest] = this.#open();
      if (largest === undefined) break;
      // Far from the budget, longer steps: the work is seldom more than a product of three sizes.
      const step = Math.min(8, Math.max(2, Math.floor(Math.cbrt(this.work / this.#budget))));
      await this.#shrink(largest, Math.max(LEAST_SIZE, Math.floor(this.#value(largest) / step)));
    }
    if (batch && !this.done && this.#value(batch.name) > least) await this.#shrink(batch.name, least);
    if (this.done) await this.#grow();
  }

  /** Give back what the last steps took too much: double the smallest changed size while the budget holds. */
  async #grow(): Promise<void> {
    const stuck = new Set(this.#rounds);
    while (this.work < this.#budget / 4 && this.#traces < MAX_TRACES) {
      const [smallest] = [...this.#now.keys()]
        .filter((n) => !stuck.has(n) && 2 * this.#value(n) + 1 < this.#original.get(n)!.value)
        .sort((a, b) => this.#value(a) - this.#value(b));
      if (smallest === undefined) return;
      const more = (work: number) => work > this.work && work <= this.#budget;
      const names = this.#together.get(smallest)!;
      const double = 2 * this.#value(smallest);
      // Constants that only went down together in proportion stay where they are.
      const equal = names.every((n) => this.#value(n) === this.#value(smallest));
      const grown = async (value: number) => equal && this.#attempt(alike(names, value), more);
      if (!(await grown(double + 1)) && !(await grown(double))) for (const name of names) stuck.add(name);
    }
  }

  changes(): { name: string; from: number; to: number }[] {
    return [...this.#now].map(([name, to]) => ({ name, from: this.#original.get(name)!.value, to }));
  }
}

/**
 * Shapes of the same program whose work (see workOf; of its backward, if `work` says so) is at most `budget`. Throws TaskError when none is found,
 * unless the `nearest` will do.
 */
export async function findScale(
  tracer: FileTracer,
  whole: Traced,
  budget: number,
  work: (graph: Graph) => number = workOf,
  nearest = false,
): Promise<{ traced: Traced; scaled: { name: string; from: number; to: number }[] }> {
  if (!(budget > 0)) throw new TaskError('invalid', `A scale is a positive number of operations, not ${budget}.`);
  const search = new Search(tracer, whole, budget, work);
  await search.run(nearest ? 2 : 1);
  if (!search.done && !nearest)
    throw new TaskError(
      'invalid',
      `The task cannot be scaled to ${budget} operations: the smallest found takes ${Math.round(search.work)}` +
        ` (${
          search
            .changes()
            .map((c) => `${c.name} = ${c.to}`)
            .join(', ') || 'no constant of the file could be changed'
        }).` +
        ' Give a larger scale, or smaller sizes in the file.',
    );
  return { traced: search.traced, scaled: search.changes() };
}

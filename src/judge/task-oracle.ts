/**
 * The oracle of a task: draws inputs, evaluates the reference in float64, and derives the tolerance from honest runs.
 * One oracle serves all judgements of a task; what it computed for a seed is kept while that seed is in use, so that candidates
 * frozen together (see seeds.ts) share it. Nothing here ever sees a candidate.
 *
 * Indices of largest and smallest elements (`argmax`, `argmin`) are judged by value: an index is right if the element there
 * equals the extreme one, up to what rounding does to that operand. PyTorch promises the first of equals only for
 * `argmax`, and a kernel that reduces in parallel finds another; both answer the question that was asked.
 */
import {
  type ArithmeticChoice,
  Attributes,
  drawArguments,
  evaluateGraph,
  type Graph,
  type GraphNode,
  goesThroughTiles,
  type HostTensor,
  inputFamilies,
  type Mutant,
  mutants,
  type Task,
  type TensorSpec,
  Variants,
  workOf,
} from '../task/index.ts';
import { excessOf } from './mutant.ts';
import type { Expectation, Oracle } from './oracle.ts';
import { deriveTolerance, type FloatTolerance } from './tolerance.ts';

/** Work (elements and operations of one evaluation) over which fewer honest runs and families are used, so that a judgement takes seconds. */
const MUCH_WORK = 4e6;

/**
 * Arithmetics that an honest kernel of a precision policy may use: every order of summation that kernels use, contractions fused or
 * not, elementary functions as exact as a library's and as rough as the hardware's fast ones (`__expf`, whose
 * error grows with its argument up to some 100 units of 2^-24 before it underflows; `rsqrtf`, `__fdividef`), formulas as books write them (elu by exp(x) - 1,
 * which has nothing left of a small x) and with care, softmax in base two or with its maximum in the logarithm, whose terms are rounded at their own size, subnormals flushed as under -use_fast_math, 3x3 convolutions straight or through Winograd's tiles, which spread the rounding of a large input over their other outputs.
 * A transposed convolution adds to its bias what it scatters, or the bias to that. Tensors of half precision between operators are rounded to it in some of them, as PyTorch's own kernels do. The first four cover all orders; costly graphs use only those.
 */
export function honestArithmetics(task: Task): ArithmeticChoice[] {
  const format = ({ fp32: 'float32', tf32: 'tf32', fp16: 'float16', bf16: 'bfloat16' } as const)[task.precision];
  const lowered = format !== 'float32';
  const all: ArithmeticChoice[] = [
    { format, order: 'sequential', fused: true, approximate: { seed: 11, ulps: 2 } },
    {
      format,
      order: 'blocked',
      lanes: 32,
      fused: false,
      approximate: { seed: 12, ulps: 16 },
      textbook: true,
      lateMaximum: true,
      flushes: true,
    },
    { format, order: 'pairwise', fused: true, transformed: !lowered },
    {
      format,
      order: 'reversed',
      fused: false,
      approximate: { seed: 13, ulps: 4 },
      biasFirst: true,
      intermediates: lowered ? 'format' : 'dtype',
    },
    { format, order: 'blocked', lanes: 256, fused: true, approximate: { seed: 14, ulps: 4 }, textbook: true },
    {
      format,
      order: 'sequential',
      fused: false,
      approximate: { seed: 15, ulps: 8 },
      intermediates: 'dtype',
    },
    // Two running sums: where a row's greatest elements cancel, each may carry one of them through half of the row.
    { format, order: 'blocked', lanes: 2, fused: true, approximate: { seed: 16, ulps: 2 } },
  ];
  return workOf(task.graph) > MUCH_WORK ? all.slice(0, 4) : all;
}

/** `float32, blocked sums over 32 lanes, not fused, functions within 8 ulp`. */
export function arithmeticName(choice: ArithmeticChoice): string {
  const order = choice.order === 'blocked' ? `blocked sums over ${choice.lanes} lanes` : `${choice.order} sums`;
  const functions = choice.approximate ? `functions within ${choice.approximate.ulps} ulp` : 'functions rounded once';
  const formulas = choice.textbook ? ', textbook formulas' : '';
  const late = choice.lateMaximum ? ', maximum taken off late' : '';
  const flushes = choice.flushes ? ', subnormals taken for zero' : '';
  const first = choice.biasFirst ? ', from the bias on' : '';
  const tiles = choice.transformed ? ", 3x3 convolutions in Winograd's tiles" : '';
  return `${choice.format}, ${order}, ${choice.fused ? 'fused' : 'not fused'}, ${functions}${formulas}${late}${flushes}${first}${tiles}`;
}

/** Families tried for mutants that the task's own inputs do not show, the likeliest first. */
const TELLING = ['small', 'negative', 'shifted', 'large', 'heavy-tailed'];
const PUBLIC_SEED = '0'.repeat(64);

/** Work of a task above which its values are not all kept while mutants are tried: they would fill the memory. */
const MOST_SHARED = 1e8;

/** Sets of inputs that are kept, and whose expectation is: all that one candidate meets, so that the next of its generation finds them. */
const KEPT = 28;

/** Outputs of one of Winograd's 4x4 tiles are at most so far apart along each axis. */
const TILE_REACH = 3;

/** The oracle of a task. What follows from the task alone and takes long to find is kept in `cacheDir`. */
export function createOracle(task: Task, cacheDir?: string): Oracle {
  return new TaskOracle(task, cacheDir);
}

class TaskOracle implements Oracle {
  readonly #task: Task;
  readonly families: readonly string[];
  readonly effort: Oracle['effort'];
  readonly #arithmetics: readonly ArithmeticChoice[];
  readonly #drawn = new Map<string, readonly HostTensor[]>();
  readonly #expected = new Map<readonly HostTensor[], Expectation>();
  #mutants: readonly Mutant[] | undefined;
  /** All values of the graph on the inputs that mutants were last put to. */
  #variants: { inputs: readonly HostTensor[]; values: Variants } | undefined;
  readonly #revealing: string[] = [];
  #revealed = false;

  constructor(task: Task, cacheDir?: string) {
    this.#task = task;
    this.families = inputFamilies(task, cacheDir).map(({ name }) => name);
    this.effort = workOf(task.graph) > MUCH_WORK ? 'light' : 'full';
    this.#arithmetics = honestArithmetics(task);
  }

  get arithmetics(): readonly string[] {
    return this.#arithmetics.map(arithmeticName);
  }

  get mutants(): readonly Mutant[] {
    this.#mutants ??= mutants(this.#task.graph, this.#task.precision);
    return this.#mutants;
  }

  get revealing(): readonly string[] {
    return this.#revealing;
  }

  /**
   * Which mutants a family shows hardly depends on the seed, so a seed of no secrecy serves to find out. A mixture is not tried: its lines may run
   * along another axis than the one that matters.
   */
  reveal(ids: readonly string[]): void {
    if (this.effort === 'full' || this.#revealed) return;
    this.#revealed = true;
    const survivors = new Set(this.mutants.filter(({ id }) => ids.includes(id)));
    for (const family of TELLING) {
      if (survivors.size === 0 || !this.families.includes(family)) continue;
      const inputs = this.draw(family, PUBLIC_SEED);
      const { outputs } = this.expect(inputs);
      const shown = [...survivors].filter((mutant) => excessOf(this, mutant, inputs, outputs) > 1);
      for (const mutant of shown) survivors.delete(mutant);
      if (shown.length > 0) this.#revealing.push(family);
    }
  }

  draw(family: string, seed: string): readonly HostTensor[] {
    return remember(this.#drawn, `${family} ${seed}`, () => drawArguments(this.#task, family, seed));
  }

  evaluate(graph: Graph, inputs: readonly HostTensor[]): readonly HostTensor[] {
    return evaluateGraph(graph, inputs, { format: 'float64' }, 'exact');
  }

  answer({ graph, arithmetic, frozen }: Mutant, inputs: readonly HostTensor[]): readonly HostTensor[] {
    const given = frozen ? [...frozen, ...inputs.slice(frozen.length)] : inputs;
    if (arithmetic) return evaluateGraph(graph, given, arithmetic);
    if (frozen || workOf(this.#task.graph) > MOST_SHARED) return evaluateGraph(graph, given, { format: 'float64' });
    if (this.#variants?.inputs !== inputs) this.#variants = { inputs, values: new Variants(this.#task.graph, inputs) };
    return this.#variants.values.outputsOf(graph);
  }

  expect(inputs: readonly HostTensor[]): Expectation {
    return remember(this.#expected, inputs, () => this.#expect(inputs));
  }

  #expect(inputs: readonly HostTensor[]): Expectation {
    const { graph } = this.#task;
    const references = this.evaluate(graph, inputs);
    const runs = this.#arithmetics.map((choice) => ({
      name: arithmeticName(choice),
      outputs: evaluateGraph(graph, inputs, choice),
      reach: choice.transformed && convolvesInTiles(graph) ? TILE_REACH : 0,
    }));
    const outputs = references.map((reference, o) => {
      const tolerance = deriveTolerance(
        { spec: this.#task.signature.outputs[o]!, values: reference.values },
        runs.map(({ name, outputs, reach }) => ({ name, values: outputs[o]!.values, reach })),
      );
      const node = graph.nodes.find((one) => one.outputs[0]?.id === graph.outputs[o]);
      const extreme = tolerance.kind === 'exact' && (node?.op === 'argmax' || node?.op === 'argmin') ? node : undefined;
      return extreme === undefined ? tolerance : { ...tolerance, accepts: this.#byValue(extreme, inputs, reference) };
    });
    return { outputs };
  }

  #specOf(id: number): TensorSpec {
    const { inputs, parameters, constants, nodes } = this.#task.graph;
    const values = [...inputs, ...parameters, ...constants, ...nodes.flatMap(({ outputs }) => outputs)];
    return values.find((value) => value.id === id)!.spec;
  }

  /** Accepts every index whose element is as extreme as the expected one, within the tolerance of the operand. */
  #byValue(
    node: GraphNode,
    inputs: readonly HostTensor[],
    reference: HostTensor,
  ): (index: number, value: number) => boolean {
    const graph: Graph = { ...this.#task.graph, outputs: [node.inputs[0]!] };
    const operand = this.evaluate(graph, inputs)[0]!;
    const runs = this.#arithmetics.map((choice) => ({
      name: arithmeticName(choice),
      values: evaluateGraph(graph, inputs, choice, 'exact')[0]!.values,
    }));
    const spec = { shape: operand.spec.shape, dtype: this.#specOf(node.inputs[0]!).dtype };
    const tolerance = deriveTolerance({ spec, values: operand.values }, runs);
    const bound =
      tolerance.kind === 'float' && isComputed(graph, node.inputs[0]!)
        ? (tolerance as FloatTolerance).bound
        : undefined;
    const { shape } = operand.spec;
    const dim = node.attributes.dim as number;
    const size = shape[dim]!;
    const inner = shape.slice(dim + 1).reduce((n, s) => n * s, 1);
    return (index, value) => {
      if (!Number.isInteger(value) || value < 0 || value >= size) return false;
      const base = Math.floor(index / inner) * size * inner + (index % inner);
      const [i, j] = [base + value * inner, base + reference.values[index]! * inner];
      const slack = bound === undefined ? 0 : bound[i]! + bound[j]!;
      return Math.abs(operand.values[i]! - operand.values[j]!) <= slack;
    };
  }
}

/** Whether a run of a graph in Winograd's tiles differs from one that computes each output alone. */
function convolvesInTiles({ inputs, parameters, constants, nodes }: Graph): boolean {
  const specs = new Map([...inputs, ...parameters, ...constants].map(({ id, spec }) => [id, spec]));
  for (const { outputs } of nodes) for (const { id, spec } of outputs) specs.set(id, spec);
  return nodes.some(
    ({ op, inputs, attributes }) =>
      op === 'conv2d' && goesThroughTiles(specs.get(inputs[1]!)!, new Attributes(op, attributes)),
  );
}

/** Whether a value is made by a node: inputs are exact, computed values carry rounding. */
function isComputed(graph: Graph, id: number): boolean {
  return graph.nodes.some((node) => node.outputs.some((output) => output.id === id));
}

/** A map that forgets what was not asked for the longest, beyond {@link KEPT} entries. */
function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make();
  map.delete(key);
  map.set(key, value);
  if (map.size > KEPT) map.delete(map.keys().next().value as K);
  return value;
}

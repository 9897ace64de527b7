/**
 * Drawing a task's arguments: inputs from a family, parameters at random and never neutral (a weight of one or a bias of zero would hide
 * that a kernel ignores it), every value legal for the task. The seed is the judge's and secret; the same seed and family give the same tensors.
 */
import { float64 } from '../operators/arithmetic.ts';
import { evaluateGraph, evaluateNode, fixedTensor, isRandomDraw } from '../operators/evaluate.ts';
import { operatorOf } from '../operators/table.ts';
import { isFloating, newValues, roundArray } from '../operators/tensor.ts';
import type { Draw, Graph, GraphParameter, HostTensor, Task, TensorSpec } from '../types.ts';
import { choosing, drawFloats, drawIntegers, families, isTelling } from './families.ts';
import { rememberedFamilies } from './known-families.ts';
import { comparedNumbers, drawIntegersNear, drawNear, nearFamily, numbersOf, numbersToMeet } from './near.ts';
import type { ScaleEnd } from './random.ts';
import { Random } from './random.ts';

/**
 * How a family's values are made legal for tensors that the file draws from non-negative values: as they are, as absolute values, or folded
 * into (0, 1). A family's name carries it: `heavy-tailed`, `heavy-tailed+`, `heavy-tailed[0,1]`.
 */
const domains = ['', '+', '[0,1]'] as const;
type Domain = (typeof domains)[number];

/** A way to draw a task's inputs. */
export interface InputFamily {
  name: string;
  /** What it is there to catch. */
  purpose: string;
}

/** The file's own distribution. */
export const AS_WRITTEN = 'as-written';

function splitFamily(name: string): { family: string; domain: Domain } {
  const domain = domains.findLast((d) => name.endsWith(d))!;
  return { family: name.slice(0, name.length - domain.length), domain };
}

/**
 * The task's arguments in the signature's order (inputs, then parameters and buffers), rounded to their element types.
 * `family` is one of {@link inputFamilies}, or its name; `seed` 64 hexadecimal digits, or a whole number derived from them. Throws on any other.
 */
export function drawArguments(
  task: Pick<Task, 'graph'>,
  family: InputFamily | string,
  seed: string | number,
): HostTensor[] {
  return drawAt(task.graph, typeof family === 'string' ? family : family.name, seed);
}

/**
 * The arguments exactly as the task file makes them: its own distributions, and parameters as its layers initialise them (ones, zeros, running
 * statistics of nothing). What a benchmark checks with, never what the judge does. Weights follow from `weights`, inputs from `seed`.
 */
export function drawAsFiled(task: Pick<Task, 'graph'>, seed: string | number, weights: string | number): HostTensor[] {
  const { inputs, parameters } = task.graph;
  const made = (spec: TensorSpec, draw: Draw, random: Random) => drawTensor(spec, draw, AS_WRITTEN, '', random);
  return [
    ...inputs.map((input) => made(input.spec, input.draw, new Random(seed, `as filed/input/${input.name}`))),
    ...parameters.map((p) => made(p.spec, p.draw, new Random(weights, `as filed/parameter/${p.name}`))),
  ];
}

/** Draws with the families' scales free, or all at one end. */
function drawAt(graph: Graph, name: string, seed: string | number, end?: ScaleEnd): HostTensor[] {
  const { family, domain } = splitFamily(name);
  const { inputs, parameters } = graph;
  const stream = (label: string) => new Random(seed, `${name}/${label}`, end);
  return [
    ...inputs.map((input) => drawTensor(input.spec, input.draw, family, domain, stream(`input/${input.name}`))),
    ...parameters.map((p) => drawParameter(p, stream(`parameter/${p.name}`))),
  ];
}

/** A tensor whose file draws it so, from a family. What the file leaves no choice in (ranges, listed values, masks computed from them) stays. */
export function drawTensor(spec: TensorSpec, draw: Draw, family: string, domain: Domain, random: Random): HostTensor {
  const { shape, dtype } = spec;
  const made = (values: Float64Array): HostTensor => ({ spec, values: roundArray(values, dtype) });
  if (draw.kind === 'computed') {
    if (!isRandomDraw(draw)) return fixedTensor(spec, draw);
    return { spec, values: evaluateDraws(draw.graph, family, domain, random).values };
  }
  if (family === AS_WRITTEN || draw.kind === 'range' || draw.kind === 'values' || draw.kind === 'permutation') {
    return made(asWritten(spec, draw, random));
  }
  if (!isFloating(dtype)) {
    if (draw.kind === 'constant') return fixedTensor(spec, draw);
    // A file that draws integers says what is legal; other draws of an integer type come from a cast of [low, high).
    const [low, high] =
      draw.kind === 'integer'
        ? [draw.low, draw.high]
        : draw.kind === 'uniform'
          ? [Math.floor(draw.low), Math.ceil(draw.high)]
          : [-8, 9];
    return made(integersOf(family, shape, low, Math.max(low + 1, high), random));
  }
  // Whole numbers in a floating tensor are class indices or counts in disguise: they stay whole and in range.
  if (draw.kind === 'integer') return made(integersOf(family, shape, draw.low, draw.high, random));
  const near = numbersOf(family);
  const values = near ? drawNear(near, shape, dtype, random) : drawFloats(family, shape, dtype, random);
  const nonNegative = draw.kind === 'uniform' && draw.low >= 0;
  if (nonNegative && domain === '+')
    for (let i = 0; i < values.length; i++) values[i] = Math.abs(values[i]!) + leastPositive(dtype);
  if (nonNegative && domain === '[0,1]') {
    for (let i = 0; i < values.length; i++) {
      const size = Math.abs(values[i]!);
      values[i] = near && size > 0 && size < 1 ? size : (size + 1e-3) / (size + 1);
    }
  }
  return made(values);
}

function integersOf(family: string, shape: readonly number[], low: number, high: number, random: Random): Float64Array {
  const near = numbersOf(family);
  return near
    ? drawIntegersNear(near.numbers, shape, [low, high], random)
    : drawIntegers(family, shape, low, high, random);
}

/** A positive number far below what matters, so that zero never reaches a logarithm or a divisor. */
function leastPositive(dtype: TensorSpec['dtype']): number {
  return dtype === 'float16' ? 1e-4 : 1e-6;
}

/** A computed draw: its own draws from the family, then its graph. */
function evaluateDraws(graph: Graph, family: string, domain: Domain, random: Random): HostTensor {
  const drawn: Graph = {
    ...graph,
    constants: [],
    inputs: graph.constants.map((c, i) => ({ ...c, name: `draw ${i}` })),
  };
  const values = graph.constants.map((c) => drawTensor(c.spec, c.draw, family, domain, random));
  return evaluateGraph(drawn, values)[0]!;
}

/** The file's own distribution. */
function asWritten(spec: TensorSpec, draw: Draw, random: Random): Float64Array {
  const values = newValues(spec.shape);
  switch (draw.kind) {
    case 'uniform':
      for (let i = 0; i < values.length; i++) values[i] = random.uniform(draw.low, draw.high);
      return values;
    case 'normal':
      for (let i = 0; i < values.length; i++) values[i] = draw.mean + draw.std * random.normal();
      return values;
    case 'integer':
      for (let i = 0; i < values.length; i++) values[i] = random.integer(draw.low, draw.high);
      return values;
    case 'permutation':
      for (let i = 0; i < values.length; i++) values[i] = i;
      random.shuffle(values);
      return values;
    default:
      return fixedTensor(spec, draw).values.slice();
  }
}

/** A parameter or buffer: drawn as the file draws it where that is random, else shaken so that it is no neutral element. */
export function drawParameter(parameter: GraphParameter, random: Random): HostTensor {
  const { spec, draw, name, kind } = parameter;
  if (isRandomDraw(draw)) return drawTensor(spec, draw, AS_WRITTEN, '', random);
  const fixed = fixedTensor(spec, draw);
  // Listed, counted and computed buffers are structure (masks, positions, tables); integers are counters.
  if (!isFloating(spec.dtype) || (kind === 'buffer' && draw.kind !== 'constant')) return fixed;
  const values = fixed.values.slice();
  const positive = /(^|[._])running_var$/.test(name);
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    if (!Number.isFinite(x)) continue;
    if (positive) values[i] = random.uniform(0.5, 2);
    else if (x === 0) values[i] = (random.unit() < 0.5 ? -1 : 1) * random.uniform(0.1, 0.6);
    else values[i] = x * random.uniform(0.5, 1.5);
  }
  return { spec, values: roundArray(values, spec.dtype) };
}

/** Greatest finite value an honest kernel could hold of each floating type: beyond it the reference is finite and every kernel infinite. */
const greatest = { float64: Number.MAX_VALUE, float32: 3.4e38, bfloat16: 3.38e38, float16: 65504 } as const;

/**
 * How many values anywhere in the graph are NaN, or beyond what their element type holds; Infinity where evaluation refuses the values altogether.
 * Intermediate values count: an overflow on the way is an overflow.
 */
function illegalValues(graph: Graph, values: readonly HostTensor[]): number {
  const known = new Map<number, HostTensor>();
  [...graph.inputs, ...graph.parameters].forEach((argument, i) => {
    known.set(argument.id, values[i]!);
  });
  let illegal = 0;
  try {
    for (const constant of graph.constants) known.set(constant.id, fixedTensor(constant.spec, constant.draw));
    for (const node of graph.nodes) {
      const results = evaluateNode(
        node,
        node.inputs.map((id) => known.get(id)!),
        float64,
      );
      node.outputs.forEach((output, o) => {
        const result = results[o]!;
        known.set(output.id, result);
        const { dtype } = result.spec;
        if (!isFloating(dtype)) return;
        const limit = greatest[dtype as keyof typeof greatest];
        for (const x of result.values) if (!(Math.abs(x) <= limit)) illegal++;
      });
    }
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  return illegal;
}

const known = new WeakMap<Graph, readonly InputFamily[]>();

/**
 * The families this task can be judged with, `as-written` first. A family stays out when it makes NaN or overflow that the file's own
 * distribution does not; where the file draws non-negative values, its absolute or unit form is tried instead. Costs a float64
 * evaluation of the graph a family; remembered a graph, in `cacheDir` beyond this process. Uses a fixed public seed: whether a family is legal is no secret.
 */
export function inputFamilies(task: Pick<Task, 'graph'>, cacheDir?: string): readonly InputFamily[] {
  const { graph } = task;
  const before = known.get(graph);
  if (before) return before;
  const legal = cacheDir === undefined ? legalFamilies(graph) : rememberedFamilies(cacheDir, graph, legalFamilies);
  known.set(graph, legal);
  return legal;
}

function legalFamilies(graph: Graph): InputFamily[] {
  const at = (family: string, end: ScaleEnd) => illegalValues(graph, drawAt(graph, family, 0, end));
  const allowed = at(AS_WRITTEN, 'high');
  const isLegal = once((name: string) => {
    if (at(name, 'high') > allowed) return false;
    // Towards zero is another danger than away from it; what lies between `normal` and the far end of a scale has neither.
    return !['small', 'tiny'].includes(splitFamily(name).family) || at(name, 'low') <= allowed;
  });
  const legal: InputFamily[] = [{ name: AS_WRITTEN, purpose: 'what the task file itself draws' }];
  if (hasChoice(graph)) {
    const nonNegative = graph.inputs.some((input) => drawsNonNegative(input.draw));
    // Families dense in both signs decide whether negative values are legal at all: a sparse family of few elements could pass by luck.
    const open = nonNegative ? domains : domains.slice(0, 1);
    const least = open.findIndex((domain) =>
      ['normal', 'uniform', 'negative'].every((family) => isLegal(family + domain)),
    );
    const operators = new Set(graph.nodes.map(({ op }) => op));
    const integers = graph.inputs.some(({ spec, draw }) => !isFloating(spec.dtype) && isRandomDraw(draw));
    const elements = howMade(graph) === 'elements';
    for (const [family, purpose] of Object.entries(families)) {
      const before = legal.map((one) => one.name);
      if (!isTelling(family, { operators, integers, elements }, before)) continue;
      const name = open
        .slice(Math.max(0, least))
        .map((domain) => family + domain)
        .find(isLegal);
      if (name !== undefined) legal.push({ name, purpose });
    }
  }
  return legal;
}

const knownNear = new WeakMap<Graph, Map<string, string | undefined>>();

/**
 * The family of values near the numbers that the task's operators compare with, and near those of a candidate's kernels (`whole` ones count where inputs are integers); in
 * the domain that is legal for the others. Undefined where there is no such number, or no legal draw of them. Costs up to two float64 evaluations of the graph for each set of numbers; remembered.
 */
export function familyNear(
  task: Pick<Task, 'graph'>,
  { floating, whole }: { floating: readonly number[]; whole: readonly number[] },
): string | undefined {
  const { graph } = task;
  const drawn = graph.inputs.filter(({ draw }) => ['uniform', 'normal', 'integer'].includes(draw.kind));
  const dtypes = drawn.map(({ spec }) => spec.dtype).filter(isFloating);
  const ofIntegers = drawn.some(({ spec }) => !isFloating(spec.dtype)) ? whole : [];
  const numbers = numbersToMeet([...comparedNumbers(graph), ...floating, ...ofIntegers], howMade(graph), dtypes);
  const domain = domains.find((one) =>
    inputFamilies(task).some(({ name }) => name === `uniform${one}` || name === `normal${one}`),
  );
  if (numbers.length === 0 || drawn.length === 0 || domain === undefined) return undefined;
  const tried = knownNear.get(graph) ?? new Map<string, string | undefined>();
  knownNear.set(graph, tried);
  const names = (['near', 'among'] as const).map((lines) => nearFamily(numbers, lines) + domain);
  const [first] = names;
  if (!tried.has(first!)) {
    const allowed = illegalValues(graph, drawAt(graph, AS_WRITTEN, 0));
    tried.set(
      first!,
      names.find((name) => illegalValues(graph, drawAt(graph, name, 0)) <= allowed),
    );
  }
  return tried.get(first!);
}

/** Whether elements are added or else mixed on the way to a graph's outputs, and whether in convolutions. */
function howMade({ nodes }: Graph): 'elements' | 'sums' | 'convolutions' {
  if (nodes.some(({ op }) => op.startsWith('conv'))) return 'convolutions';
  const single = nodes.every(
    ({ op }) => ['pointwise', 'layout', 'indexing'].includes(operatorOf(op).kind) || choosing.has(op),
  );
  return single ? 'elements' : 'sums';
}

/** The function with its answers remembered. */
function once(answer: (name: string) => boolean): (name: string) => boolean {
  const answers = new Map<string, boolean>();
  return (name) => {
    const said = answers.get(name) ?? answer(name);
    answers.set(name, said);
    return said;
  };
}

function drawsNonNegative(draw: Draw): boolean {
  if (draw.kind === 'computed') return draw.graph.constants.some((c) => drawsNonNegative(c.draw));
  return draw.kind === 'uniform' && draw.low >= 0;
}

/** True if some input leaves anything to be chosen. */
function hasChoice(graph: Graph): boolean {
  return graph.inputs.some(
    ({ draw, spec }) => isRandomDraw(draw) || (draw.kind === 'constant' && isFloating(spec.dtype)),
  );
}

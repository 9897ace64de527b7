/**
 * Values on, beside and far to both sides of given numbers: those that a task's operators compare with (the bounds of a clamp), and those that a candidate's kernels
 * compare with. A kernel that is wrong on one side of such a number, or on it alone, is met there by no draw that does not know it.
 *
 * Such a family carries its numbers in its name, `near 0.5, 20`, so that name and seed are enough to draw it again; `among` instead of `near` where lines that hold
 * nothing else are not legal (a row of equal values has no variance).
 */
import { newValues } from '../operators/tensor.ts';
import type { DType, Graph, GraphNode } from '../types.ts';
import { fillLines } from './families.ts';
import type { Random } from './random.ts';

/** Numbers in one name: more would each be drawn too seldom. */
const MOST_NUMBERS = 12;

/** Sizes of numbers that are drawn near: beyond the one everything overflows, below the other honest kernels take values for zero. */
const SIZES = { least: 1e-20, most: 1e20 };

/** The most where elements are added: beside one far out an honest sum has no digits left of the others. */
const MOST_IN_SUMS = 1e6;

/** Where tiles are transformed (Winograd's convolutions) elements of unlike size spoil each other's. */
const MOST_IN_CONVOLUTIONS = 4;

const mostOf: Partial<Record<DType, number>> = { float16: 1.6e4 };

/** Attributes that hold a number with which the operator compares its elements. */
const comparedAttributes: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(['gt', 'ge', 'lt', 'le', 'eq', 'ne', 'maximum', 'minimum'].map((op) => [op, ['other']])),
  clamp: ['min', 'max'],
  hardtanh: ['min_val', 'max_val'],
  softplus: ['threshold'],
  hardshrink: ['lambd'],
  softshrink: ['lambd'],
  huber_loss: ['delta'],
  smooth_l1_loss: ['beta'],
};

/** Numbers that are in the operator itself. */
const comparedAlways: Readonly<Record<string, readonly number[]>> = {
  hardswish: [3],
  hardsigmoid: [3],
  round: [0.5, 2.5],
};

/** The numbers that a graph's operators compare elements with. */
export function comparedNumbers(graph: Pick<Graph, 'nodes'>): number[] {
  return graph.nodes.flatMap(({ op, attributes }: GraphNode) => [
    ...(comparedAttributes[op] ?? []).map((name) => attributes[name]).filter((value) => typeof value === 'number'),
    ...(comparedAlways[op] ?? []),
  ]);
}

/** What of `numbers` can be drawn near in a graph whose elements are each made for themselves, or are added, or convolved. Zero is drawn by many families. */
export function numbersToMeet(
  numbers: readonly number[],
  how: 'elements' | 'sums' | 'convolutions',
  dtypes: readonly DType[],
): number[] {
  const most = Math.min(
    { elements: SIZES.most, sums: MOST_IN_SUMS, convolutions: MOST_IN_CONVOLUTIONS }[how],
    ...dtypes.map((dtype) => mostOf[dtype] ?? SIZES.most),
  );
  const sizes = new Map(numbers.map((x) => [Math.abs(x), x]));
  return [...sizes]
    .filter(([size]) => size >= SIZES.least && size <= most)
    .map(([, x]) => shortest(x))
    .slice(0, MOST_NUMBERS);
}

/** The number with the fewest digits that is the same float32, where there is one: 0.1 for 0.10000000149. */
function shortest(x: number): number {
  if (Math.fround(x) !== x) return x;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === x) return short;
  }
  return x;
}

/** The name of the family of values near these numbers. */
export function nearFamily(numbers: readonly number[], lines: 'near' | 'among'): string {
  return `${lines} ${numbers.join(', ')}`;
}

/** The numbers of such a name, and whether lines may hold nothing else; undefined for other families. */
export function numbersOf(family: string): { numbers: number[]; wholeLines: boolean } | undefined {
  const [, lines, list] = /^(near|among) (\S.*)$/.exec(family) ?? [];
  if (list === undefined) return undefined;
  return { numbers: list.split(', ').map(Number), wholeLines: lines === 'near' };
}

/** Relative distance of the next number but one, by which a value lies beside another. */
const besideOf: Partial<Record<DType, number>> = { float16: 2 ** -9, bfloat16: 2 ** -6 };

/** Floating values near the numbers; standard normal ones between them. */
export function drawNear(
  { numbers, wholeLines }: { numbers: readonly number[]; wholeLines: boolean },
  shape: readonly number[],
  dtype: DType,
  random: Random,
): Float64Array {
  const beside = besideOf[dtype] ?? 2 ** -22;
  const one = () => {
    const sign = random.unit() < 0.75 ? 1 : -1;
    return sign * random.pick(numbers) * random.pick([1, 1, 1 + beside, 1 - beside, 0.5, 2]);
  };
  // Of one kind are the same lines in all tensors, so that differences and products of lines come near too.
  const common = random.common('near');
  const values = fillLines(shape, random, (line) => {
    const kind = common.unit();
    if (wholeLines && kind < 0.25) {
      line.fill(one());
      return;
    }
    const scale = wholeLines && kind < 0.5 ? common.pick(numbers) : 1;
    for (let i = 0; i < line.length; i++) line[i] = scale * random.normal();
    if (kind >= 0.8) return;
    for (let i = 0; i < line.length; i++) if (random.unit() < 0.125) line[i] = one();
    // Where a kernel would look to choose a path.
    if (line.length > 0 && random.unit() < 0.5) line[0] = one();
  });
  if (values.length > 0) values[0] = random.pick(numbers);
  return values;
}

/** Integers on and beside those of the numbers that are legal, half of the time; else any. */
export function drawIntegersNear(
  numbers: readonly number[],
  shape: readonly number[],
  [low, high]: readonly [number, number],
  random: Random,
): Float64Array {
  const legal = numbers
    .flatMap((x) => [x, -x, x - 1, x + 1].filter(Number.isInteger))
    .filter((x) => x >= low && x < high);
  const values = newValues(shape);
  for (let i = 0; i < values.length; i++) {
    values[i] = legal.length > 0 && random.unit() < 0.5 ? random.pick(legal) : random.integer(low, high);
  }
  return values;
}

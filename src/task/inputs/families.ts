/**
 * The families of values a tensor is drawn from. Real data comes in these shapes, and cheats live on the one shape a benchmark shows: a ReLU
 * of non-negative values is a copy, a mean of many uniform values is a constant. Each family says what it is there to catch.
 */
import { around } from '../operators/stride.ts';
import { newValues } from '../operators/tensor.ts';
import type { DType } from '../types.ts';
import type { Random } from './random.ts';

/** Fills one line of a tensor. */
type LineFill = (line: Float64Array) => void;

/** Draws what all lines of a tensor share, and gives what fills each of them. */
type Fill = (random: Random, dtype: DType) => LineFill;

interface Family {
  /** What it is there to catch. */
  purpose: string;
  fill: Fill;
  /** The integers of this family: class indices, tokens, masks; default uniform. */
  integers?: (line: Float64Array, random: Random, low: number, high: number) => void;
  /** Offered only to graphs with one of these operators, and to no mixture; absent: to all. */
  operators?: ReadonlySet<string>;
  /** Not offered to graphs with one of these. */
  without?: ReadonlySet<string>;
  /** Not offered where this other family is legal. */
  unless?: string;
  /** Offered only where inputs hold integers that the file draws, and to no mixture; their lines are the last axis's. */
  ofIntegers?: true;
  /** Offered only where every element is made for itself, or moved or chosen: nothing adds elements of unlike sizes. To no mixture. */
  ofElements?: true;
}

const each =
  (draw: (random: Random) => number): Fill =>
  (random) =>
  (line) => {
    for (let i = 0; i < line.length; i++) line[i] = draw(random);
  };

/** Least normal value of an element type, around which denormals live. */
const leastNormal: Partial<Record<DType, number>> = {
  float16: 2 ** -14,
  bfloat16: 2 ** -126,
  float32: 2 ** -126,
  float64: 2 ** -1022,
};

/** Values far from zero: the nearest lines at a drawn power of ten, others up to `spread` powers beyond, and each far out by more than its values differ. */
const far =
  (sign: 1 | -1, powers: { least: number; most: number; spread: number }): Fill =>
  (random, dtype) => {
    // float16 ends at 65504.
    const { least, most, spread } = dtype === 'float16' ? { least: 3.5, most: 4, spread: 0.75 } : powers;
    const nearest = random.scale(least, most);
    return (line) => {
      const distance = 10 ** (nearest + random.scale(0, spread));
      for (let i = 0; i < line.length; i++) line[i] = sign * distance * (1 + 0.01 * random.unit());
    };
  };

/** Up to a million, and up to 10^20: kernels that start at -10^30 are taken for honest. */
const FAR = { least: 3.5, most: 5, spread: 1 };
const FARTHEST = { least: 10, most: 17, spread: 3 };

/** Operators that choose a greatest value, and a least. */
const greatestOf = [
  'max',
  'argmax',
  'cummax',
  'max_pool1d',
  'max_pool2d',
  'max_pool3d',
  'adaptive_max_pool',
  'topk',
  'sort',
];
const least = new Set(['min', 'argmin', 'cummin', 'topk', 'sort']);
/** Operators that choose among elements, and change none. */
export const choosing: ReadonlySet<string> = new Set([...greatestOf, ...least]);
/** Operators that take a greatest value off first. Where they do it in base two (FlashAttention's x log2(e) - max log2(e)), they are off by x 2^-24, and nothing is left of them at 10^10. */
const exponentials = new Set([
  ...['softmax', 'log_softmax', 'logsumexp', 'logcumsumexp', 'cross_entropy', 'scaled_dot_product_attention'],
]);
const greatest = new Set([...greatestOf, ...exponentials]);

/** Operators that divide or take a root: of what is tiny they make what is not. */
const roots = new Set(['div', 'reciprocal', 'pow', 'sqrt', 'rsqrt', 'norm']);

/** Operators whose fast forms lose all digits far from zero. */
const periodic = new Set(['sin', 'cos', 'tan']);

const base: Readonly<Record<string, Family>> = {
  normal: { purpose: 'both signs; a reference point', fill: each((r) => r.normal()) },
  uniform: { purpose: 'both signs, bounded', fill: each((r) => r.uniform(-1, 1)) },
  shifted: {
    purpose: 'lines with means far from zero and from each other: sums in low precision lose digits',
    fill: (random) => (line) => {
      const mean = random.scale(10, 100);
      for (let i = 0; i < line.length; i++) line[i] = mean + random.normal();
    },
  },
  together: {
    purpose:
      'all lines of all inputs near one value far from zero: a difference or a variance taken of squares loses its digits, along whatever axis',
    fill: (random) => {
      const mean = random.shared(50, 200);
      return (line) => {
        for (let i = 0; i < line.length; i++) line[i] = mean + random.normal();
      };
    },
    // Variances and standard deviations are traced as differences.
    operators: new Set(['sub', 'layer_norm', 'batch_norm', 'group_norm', 'instance_norm']),
  },
  large: {
    purpose: 'big values: an exponential without its maximum overflows',
    fill: (random) => (line) => {
      const scale = 10 ** random.scale(1, 3);
      for (let i = 0; i < line.length; i++) line[i] = scale * random.normal();
    },
  },
  small: {
    purpose: 'small values: an epsilon in the wrong place, or an absolute tolerance, shows',
    fill(random, dtype) {
      // Most lines differ by a decade at most: in a sum over all of them the greatest would hide what becomes of the others. Some are tiny: an epsilon under a
      // root shows in nothing else. They are the same lines in all tensors, at times all, so that differences and products of lines are tiny too. In float16 they
      // would be zeros.
      const most = random.scale(-5, -3);
      const common = random.common('tiny lines');
      const share = common.unit() < 0.25 ? 1 : 0.2;
      return (line) => {
        const tiny = common.unit() < share && dtype !== 'float16';
        const scale = 10 ** (tiny ? random.scale(-12, -6) : most - random.unit());
        for (let i = 0; i < line.length; i++) line[i] = scale * random.normal();
      };
    },
  },
  tiny: {
    purpose: 'all of one tiny size, along whatever axis: an epsilon added under a root, or to a divisor, shows',
    fill(random, dtype) {
      const most = dtype === 'float16' ? -3 : random.scale(-9, -8);
      return (line) => {
        const scale = 10 ** (most - random.unit());
        for (let i = 0; i < line.length; i++) line[i] = scale * random.normal();
      };
    },
    operators: roots,
  },
  'heavy-tailed': {
    purpose: 'a few elements carry the result: sampling a part of the input fails',
    fill: (random) => (line) => {
      // Pareto with exponent 1.5 and both signs; one planted element of each sign beyond all others.
      for (let i = 0; i < line.length; i++) {
        line[i] = Math.sign(random.unit() - 0.5) * Math.min(100, (1 - random.unit()) ** (-1 / 1.5) - 0.9);
      }
      const high = random.integer(0, line.length);
      const low = random.integer(0, line.length);
      if (line.length > 0) line[low] = -random.scale(100, 1000);
      if (line.length > 0) line[high] = random.scale(100, 1000);
    },
  },
  sparse: {
    purpose: 'mostly zeros, the rest at random places: skipped elements show',
    fill: each((r) => (r.unit() < 0.05 ? 3 * r.normal() : 0)),
    integers(line, random, low, high) {
      for (let i = 0; i < line.length; i++) line[i] = random.unit() < 0.1 ? random.integer(low, high) : low;
    },
  },
  'one-hot': {
    purpose: 'one element decides: wrong maxima and wrong indices show',
    fill: (random) => (line) => {
      for (let i = 0; i < line.length; i++) line[i] = 1e-3 * random.normal();
      if (line.length > 0) line[random.integer(0, line.length)] = random.scale(5, 20);
    },
  },
  'constant-lines': {
    purpose: 'no variance: divisions by it, ties of maxima and indices',
    fill: (random) => (line) => {
      line.fill(random.integer(-32, 33) / 4);
    },
    integers(line, random, low, high) {
      line.fill(random.integer(low, high));
    },
  },
  sorted: {
    purpose: 'order within a line: reductions that stop early, or start late',
    fill: (random) => (line) => {
      for (let i = 0; i < line.length; i++) line[i] = random.normal();
      line.sort();
      if (random.unit() < 0.5) line.reverse();
    },
    integers(line, random, low, high) {
      for (let i = 0; i < line.length; i++) line[i] = random.integer(low, high);
      line.sort();
    },
  },
  'clustered-maxima': {
    purpose: 'many near-equal greatest values side by side: pruned or partial maxima show',
    fill: (random) => (line) => {
      for (let i = 0; i < line.length; i++) line[i] = random.normal();
      const run = Math.min(line.length, 2 + random.integer(0, 1 + (line.length >> 4)));
      const start = random.integer(0, line.length - run + 1);
      for (let i = start; i < start + run; i++) line[i] = 4 + 1e-3 * random.normal();
    },
    integers(line, random, low, high) {
      const few = [random.integer(low, high), random.integer(low, high)];
      for (let i = 0; i < line.length; i++) line[i] = random.pick(few);
    },
  },
  negative: {
    purpose: 'no positive value: maxima started at zero, ReLUs left out',
    fill: each((r) => -Math.abs(r.normal()) - 1e-3),
  },
  'farthest-below': {
    purpose: 'no value but far below zero: maxima that start at some great negative number instead of at none',
    fill: far(-1, FARTHEST),
    operators: new Set(greatestOf),
    without: exponentials,
  },
  'far-below': {
    purpose: 'the same, where greater distances would overflow, or leave nothing of an exponential',
    fill: far(-1, FAR),
    operators: greatest,
    unless: 'farthest-below',
  },
  'farthest-above': {
    purpose: 'no value but far above zero: minima that start at some great number instead of at none',
    fill: far(1, FARTHEST),
    operators: least,
    without: exponentials,
  },
  'far-above': {
    purpose: 'the same, where greater distances would overflow, or leave nothing of an exponential',
    fill: far(1, FAR),
    operators: least,
    unless: 'farthest-above',
  },
  wide: {
    purpose:
      'sizes from a thousandth to ten thousand million side by side: narrow integers on the way, and bounds that are none, show; and halves, which bounds and roundings meet',
    fill: (random, dtype) => (line) => {
      const most = dtype === 'float16' ? 4.5 : 10;
      for (let i = 0; i < line.length; i++) {
        const sign = random.unit() < 0.5 ? -1 : 1;
        line[i] = random.unit() < 0.125 ? random.integer(-16, 17) / 2 : sign * 10 ** random.scale(-3, most);
      }
    },
    ofElements: true,
    without: periodic,
  },
  denormal: {
    purpose: 'values below the least normal: flushing to zero shows where it matters',
    fill: (random, dtype) => (line) => {
      const scale = leastNormal[dtype] ?? 1;
      for (let i = 0; i < line.length; i++) line[i] = 2 * scale * random.normal();
    },
  },
  'whole-lines': {
    purpose: 'masks that leave nothing of a line, or all of it; indices that are all the first, or all the last',
    fill: each((r) => r.normal()),
    integers(line, random, low, high) {
      const one = random.unit();
      if (one < 0.25) line.fill(low);
      else if (one < 0.5) line.fill(high - 1);
      else for (let i = 0; i < line.length; i++) line[i] = random.integer(low, high);
    },
    ofIntegers: true,
  },
  'small-integers': {
    purpose:
      'sums that are exact in any order: the tolerance is nearly zero; lines of unequal weight, so that none can be left out',
    fill: (random) => (line) => {
      const most = random.integer(1, 8);
      for (let i = 0; i < line.length; i++) line[i] = random.integer(-most, most + 1);
    },
  },
};

/** Families that a mixture draws its lines from. */
const ingredients = Object.keys(base).filter((name) => {
  const { operators, ofIntegers, ofElements } = base[name]!;
  return name !== 'denormal' && operators === undefined && !ofIntegers && !ofElements;
});

/** Every family but `as-written`, with what it is there to catch. */
export const families: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(base).map(([name, family]) => [name, family.purpose])),
  mixture: 'every line from a family of its own: a kernel cannot look at the first and guess the rest',
};

/** What families ask of a graph. */
export interface GraphTraits {
  operators: ReadonlySet<string>;
  /** Among its inputs are integers that the file draws. */
  integers: boolean;
  /** Every element is made for itself, or moved or chosen. */
  elements: boolean;
}

/** Whether a family has something to show of a graph of these operators, with integers among its inputs or without, that the legal ones before it do not. */
export function isTelling(
  family: string,
  { operators, integers, elements }: GraphTraits,
  legal: readonly string[],
): boolean {
  const { operators: only, without, unless, ofIntegers, ofElements } = base[family] ?? {};
  if ((ofIntegers && !integers) || (ofElements && !elements)) return false;
  const has = (some: ReadonlySet<string>) => [...some].some((op) => operators.has(op));
  if (without !== undefined && has(without)) return false;
  if (unless !== undefined && legal.some((name) => name.startsWith(unless))) return false;
  return only === undefined || has(only);
}

/** Runs a fill over the lines of a tensor along an axis chosen at random: what is a row to one operator is a column to another. */
export function fillLines(
  shape: readonly number[],
  random: Random,
  fill: (line: Float64Array) => void,
  among: 'any axis' | 'the last axis' = 'any axis',
): Float64Array {
  const values = newValues(shape);
  const several = shape.map((_, d) => d).filter((d) => shape[d]! > 1);
  const axes = among === 'any axis' ? several : several.slice(-1);
  // The last axis is the row of most programs: half of the time it is that one. Half of the time all tensors' lines run along the same.
  const chosen = random.unit() < 0.5 ? random : random.common('axis');
  const axis = axes.length === 0 ? shape.length - 1 : chosen.unit() < 0.5 ? axes.at(-1)! : chosen.pick(axes);
  const { outer, size, inner } = around(shape, Math.max(0, axis));
  const line = new Float64Array(size);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      fill(line);
      for (let k = 0, at = o * size * inner + i; k < size; k++, at += inner) values[at] = line[k]!;
    }
  }
  return values;
}

/** Floating values of a family. Throws on an unknown family. */
export function drawFloats(family: string, shape: readonly number[], dtype: DType, random: Random): Float64Array {
  if (family === 'mixture')
    return fillLines(shape, random, (line) => base[random.pick(ingredients)]!.fill(random, dtype)(line));
  return fillLines(shape, random, familyOf(family).fill(random, dtype));
}

/** Integers of a family, from low to high - 1: every one legal. */
export function drawIntegers(
  family: string,
  shape: readonly number[],
  low: number,
  high: number,
  random: Random,
): Float64Array {
  const { integers: fill, ofIntegers } = family === 'mixture' ? base[random.pick(ingredients)]! : familyOf(family);
  const fillLine = (line: Float64Array) => {
    if (fill) fill(line, random, low, high);
    else for (let i = 0; i < line.length; i++) line[i] = random.integer(low, high);
  };
  return fillLines(shape, random, fillLine, ofIntegers ? 'the last axis' : 'any axis');
}

function familyOf(name: string): Family {
  const family = base[name];
  if (!family)
    throw new Error(
      `There is no family of inputs \`${name}\`; there are as-written, ${Object.keys(families).join(', ')}.`,
    );
  return family;
}

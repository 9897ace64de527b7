/**
 * The families of values a tensor is drawn from. Real data comes in these shapes, and cheats live on the one shape a benchmark shows: a ReLU
 * of non-negative values is a copy, a mean of many uniform values is a constant. Each family says what it is there to catch.
 */
import { around } from '../operators/stride.ts';
import { newValues } from '../operators/tensor.ts';
import type { DType } from '../types.ts';
import type { Random } from './random.ts';

/** Fills one line of a tensor. */
type LineFill = (line: Float64Array, random: Random, dtype: DType) => void;

interface Family {
  /** What it is there to catch. */
  purpose: string;
  fill: LineFill;
  /** The integers of this family: class indices, tokens, masks; default uniform. */
  integers?: (line: Float64Array, random: Random, low: number, high: number) => void;
}

const each =
  (draw: (random: Random) => number): LineFill =>
  (line, random) => {
    for (let i = 0; i < line.length; i++) line[i] = draw(random);
  };

/** Least normal value of an element type, around which denormals live. */
const leastNormal: Partial<Record<DType, number>> = {
  float16: 2 ** -14,
  bfloat16: 2 ** -126,
  float32: 2 ** -126,
  float64: 2 ** -1022,
};

const base: Readonly<Record<string, Family>> = {
  normal: { purpose: 'both signs; a reference point', fill: each((r) => r.normal()) },
  uniform: { purpose: 'both signs, bounded', fill: each((r) => r.uniform(-1, 1)) },
  shifted: {
    purpose: 'a mean far from zero: one-pass variances and sums in low precision lose digits',
    fill(line, random) {
      const mean = random.scale(10, 100);
      for (let i = 0; i < line.length; i++) line[i] = mean + random.normal();
    },
  },
  large: {
    purpose: 'big values: an exponential without its maximum overflows',
    fill(line, random) {
      const scale = 10 ** random.scale(1, 3);
      for (let i = 0; i < line.length; i++) line[i] = scale * random.normal();
    },
  },
  small: {
    purpose: 'small values: an epsilon in the wrong place, or an absolute tolerance, shows',
    fill(line, random) {
      const scale = 10 ** random.scale(-4, -2);
      for (let i = 0; i < line.length; i++) line[i] = scale * random.normal();
    },
  },
  'heavy-tailed': {
    purpose: 'a few elements carry the result: sampling a part of the input fails',
    fill(line, random) {
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
    fill(line, random) {
      for (let i = 0; i < line.length; i++) line[i] = 1e-3 * random.normal();
      if (line.length > 0) line[random.integer(0, line.length)] = random.scale(5, 20);
    },
  },
  'constant-lines': {
    purpose: 'no variance: divisions by it, ties of maxima and indices',
    fill(line, random) {
      line.fill(random.integer(-32, 33) / 4);
    },
    integers(line, random, low, high) {
      line.fill(random.integer(low, high));
    },
  },
  sorted: {
    purpose: 'order within a line: reductions that stop early, or start late',
    fill(line, random) {
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
    fill(line, random) {
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
  denormal: {
    purpose: 'values below the least normal: flushing to zero shows where it matters',
    fill(line, random, dtype) {
      const scale = leastNormal[dtype] ?? 1;
      for (let i = 0; i < line.length; i++) line[i] = 2 * scale * random.normal();
    },
  },
  'small-integers': {
    purpose: 'sums that are exact in any order: the tolerance is nearly zero',
    fill: each((r) => r.integer(-4, 5)),
  },
};

/** Families that a mixture draws its lines from. */
const ingredients = Object.keys(base).filter((name) => name !== 'denormal');

/** Every family but `as-written`, with what it is there to catch. */
export const families: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(base).map(([name, family]) => [name, family.purpose])),
  mixture: 'every line from a family of its own: a kernel cannot look at the first and guess the rest',
};

/** Families whose lines share a drawn scale or offset, so that one draw does not show the extremes of another. */
export const scaled: ReadonlySet<string> = new Set(['shifted', 'large', 'small', 'heavy-tailed', 'one-hot', 'mixture']);

/** Runs a fill over the lines of a tensor along an axis chosen at random: what is a row to one operator is a column to another. */
function fillLines(shape: readonly number[], random: Random, fill: (line: Float64Array) => void): Float64Array {
  const values = newValues(shape);
  const axes = shape.map((_, d) => d).filter((d) => shape[d]! > 1);
  // The last axis is the row of most programs: half of the time it is that one.
  const axis = axes.length === 0 ? shape.length - 1 : random.unit() < 0.5 ? axes.at(-1)! : random.pick(axes);
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
    return fillLines(shape, random, (line) => base[random.pick(ingredients)]!.fill(line, random, dtype));
  const { fill } = familyOf(family);
  return fillLines(shape, random, (line) => fill(line, random, dtype));
}

/** Integers of a family, from low to high - 1: every one legal. */
export function drawIntegers(
  family: string,
  shape: readonly number[],
  low: number,
  high: number,
  random: Random,
): Float64Array {
  const fill = family === 'mixture' ? base[random.pick(ingredients)]!.integers : familyOf(family).integers;
  return fillLines(shape, random, (line) => {
    if (fill) fill(line, random, low, high);
    else for (let i = 0; i < line.length; i++) line[i] = random.integer(low, high);
  });
}

function familyOf(name: string): Family {
  const family = base[name];
  if (!family)
    throw new Error(
      `There is no family of inputs \`${name}\`; there are as-written, ${Object.keys(families).join(', ')}.`,
    );
  return family;
}

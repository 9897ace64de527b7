/**
 * How far an output may be from the reference, derived from the task and its inputs; never a flat 1e-2.
 *
 * Given, for one output on one set of inputs: the float64 reference r, and K honest runs h_k: the same graph evaluated in
 * the declared precision with other summation orders, with and without fused multiply-add, with elementary functions off
 * by a few units in the last place. The honest error of element i is e_i = max over k of |h_k,i - r_i|; of a run that computes tiles of outputs
 * together, the largest error within a tile's reach: what is large in a tile rounds all of it, and which of its elements show little is luck.
 *
 *     bound_i = 16 * max(e_i, n_i) + q * ulp(r_i) + z_i
 *
 * n_i, the neighbourhood's error, is there because one element, or one row, may come out exact by luck in all K runs. The
 * neighbourhood is the row (the last dimension; long rows are cut at 4096, short ones joined to 32 elements), so that a row of
 * small numbers is not judged by the scale of a row of large ones. An operator's error is partly in proportion to the result (exp, a
 * product) and partly of a size that cancellation hides (x - mean, a dot product): n_i = a + b |r_i|, where over the row's elements with e_j not 0
 *     a = the 75th percentile of e_j in the third with the smallest |r_j|,
 *     b = the 75th percentile of e_j / |r_j| in the third with the largest,
 * and b and a / s are at least the medians of the same over all rows, s being the row's median |r_j|. In a softmax a is next to
 * nothing, so its small elements are not excused by its largest; in a product of matrices it is the error of a typical element.
 *
 * q is 4 for float32 and float64, 2 for the 16-bit types; ulp(r) is that of the output's type, and for float32 and bfloat16 at least
 * 2^-126, because hardware that flushes subnormal results to zero is honest. z_i is 2 u s where r_i is exactly 0 (a
 * rectifier's argument may fall on either side of 0), else 0; u is the unit roundoff of the output's type.
 *
 * 16: with K >= 4 runs e_i and n_i are near one standard deviation of an honest error; 8 was tried, and accused two
 * honest products of matrices, each over one element in some 80,000. A false alarm needs an error of over 12 of them; precision lowered by one type is off by hundreds.
 *
 * In norm (many elements, each inside its bound, all leaning one way: a dropped epsilon, a wrong constant):
 *     rms_i(|got_i - r_i| / bound_i) <= (2 + 6 / sqrt(n)) * max over k of rms_i(|h_k,i - r_i| / bound_i) + rms_i(2 ulp(r_i) / bound_i)
 * The norm is taken over errors in units of their bounds, so that rows of large numbers do not hide rows of small ones.
 *
 * Integers and booleans are exact, with one exception: where honest runs disagree with the reference (a comparison of
 * two computed numbers that are equal but for rounding), any value that one of them gave is right. What else is right for
 * an index of a largest element is said by {@link ExactTolerance.accepts}: see oracle.ts.
 *
 * NaN must be NaN and an infinity the same infinity. Where the reference is finite but an honest run is not, the element cannot
 * be judged; such elements are counted, and reported.
 */
import type { DType, HostTensor, TensorSpec } from '../task/index.ts';

/** The graph evaluated once in the declared precision. */
export interface HonestRun {
  /** E.g. `sequential sums, fused`. */
  name: string;
  values: Float64Array;
  /** Distance, in elements along each of the last two axes, at which outputs share their rounding errors; 0 when not given. */
  reach?: number;
}

export interface FloatTolerance {
  kind: 'float';
  spec: TensorSpec;
  expected: Float64Array;
  /** Largest accepted |got - expected|; Infinity where the element cannot be judged. */
  bound: Float64Array;
  /** Limit of the root mean square of error over bound. */
  rmsLimit: number;
  /** The same for the worst honest run. */
  honestRms: number;
  /** Largest honest error over all elements, absolute. */
  honestWorst: number;
  /** Elements that no honest run could decide. */
  undecided: number;
  runs: readonly string[];
}

export interface ExactTolerance {
  kind: 'exact';
  spec: TensorSpec;
  expected: Float64Array;
  /** Whether another value than the expected one is right at this flat index. */
  accepts: (index: number, value: number) => boolean;
}

export type OutputTolerance = FloatTolerance | ExactTolerance;

/** The element furthest outside (or nearest) its bound. */
export interface WorstElement {
  /** Flat, row-major. */
  index: number;
  coordinates: readonly number[];
  got: number;
  expected: number;
  bound: number;
  /** |got - expected| / bound; Infinity for a NaN or an infinity out of place. */
  ratio: number;
}

export interface Comparison {
  elements: number;
  /** Elements outside their bounds. */
  wrong: number;
  /** One byte an element, 1 where wrong. */
  mask: Uint8Array;
  worst?: WorstElement;
  rms: number;
  rmsLimit: number;
  /** See {@link HISTOGRAM_EDGES}. */
  histogram: readonly number[];
  /** No element is outside its bound and the norm is inside its limit. */
  accepted: boolean;
}

/** Upper edges of the histogram of error over bound; the last bin holds what is over 1. */
export const HISTOGRAM_EDGES: readonly number[] = [0, ...Array.from({ length: 9 }, (_, i) => 2 ** (i - 8)), Infinity];

/** Factor between the honest error and the bound. */
export const HONEST_FACTOR = 16;

interface FloatFormat {
  /** Significand bits with the hidden one. */
  precision: number;
  /** Exponent of the smallest normal number. */
  minExponent: number;
  maxFinite: number;
  /** Fast instructions turn subnormal results of this type into zero. */
  flushes: boolean;
  ulps: number;
}

const FLOAT_FORMATS: Readonly<Partial<Record<DType, FloatFormat>>> = {
  float64: { precision: 53, minExponent: -1022, maxFinite: Number.MAX_VALUE, flushes: false, ulps: 4 },
  float32: { precision: 24, minExponent: -126, maxFinite: 3.4028234663852886e38, flushes: true, ulps: 4 },
  float16: { precision: 11, minExponent: -14, maxFinite: 65504, flushes: false, ulps: 2 },
  bfloat16: { precision: 8, minExponent: -126, maxFinite: 3.3895313892515355e38, flushes: true, ulps: 2 },
};

/** Elements looked at for the statistics of one neighbourhood. */
const SAMPLE = 192;
const LONGEST_NEIGHBOURHOOD = 4096;
const SHORTEST_NEIGHBOURHOOD = 32;

const float64Word = new Float64Array(1);
const uint32Words = new Uint32Array(float64Word.buffer);

/** 2^(e - 1023 - 52) for every biased exponent e of a float64: the spacing of numbers is a look-up. */
const SPACING = Float64Array.from({ length: 2047 }, (_, e) => 2 ** Math.max(e - 1075, -1074));

/**
 * Distances between neighbouring numbers of the output's type, near each expected value; where subnormals may be flushed to
 * zero, that of the flush. 0 for NaN and infinities.
 */
function spacings(expected: Float64Array, format: FloatFormat): Float64Array {
  const least = 2 ** (format.flushes ? format.minExponent : format.minExponent - format.precision + 1);
  const smallestNormal = 2 ** format.minExponent;
  const factor = 2 ** (53 - format.precision);
  const result = new Float64Array(expected.length);
  for (let i = 0; i < result.length; i++) {
    const r = expected[i]!;
    if (!Number.isFinite(r)) continue;
    float64Word[0] = r;
    result[i] = Math.abs(r) < smallestNormal ? least : SPACING[(uint32Words[1]! >>> 20) & 0x7ff]! * factor;
  }
  return result;
}

/** Length of a neighbourhood for a shape: whole rows joined, or a row cut. */
function neighbourhoodLength(shape: readonly number[]): number {
  const row = Math.max(1, shape.at(-1) ?? 1);
  if (row >= SHORTEST_NEIGHBOURHOOD) return Math.min(row, LONGEST_NEIGHBOURHOOD);
  return row * Math.ceil(SHORTEST_NEIGHBOURHOOD / row);
}

/** Starts and ends of the neighbourhoods of a tensor: no neighbourhood spans a part of a long row and another row. */
function* neighbourhoods(spec: TensorSpec, elements: number): Generator<readonly [number, number]> {
  const length = neighbourhoodLength(spec.shape);
  const row = Math.max(1, spec.shape.at(-1) ?? 1);
  const stride = Math.max(row, length);
  for (let start = 0; start < elements; start += stride) {
    const end = Math.min(start + stride, elements);
    for (let from = start; from < end; from += length) yield [from, Math.min(from + length, end)];
  }
}

function quantile(sorted: Float64Array, fraction: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))]!;
}

/** What the honest errors of one neighbourhood are like: `floor + slope * |expected|`. */
interface Neighbourhood {
  from: number;
  to: number;
  floor: number;
  slope: number;
  /** Median |expected|; 0 where that is below the normal numbers: what is divided by it means something. */
  scale: number;
}

/** Room for the sample of one neighbourhood: there are thousands, and a list each is what the statistics would cost. */
const scratch = {
  errors: new Float64Array(SAMPLE),
  sizes: new Float64Array(SAMPLE),
  magnitudes: new Float64Array(SAMPLE),
  sorted: new Float64Array(SAMPLE),
};

/** Statistics of one neighbourhood, on at most {@link SAMPLE} elements spread over it. */
function neighbourhoodError(
  expected: Float64Array,
  honest: Float64Array,
  [from, to]: readonly [number, number],
  format: FloatFormat,
): Neighbourhood {
  const step = Math.max(1, Math.ceil((to - from) / SAMPLE));
  const { errors, sizes, magnitudes, sorted } = scratch;
  let seen = 0;
  let used = 0;
  const smallestNormal = 2 ** format.minExponent;
  for (let i = from; i < to; i += step) {
    const magnitude = Math.abs(expected[i]!);
    if (!(magnitude < Infinity)) continue;
    magnitudes[seen++] = magnitude;
    const error = honest[i]!;
    if (error === 0 || !(error < Infinity)) continue;
    // Below the normal numbers every error is the spacing of the subnormals, and says nothing of the operator.
    if (magnitude > 0 && magnitude < smallestNormal) continue;
    errors[used] = error;
    sizes[used++] = magnitude;
  }
  sorted.set(sizes.subarray(0, used));
  const bySize = sorted.subarray(0, used).sort();
  const [lowest, highest] = [quantile(bySize, 1 / 3), quantile(bySize, 2 / 3)];
  let chosen = 0;
  for (let i = 0; i < used; i++) if (sizes[i]! <= lowest) sorted[chosen++] = errors[i]!;
  const floor = quantile(sorted.subarray(0, chosen).sort(), 0.75);
  chosen = 0;
  for (let i = 0; i < used; i++) if (sizes[i]! >= highest && sizes[i]! > 0) sorted[chosen++] = errors[i]! / sizes[i]!;
  const slope = quantile(sorted.subarray(0, chosen).sort(), 0.75);
  const median = quantile(magnitudes.subarray(0, seen).sort(), 0.5);
  return { from, to, floor, slope, scale: median < smallestNormal ? 0 : median };
}

/** Gives a neighbourhood that was exact by luck what is typical of the others. */
function shareBetweenNeighbourhoods(all: Neighbourhood[]): void {
  const median = (values: number[]) => quantile(Float64Array.from(values).sort(), 0.5);
  const slope = median(all.map((one) => one.slope));
  const floor = median(all.filter((one) => one.scale > 0).map((one) => one.floor / one.scale));
  for (const one of all) {
    one.slope = Math.max(one.slope, slope);
    one.floor = Math.max(one.floor, floor * one.scale);
  }
}

/** Largest honest error of each element (NaN-free: Infinity where a run was not finite and the reference was). */
function honestErrors(expected: Float64Array, runs: readonly HonestRun[], shape: readonly number[]): Float64Array {
  const errors = new Float64Array(expected.length);
  for (const { values, reach = 0 } of runs) {
    const own = reach > 0 ? new Float64Array(expected.length) : errors;
    for (let i = 0; i < errors.length; i++) {
      const r = expected[i]!;
      const h = values[i]!;
      if (!Number.isFinite(r) || h === r) continue;
      const error = Number.isFinite(h) ? Math.abs(h - r) : Infinity;
      if (error > own[i]!) own[i] = error;
    }
    if (own === errors) continue;
    const around = largestAround(own, shape, reach);
    for (let i = 0; i < errors.length; i++) errors[i] = Math.max(errors[i]!, own[i]!, around[i]!);
  }
  return errors;
}

/** Largest finite value within `reach` elements of each element, along the last two axes of a row-major tensor. */
function largestAround(values: Float64Array, shape: readonly number[], reach: number): Float64Array {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  let around = values;
  for (const { size, stride } of [
    { size: columns, stride: 1 },
    { size: rows, stride: columns },
  ]) {
    const from = around;
    around = from.map((_, i) => {
      const at = Math.floor(i / stride) % size;
      let largest = 0;
      for (let j = Math.max(0, at - reach); j <= Math.min(size - 1, at + reach); j++) {
        const value = from[i + (j - at) * stride]!;
        if (value > largest && value < Infinity) largest = value;
      }
      return largest;
    });
  }
  return around;
}

/**
 * The tolerance of one output on one set of inputs.
 * @param reference the graph in float64; need not be rounded to the output's type.
 * @param runs honest runs in the declared precision; at least one.
 */
export function deriveTolerance(reference: HostTensor, runs: readonly HonestRun[]): OutputTolerance {
  if (runs.length === 0) throw new Error('A tolerance is derived from at least one honest run of the graph.');
  const { spec } = reference;
  const format = FLOAT_FORMATS[spec.dtype];
  if (format === undefined) {
    return {
      kind: 'exact',
      spec,
      expected: reference.values,
      accepts: (index, value) => runs.some((run) => run.values[index] === value),
    };
  }
  const elements = reference.values.length;
  const expected = reference.values.slice();
  for (let i = 0; i < elements; i++) {
    if (expected[i]! > format.maxFinite) expected[i] = Infinity;
    else if (expected[i]! < -format.maxFinite) expected[i] = -Infinity;
  }
  const honest = honestErrors(expected, runs, spec.shape);
  const bound = new Float64Array(elements);
  const spacing = spacings(expected, format);
  const unit = 2 ** -format.precision;
  let undecided = 0;
  let honestWorst = 0;
  const around = Array.from(neighbourhoods(spec, elements), (range) =>
    neighbourhoodError(expected, honest, range, format),
  );
  shareBetweenNeighbourhoods(around);
  for (const { from, to, floor, slope, scale } of around) {
    for (let i = from; i < to; i++) {
      const magnitude = Math.abs(expected[i]!);
      if (!Number.isFinite(magnitude)) continue;
      if (honest[i] === Infinity) {
        undecided++;
        bound[i] = Infinity;
        continue;
      }
      honestWorst = Math.max(honestWorst, honest[i]!);
      const neighbourhood = floor + slope * magnitude;
      const atZero = magnitude === 0 ? 2 * unit * scale : 0;
      bound[i] = HONEST_FACTOR * Math.max(honest[i]!, neighbourhood) + format.ulps * spacing[i]! + atZero;
    }
  }
  const honestRms = Math.max(...runs.map(({ values }) => rmsOverBound(values, expected, bound)));
  const roundingRms = 2 * rmsOverBound(spacing, new Float64Array(elements), bound);
  return {
    kind: 'float',
    spec,
    expected,
    bound,
    rmsLimit: (2 + 6 / Math.sqrt(Math.max(1, elements))) * honestRms + roundingRms,
    honestRms,
    honestWorst,
    undecided,
    runs: runs.map((run) => run.name),
  };
}

/** Root mean square of |values - expected| / bound, over the elements that can be judged. */
function rmsOverBound(values: Float64Array, expected: Float64Array, bound: Float64Array): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const r = expected[i]!;
    const b = bound[i]!;
    if (b === 0 || b === Infinity || !Number.isFinite(r)) continue;
    const ratio = (values[i]! - r) / b;
    sum += ratio * ratio;
    count++;
  }
  return count === 0 ? 0 : Math.sqrt(sum / count);
}

/** Coordinates of a flat row-major index. */
export function coordinatesOf(index: number, shape: readonly number[]): number[] {
  const coordinates = new Array<number>(shape.length);
  let rest = index;
  for (let d = shape.length - 1; d >= 0; d--) {
    coordinates[d] = rest % shape[d]!;
    rest = Math.floor(rest / shape[d]!);
  }
  return coordinates;
}

/** Error of one element in units of its bound: 0 is exact, over 1 is wrong. */
function errorRatio(got: number, tolerance: OutputTolerance, i: number): number {
  const expected = tolerance.expected[i]!;
  if (Object.is(got, expected) || got === expected) return 0;
  if (tolerance.kind === 'exact') return tolerance.accepts(i, got) ? 0 : Infinity;
  if (tolerance.bound[i] === Infinity) return 0;
  if (!Number.isFinite(got) || !Number.isFinite(expected)) {
    return Number.isNaN(got) && Number.isNaN(expected) ? 0 : Infinity;
  }
  return Math.abs(got - expected) / tolerance.bound[i]!;
}

/**
 * The bin of {@link HISTOGRAM_EDGES} for a ratio over 0: 9 + ceil(log2 ratio) within the bins, counted in whole 256ths, because a logarithm
 * each is dear: no power of two lies between a number over 1 and the next whole one.
 */
function binOf(ratio: number): number {
  return ratio <= 1 ? 33 - Math.clz32(Math.ceil(ratio * 256) - 1) : HISTOGRAM_EDGES.length - 1;
}

/** Compares an output of a candidate with its tolerance. */
export function compareOutput(got: Float64Array, tolerance: OutputTolerance): Comparison {
  const elements = tolerance.expected.length;
  if (got.length !== elements) throw new Error(`Expected ${elements} elements, got ${got.length}.`);
  const mask = new Uint8Array(elements);
  const histogram = new Array<number>(HISTOGRAM_EDGES.length).fill(0);
  let wrong = 0;
  let worstIndex = elements === 0 ? -1 : 0;
  let worstRatio = 0;
  let sum = 0;
  let exact = 0;
  let decided = 0;
  const { expected } = tolerance;
  const isFloat = tolerance.kind === 'float';
  const bound = isFloat ? tolerance.bound : expected;
  for (let i = 0; i < elements; i++) {
    const difference = got[i]! - expected[i]!;
    if (difference === 0) {
      exact++;
      continue;
    }
    // Two ordinary numbers under a bound are what nearly all elements are; errorRatio knows the rest.
    const ordinary = isFloat && difference - difference === 0 && bound[i]! < Infinity;
    const ratio = ordinary ? Math.abs(difference) / bound[i]! : errorRatio(got[i]!, tolerance, i);
    if (ratio > 1) {
      wrong++;
      mask[i] = 1;
    }
    histogram[ratio === 0 ? 0 : binOf(ratio)]!++;
    if (ratio > worstRatio) {
      worstRatio = ratio;
      worstIndex = i;
    }
    if (ratio < Infinity && (ordinary || Number.isFinite(expected[i]!))) {
      sum += ratio * ratio;
      decided++;
    }
  }
  histogram[0]! += exact;
  decided += exact;
  const rms = decided === 0 ? 0 : Math.sqrt(sum / decided);
  const rmsLimit = tolerance.kind === 'float' ? tolerance.rmsLimit : 0;
  const worst: WorstElement | undefined =
    worstIndex < 0
      ? undefined
      : {
          index: worstIndex,
          coordinates: coordinatesOf(worstIndex, tolerance.spec.shape),
          got: got[worstIndex]!,
          expected: tolerance.expected[worstIndex]!,
          bound: tolerance.kind === 'float' ? tolerance.bound[worstIndex]! : 0,
          ratio: worstRatio,
        };
  const accepted = wrong === 0 && (tolerance.kind === 'exact' || rms <= rmsLimit);
  return { elements, wrong, mask, worst, rms, rmsLimit, histogram, accepted };
}

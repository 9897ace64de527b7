/**
 * Kernels in plain float32, written as CUDA threads would do them, for the tests of the tolerance: honest ones in many
 * styles, and the float64 truth. `f` rounds to float32 after every operation.
 */
export const f = Math.fround;

/** A deterministic stream of normal numbers, rounded to float32 (mulberry32 and Box-Muller). */
export function normals(seed: number, count: number, mean = 0, std = 1): Float64Array {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float64Array.from({ length: count }, () =>
    f(mean + std * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())),
  );
}

export type Sum = (terms: Float64Array) => number;

/** One thread adds all. */
export const sequential: Sum = (terms) => terms.reduce((sum, term) => f(sum + term), 0);
export const reversed: Sum = (terms) => terms.reduceRight((sum, term) => f(sum + term), 0);
/** A tree. */
export const pairwise: Sum = (terms) => {
  if (terms.length === 0) return 0;
  if (terms.length === 1) return terms[0]!;
  const half = terms.length >> 1;
  return f(pairwise(terms.subarray(0, half)) + pairwise(terms.subarray(half)));
};
/** `threads` threads stride over the terms, then shuffle down inside warps, then over the warps. */
export function strided(threads: number): Sum {
  return (terms) => {
    const lanes = new Float64Array(threads);
    terms.forEach((term, i) => {
      lanes[i % threads] = f(lanes[i % threads]! + term);
    });
    for (let offset = threads >> 1; offset > 0; offset >>= 1) {
      for (let lane = 0; lane < offset; lane++) lanes[lane] = f(lanes[lane]! + lanes[lane + offset]!);
    }
    return lanes[0]!;
  };
}
export const exactSum: Sum = (terms) => {
  let sum = 0;
  let lost = 0;
  for (const term of terms) {
    const y = term - lost;
    const t = sum + y;
    lost = t - sum - y;
    sum = t;
  }
  return sum;
};

/** Elementary functions as a device has them: off by up to `ulps` units in the last place, by argument. */
export function inexact(fn: (x: number) => number, ulps: number): (x: number) => number {
  return (x) => {
    const exact = fn(x);
    if (!Number.isFinite(x)) return f(exact);
    const phase = Math.sin(x * 12345.678) * ulps;
    return f(exact * (1 + phase * 2 ** -24));
  };
}

/** exp as `__expf`: ex2.approx of x * log2(e), whose argument is rounded. */
export const fastExp = (x: number): number => f(2 ** f(x * f(Math.LOG2E)) * (1 + 2 ** -23));

export function softmaxRow(row: Float64Array, sum: Sum, exp: (x: number) => number): Float64Array {
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = row.map((x) => exp(f(x - max)));
  const total = sum(powers);
  return powers.map((p) => f(p / total));
}

/** One pass over the row: running maximum and rescaled sum (Milakov and Gimelshein). */
export function onlineSoftmaxRow(row: Float64Array, exp: (x: number) => number): Float64Array {
  let max = -Infinity;
  let total = 0;
  for (const x of row) {
    const next = Math.max(max, x);
    total = f(f(total * exp(f(max - next))) + exp(f(x - next)));
    max = next;
  }
  const inverse = f(1 / total);
  return row.map((x) => f(exp(f(x - max)) * inverse));
}

export function exactSoftmaxRow(row: Float64Array): Float64Array {
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = row.map((x) => Math.exp(x - max));
  const total = exactSum(powers);
  return powers.map((p) => p / total);
}

export interface Moments {
  mean: number;
  variance: number;
}

export function twoPass(row: Float64Array, sum: Sum): Moments {
  const mean = f(sum(row) / row.length);
  const variance = f(sum(row.map((x) => f(f(x - mean) * f(x - mean)))) / row.length);
  return { mean, variance };
}

/** Welford's one pass. */
export function welford(row: Float64Array): Moments {
  let mean = 0;
  let m2 = 0;
  row.forEach((x, i) => {
    const delta = f(x - mean);
    mean = f(mean + f(delta / (i + 1)));
    m2 = f(m2 + f(delta * f(x - mean)));
  });
  return { mean, variance: f(m2 / row.length) };
}

/** E[x^2] - E[x]^2 in one pass: fine on centred data, unstable on shifted data. */
export function squares(row: Float64Array, sum: Sum): Moments {
  const mean = f(sum(row) / row.length);
  return { mean, variance: f(f(sum(row.map((x) => f(x * x))) / row.length) - f(mean * mean)) };
}

export function normalise(row: Float64Array, { mean, variance }: Moments, eps: number): Float64Array {
  const inverse = f(1 / f(Math.sqrt(f(variance + f(eps)))));
  return row.map((x) => f(f(x - mean) * inverse));
}

export function exactNormalise(row: Float64Array, eps: number): Float64Array {
  const mean = exactSum(row) / row.length;
  const variance = exactSum(row.map((x) => (x - mean) ** 2)) / row.length;
  return row.map((x) => (x - mean) / Math.sqrt(variance + eps));
}

/** Applies a row function to each row of a matrix of `columns` columns. */
export function byRow(x: Float64Array, columns: number, row: (row: Float64Array) => Float64Array): Float64Array {
  const parts = Array.from({ length: x.length / columns }, (_, r) => row(x.slice(r * columns, (r + 1) * columns)));
  const out = new Float64Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The error function, from its series (|x| <= 3) or a continued fraction for its complement; good to 1e-14. */
export function erf(x: number): number {
  if (x < 0) return -erf(-x);
  if (x <= 3) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (x + fraction);
  return 1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + fraction));
}

/** Rounds to bfloat16, ties to even. */
export function bf16(x: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  const bits = view.getUint32(0);
  view.setUint32(0, (((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) << 16) >>> 0);
  return view.getFloat32(0);
}

/**
 * Windows over the last dimensions: pooling, adaptive pooling, and im2col. One to three spatial dimensions, all seen as three.
 */
import type { TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, noOperations } from './operator.ts';
import { elementCount } from './tensor.ts';

/** Where a window lies along one dimension: elements first, first + step, ... (count of them), all inside; `padded` of them with padding. */
export interface Span {
  first: number;
  count: number;
  step: number;
  padded: number;
}

/** Output size and spans of a pooled dimension, by PyTorch's rules. */
function pooledSpans(
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
  ceil: boolean,
): Span[] {
  const reach = dilation * (kernel - 1) + 1;
  const room = size + 2 * padding - reach;
  if (room < 0) throw new Error(`A window of ${reach} does not fit a size of ${size} with padding ${padding}.`);
  if (padding * 2 > kernel) throw new Error(`A padding of ${padding} is more than half of a window of ${kernel}.`);
  let count = Math.floor((room + (ceil ? stride - 1 : 0)) / stride) + 1;
  // A window that would start in the right padding is dropped.
  if (ceil && (count - 1) * stride >= size + padding) count--;
  return Array.from({ length: count }, (_, i) => {
    const start = i * stride - padding;
    const skipped = start < 0 ? Math.ceil(-start / dilation) : 0;
    const first = start + skipped * dilation;
    const inside = first < size ? Math.min(kernel - skipped, Math.floor((size - 1 - first) / dilation) + 1) : 0;
    return {
      first,
      count: Math.max(0, inside),
      step: dilation,
      padded: Math.min(start + kernel, size + padding) - start,
    };
  });
}

/** Spans of an adaptive dimension: from floor(i*in/out) to ceil((i+1)*in/out). */
function adaptiveSpans(size: number, out: number): Span[] {
  return Array.from({ length: out }, (_, i) => {
    const first = Math.floor((i * size) / out);
    const count = Math.ceil(((i + 1) * size) / out) - first;
    return { first, count, step: 1, padded: count };
  });
}

/**
 * Visits the windows over the last dimensions of a tensor of this shape, in the order of the output's elements: the output's index, the offsets of
 * the window's elements (the first `count` of a reused array) and the window's size with padding.
 */
export function forEachWindow(
  shape: readonly number[],
  spans: readonly Span[][],
  visit: (at: number, offsets: Int32Array, count: number, padded: number) => void,
): void {
  const spatial = spans.length;
  const sizes = [...new Array<number>(3 - spatial).fill(1), ...shape.slice(-spatial)] as [number, number, number];
  const whole: Span[] = [{ first: 0, count: 1, step: 1, padded: 1 }];
  const [zs, ys, xs] = [...new Array<Span[]>(3 - spatial).fill(whole), ...spans] as [Span[], Span[], Span[]];
  const planes = elementCount(shape.slice(0, shape.length - spatial));
  const plane = sizes[0] * sizes[1] * sizes[2];
  const most = [zs, ys, xs].reduce((n, list) => n * Math.max(0, ...list.map((s) => s.count)), 1);
  const offsets = new Int32Array(most);
  let at = 0;
  for (let p = 0; p < planes; p++) {
    for (const z of zs) {
      for (const y of ys) {
        for (const x of xs) {
          let n = 0;
          for (let k = 0, dz = z.first; k < z.count; k++, dz += z.step) {
            for (let j = 0, dy = y.first; j < y.count; j++, dy += y.step) {
              const base = p * plane + (dz * sizes[1] + dy) * sizes[2];
              for (let i = 0, dx = x.first; i < x.count; i++, dx += x.step) offsets[n++] = base + dx;
            }
          }
          visit(at++, offsets, n, z.padded * y.padded * x.padded);
        }
      }
    }
  }
}

/** The shape that windows over the last dimensions leave. */
export function windowedShape(shape: readonly number[], spans: readonly Span[][]): number[] {
  return [...shape.slice(0, shape.length - spans.length), ...spans.map((list) => list.length)];
}

/** Folds the elements of each window of x. `fold` gets a scratch row, how many are in it, and the window's size with padding. */
function foldWindows(
  values: Float64Array,
  shape: readonly number[],
  spans: readonly Span[][],
  fold: (row: Float64Array, count: number, padded: number) => number,
): Float64Array {
  const out = new Float64Array(elementCount(windowedShape(shape, spans)));
  const row = new Float64Array(spans.reduce((n, list) => n * Math.max(0, ...list.map((s) => s.count)), 1));
  forEachWindow(shape, spans, (at, offsets, count, padded) => {
    for (let i = 0; i < count; i++) row[i] = values[offsets[i]!]!;
    out[at] = fold(row, count, padded);
  });
  return out;
}

function maximum(row: Float64Array, count: number): number {
  let best = -Infinity;
  for (let i = 0; i < count; i++) {
    const x = row[i]!;
    if (x > best) best = x;
    else if (Number.isNaN(x)) return x;
  }
  return best;
}

function expectSpatial(x: TensorSpec, spatial: number): void {
  if (x.shape.length !== spatial + 2)
    throw new Error(`It takes [N, C] and ${spatial} more dimensions, not [${x.shape.join(', ')}].`);
}

export interface Pool {
  /** Spans of every pooled dimension. */
  spans: (shape: readonly number[], attributes: Attributes) => Span[][];
  fold: (attributes: Attributes, a: Arithmetic) => (row: Float64Array, count: number, padded: number) => number;
}

/** Elements that lie in some window. */
export function coveredCount(shape: readonly number[], spans: readonly Span[][]): number {
  const covered = spans.map((list, d) => {
    const seen = new Uint8Array(shape[shape.length - spans.length + d]!);
    for (const span of list) for (let i = 0; i < span.count; i++) seen[span.first + i * span.step] = 1;
    return seen.reduce((n, s) => n + s, 0);
  });
  return elementCount(shape.slice(0, shape.length - spans.length)) * covered.reduce((n, c) => n * c, 1);
}

function poolOperator(name: string, spatial: number | undefined, pool: Pool): Operator {
  return {
    name,
    kind: 'window',
    infer(inputs, attributes) {
      expectOperands(inputs, 1);
      const [x] = inputs;
      if (spatial !== undefined) expectSpatial(x!, spatial);
      if (name.includes('avg')) expectFloating(x!);
      const spans = pool.spans(x!.shape, attributes);
      return [{ shape: windowedShape(x!.shape, spans), dtype: x!.dtype }];
    },
    evaluate: ([x], attributes, a) => [
      foldWindows(x!.values, x!.spec.shape, pool.spans(x!.spec.shape, attributes), pool.fold(attributes, a)),
    ],
    operations(inputs, attributes, outputs) {
      const spans = pool.spans(inputs[0]!.shape, attributes);
      const window = spans.reduce((n, list) => n * Math.max(1, ...list.map((s) => s.count)), 1);
      return { arithmetic: elementCount(outputs[0]!.shape) * window, special: 0, contraction: 0 };
    },
    reads(inputs, attributes, outputs, [demand]) {
      // With all outputs wanted, every element that some window covers; of fewer outputs, an element each at least where windows do not overlap.
      if (demand! < elementCount(outputs[0]!.shape)) return [0];
      const { shape } = inputs[0]!;
      const spans = pool.spans(shape, attributes);
      return [coveredCount(shape, spans)];
    },
  };
}

/** Spans of max_pool and avg_pool from their lists; avg_pool has no dilation. */
export function listedSpans(spatial: number, dilated: boolean): Pool['spans'] {
  return (shape, attributes) => {
    const kernel = attributes.integers('kernel', 1, spatial);
    const stride = attributes.integers('stride', 1, spatial);
    const padding = attributes.integers('padding', 0, spatial);
    const dilation = dilated ? attributes.integers('dilation', 1, spatial) : kernel.map(() => 1);
    const ceil = attributes.boolean('ceil_mode');
    return kernel.map((k, d) =>
      pooledSpans(shape[shape.length - spatial + d]!, k, stride[d]!, padding[d]!, dilation[d]!, ceil),
    );
  };
}

const averageFold: Pool['fold'] = (attributes, a) => {
  const includePad = attributes.boolean('count_include_pad');
  const divisor = attributes.numberOrNull('divisor');
  return (row, count, padded) => a.divide(a.sum(row, count), divisor ?? (includePad ? padded : count));
};

export const adaptive: Pool['spans'] = (shape, attributes) => {
  const sizes = attributes.integers('output_size', 0);
  if (sizes.length < 1 || sizes.length > 3 || shape.length < sizes.length)
    throw new Error('It takes one to three output sizes.');
  return sizes.map((out, d) => adaptiveSpans(shape[shape.length - sizes.length + d]!, out));
};

const im2col: Operator = {
  name: 'im2col',
  kind: 'layout',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    expectSpatial(inputs[0]!, 2);
    const { windows, taps } = columns(inputs[0]!.shape, attributes);
    const [n, c] = inputs[0]!.shape as readonly [number, number];
    return [{ shape: [n, c * taps, windows], dtype: inputs[0]!.dtype }];
  },
  evaluate([x], attributes, _arithmetic, outputs) {
    const [n, c, h, w] = x!.spec.shape as readonly [number, number, number, number];
    const [kh, kw] = attributes.integers('kernel', 1, 2) as [number, number];
    const [sh, sw] = attributes.integers('stride', 1, 2) as [number, number];
    const [ph, pw] = attributes.integers('padding', 0, 2) as [number, number];
    const [dh, dw] = attributes.integers('dilation', 1, 2) as [number, number];
    const { rows, across } = columns(x!.spec.shape, attributes);
    const out = new Float64Array(elementCount(outputs[0]!.shape));
    let at = 0;
    for (let plane = 0; plane < n * c; plane++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          for (let r = 0; r < rows; r++) {
            const y = r * sh - ph + i * dh;
            for (let q = 0; q < across; q++, at++) {
              const z = q * sw - pw + j * dw;
              if (y >= 0 && y < h && z >= 0 && z < w) out[at] = x!.values[(plane * h + y) * w + z]!;
            }
          }
        }
      }
    }
    return [out];
  },
  operations: noOperations,
  reads: () => [0],
};

/** Window counts of im2col. */
function columns(
  shape: readonly number[],
  attributes: Attributes,
): { rows: number; across: number; windows: number; taps: number } {
  const kernel = attributes.integers('kernel', 1, 2);
  const stride = attributes.integers('stride', 1, 2);
  const padding = attributes.integers('padding', 0, 2);
  const dilation = attributes.integers('dilation', 1, 2);
  const [rows, across] = kernel.map((k, d) =>
    convolvedSize(shape[d + 2]!, k, stride[d]!, padding[d]!, dilation[d]!),
  ) as [number, number];
  return { rows, across, windows: rows * across, taps: kernel[0]! * kernel[1]! };
}

/** Output size of a convolved dimension. Throws where the kernel does not fit. */
export function convolvedSize(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0)
    throw new Error(
      `A kernel of ${kernel} (dilation ${dilation}) does not fit a size of ${size} with padding ${padding}.`,
    );
  return Math.floor(room / stride) + 1;
}

/** max_pool and avg_pool of one to three dimensions, adaptive pooling, im2col. */
export const windowOperators: readonly Operator[] = [
  ...[1, 2, 3].map((n) => poolOperator(`max_pool${n}d`, n, { spans: listedSpans(n, true), fold: () => maximum })),
  ...[1, 2, 3].map((n) => poolOperator(`avg_pool${n}d`, n, { spans: listedSpans(n, false), fold: averageFold })),
  poolOperator('adaptive_avg_pool', undefined, {
    spans: adaptive,
    fold: (_, a) => (row, count) => a.divide(a.sum(row, count), count),
  }),
  poolOperator('adaptive_max_pool', undefined, { spans: adaptive, fold: () => maximum }),
  im2col,
];

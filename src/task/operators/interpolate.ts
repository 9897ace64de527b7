/**
 * interpolate: every mode is separable, so each spatial dimension is resampled in turn with a few taps an output. Source positions and
 * weights follow PyTorch (half-pixel centres unless align_corners; cubic with A = -0.75; borders repeated). 'area' is adaptive_avg_pool and not here.
 */
import type { Attributes, Operator } from './operator.ts';
import { expectFloating, expectOperands, expectShape } from './operator.ts';
import { around } from './stride.ts';
import { elementCount } from './tensor.ts';

const modes = ['nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic'] as const;

export interface Taps {
  /** Source indices and weights, `per` for each output, in order. */
  per: number;
  index: Int32Array;
  weight: Float64Array;
}

/** The ratio of input to output coordinates: from the given scale where there is one, else from the sizes. */
function ratio(size: number, out: number, scale: number | null, corners: boolean): number {
  if (corners) return out > 1 ? (size - 1) / (out - 1) : 0;
  return scale !== null && scale > 0 ? 1 / scale : size / out;
}

/** The elements that each output position of one resampled dimension reads, and their weights, `per` for each. */
export function interpolationWeights(
  mode: string,
  size: number,
  out: number,
  scale: number | null,
  corners: boolean,
): Taps {
  const step = ratio(size, out, scale, corners);
  const clampIndex = (i: number) => Math.min(size - 1, Math.max(0, i));
  const per = mode.startsWith('nearest') ? 1 : mode === 'bicubic' ? 4 : 2;
  const taps: Taps = { per, index: new Int32Array(out * per), weight: new Float64Array(out * per) };
  for (let o = 0; o < out; o++) {
    if (per === 1) {
      taps.index[o] = clampIndex(Math.floor(mode === 'nearest' ? o * step : (o + 0.5) * step));
      taps.weight[o] = 1;
      continue;
    }
    const centre = corners ? o * step : (o + 0.5) * step - 0.5;
    const at = per === 2 ? Math.max(0, centre) : centre;
    const base = Math.floor(at);
    const t = at - base;
    const weights = per === 2 ? [1 - t, t] : cubic(t);
    weights.forEach((w, k) => {
      taps.index[o * per + k] = clampIndex(base + k - (per === 4 ? 1 : 0));
      taps.weight[o * per + k] = w;
    });
  }
  return taps;
}

/** Weights of Keys' cubic convolution with A = -0.75. */
function cubic(t: number): number[] {
  const A = -0.75;
  const near = (x: number) => ((A + 2) * x - (A + 3)) * x * x + 1;
  const far = (x: number) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

function settings(attributes: Attributes, rank: number) {
  const size = attributes.integers('output_size', 1);
  if (size.length < 1 || size.length > 3 || rank !== size.length + 2)
    throw new Error('It takes [N, C] and one to three sizes.');
  return {
    mode: attributes.choice('mode', modes),
    size,
    scales: attributes.numbersOrNull('scales', size.length),
    corners: attributes.boolean('align_corners'),
  };
}

const interpolate: Operator = {
  name: 'interpolate',
  kind: 'window',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    expectFloating(inputs[0]!);
    const { size } = settings(attributes, inputs[0]!.shape.length);
    return [{ shape: [...inputs[0]!.shape.slice(0, 2), ...size], dtype: inputs[0]!.dtype }];
  },
  evaluate([x], attributes, a) {
    const { mode, size, scales, corners } = settings(attributes, x!.spec.shape.length);
    let { values } = x!;
    let shape = [...x!.spec.shape];
    size.forEach((out, d) => {
      const dim = d + 2;
      const taps = interpolationWeights(mode, shape[dim]!, out, scales[d]!, corners);
      const { outer, size: from, inner } = around(shape, dim);
      const next = new Float64Array(outer * out * inner);
      for (let p = 0; p < outer; p++) {
        for (let o = 0; o < out; o++) {
          for (let i = 0; i < inner; i++) {
            let sum = 0;
            for (let k = 0; k < taps.per; k++) {
              const w = taps.weight[o * taps.per + k]!;
              const v = values[(p * from + taps.index[o * taps.per + k]!) * inner + i]!;
              sum = taps.per === 1 ? v : a.round(sum + a.round(a.round(w) * v));
            }
            next[(p * out + o) * inner + i] = sum;
          }
        }
      }
      values = next;
      shape = shape.map((s, e) => (e === dim ? out : s));
    });
    return [values];
  },
  operations: (inputs, attributes, outputs) => {
    const { size, mode } = settings(attributes, inputs[0]!.shape.length);
    const taps = mode.startsWith('nearest') ? 0 : (mode === 'bicubic' ? 4 : 2) ** size.length;
    return { arithmetic: 2 * taps * elementCount(outputs[0]!.shape), special: 0, contraction: 0 };
  },
  // Shrinking may skip elements.
  reads: (inputs, attributes, outputs, [demand]) => {
    const { size } = settings(attributes, inputs[0]!.shape.length);
    const grows = size.every((out, d) => out >= inputs[0]!.shape[d + 2]!);
    return [grows && demand! >= elementCount(outputs[0]!.shape) ? elementCount(inputs[0]!.shape) : 0];
  },
};

/** The transpose of interpolate: each gradient goes back to the elements it was made of, with the same weights. */
const interpolateBackward: Operator = {
  name: 'interpolate_backward',
  kind: 'window',
  infer([grad, ...rest], attributes) {
    expectOperands([grad!, ...rest], 1);
    expectFloating(grad!);
    const { size } = settings(attributes, grad!.shape.length);
    const shape = attributes.integers('size', 0, grad!.shape.length);
    expectShape(grad, [...shape.slice(0, 2), ...size], 'gradient');
    if (shape.slice(2).some((n) => n < 1)) throw new Error('It interpolates between no elements.');
    return [{ shape, dtype: grad!.dtype }];
  },
  evaluate([grad], attributes, a, outputs) {
    const { mode, size, scales, corners } = settings(attributes, grad!.spec.shape.length);
    let { values } = grad!;
    let shape = [...grad!.spec.shape];
    // The dimensions were resampled first to last; they go back last to first.
    for (let d = size.length - 1; d >= 0; d--) {
      const dim = d + 2;
      const length = outputs[0]!.shape[dim]!;
      const taps = interpolationWeights(mode, length, size[d]!, scales[d]!, corners);
      const { outer, size: from, inner } = around(shape, dim);
      const next = new Float64Array(outer * length * inner);
      for (let p = 0; p < outer; p++) {
        for (let o = 0; o < from; o++) {
          for (let k = 0; k < taps.per; k++) {
            const to = (p * length + taps.index[o * taps.per + k]!) * inner;
            const weight = a.round(taps.weight[o * taps.per + k]!);
            const at = (p * from + o) * inner;
            for (let i = 0; i < inner; i++) next[to + i] = a.round(next[to + i]! + a.round(weight * values[at + i]!));
          }
        }
      }
      values = next;
      shape = shape.map((s, e) => (e === dim ? length : s));
    }
    return [values];
  },
  operations: (inputs, attributes, outputs) => interpolate.operations(outputs, attributes, inputs),
  reads: (inputs, attributes, outputs, [demand]) => {
    const grown = attributes.integers('output_size').every((out, d) => out >= outputs[0]!.shape[d + 2]!);
    return [grown && demand! >= elementCount(outputs[0]!.shape) ? elementCount(inputs[0]!.shape) : 0];
  },
};

/** interpolate, interpolate_backward. */
export const interpolateOperators: readonly Operator[] = [interpolate, interpolateBackward];

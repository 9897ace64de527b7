/**
 * Convolutions of few output channels a group (depthwise ones above all), without columns and a product: each tap's weight times what the tap sees is
 * added to a row of all positions, in the order in which the product would take its terms. The zeros of padding are left out, which
 * changes no sum but the sign of one that underflowed to zero, as long as the weights are finite.
 */
import type { Arithmetic } from './arithmetic.ts';
import { addPartialRows, partialOf, partialSums } from './gemm-single.ts';

/** What each tap sees of one channel: for each run of positions, the first position, the offset of what it sees, and how many there are. */
export interface TapRuns {
  /** By tap, three numbers a run. */
  runs: readonly Int32Array[];
  /** Between what neighbouring positions of a run see. */
  step: number;
}

/** Where the operands of one group lie. */
export interface ThinGroup {
  /** Input channels, each of `inSize` values from `inputAt` on. */
  channels: number;
  inSize: number;
  inputAt: number;
  /** Weights (out, channel, tap) from `weightAt` on. */
  weightAt: number;
  outChannels: number;
  positions: number;
  outAt: number;
}

/** Whether sums may leave the zeros of padding out. */
export function allFinite(weights: Float64Array): boolean {
  for (let i = 0; i < weights.length; i++) if (!Number.isFinite(weights[i])) return false;
  return true;
}

/** The operands as float32, rounded to the policy's operand format. */
export function singleOperand(values: Float64Array, a: Arithmetic): Float32Array {
  if (!a.operand) return Float32Array.from(values);
  const out = new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = a.operand(values[i]!);
  return out;
}

/** One group of one image in float64: the terms go upwards. */
export function thinDouble(
  x: Float64Array,
  weights: Float64Array,
  out: Float64Array,
  taps: TapRuns,
  g: ThinGroup,
): void {
  const { runs, step } = taps;
  for (let o = 0, w = g.weightAt; o < g.outChannels; o++) {
    const to = g.outAt + o * g.positions;
    out.fill(0, to, to + g.positions);
    for (let c = 0; c < g.channels; c++) {
      const from = g.inputAt + c * g.inSize;
      for (const list of runs) {
        const weight = weights[w++]!;
        for (let r = 0; r < list.length; r += 3) {
          const first = to + list[r]!;
          const last = first + list[r + 2]!;
          for (let i = first, s = from + list[r + 1]!; i < last; i++, s += step) out[i] = out[i]! + weight * x[s]!;
        }
      }
    }
  }
}

/** One group of one image with float32 sums, as gemm-single.ts makes them. */
export function thinSingle(
  x: Float32Array,
  weights: Float32Array,
  out: Float64Array,
  taps: TapRuns,
  g: ThinGroup,
  a: Arithmetic,
): void {
  const terms = g.channels * taps.runs.length;
  const lanes = partialSums(terms, a);
  const partial = new Float32Array(lanes * g.positions);
  for (let o = 0; o < g.outChannels; o++) {
    partial.fill(0);
    for (let q = 0; q < terms; q++) {
      const p = a.order === 'reversed' ? terms - 1 - q : q;
      const tap = p % taps.runs.length;
      const from = g.inputAt + ((p - tap) / taps.runs.length) * g.inSize;
      const weight = weights[g.weightAt + o * terms + p]!;
      addTap(partial, partialOf(p, lanes, a) * g.positions, weight, x, from, taps.runs[tap]!, taps.step, a.fused);
    }
    addPartialRows(partial, lanes, g.positions);
    const to = g.outAt + o * g.positions;
    for (let i = 0; i < g.positions; i++) out[to + i] = partial[i]!;
  }
}

function addTap(
  sums: Float32Array,
  to: number,
  weight: number,
  x: Float32Array,
  from: number,
  list: Int32Array,
  step: number,
  fused: boolean,
): void {
  for (let r = 0; r < list.length; r += 3) {
    const first = to + list[r]!;
    const last = first + list[r + 2]!;
    let s = from + list[r + 1]!;
    if (fused) for (let i = first; i < last; i++, s += step) sums[i] = sums[i]! + weight * x[s]!;
    else for (let i = first; i < last; i++, s += step) sums[i] = sums[i]! + Math.fround(weight * x[s]!);
  }
}

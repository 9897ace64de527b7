/**
 * A convolution by 3x3 filters through Winograd's F(4x4, 3x3): tiles of 6x6 inputs and the filters are transformed, multiplied element by element, added
 * up over the channels, and transformed back to 4x4 outputs (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015, whose matrices these
 * are). Libraries compute so in float32. It is here for its error: what lies far out anywhere in a tile shows, rounded, in all of the tile's outputs.
 */

import type { Arithmetic } from './arithmetic.ts';
import { singleOperand } from './conv-thin.ts';

/** One group of one image: 3x3 filters, stride 1, dilation 1. Sizes are [height, width]. */
export interface WinogradGroup {
  channels: number;
  outChannels: number;
  inSize: readonly [number, number];
  outSize: readonly [number, number];
  padding: readonly [number, number];
  inputAt: number;
  /** Weights (out, channel, 3, 3) from here on. */
  weightAt: number;
  outAt: number;
}

/** Outputs a tile along one axis, and inputs. */
const [OUT, IN] = [4, 6];
const TILE = IN * IN;

const INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const FILTER = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const OUTPUT = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

/** M T of {@link transform}, for one tile at a time. */
const half = new Float32Array(TILE);

/** M T M^t of a square tile, every sum in float32. `from` has the side of M's rows, `to` that of its columns. */
function transform(matrix: readonly (readonly number[])[], from: Float32Array, to: Float32Array, at: number): void {
  const side = matrix[0]!.length;
  const rows = matrix.length;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < side; j++) {
      let sum = 0;
      for (let k = 0; k < side; k++) sum = Math.fround(sum + matrix[i]![k]! * from[k * side + j]!);
      half[i * side + j] = sum;
    }
  }
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      let sum = 0;
      for (let k = 0; k < side; k++) sum = Math.fround(sum + matrix[j]![k]! * half[i * side + k]!);
      to[at + i * rows + j] = sum;
    }
  }
}

/** Computes one group of one image in float32. Inputs and weights must be finite: a NaN would reach a whole tile. */
export function winogradSingle(
  x: Float64Array,
  weights: Float64Array,
  out: Float64Array,
  g: WinogradGroup,
  a: Arithmetic,
): void {
  const [height, width] = g.outSize;
  const [down, across] = [Math.ceil(height / OUT), Math.ceil(width / OUT)];
  const tiles = down * across;
  const filters = new Float32Array(g.outChannels * g.channels * TILE);
  const taps = singleOperand(weights.subarray(g.weightAt, g.weightAt + g.outChannels * g.channels * 9), a);
  for (let f = 0; f < g.outChannels * g.channels; f++)
    transform(FILTER, taps.subarray(f * 9, f * 9 + 9), filters, f * TILE);
  const inputs = transformedInputs(x, g, a, down, across);
  const products = new Float32Array(TILE);
  const tile = new Float32Array(OUT * OUT);
  for (let o = 0; o < g.outChannels; o++) {
    for (let t = 0; t < tiles; t++) {
      products.fill(0);
      for (let c = 0; c < g.channels; c++) {
        const [f, v] = [(o * g.channels + c) * TILE, (c * tiles + t) * TILE];
        for (let j = 0; j < TILE; j++) products[j] = products[j]! + filters[f + j]! * inputs[v + j]!;
      }
      transform(OUTPUT, products, tile, 0);
      const [top, left] = [Math.floor(t / across) * OUT, (t % across) * OUT];
      for (let i = 0; i < OUT && top + i < height; i++)
        for (let j = 0; j < OUT && left + j < width; j++)
          out[g.outAt + (o * height + top + i) * width + left + j] = tile[i * OUT + j]!;
    }
  }
}

/** All tiles of all channels, transformed: (channel, tile, 6, 6). */
function transformedInputs(
  x: Float64Array,
  g: WinogradGroup,
  a: Arithmetic,
  down: number,
  across: number,
): Float32Array {
  const [height, width] = g.inSize;
  const [above, before] = g.padding;
  const inputs = new Float32Array(g.channels * down * across * TILE);
  const tile = new Float32Array(TILE);
  for (let c = 0, to = 0; c < g.channels; c++) {
    const from = g.inputAt + c * height * width;
    const image = singleOperand(x.subarray(from, from + height * width), a);
    for (let ty = 0; ty < down; ty++) {
      for (let tx = 0; tx < across; tx++, to += TILE) {
        for (let i = 0; i < IN; i++) {
          const y = ty * OUT + i - above;
          for (let j = 0; j < IN; j++) {
            const at = tx * OUT + j - before;
            const inside = y >= 0 && y < height && at >= 0 && at < width;
            tile[i * IN + j] = inside ? image[y * width + at]! : 0;
          }
        }
        transform(INPUT, tile, inputs, to);
      }
    }
  }
  return inputs;
}

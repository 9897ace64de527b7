/** Convolutions of few channels a group against columns and a product, to the bit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostTensor } from '../types.ts';
import { type ArithmeticChoice, arithmeticFor } from './arithmetic.ts';
import { testRandom } from './cases.ts';
import { evaluateNode } from './evaluate.ts';
import { gemm } from './gemm.ts';
import { gemmSingleRows } from './gemm-single.ts';
import { hostTensor } from './tensor.ts';

const random = testRandom(9);
const drawn = (...shape: number[]): HostTensor =>
  hostTensor(
    shape,
    'float32',
    Array.from({ length: shape.reduce((n, s) => n * s, 1) }, () => random() - 0.5),
  );

interface Geometry {
  stride: number[];
  padding: number[];
  dilation: number[];
  groups: number;
}

/** conv2d as its definition: the columns of every group written out, zeros of padding too, and a product. */
function plain(
  x: HostTensor,
  weight: HostTensor,
  shape: readonly number[],
  geometry: Geometry,
  choice: ArithmeticChoice,
) {
  const { stride, padding, dilation, groups } = geometry;
  const [batch, channels, height, width] = x.spec.shape as [number, number, number, number];
  const [outChannels, inGroup, kh, kw] = weight.spec.shape as [number, number, number, number];
  const [rows, columns] = shape.slice(2) as [number, number];
  const [outGroup, terms, positions] = [outChannels / groups, inGroup * kh * kw, rows * columns];
  const out = new Float64Array(batch * outChannels * positions);
  const a = arithmeticFor(choice, 'float32');
  for (let n = 0; n < batch; n++) {
    for (let group = 0; group < groups; group++) {
      const seen = Float64Array.from({ length: terms * positions }, (_, at) => {
        const [p, position] = [Math.floor(at / positions), at % positions];
        const c = group * inGroup + Math.floor(p / (kh * kw));
        const y =
          Math.floor(position / columns) * stride[0]! - padding[0]! + Math.floor((p % (kh * kw)) / kw) * dilation[0]!;
        const z = (position % columns) * stride[1]! - padding[1]! + (p % kw) * dilation[1]!;
        const inside = y >= 0 && y < height && z >= 0 && z < width;
        return inside ? x.values[((n * channels + c) * height + y) * width + z]! : 0;
      });
      const left = { values: weight.values, start: group * outGroup * terms, row: terms, column: 1 };
      const right = { values: seen, start: 0, row: positions, column: 1 };
      const at = (n * groups + group) * outGroup * positions;
      (a.single ? gemmSingleRows : gemm)(outGroup, positions, terms, left, right, out, at, a);
    }
  }
  return out;
}

const choices: ArithmeticChoice[] = [
  { format: 'float64' },
  { format: 'float32' },
  { format: 'float32', order: 'reversed', fused: false },
  { format: 'bfloat16', order: 'pairwise' },
  { format: 'tf32', order: 'blocked', lanes: 8, fused: false },
  { format: 'float16', order: 'blocked', lanes: 32 },
];

describe('convolutions of few channels a group', () => {
  const geometries: Geometry[] = [
    { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 4 },
    { stride: [2, 3], padding: [0, 2], dilation: [2, 1], groups: 2 },
    { stride: [1, 2], padding: [3, 1], dilation: [1, 2], groups: 1 },
  ];
  const both = (x: HostTensor, weight: HostTensor, geometry: Geometry, choice: ArithmeticChoice) => {
    const node = { op: 'conv2d', attributes: { ...geometry, bias: false }, inputs: [], outputs: [], line: 1 };
    const [got] = evaluateNode(node, [x, weight], choice);
    return [got!.values, plain(x, weight, got!.spec.shape, geometry, choice)] as const;
  };

  it('are those of the product', () => {
    for (const geometry of geometries) {
      for (const outGroup of [1, 2, 3, 5]) {
        const x = drawn(2, 4, 9, 11);
        const weight = drawn(outGroup * geometry.groups, 4 / geometry.groups, 3, 3);
        for (const choice of choices) {
          const [got, want] = both(x, weight, geometry, choice);
          assert.deepEqual(got, want, JSON.stringify([geometry, outGroup, choice]));
        }
      }
    }
  });

  it('meet padding with an infinite weight as the product does: NaN', () => {
    const weight = drawn(4, 1, 3, 3);
    weight.values[0] = Infinity;
    for (const choice of choices) {
      const [got, want] = both(drawn(1, 4, 5, 5), weight, geometries[0]!, choice);
      assert.ok(got.every((y, i) => Object.is(y, want[i])));
      assert.ok(Number.isNaN(got[0]));
    }
  });
});

/** cuda-samples: products of matrices, on plain and tensor cores and with asynchronous copies; transposes. */
import type { FileDrives, Rig, Size } from './rig.ts';
import { product } from './rows.ts';

type Drives = FileDrives['drives'];

/** C = A B of float matrices in tiles of 16 or 32. `constant`: all elements of B are alike. */
function tiled(name: string, tile: number, block: Size = [tile, tile], constant = false): Drives {
  return {
    [`${name}<${tile}>`]: (rig: Rig) => {
      const [rows, inner, columns] = [32, 64, 64];
      const [a, b] = [rig.random(rows * inner), rig.random(inner * columns)];
      if (constant) b.fill(2.5);
      const c = rig.room(4 * rows * columns);
      const args = [c, rig.give(a), rig.give(b), inner, columns];
      rig.launch(name, [columns / tile, rows / tile], block, args, { instance: `ILi${tile}E` });
      const expected = product(
        [rows, inner, columns],
        (i, k) => a[i * inner + k]!,
        (k, j) => b[k * columns + j]!,
      );
      rig.close('C', rig.f32(c), expected, { absolute: 2e-5 });
    },
  };
}

interface TensorFormat {
  readonly tile: readonly [rows: number, columns: number];
  /** Inputs in the kernel's type; they are small whole numbers, which every type has. */
  readonly operand: (values: Int32Array) => Uint16Array | Uint8Array | Float32Array | Float64Array;
  readonly accumulator: (values: Int32Array) => Int32Array | Float32Array | Float64Array;
  readonly read: (rig: Rig, buffer: ReturnType<Rig['room']>) => ArrayLike<number>;
  readonly signed: boolean;
}

const bits16 = (exponentBits: number) => (values: Int32Array) =>
  Uint16Array.from(values, (value) => {
    if (value === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    const mantissaBits = 15 - exponentBits;
    const mantissa = (Math.abs(value) / 2 ** exponent - 1) * 2 ** mantissaBits;
    return ((value < 0 ? 1 : 0) << 15) | ((exponent + 2 ** (exponentBits - 1) - 1) << mantissaBits) | mantissa;
  });

const SINGLE = {
  tile: [16, 16],
  accumulator: (values: Int32Array) => Float32Array.from(values),
  read: (rig, buffer) => rig.f32(buffer),
  signed: true,
} satisfies Partial<TensorFormat>;

const FORMATS: Readonly<Record<'half' | 'bf16' | 'tf32' | 'f64' | 'u8', TensorFormat>> = {
  half: { ...SINGLE, operand: bits16(5) },
  bf16: { ...SINGLE, operand: bits16(8) },
  tf32: { ...SINGLE, operand: (values) => Float32Array.from(values) },
  f64: {
    tile: [8, 8],
    operand: (values) => Float64Array.from(values),
    accumulator: (values) => Float64Array.from(values),
    read: (rig, buffer) => rig.f64(buffer),
    signed: true,
  },
  u8: {
    tile: [16, 16],
    operand: (values) => Uint8Array.from(values),
    accumulator: (values) => values,
    read: (rig, buffer) => rig.i32(buffer),
    signed: false,
  },
};

/** D = alpha A B + beta C, A by rows, B by columns: 4 x 4 warps, a tile each. `constant`: all elements of B are alike. */
function tensor(name: string, format: TensorFormat, constant = false): Drives {
  return {
    [name]: (rig: Rig) => {
      const [rows, inner, columns] = [4 * format.tile[0], 64, 4 * format.tile[1]];
      const low = format.signed ? -3 : 0;
      const [a, b, c] = [rows * inner, inner * columns, rows * columns].map((count) => rig.integers(count, low, 7)) as [
        Int32Array,
        Int32Array,
        Int32Array,
      ];
      if (constant) b.fill(3);
      const C = rig.give(format.accumulator(c));
      const D = rig.room(C.bytes);
      const args = [rig.give(format.operand(a)), rig.give(format.operand(b)), C, D, rows, columns, inner, 2, 3];
      rig.launch(name, 1, [128, 4], args);
      const plain = product(
        [rows, inner, columns],
        (i, k) => a[i * inner + k]!,
        (k, j) => b[j * inner + k]!,
      );
      rig.same(
        'D',
        format.read(rig, D),
        plain.map((each, i) => 2 * each + 3 * c[i]!),
      );
    },
  };
}

const [WIDTH, HEIGHT] = [128, 64];

function transpose(name: string, copies: boolean): Drives {
  return {
    [name]: (rig: Rig) => {
      // A diagonal order of blocks needs a square; copySharedMem takes width for height in its second bounds check.
      const square = name === 'transposeDiagonal' || name === 'copySharedMem';
      const [width, height] = square ? [WIDTH, WIDTH] : [WIDTH, HEIGHT];
      const x = rig.random(width * height);
      const out = rig.room(4 * x.length);
      rig.launch(name, [width / 32, height / 32], [32, 16], [out, rig.give(x), width, height]);
      const moved = x.map((_, i) => x[(i % height) * width + Math.floor(i / height)]!);
      rig.same('out', rig.f32(out), copies ? x : moved);
    },
  };
}

const features = 'Samples/3_CUDA_Features';

export const SAMPLES_MATRICES: readonly FileDrives[] = [
  {
    file: 'Samples/0_Introduction/matrixMul/matrixMul.cu',
    drives: { ...tiled('MatrixMulCUDA', 16), ...tiled('MatrixMulCUDA', 32) },
  },
  {
    file: `${features}/globalToShmemAsyncCopy/globalToShmemAsyncCopy.cu`,
    drives: {
      // The versions with large chunks read B by A's indices: wrong for any B but the constant one that the sample gives them.
      ...tiled('MatrixMulAsyncCopyMultiStageLargeChunk', 16, [16, 16], true),
      ...tiled('MatrixMulAsyncCopyLargeChunk', 16, [16, 16], true),
      ...tiled('MatrixMulAsyncCopyLargeChunkAWBarrier', 16, [16, 16], true),
      ...tiled('MatrixMulAsyncCopySingleStage', 16),
      ...tiled('MatrixMulAsyncCopyMultiStage', 16),
      ...tiled('MatrixMulAsyncCopyMultiStageSharedState', 16, [16, 18]),
      ...tiled('MatrixMulNaive', 16),
      ...tiled('MatrixMulNaiveLargeChunk', 16, [16, 16], true),
    },
  },
  { file: `${features}/cudaTensorCoreGemm/cudaTensorCoreGemm.cu`, drives: tensor('simple_wmma_gemm', FORMATS.half) },
  {
    file: `${features}/bf16TensorCoreGemm/bf16TensorCoreGemm.cu`,
    drives: tensor('simple_wmma_bf16gemm', FORMATS.bf16, true),
  },
  {
    file: `${features}/tf32TensorCoreGemm/tf32TensorCoreGemm.cu`,
    drives: tensor('simple_wmma_tf32gemm', FORMATS.tf32),
  },
  { file: `${features}/dmmaTensorCoreGemm/dmmaTensorCoreGemm.cu`, drives: tensor('simple_wmma_gemm', FORMATS.f64) },
  { file: `${features}/immaTensorCoreGemm/immaTensorCoreGemm.cu`, drives: tensor('simple_wmma_gemm_imma', FORMATS.u8) },
  {
    file: 'Samples/6_Performance/transpose/transpose.cu',
    drives: {
      ...transpose('copy', true),
      ...transpose('copySharedMem', true),
      ...transpose('transposeNaive', false),
      ...transpose('transposeCoalesced', false),
      ...transpose('transposeNoBankConflicts', false),
      ...transpose('transposeDiagonal', false),
    },
  },
];

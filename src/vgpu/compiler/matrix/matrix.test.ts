/** Products by tensor cores as CUDA programs write them, compiled, against float64 and the interpreter. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { VirtualGpu } from '../../gpu.ts';
import { numberToBf16, numberToF16 } from '../../math/index.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from '../../nvcc-testing.ts';
import type { Executor } from '../../types.ts';

const SOURCE = `
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <mma.h>
#include <cuda_pipeline.h>
using namespace nvcuda;
// C = A B, one 16 x 16 tile a warp, all matrices row-major and N wide.
template <typename T, typename Acc, int K, typename Frag, typename Layout>
__device__ void product(const T* A, const T* B, Acc* C, int N) {
  int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, tiles = N / 16;
  int row = warp / tiles * 16, col = warp % tiles * 16;
  wmma::fragment<wmma::matrix_a, 16, 16, K, Frag, wmma::row_major> a;
  wmma::fragment<wmma::matrix_b, 16, 16, K, Frag, Layout> b;
  wmma::fragment<wmma::accumulator, 16, 16, K, Acc> c;
  wmma::fill_fragment(c, (Acc)0);
  for (int k = 0; k < N; k += K) {
    wmma::load_matrix_sync(a, A + row * N + k, N);
    wmma::load_matrix_sync(b, B + k * N + col, N);
    wmma::mma_sync(c, a, b, c);
  }
  wmma::store_matrix_sync(C + row * N + col, c, N, wmma::mem_row_major);
}
extern "C" {
__global__ void f16(const __half* A, const __half* B, float* C, int N) { product<__half, float, 16, __half, wmma::row_major>(A, B, C, N); }
__global__ void f16sums(const __half* A, const __half* B, __half* C, int N) { product<__half, __half, 16, __half, wmma::row_major>(A, B, C, N); }
__global__ void bf16(const __nv_bfloat16* A, const __nv_bfloat16* B, float* C, int N) { product<__nv_bfloat16, float, 16, __nv_bfloat16, wmma::row_major>(A, B, C, N); }
__global__ void tf32(const float* A, const float* B, float* C, int N) { product<float, float, 8, wmma::precision::tf32, wmma::row_major>(A, B, C, N); }
__global__ void s8(const signed char* A, const signed char* B, int* C, int N) { product<signed char, int, 16, signed char, wmma::row_major>(A, B, C, N); }
__global__ void f64(const double* A, const double* B, double* C, int N) {
  int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, tiles = N / 8, row = warp / tiles * 8, col = warp % tiles * 8;
  wmma::fragment<wmma::matrix_a, 8, 8, 4, double, wmma::row_major> a;
  wmma::fragment<wmma::matrix_b, 8, 8, 4, double, wmma::row_major> b;
  wmma::fragment<wmma::accumulator, 8, 8, 4, double> c;
  wmma::fill_fragment(c, 0.0);
  for (int k = 0; k < N; k += 4) {
    wmma::load_matrix_sync(a, A + row * N + k, N);
    wmma::load_matrix_sync(b, B + k * N + col, N);
    wmma::mma_sync(c, a, b, c);
  }
  wmma::store_matrix_sync(C + row * N + col, c, N, wmma::mem_row_major);
}
// 32 x 32 of C a block of two warps: copies in flight while the stage before is multiplied.
__global__ void pipelined(const __half* A, const __half* B, float* C, int N) {
  __shared__ __align__(16) __half sa[2][32][24], sb[2][16][40];
  int t = threadIdx.x, lane = t % 32, warp = t / 32, br = blockIdx.y * 32, bc = blockIdx.x * 32;
  auto load = [&](int s, int k) {
    __pipeline_memcpy_async(&sa[s][t / 2][t % 2 * 8], A + (br + t / 2) * N + k + t % 2 * 8, 16);
    __pipeline_memcpy_async(&sb[s][t / 4][t % 4 * 8], B + (k + t / 4) * N + bc + t % 4 * 8, 16);
    __pipeline_commit();
  };
  float d[4][4] = {};
  load(0, 0);
  for (int k = 0, s = 0; k < N; k += 16, s ^= 1) {
    if (k + 16 < N) { load(s ^ 1, k + 16); __pipeline_wait_prior(1); } else __pipeline_wait_prior(0);
    __syncthreads();
    unsigned a[4], b[2], p = __cvta_generic_to_shared(&sa[s][warp * 16 + lane % 16][lane / 16 * 8]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "r"(p));
    for (int j = 0; j < 4; j++) {
      p = __cvta_generic_to_shared(&sb[s][lane % 16][j * 8]);
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(b[0]), "=r"(b[1]) : "r"(p));
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
    __syncthreads();
  }
  for (int j = 0; j < 4; j++) {
    float* c = C + (br + warp * 16 + lane / 4) * N + bc + j * 8 + lane % 4 * 2;
    c[0] = d[j][0]; c[1] = d[j][1]; c[8 * N] = d[j][2]; c[8 * N + 1] = d[j][3];
  }
}
}`;

const N = 64;

/** Small numbers that every element type holds exactly. */
function values(seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: N * N }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) - 128;
  });
}

const bytes8 = (from: Int8Array): Uint8Array => new Uint8Array(from.buffer);

interface Case {
  readonly kernel: string;
  readonly encode: (x: Float64Array) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => ArrayLike<number>;
  readonly resultBytes: number;
  readonly grid: readonly [number, number, number];
  readonly block: number;
  /** Inputs are divided by this, a power of two. */
  readonly scale: number;
  /** Greatest error: sums of these inputs are exact in f32. */
  readonly tolerance: number;
}

const tiles = [N / 16, 1, 1] as const;
const halves = (x: Float64Array): Uint8Array => bytesOf(Uint16Array.from(x, (v) => numberToF16(v)));
const brains = (x: Float64Array): Uint8Array => bytesOf(Uint16Array.from(x, (v) => numberToBf16(v)));
const floats = (b: Uint8Array): Float32Array => new Float32Array(b.slice().buffer);
const f16Value = (h: number): number => {
  const [sign, exponent, fraction] = [h >> 15 ? -1 : 1, (h >> 10) & 31, h & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
};
const common = { grid: tiles, block: 128, decode: floats, resultBytes: 4, scale: 1, tolerance: 0 };
const CASES: readonly Case[] = [
  { ...common, kernel: 'f16', encode: halves },
  { ...common, kernel: 'bf16', encode: brains },
  { ...common, kernel: 'tf32', encode: (x) => bytesOf(Float32Array.from(x)) },
  {
    ...common,
    kernel: 's8',
    encode: (x) => bytes8(Int8Array.from(x)),
    decode: (b) => new Int32Array(b.slice().buffer),
  },
  {
    ...common,
    kernel: 'f64',
    encode: (x) => bytesOf(x),
    decode: (b) => new Float64Array(b.slice().buffer),
    resultBytes: 8,
    grid: [(N * N) / 64 / 4, 1, 1],
  },
  {
    ...common,
    kernel: 'f16sums',
    encode: halves,
    decode: (b) => Array.from(new Uint16Array(b.slice().buffer), f16Value),
    resultBytes: 2,
    scale: 128,
    // Four roundings of sums below 32 to 11 bits.
    tolerance: 4 * 2 ** -7,
  },
  { ...common, kernel: 'pipelined', encode: halves, grid: [N / 32, N / 32, 1], block: 64 },
];

describe('matrix products', { skip: skipWithoutNvcc() }, () => {
  let ptx: string;
  before(() => {
    ptx = compileCuda(SOURCE, ['-arch=sm_80', '-std=c++17']);
  });

  const run = (item: Case, executor: Executor, checked: boolean): Uint8Array => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const pointers = [values(1), values(2)].map((x) => {
      const data = item.encode(x.map((v) => v / item.scale));
      const pointer = gpu.allocate(data.length);
      gpu.write(pointer, data);
      return pointer;
    });
    const out = gpu.allocate(item.resultBytes * N * N);
    const report = gpu.launch(gpu.load(ptx), item.kernel, {
      grid: [...item.grid],
      block: [item.block, 1, 1],
      arguments: [...pointers, out].map((p) => arg.pointer(p)).concat([arg.i32(N)]),
      executor,
      checked,
    });
    assert.deepEqual(report.findings, []);
    assert.equal(report.executor, executor);
    return gpu.read(out, item.resultBytes * N * N);
  };

  for (const item of CASES)
    it(`${item.kernel}: equal to the interpreter's bits, and right`, () => {
      const expected = run(item, 'interpreter', true);
      for (const executor of ['scalar', 'simd'] as const)
        for (const checked of [true, false])
          assert.deepEqual(run(item, executor, checked), expected, `${executor} ${checked}`);
      const got = item.decode(expected);
      const [a, b] = [values(1), values(2)];
      for (let row = 0; row < N; row += 5)
        for (let column = 0; column < N; column++) {
          let sum = 0;
          for (let k = 0; k < N; k++) sum += a[row * N + k]! * b[k * N + column]!;
          const error = Math.abs(got[row * N + column]! - sum / item.scale ** 2);
          assert.ok(error <= item.tolerance, `${row}, ${column}: off by ${error}`);
        }
    });
});

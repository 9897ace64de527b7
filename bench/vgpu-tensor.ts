/**
 * How fast tensor-core kernels run on the virtual GPU: half-precision products of 512 x 512 matrices, by wmma straight from
 * global memory, and by mma.sync with ldmatrix and double-buffered cp.async. Multiply-adds and thread-instructions a
 * second of CPU time, the least of several launches; the first launch (with translation) apart. The interpreter runs 128^3.
 *
 *     node --import tsx bench/vgpu-tensor.ts
 */
import type { Dim3, Executor } from '../src/vgpu/index.ts';
import { VirtualGpu } from '../src/vgpu/index.ts';
import { arg, bytesOf, compileCuda, skipWithoutNvcc } from '../src/vgpu/nvcc-testing.ts';

const CUDA = `
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include <mma.h>
using namespace nvcuda;
extern "C" __global__ void wmmaProduct(const __half* A, const __half* B, float* C, int N) {
  int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, tiles = N / 16;
  int row = warp / tiles * 16, col = warp % tiles * 16;
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> a;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> b;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
  wmma::fill_fragment(c, 0.0f);
  for (int k = 0; k < N; k += 16) {
    wmma::load_matrix_sync(a, A + row * N + k, N);
    wmma::load_matrix_sync(b, B + k * N + col, N);
    wmma::mma_sync(c, a, b, c);
  }
  wmma::store_matrix_sync(C + row * N + col, c, N, wmma::mem_row_major);
}
// 64 x 64 of C a block of four warps, 32 x 32 a warp, 32 of k a stage.
extern "C" __global__ void mmaProduct(const __half* A, const __half* B, float* C, int N) {
  __shared__ __align__(16) __half sa[2][64][40], sb[2][32][72];
  int t = threadIdx.x, lane = t % 32, warp = t / 32, wr = warp / 2 * 32, wc = warp % 2 * 32;
  int br = blockIdx.y * 64, bc = blockIdx.x * 64;
  auto load = [&](int s, int k) {
    for (int i = t; i < 256; i += 128) {
      __pipeline_memcpy_async(&sa[s][i / 4][i % 4 * 8], A + (size_t)(br + i / 4) * N + k + i % 4 * 8, 16);
      __pipeline_memcpy_async(&sb[s][i / 8][i % 8 * 8], B + (size_t)(k + i / 8) * N + bc + i % 8 * 8, 16);
    }
    __pipeline_commit();
  };
  float d[2][4][4] = {};
  load(0, 0);
  for (int k = 0, s = 0; k < N; k += 32, s ^= 1) {
    if (k + 32 < N) { load(s ^ 1, k + 32); __pipeline_wait_prior(1); } else __pipeline_wait_prior(0);
    __syncthreads();
    for (int kk = 0; kk < 32; kk += 16) {
      unsigned a[2][4], b[4][2];
      for (int i = 0; i < 2; i++) {
        unsigned p = __cvta_generic_to_shared(&sa[s][wr + i * 16 + lane % 16][kk + lane / 16 * 8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
          : "=r"(a[i][0]), "=r"(a[i][1]), "=r"(a[i][2]), "=r"(a[i][3]) : "r"(p));
      }
      for (int j = 0; j < 4; j++) {
        unsigned p = __cvta_generic_to_shared(&sb[s][kk + lane % 16][wc + j * 8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(b[j][0]), "=r"(b[j][1]) : "r"(p));
      }
      for (int i = 0; i < 2; i++) for (int j = 0; j < 4; j++)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
          : "+f"(d[i][j][0]), "+f"(d[i][j][1]), "+f"(d[i][j][2]), "+f"(d[i][j][3])
          : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j][0]), "r"(b[j][1]));
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; i++) for (int j = 0; j < 4; j++) {
    float* c = C + (size_t)(br + wr + i * 16 + lane / 4) * N + bc + wc + j * 8 + lane % 4 * 2;
    c[0] = d[i][j][0]; c[1] = d[i][j][1]; c[8 * N] = d[i][j][2]; c[8 * N + 1] = d[i][j][3];
  }
}`;

const KERNELS: readonly { name: string; kernel: string; grid: (n: number) => Dim3 }[] = [
  { name: 'wmma', kernel: 'wmmaProduct', grid: (n) => [(n / 16) ** 2 / 4, 1, 1] },
  { name: 'mma.sync, ldmatrix, cp.async', kernel: 'mmaProduct', grid: (n) => [n / 64, n / 64, 1] },
];

/** CPU seconds of each launch, and the thread-instructions of one. */
function measure(
  ptx: string,
  item: (typeof KERNELS)[number],
  n: number,
  executor: Executor,
  checked: boolean,
  repeats: number,
): { first: number; best: number; instructions: number } {
  const gpu = new VirtualGpu();
  const module = gpu.load(ptx);
  // Halves near 1 in magnitude, of both signs.
  const halves = Uint16Array.from(
    { length: n * n },
    (_, i) => 0x3800 | ((Math.imul(i, 0x9e3779b1) >>> 16) % 0x400) | ((i & 8) << 12),
  );
  const input = (): bigint => {
    const pointer = gpu.allocate(2 * n * n);
    gpu.write(pointer, bytesOf(halves));
    return pointer;
  };
  const pointers = [input(), input(), gpu.allocate(4 * n * n)].map((pointer) => arg.pointer(pointer));
  let instructions = 0;
  const seconds = Array.from({ length: repeats }, () => {
    const before = process.cpuUsage();
    const report = gpu.launch(module, item.kernel, {
      grid: item.grid(n),
      block: [128, 1, 1],
      arguments: [...pointers, arg.i32(n)],
      executor,
      checked,
    });
    const { user, system } = process.cpuUsage(before);
    if (!report.completed) throw new Error(report.findings[0]?.message ?? 'The launch did not complete.');
    instructions = report.threadInstructions;
    return (user + system) / 1e6;
  });
  return { first: seconds[0]!, best: Math.min(...seconds), instructions };
}

const missing = skipWithoutNvcc();
if (missing) {
  console.error(`This benchmark compiles CUDA: ${missing}.`);
  process.exitCode = 2;
} else {
  const ptx = compileCuda(CUDA, ['-arch=sm_80', '-std=c++17']);
  for (const item of KERNELS) {
    const slow = measure(ptx, item, 128, 'interpreter', true, 2);
    const interpreted = 128 ** 3 / slow.best;
    console.log(`${item.name}: interpreter ${(interpreted / 1e6).toFixed(2)} M multiply-adds/s (128^3)`);
    for (const executor of ['scalar', 'simd'] as const)
      for (const checked of [true, false]) {
        const { first, best, instructions } = measure(ptx, item, 512, executor, checked, 7);
        const rate = 512 ** 3 / best;
        console.log(
          `  ${executor} ${checked ? 'checked' : 'unchecked'}: ${(rate / 1e9).toFixed(2)} G multiply-adds/s, ${(instructions / best / 1e6).toFixed(0)} M thread-instructions/s, ${(rate / interpreted).toFixed(0)} x the interpreter; first launch ${(1000 * first).toFixed(0)} ms, best ${(1000 * best).toFixed(0)} ms of CPU`,
        );
      }
  }
}

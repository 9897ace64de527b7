/** Asynchronous barriers and bulk copies, clusters of one block, 8-bit floats: results, and what is found when misused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, f32Of, skipWithoutNvcc } from './nvcc-testing.ts';
import { PtxError } from './ptx/ir.ts';
import type { LaunchReport } from './types.ts';

const SOURCE = `
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <cuda_fp8.h>
namespace cg = cooperative_groups;
#pragma nv_diag_suppress static_var_with_dynamic_init
__device__ unsigned sh(void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ void init(unsigned long long* b, int n) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(sh(b)), "r"(n) : "memory"); }
__device__ void arriveTx(unsigned long long* b, int bytes) { asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" :: "r"(sh(b)), "r"(bytes) : "memory"); }
__device__ void arrive(unsigned long long* b) { asm volatile("{.reg .b64 s; mbarrier.arrive.shared::cta.b64 s, [%0];}" :: "r"(sh(b)) : "memory"); }
__device__ void waitParity(unsigned long long* b, int parity) {
  asm volatile("{.reg .pred p; again: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1; @p bra done; bra again; done: }" :: "r"(sh(b)), "r"(parity) : "memory");
}
__device__ void load(void* to, const void* from, int bytes, unsigned long long* b) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" :: "r"(sh(to)), "l"(from), "r"(bytes), "r"(sh(b)) : "memory");
}
#define BULK_START __shared__ __align__(128) float s[64]; __shared__ unsigned long long bar; int t = threadIdx.x; \\
  if (t == 0) { init(&bar, 1); asm volatile("fence.mbarrier_init.release.cluster;"); } __syncthreads();
extern "C" {
__global__ void bulk(const float* x, float* y) {
  BULK_START
  for (int i = 0; i < 2; i++) {
    if (t == 0) { arriveTx(&bar, 256); load(s, x + 64 * i, 256, &bar); }
    waitParity(&bar, i);
    y[64 * i + t] = s[63 - t] * 2;
    __syncthreads();
  }
}
__global__ void bulkTooEarly(const float* x, float* y) {
  BULK_START
  if (t == 0) { arriveTx(&bar, 256); load(s, x, 256, &bar); }
  __syncthreads();
  y[t] = s[63 - t];
  waitParity(&bar, 0);
}
__global__ void bulkTooMany(const float* x, float* y) {
  BULK_START
  if (t == 0) { arriveTx(&bar, 256); load(s, x + 96, 256, &bar); }
  waitParity(&bar, 0);
  y[t] = s[t];
}
__global__ void bulkWrongCount(const float* x, float* y) {
  BULK_START
  if (t == 0) { arriveTx(&bar, 512); load(s, x, 256, &bar); }
  waitParity(&bar, 0);
  y[t] = s[t];
}
__global__ void store(const float* x, float* y) {
  __shared__ __align__(128) float s[64]; int t = threadIdx.x;
  s[t] = x[t] + 1; asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); __syncthreads();
  if (t == 0) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" :: "l"(y), "r"(sh(s)), "r"(256) : "memory");
    asm volatile("cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;" ::: "memory");
  }
}
__global__ void storeLeft(const float* x, float* y) {
  __shared__ __align__(128) float s[64]; int t = threadIdx.x;
  s[t] = x[t] + 1; asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); __syncthreads();
  if (t == 0) asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2; cp.async.bulk.commit_group;" :: "l"(y), "r"(sh(s)), "r"(256) : "memory");
}
// A producer warp and a consumer warp, two buffers.
__global__ void pipeline(const float* x, float* y) {
  __shared__ float s[2][32]; __shared__ unsigned long long full[2], empty[2]; int t = threadIdx.x, lane = t & 31;
  if (t == 0) for (int i = 0; i < 2; i++) { init(&full[i], 32); init(&empty[i], 32); }
  __syncthreads();
  for (int k = 0; k < 4; k++) {
    int b = k & 1, phase = k >> 1;
    if (t < 32) { if (k >= 2) waitParity(&empty[b], phase ^ 1); s[b][lane] = x[k * 32 + lane]; arrive(&full[b]); }
    else { waitParity(&full[b], phase); y[k * 32 + lane] = s[b][31 - lane]; arrive(&empty[b]); }
  }
}
__global__ void pipelineBad(const float* x, float* y) {
  __shared__ float s[2][32]; __shared__ unsigned long long full[2]; int t = threadIdx.x, lane = t & 31;
  if (t == 0) for (int i = 0; i < 2; i++) init(&full[i], 32);
  __syncthreads();
  for (int k = 0; k < 4; k++) {
    int b = k & 1, phase = k >> 1;
    if (t < 32) { s[b][lane] = x[k * 32 + lane]; arrive(&full[b]); }
    else { waitParity(&full[b], phase); y[k * 32 + lane] = s[b][31 - lane]; }
  }
}
__global__ void noInit(const float* x, float* y) {
  __shared__ unsigned long long bar; if (threadIdx.x == 0) bar = 7; __syncthreads(); arrive(&bar); y[threadIdx.x] = 0;
}
__global__ void clusterOfOne(const float* x, float* y) {
  __shared__ float s[64]; int t = threadIdx.x; auto cluster = cg::this_cluster();
  s[t] = x[t]; cluster.sync();
  float* other = cluster.map_shared_rank(s, 0);
  y[t] = other[63 - t] + cluster.num_blocks() * 100 + cluster.block_rank();
}
__global__ void floats8(const float* x, float* y) {
  int t = threadIdx.x; __nv_fp8_e4m3 a(x[t] * 10); __nv_fp8_e5m2 b(x[t] * 10); y[t] = float(a); y[64 + t] = float(b);
}
__global__ void elected(const float* x, float* y) {
  int t = threadIdx.x; unsigned p;
  asm volatile("{.reg .pred q; elect.sync _|q, 0xffffffff; selp.u32 %0, 1, 0, q; }" : "=r"(p));
  y[t] = p;
}
// What libcu++ makes of all this.
__global__ void libraryBarrier(const float* x, float* y) {
  __shared__ cuda::barrier<cuda::thread_scope_block> bar; __shared__ alignas(16) float s[64]; int t = threadIdx.x;
  if (t == 0) init(&bar, blockDim.x);
  __syncthreads();
  for (int i = 0; i < 2; i++) {
    cuda::memcpy_async(cg::this_thread_block(), s, x + 64 * i, cuda::aligned_size_t<16>(256), bar); bar.arrive_and_wait();
    y[64 * i + t] = s[63 - t]; bar.arrive_and_wait();
  }
}
__global__ void libraryBarrierBad(const float* x, float* y) {
  __shared__ cuda::barrier<cuda::thread_scope_block> bar; __shared__ float s[64]; int t = threadIdx.x;
  if (t == 0) init(&bar, blockDim.x);
  __syncthreads(); auto token = bar.arrive(); s[t] = x[t]; bar.wait(std::move(token)); y[t] = s[63 - t];
}
__global__ void libraryPipeline(const float* x, float* y) {
  __shared__ alignas(16) float s[2][64]; __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto block = cg::this_thread_block(); auto pipe = cuda::make_pipeline(block, &state); int t = threadIdx.x;
  pipe.producer_acquire(); cuda::memcpy_async(block, s[0], x, 256, pipe); pipe.producer_commit();
  for (int i = 0; i < 2; i++) {
    if (i < 1) { pipe.producer_acquire(); cuda::memcpy_async(block, s[1], x + 64, 256, pipe); pipe.producer_commit(); }
    pipe.consumer_wait(); y[64 * i + t] = s[i][63 - t]; pipe.consumer_release();
  }
}
// Groups of two warps synchronise in shared memory that the system reserves and clears.
__global__ void twoWarps(const float* x, float* y) {
  __shared__ float s[64]; int t = threadIdx.x;
  auto tile = cg::tiled_partition<64>(cg::this_thread_block());
  s[t] = x[t]; tile.sync(); y[t] = s[63 - t] + cg::reduce(tile, 1.0f, cg::plus<float>());
}
__global__ void manyGpus(const float* x, float* y) { asm volatile("multimem.red.release.sys.global.add.u32 [%0], 1;" :: "l"(y) : "memory"); y[threadIdx.x] = x[threadIdx.x]; }
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE, ['-arch=sm_90a', '-std=c++17']) : '';

function launch(kernel: string): { report: LaunchReport; y: Float32Array } {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx, { name: 'hopper' });
  const [x, y] = [gpu.allocate(512, { name: 'x' }), gpu.allocate(512, { name: 'y' })];
  gpu.write(x, bytesOf(Float32Array.from({ length: 128 }, (_, i) => i - 20)));
  const report = gpu.launch(module, kernel, {
    races: true,
    grid: [1, 1, 1],
    block: [64, 1, 1],
    arguments: [arg.pointer(x), arg.pointer(y)],
    instructionBudget: 1e6,
  });
  return { report, y: f32Of(gpu.read(y, 512)) };
}

function clean(kernel: string): Float32Array {
  const { report, y } = launch(kernel);
  assert.deepEqual(report.findings, []);
  assert.ok(report.completed);
  return y;
}

function found(kernel: string, kind: string): void {
  const { findings } = launch(kernel).report;
  assert.ok(
    findings.some((finding) => finding.kind === kind),
    `wanted ${kind}, found ${findings.map(({ kind: k, message }) => `${k}: ${message}`).join('; ') || 'nothing'}`,
  );
}

const x = (i: number): number => i - 20;

describe('asynchronous barriers and bulk copies', { skip: skipWithoutNvcc() }, () => {
  it('load tiles by phases', () => {
    const y = clean('bulk');
    for (let i = 0; i < 128; i++) assert.equal(y[i], 2 * x(i < 64 ? 63 - i : 191 - i), `y[${i}]`);
  });
  it('find a tile read before its barrier', () => found('bulkTooEarly', 'uninitialised-read'));
  it('find a tile that runs over the end of its source', () => found('bulkTooMany', 'out-of-bounds'));
  it('find a wait for bytes that never come', () => found('bulkWrongCount', 'deadlock'));
  it('store a tile', () => {
    const y = clean('store');
    for (let i = 0; i < 64; i++) assert.equal(y[i], x(i) + 1);
  });
  it('find a store that is never waited for', () => found('storeLeft', 'unfinished-async-copy'));
  it('pass buffers from a producer warp to a consumer warp', () => {
    const y = clean('pipeline');
    for (let i = 0; i < 128; i++) assert.equal(y[i], x(32 * (i >> 5) + 31 - (i & 31)));
  });
  it('find a consumer that a producer has left two phases behind', () => found('pipelineBad', 'deadlock'));
  for (const kernel of ['libraryBarrier', 'libraryPipeline']) {
    it(`run ${kernel}`, () => {
      const y = clean(kernel);
      for (let i = 0; i < 128; i++) assert.equal(y[i], x(i < 64 ? 63 - i : 191 - i), `y[${i}]`);
    });
  }
  it('find a write after the arrival that should publish it', () => found('libraryBarrierBad', 'race'));
  it('find a barrier that was not initialised', () => found('noInit', 'uninitialised-read'));
});

describe('clusters, 8-bit floats, elections', { skip: skipWithoutNvcc() }, () => {
  it('runs clusters of one block', () => {
    const y = clean('clusterOfOne');
    for (let i = 0; i < 64; i++) assert.equal(y[i], x(63 - i) + 100);
  });
  it('converts to and from e4m3 and e5m2', () => {
    const y = clean('floats8');
    // 8 and 4 steps between powers of two.
    assert.deepEqual([...y.slice(20, 26)], [0, 10, 20, 30, 40, 48]);
    assert.deepEqual([...y.slice(84, 90)], [0, 10, 20, 32, 40, 48]);
    assert.equal(y[63], 416);
  });
  it('keeps the shared memory that groups of several warps need', () => {
    const y = clean('twoWarps');
    for (let i = 0; i < 64; i++) assert.equal(y[i], x(63 - i) + 64);
  });
  it('elects one lane of a warp', () => {
    const y = clean('elected').slice(0, 64);
    assert.equal(
      y.reduce((sum, value) => sum + value, 0),
      2,
    );
  });
});

describe('what is not supported', { skip: skipWithoutNvcc() }, () => {
  it('is listed when the module loads, and stops the launch of the kernel that holds it alone', () => {
    const { unsupported } = new VirtualGpu({ memoryBytes: 1 << 24 }).load(ptx);
    assert.deepEqual(
      unsupported.map(({ function: name, reason }) => [name, reason]),
      [['manyGpus', 'the instruction multimem is not supported']],
    );
    assert.throws(
      () => launch('manyGpus'),
      (error: unknown) =>
        error instanceof PtxError && error.line === unsupported[0]!.line && /multimem.red/.test(error.message),
    );
  });
});

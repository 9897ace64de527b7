/** Clusters of several blocks: distributed shared memory, the cluster's barrier, copies between blocks; and their misuse. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, i32Of, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Dim3, LaunchReport } from './types.ts';

const SOURCE = `
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
__device__ unsigned sh(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ unsigned mapa(unsigned address, unsigned rank) {
  unsigned to; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(to) : "r"(address), "r"(rank)); return to;
}
__device__ void init(unsigned long long* b, int n) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1; fence.mbarrier_init.release.cluster;" :: "r"(sh(b)), "r"(n) : "memory");
}
__device__ void expect(unsigned long long* b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(sh(b)), "r"(bytes) : "memory");
}
__device__ void waitCluster(unsigned long long* b, int parity) {
  asm volatile("{.reg .pred p; again: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%0], %1; @p bra done; bra again; done: }" :: "r"(sh(b)), "r"(parity) : "memory");
}
extern "C" {
// The histogram of CUDA's guide: bins spread over the cluster.
__global__ void histogram(int* bins, int perBlock, const int* x, int n) {
  extern __shared__ int mine[];
  auto cluster = cg::this_cluster();
  for (int i = threadIdx.x; i < perBlock; i += blockDim.x) mine[i] = 0;
  cluster.sync();
  for (int i = cg::this_grid().thread_rank(); i < n; i += blockDim.x * gridDim.x) {
    int bin = x[i];
    atomicAdd(cluster.map_shared_rank(mine, bin / perBlock) + bin % perBlock, 1);
  }
  cluster.sync();
  for (int i = threadIdx.x; i < perBlock; i += blockDim.x) atomicAdd(&bins[cluster.block_rank() * perBlock + i], mine[i]);
}
// Everything that tells blocks of a cluster apart.
__global__ void places(int* y) {
  auto cluster = cg::this_cluster();
  unsigned explicitly; asm("{.reg .pred p; mov.pred p, %%is_explicit_cluster; selp.u32 %0, 1, 0, p;}" : "=r"(explicitly));
  __shared__ int own; own = 0;
  unsigned ids[3], counts[3], far;
  asm("mov.u32 %0, %%clusterid.x;" : "=r"(ids[0])); asm("mov.u32 %0, %%clusterid.y;" : "=r"(ids[1]));
  asm("mov.u32 %0, %%nclusterid.x;" : "=r"(counts[0])); asm("mov.u32 %0, %%nclusterid.y;" : "=r"(counts[1]));
  asm("getctarank.shared::cluster.u32 %0, %1;" : "=r"(far) : "r"(mapa(sh(&own), 3)));
  int* out = y + 16 * (blockIdx.x + gridDim.x * blockIdx.y);
  out[0] = cluster.block_rank(); out[1] = cluster.num_blocks(); out[2] = cluster.block_index().x; out[3] = cluster.block_index().y;
  out[4] = cluster.dim_blocks().x; out[5] = cluster.dim_blocks().y; out[6] = ids[0]; out[7] = ids[1]; out[8] = counts[0]; out[9] = counts[1];
  out[10] = explicitly; out[11] = far; out[12] = cluster.query_shared_rank(cluster.map_shared_rank(&own, 2)); out[13] = cluster.query_shared_rank(&own);
  out[14] = __isShared(cluster.map_shared_rank(&own, cluster.block_rank())); out[15] = __isClusterShared(cluster.map_shared_rank(&own, 1));
}
#define RING __shared__ int s[64]; auto cluster = cg::this_cluster(); int t = threadIdx.x, r = cluster.block_rank(), n = cluster.num_blocks(); \\
  int* next = cluster.map_shared_rank(s, (r + 1) % n); int* out = y + 64 * blockIdx.x;
__global__ void ring(int* y) { RING s[t] = 100 * r + t; cluster.sync(); out[t] = next[63 - t]; cluster.sync(); }
__global__ void ringNoFirstSync(int* y) { RING s[t] = 100 * r + t; __syncthreads(); out[t] = next[63 - t]; cluster.sync(); }
__global__ void ringNoLastSync(int* y) { RING s[t] = 100 * r + t; cluster.sync(); out[t] = next[63 - t]; }
__global__ void ringOverrun(int* y) { RING s[t] = 100 * r + t; cluster.sync(); out[t] = next[64 - t]; cluster.sync(); }
__global__ void ringRelaxed(int* y) {
  RING s[t] = 100 * r + t; asm volatile("barrier.cluster.arrive.relaxed.aligned; barrier.cluster.wait.aligned;" ::: "memory");
  out[t] = next[63 - t]; cluster.sync();
}
__global__ void ringFencedRelaxed(int* y) {
  RING s[t] = 100 * r + t; asm volatile("fence.acq_rel.cluster; barrier.cluster.arrive.relaxed.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
  out[t] = next[63 - t]; cluster.sync();
}
__global__ void ringSplit(int* y) { RING s[t] = 100 * r + t; cluster.barrier_arrive(); int own = t; cluster.barrier_wait(); out[t] = next[63 - own]; cluster.sync(); }
__global__ void ringWriteAfterArrive(int* y) { RING cluster.barrier_arrive(); s[t] = 100 * r + t; cluster.barrier_wait(); out[t] = next[63 - t]; cluster.sync(); }
__global__ void ringUninitialised(int* y) { RING if (t < 32) s[t] = t; cluster.sync(); out[t] = next[63 - t]; cluster.sync(); }
__global__ void wrongRank(int* y) { RING cluster.sync(); s[t] = mapa(sh(s), 9) != 0; out[t] = s[t]; }
__global__ void ctaSpace(int* y) {
  RING s[t] = t; cluster.sync(); int v; asm volatile("ld.shared::cta.u32 %0, [%1];" : "=r"(v) : "r"(mapa(sh(s), (r + 1) % n))); out[t] = v; cluster.sync();
}
__global__ void oneBlockLeavesEarly(int* y) { RING s[t] = t; if (r == 1) cluster.barrier_arrive(); else cluster.sync(); out[t] = 0; if (r == 1) return; next[t] = 1; }
__global__ void oneBlockDoesNotCome(int* y) { RING if (r == 0) cluster.sync(); else { __shared__ unsigned long long never; if (t == 0) init(&never, 1); __syncthreads(); __syncwarp(); asm volatile("bar.sync 1, 128;"); } out[t] = 0; s[t] = *next; }
// st.async and a remote arrival: block 0 gathers one value of each block.
__global__ void gather(int* y) {
  __shared__ int got[8]; __shared__ unsigned long long bar, go; auto cluster = cg::this_cluster(); int t = threadIdx.x, r = cluster.block_rank(), n = cluster.num_blocks();
  if (t == 0) { init(&bar, 1); init(&go, 1); if (r == 0) expect(&bar, 4 * n); }
  cluster.sync();
  if (t == 0) asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%0], %1, [%2];" :: "r"(mapa(sh(got + r), 0)), "r"(10 * r), "r"(mapa(sh(&bar), 0)) : "memory");
  if (r == 0) {
    waitCluster(&bar, 0);
    if (t < n) y[t] = got[t];
    __syncthreads();
    if (t < n) asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" :: "r"(mapa(sh(&go), t)) : "memory");
  }
  waitCluster(&go, 0);
  cluster.sync();
}
__global__ void countAll(int* y) {
  __shared__ int sum; __shared__ unsigned long long bar; auto cluster = cg::this_cluster(); int t = threadIdx.x, r = cluster.block_rank(), n = cluster.num_blocks();
  if (t == 0) { init(&bar, 1); sum = 5; if (r == 0) expect(&bar, 4 * 64 * n); }
  cluster.sync();
  asm volatile("red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%0], %1, [%2];" :: "r"(mapa(sh(&sum), 0)), "r"(1), "r"(mapa(sh(&bar), 0)) : "memory");
  if (r == 0) { waitCluster(&bar, 0); y[t] = sum; }
  cluster.sync();
}
// A bulk copy from one block's shared memory to the next one's.
#define PASS __shared__ __align__(128) int from[64], to[64]; __shared__ unsigned long long bar; auto cluster = cg::this_cluster(); \\
  int t = threadIdx.x, r = cluster.block_rank(), n = cluster.num_blocks(), next = (r + 1) % n; from[t] = 100 * r + t; \\
  if (t == 0) { init(&bar, 1); expect(&bar, 256); }
#define SEND if (t == 0) asm volatile("cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" \\
    :: "r"(mapa(sh(to), next)), "r"(sh(from)), "r"(256), "r"(mapa(sh(&bar), next)) : "memory");
__global__ void pass(int* y) { PASS asm volatile("fence.proxy.async;" ::: "memory"); cluster.sync(); SEND waitCluster(&bar, 0); y[64 * blockIdx.x + t] = to[63 - t]; cluster.sync(); }
__global__ void passUnfenced(int* y) { PASS cluster.sync(); SEND waitCluster(&bar, 0); y[64 * blockIdx.x + t] = to[63 - t]; cluster.sync(); }
__global__ void passTooEarly(int* y) { PASS asm volatile("fence.proxy.async;" ::: "memory"); cluster.sync(); SEND y[64 * blockIdx.x + t] = to[63 - t]; waitCluster(&bar, 0); cluster.sync(); }
__global__ void passAndLeave(int* y) { PASS asm volatile("fence.proxy.async;" ::: "memory"); cluster.sync(); SEND y[64 * blockIdx.x + t] = 0; }
// One block loads for all: multicast.
__global__ void multicast(const int* x, int* y, int mask) {
  __shared__ __align__(128) int s[64]; __shared__ unsigned long long bar; auto cluster = cg::this_cluster(); int t = threadIdx.x, r = cluster.block_rank();
  if (t == 0) { init(&bar, 1); if (mask >> r & 1) expect(&bar, 256); }
  cluster.sync();
  if (r == 0 && t == 0) asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], %2, [%3], %4;"
    :: "r"(sh(s)), "l"(x), "r"(256), "r"(sh(&bar)), "h"((short)mask) : "memory");
  if (mask >> r & 1) { waitCluster(&bar, 0); y[64 * blockIdx.x + t] = s[63 - t]; } else y[64 * blockIdx.x + t] = -1;
  cluster.sync();
}
__global__ void __cluster_dims__(2, 1, 1) fixedAtTwo(int* y) { cg::this_cluster().sync(); y[threadIdx.x + 64 * blockIdx.x] = cg::this_cluster().num_blocks(); }
__global__ void __launch_bounds__(64, 1, 2) atMostTwo(int* y) { y[threadIdx.x + 64 * blockIdx.x] = 0; }
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE, ['-arch=sm_90a', '-std=c++17']) : '';

interface Options {
  grid?: Dim3;
  cluster?: Dim3;
  schedule?: number;
  block?: number;
  goOn?: boolean;
}

function launch(kernel: string, options: Options = {}): { report: LaunchReport; y: Int32Array } {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx, { name: 'clusters' });
  const y = gpu.allocate(4096, { name: 'y' });
  const report = gpu.launch(module, kernel, {
    races: true,
    grid: options.grid ?? [4, 1, 1],
    cluster: options.cluster ?? (kernel === 'fixedAtTwo' ? undefined : [4, 1, 1]),
    block: [options.block ?? 64, 1, 1],
    arguments: [arg.pointer(y)],
    instructionBudget: 1e6,
    schedule: options.schedule ?? 0,
    stopAtFault: options.goOn !== true,
  });
  return { report, y: i32Of(gpu.read(y, 4096)) };
}

function clean(kernel: string, options: Options = {}): Int32Array {
  const { report, y } = launch(kernel, options);
  assert.deepEqual(
    report.findings.map(({ message }) => message),
    [],
  );
  assert.ok(report.completed);
  return y;
}

function found(kernel: string, kind: string, words: RegExp): void {
  const { findings } = launch(kernel, { goOn: true }).report;
  assert.ok(
    findings.some((finding) => finding.kind === kind && words.test(finding.message)),
    `wanted ${kind}, found ${findings.map(({ kind: k, message }) => `${k}: ${message}`).join('; ') || 'nothing'}`,
  );
}

function ringIsRight(y: Int32Array): void {
  for (let i = 0; i < 256; i++) assert.equal(y[i], 100 * (((i >> 6) + 1) % 4) + 63 - (i & 63), `y[${i}]`);
}

describe('clusters of several blocks', { skip: skipWithoutNvcc() }, () => {
  it("spread a histogram over their blocks' shared memory", () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const n = 3000;
    const values = Int32Array.from({ length: n }, (_, i) => (i * i * 7 + i) % 128);
    const wanted = new Int32Array(128);
    for (const value of values) wanted[value]!++;
    const [bins, x] = [gpu.allocate(512, { name: 'bins' }), gpu.allocate(4 * n, { name: 'x' })];
    for (const schedule of [0, 1, 2]) {
      gpu.write(bins, new Uint8Array(512));
      gpu.write(x, bytesOf(values));
      const report = gpu.launch(module, 'histogram', {
        races: true,
        grid: [8, 1, 1],
        cluster: [4, 1, 1],
        block: [64, 1, 1],
        dynamicSharedBytes: 128,
        arguments: [arg.pointer(bins), arg.i32(32), arg.pointer(x), arg.i32(n)],
        schedule,
      });
      assert.deepEqual(report.findings, []);
      assert.equal(report.executor, 'interpreter');
      assert.deepEqual(i32Of(gpu.read(bins, 512)), wanted);
    }
  });
  it('tell their blocks apart', () => {
    const y = clean('places', { grid: [4, 4, 1], cluster: [2, 2, 1], block: 1 });
    for (let by = 0; by < 4; by++) {
      for (let bx = 0; bx < 4; bx++) {
        const rank = (bx & 1) + 2 * (by & 1);
        assert.deepEqual(
          [...y.subarray(16 * (bx + 4 * by)).subarray(0, 16)],
          [rank, 4, bx & 1, by & 1, 2, 2, bx >> 1, by >> 1, 2, 2, 1, 3, 2, rank, 1, 1],
          `block ${bx}, ${by}`,
        );
      }
    }
  });
  for (const kernel of ['ring', 'ringFencedRelaxed', 'ringSplit', 'pass']) {
    it(`${kernel}: read each other's shared memory between cluster barriers`, () => {
      for (const schedule of [0, 1, 2, 3]) {
        const y = clean(kernel, { schedule });
        if (kernel !== 'pass') ringIsRight(y);
        else for (let i = 0; i < 256; i++) assert.equal(y[i], 100 * (((i >> 6) + 3) % 4) + 63 - (i & 63));
      }
    });
  }
  it('gather by st.async and remote arrivals', () => {
    for (const schedule of [0, 5]) assert.deepEqual([...clean('gather', { schedule }).slice(0, 4)], [0, 10, 20, 30]);
  });
  it('count by red.async', () => {
    const y = clean('countAll');
    for (let t = 0; t < 64; t++) assert.equal(y[t], 5 + 64 * 4);
  });
  it('load once for several blocks', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const [x, y] = [gpu.allocate(256, { name: 'x' }), gpu.allocate(1024, { name: 'y' })];
    gpu.write(x, bytesOf(Int32Array.from({ length: 64 }, (_, i) => i * i)));
    const config = { races: true, grid: [4, 1, 1], cluster: [4, 1, 1], block: [64, 1, 1] } as const;
    const go = (mask: number): LaunchReport =>
      gpu.launch(module, 'multicast', { ...config, arguments: [arg.pointer(x), arg.pointer(y), arg.i32(mask)] });
    assert.deepEqual(go(0b1011).findings, []);
    const got = i32Of(gpu.read(y, 1024));
    for (let i = 0; i < 256; i++) assert.equal(got[i], i >> 6 === 2 ? -1 : (63 - (i & 63)) ** 2);
    assert.match(go(0b10011).findings[0]!.message, /multicast to block 4 of a cluster of 4/);
  });
  it('run whole when a block of them is sampled', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const module = gpu.load(ptx);
    const y = gpu.allocate(2048, { name: 'y' });
    const config = { grid: [8, 1, 1], block: [64, 1, 1], arguments: [arg.pointer(y)], blocks: [5] } as const;
    assert.deepEqual(gpu.launch(module, 'fixedAtTwo', config).findings, []);
    const written = gpu.written(y, 2048);
    for (let b = 0; b < 8; b++) assert.equal(written[256 * b], b === 4 || b === 5 ? 1 : 0);
  });
});

describe('misuse of clusters', { skip: skipWithoutNvcc() }, () => {
  it('finds a missing first barrier', () =>
    found('ringNoFirstSync', 'race', /may not have started|no cluster barrier/));
  it('finds a block that may exit before others have read its memory', () =>
    found('ringNoLastSync', 'use-after-free', /may have exited/));
  it('finds an access past the end in another block', () =>
    found('ringOverrun', 'out-of-bounds', /of block \(1, 0, 0\)/));
  it('finds an arrival that orders nothing', () => found('ringRelaxed', 'race', /./));
  it('finds a write after the arrival', () => found('ringWriteAfterArrive', 'race', /no cluster barrier/));
  it('finds memory of another block that was never written', () =>
    found('ringUninitialised', 'uninitialised-read', /of block/));
  it('finds a rank that does not exist', () => found('wrongRank', 'out-of-bounds', /maps an address to block 9/));
  it('finds ld.shared::cta of another block', () => found('ctaSpace', 'out-of-bounds', /only .shared::cluster/));
  it('finds a write to a block that has left', () => found('oneBlockLeavesEarly', 'use-after-free', /exited/));
  it('finds a block that never comes to the barrier', () =>
    found('oneBlockDoesNotCome', 'deadlock', /block \(0, 0, 0\).*block \(1, 0, 0\)/));
  it('finds a copy that nobody waits for', () => found('passAndLeave', 'unfinished-async-copy', /exits while/));
  it('finds a read before the copy has landed', () =>
    found('passTooEarly', 'uninitialised-read', /in flight|never written/));
  it('finds a missing proxy fence', () => found('passUnfenced', 'race', /fence.proxy.async/));
  it('refuses launches whose grid or kernel does not fit', () => {
    const bad = (kernel: string, options: Options): string => launch(kernel, options).report.findings[0]!.message;
    assert.match(bad('ring', { grid: [6, 1, 1] }), /grid's x is 6, which is no multiple of the cluster's 4/);
    assert.match(bad('ring', { grid: [32, 1, 1], cluster: [32, 1, 1] }), /the most is 16/);
    assert.match(bad('fixedAtTwo', { cluster: [4, 1, 1] }), /compiled for clusters of 2 x 1 x 1/);
    assert.match(bad('fixedAtTwo', { grid: [3, 1, 1] }), /no multiple/);
    assert.match(bad('atMostTwo', { cluster: [4, 1, 1] }), /the most is 2/);
  });
  it('is only interpreted', () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const y = gpu.allocate(4096);
    assert.throws(
      () =>
        gpu.launch(gpu.load(ptx), 'ring', {
          grid: [4, 1, 1],
          cluster: [4, 1, 1],
          block: [64, 1, 1],
          arguments: [arg.pointer(y)],
          executor: 'simd',
        }),
      /clusters of 4 x 1 x 1 blocks are only interpreted/,
    );
  });
});

/** The profile of kernels whose counts can be done by hand: every number expected here was counted from the source above it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { typicalBlocks } from './block-sample.ts';
import { VirtualGpu } from './gpu.ts';
import { StackDistances } from './interpreter/stack-distance.ts';
import { arg, compileCuda, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Dim3, LaunchProfile } from './types.ts';

const source = `
#include <mma.h>
#define I (blockIdx.x * blockDim.x + threadIdx.x)
extern "C" __global__ void copy(const float* x, float* y) { y[I] = x[I]; }
extern "C" __global__ void strided(const float* x, float* y, int s) { y[I] = x[I * s]; }
extern "C" __global__ void permuted(const float* x, float* y) { y[I] = x[(I & ~31) | ((I * 5) & 31)]; }
extern "C" __global__ void copy4(const float4* x, float4* y) { y[I] = x[I]; }
extern "C" __global__ void broadcast(const float* x, float* y) { y[I] = x[blockIdx.x]; }
extern "C" __global__ void twice(const float* x, float* y) {
  float a = ((volatile const float*)x)[I];
  y[I] = a + ((volatile const float*)x)[I];
}
template <int pad> __device__ void transposeTile(const float* in, float* out, int n) {
  __shared__ float tile[32][32 + pad];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * n + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x, y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8) out[(y + j) * n + x] = tile[threadIdx.x][threadIdx.y + j];
}
extern "C" __global__ void transposePlain(const float* in, float* out, int n) { transposeTile<0>(in, out, n); }
extern "C" __global__ void transposePadded(const float* in, float* out, int n) { transposeTile<1>(in, out, n); }
extern "C" __global__ void transposeNaive(const float* in, float* out, int n) {
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
  out[x * n + y] = in[y * n + x];
}
extern "C" __global__ void histogram(const int* x, int* bins, int mask) { atomicAdd(&bins[x[I] & mask], 1); }
extern "C" __global__ void sharedHistogram(const int* x, int* bins) {
  __shared__ int own[32];
  if (threadIdx.x < 32) own[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&own[x[I] & 31], 1);
  __syncthreads();
  if (threadIdx.x < 32) atomicAdd(&bins[threadIdx.x], own[threadIdx.x]);
}
extern "C" __global__ void wideShared(float4* out) {
  __shared__ float4 tile[128];
  tile[threadIdx.x] = make_float4(threadIdx.x, 1, 2, 3);
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x * 2 % 128];
}
extern "C" __global__ void wideBroadcast(float4* out) {
  __shared__ float4 tile[4];
  if (threadIdx.x < 4) tile[threadIdx.x] = make_float4(threadIdx.x, 1, 2, 3);
  __syncthreads();
  out[threadIdx.x] = tile[blockIdx.x];
}
extern "C" __global__ void diverge(int* out, int period) {
  int v = I;
  if (threadIdx.x % period == 0) for (int i = 0; i < 3; i++) v = __brev(v) ^ __shfl_xor_sync(__activemask(), v, 0);
  else out[I + 4096] = 1;
  out[I] = v;
}
extern "C" __global__ void unevenBarrier(float* out, int steps) {
  float v = threadIdx.x;
  if (threadIdx.x < 32) for (int i = 0; i < steps; i++) v = v * v + 1.0f;
  __syncthreads();
  out[I] = v;
}
extern "C" __global__ void localArray(const int* index, int* out) {
  int own[16];
  for (int i = 0; i < 16; i++) own[i] = i * (int)I;
  out[I] = own[index[I] & 15];
}
extern "C" __global__ void product(const half* a, const half* b, float* c) {
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, half, row_major> fa;
  fragment<matrix_b, 16, 16, 16, half, col_major> fb;
  fragment<accumulator, 16, 16, 16, float> fc;
  fill_fragment(fc, 0.0f);
  load_matrix_sync(fa, a, 16);
  load_matrix_sync(fb, b, 16);
  for (int i = 0; i < 3; i++) mma_sync(fc, fa, fb, fc);
  store_matrix_sync(c, fc, 16, mem_row_major);
}
extern "C" __global__ void asyncCopy(const float4* x, float4* y) {
  __shared__ float4 tile[64];
  unsigned to = (unsigned)__cvta_generic_to_shared(&tile[threadIdx.x]);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(to), "l"(x + I) : "memory");
  asm volatile("cp.async.wait_all;" ::: "memory");
  y[I] = tile[threadIdx.x];
}
extern "C" __global__ void gemm(const float* a, const float* b, float* c, int n) {
  __shared__ float as[16][16], bs[16][16];
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    as[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    bs[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + col];
    __syncthreads();
    for (int i = 0; i < 16; i++) sum += as[threadIdx.y][i] * bs[i][threadIdx.x];
    __syncthreads();
  }
  c[row * n + col] = sum;
}
`;

describe('the profile', { skip: skipWithoutNvcc() }, () => {
  const ptx = compileCuda(source);
  const gpu = new VirtualGpu({ memoryBytes: 2 ** 26 });
  const module = gpu.load(ptx);

  /** Profiles a launch with fresh, filled buffers of these bytes, then integers. */
  function profile(
    kernel: string,
    grid: Dim3,
    block: Dim3,
    buffers: number[],
    integers: number[] = [],
    blocks?: number[],
  ) {
    const pointers = buffers.map((bytes, index) => {
      const pointer = gpu.allocate(bytes, { name: 'abc'[index] });
      // Integer i at place i: for kernels that read indices.
      gpu.write(pointer, new Uint8Array(Int32Array.from({ length: bytes / 4 }, (_, i) => i).buffer));
      return pointer;
    });
    const report = gpu.launch(module, kernel, {
      grid,
      block,
      arguments: [...pointers.map(arg.pointer), ...integers.map(arg.i32)],
      profile: true,
      blocks,
    });
    for (const pointer of pointers) gpu.free(pointer);
    assert.deepEqual([report.findings, report.completed], [[], true]);
    return report.profile!;
  }
  const sectors = ({ global }: LaunchProfile) => [
    global.loadRequests,
    global.loadSectors,
    global.storeRequests,
    global.storeSectors,
  ];
  const KB = 1024;

  it('coalesced loads: four sectors of 32 bytes a warp', () => {
    const one = profile('copy', [4, 1, 1], [128, 1, 1], [2 * KB, 2 * KB]);
    assert.deepEqual(sectors(one), [16, 64, 16, 64]);
    assert.deepEqual([one.global.loadBytes, one.global.storeBytes, one.global.uniqueBytes], [2 * KB, 2 * KB, 4 * KB]);
    assert.deepEqual(
      one.allocations.map(({ name, loadSectors, storeSectors, uniqueBytes, bytesPerBlock }) => [
        name,
        loadSectors,
        storeSectors,
        uniqueBytes,
        bytesPerBlock,
      ]),
      [
        ['a', 64, 0, 2 * KB, 512],
        ['b', 0, 64, 2 * KB, 512],
      ],
    );
    assert.deepEqual([one.hot, one.reuse], [[], { loads: [], others: [] }]);
  });

  it('strides: of two elements half of each sector, of eight a sector a lane', () => {
    assert.deepEqual(sectors(profile('strided', [4, 1, 1], [128, 1, 1], [4 * KB, 2 * KB], [2])), [16, 128, 16, 64]);
    const eight = profile('strided', [4, 1, 1], [128, 1, 1], [16 * KB, 2 * KB], [8]);
    assert.deepEqual(sectors(eight), [16, 512, 16, 64]);
    const [worst] = eight.hot;
    assert.deepEqual([worst?.requests, worst?.sectors, worst?.idealSectors], [16, 512, 64]);
    assert.match(worst?.instruction ?? '', /ld\.global/);
    assert.ok((worst?.source?.line ?? 0) > 0);
  });

  it('permuted lanes ask for the same sectors as lanes in order', () => {
    assert.deepEqual(sectors(profile('permuted', [4, 1, 1], [128, 1, 1], [2 * KB, 2 * KB])), [16, 64, 16, 64]);
  });

  it('sixteen bytes a lane: sixteen sectors a request, one more where the warp begins within a sector', () => {
    assert.deepEqual(sectors(profile('copy4', [2, 1, 1], [64, 1, 1], [2 * KB, 2 * KB])), [4, 64, 4, 64]);
    const x = gpu.allocate(2 * KB + 16);
    gpu.write(x, new Uint8Array(2 * KB + 16));
    const y = gpu.allocate(2 * KB);
    const { profile: shifted } = gpu.launch(module, 'copy4', {
      grid: [2, 1, 1],
      block: [64, 1, 1],
      arguments: [arg.pointer(x + 16n), arg.pointer(y)],
      profile: true,
    });
    assert.deepEqual(sectors(shifted!), [4, 4 * 17, 4, 64]);
    // Three of the four boundaries between warps lie in a sector that both touch.
    assert.equal(shifted!.global.uniqueBytes, 32 * (65 + 64));
    for (const pointer of [x, y]) gpu.free(pointer);
  });

  it('a broadcast is one sector; what all blocks of a row share is counted once', () => {
    const one = profile('broadcast', [8, 1, 1], [64, 1, 1], [32, 2 * KB]);
    assert.deepEqual(sectors(one), [16, 16, 16, 64]);
    assert.equal(one.global.uniqueBytes, 32 + 2 * KB);
    assert.deepEqual(one.allocations[0]!.sharedWithNeighbour, [1, 0, 0]);
    assert.deepEqual(one.allocations[1]!.sharedWithNeighbour, [0, 0, 0]);
    // Each block's second warp asks for the sector that the first used, after a store or not.
    assert.equal(
      one.reuse.loads.reduce((sum, n) => sum + n, 0),
      8,
    );
  });

  it('reuse: a sector asked for again at once is at distance 0 to 3', () => {
    const { reuse } = profile('twice', [1, 1, 1], [32, 1, 1], [128, 128]);
    // Four sectors, then the same four: three others between.
    assert.deepEqual(reuse.loads, [0, 0, 4]);
    assert.deepEqual(reuse.others, []);
  });

  it('a transpose in shared memory: 32-way conflicts without padding, none with', () => {
    const n = 64;
    const size = n * n * 4;
    const plain = profile('transposePlain', [2, 2, 1], [32, 8, 1], [size, size], [n]);
    const padded = profile('transposePadded', [2, 2, 1], [32, 8, 1], [size, size], [n]);
    // 4 blocks x 8 warps x 4 rows, written and read.
    const requests = 4 * 8 * 4;
    for (const one of [plain, padded]) assert.deepEqual(sectors(one), [requests, 4 * requests, requests, 4 * requests]);
    assert.deepEqual(plain.shared, {
      accesses: 2 * requests,
      wavefronts: requests + 32 * requests,
      leastWavefronts: requests + 32 * requests,
      bankConflictCycles: 31 * requests,
      worstWays: 32,
    });
    assert.deepEqual(padded.shared, {
      accesses: 2 * requests,
      wavefronts: 2 * requests,
      leastWavefronts: 2 * requests,
      bankConflictCycles: 0,
      worstWays: 1,
    });
    assert.deepEqual([plain.hot[0]?.wavefronts, plain.hot[0]?.idealWavefronts], [requests * 8, requests / 4]);
    // Four unrolled reads, each a quarter of the requests.
    assert.equal(plain.hot.length, 4);
    const naive = profile('transposeNaive', [2, 8, 1], [32, 8, 1], [size, size], [n]);
    assert.deepEqual(sectors(naive), [128, 512, 128, 128 * 32]);
  });

  it('sixteen bytes a lane in shared memory: four passes, eight at a stride of two', () => {
    const { shared } = profile('wideShared', [1, 1, 1], [128, 1, 1], [2 * KB]);
    // A quarter warp reads every second 16 bytes: 256 bytes, each bank twice.
    assert.deepEqual(shared, {
      accesses: 8,
      wavefronts: 4 * 4 + 4 * 8,
      leastWavefronts: 4 * 4 + 4 * 8,
      bankConflictCycles: 16,
      worstWays: 2,
    });
  });

  it('sixteen bytes that all lanes share: four phases by the guide, one pass at the least', () => {
    const { shared } = profile('wideBroadcast', [1, 1, 1], [32, 1, 1], [KB]);
    assert.deepEqual(shared, {
      accesses: 2,
      wavefronts: 1 + 4,
      leastWavefronts: 2,
      bankConflictCycles: 0,
      worstWays: 1,
    });
  });

  it('atomics: same address within a request, and the hottest of all', () => {
    // bins[i & 7]: each of eight addresses by four lanes of a warp, in one sector.
    const few = profile('histogram', [4, 1, 1], [64, 1, 1], [KB, 128], [7]);
    assert.deepEqual(few.atomics, {
      requests: 8,
      operations: 256,
      sectors: 8,
      sameAddress: 8 * 24,
      serialised: 8 * 3,
      hottestUpdates: 32,
      sharedRequests: 0,
      sharedOperations: 0,
    });
    const one = profile('histogram', [4, 1, 1], [64, 1, 1], [KB, 128], [0]);
    assert.deepEqual([one.atomics.serialised, one.atomics.hottestUpdates], [8 * 31, 256]);
    const spread = profile('histogram', [4, 1, 1], [64, 1, 1], [KB, KB], [255]);
    assert.deepEqual([spread.atomics.sameAddress, spread.atomics.hottestUpdates, spread.atomics.sectors], [0, 1, 32]);
    const shared = profile('sharedHistogram', [4, 1, 1], [64, 1, 1], [KB, 128]);
    assert.deepEqual([shared.atomics.sharedRequests, shared.atomics.sharedOperations], [8, 256]);
    assert.deepEqual([shared.atomics.requests, shared.atomics.hottestUpdates, shared.byClass.barrier], [4, 4, 16]);
    assert.equal(shared.shared.bankConflictCycles, 0, 'lane i updates word i');
  });

  it('divergence: branches that part a warp', () => {
    const apart = profile('diverge', [2, 1, 1], [64, 1, 1], [32 * KB], [2]);
    const alike = profile('diverge', [2, 1, 1], [64, 1, 1], [32 * KB], [1]);
    assert.equal(apart.divergentBranches, 4, 'each of four warps at the if');
    assert.equal(alike.divergentBranches, 0);
    const active = (one: LaunchProfile) => one.threadInstructions / one.warpInstructions;
    assert.equal(active(alike), 32);
    assert.ok(active(apart) < 32 && active(apart) > 16);
  });

  it('barrier waits: the other warps wait for the one that works', () => {
    const steps = (n: number) => profile('unevenBarrier', [2, 1, 1], [128, 1, 1], [KB], [n]).barriers;
    const [few, many] = [steps(64), steps(128)];
    assert.deepEqual([few.arrivals, many.arrivals], [8, 8]);
    // Three warps of each block wait while one does 64 more steps.
    const more = many.waitedInstructions - few.waitedInstructions;
    assert.equal(more % (2 * 3), 0);
    assert.ok(more / 6 >= 64 && more / 6 <= 3 * 64, `${more / 6} instructions more`);
    const even = profile('sharedHistogram', [1, 1, 1], [32, 1, 1], [128, 128]).barriers;
    assert.deepEqual([even.arrivals, even.waitedInstructions], [2, 0]);
  });

  it('local memory: a row of 32 words is four sectors', () => {
    const { local } = profile('localArray', [1, 1, 1], [64, 1, 1], [KB, KB]);
    // nvcc stores four elements at once: 16 bytes a lane are four rows.
    assert.equal(local.storeRequests, 2 * 4);
    assert.equal(local.loadRequests, 2);
    // Lane i reads element i & 15: rows 0 to 15, lanes l and l + 16 in the same row but in other sectors.
    assert.equal(local.sectors, 2 * 4 * 16 + 2 * 32);
  });

  it('tensor products by type, as multiply-adds', () => {
    const one = profile('product', [3, 1, 1], [32, 1, 1], [512, 512, KB]);
    assert.deepEqual(one.tensor, { f16: { instructions: 9, multiplyAdds: 9 * 4096 } });
    assert.equal(one.byClass.tensor, 9);
    // Two loads of 512 bytes and a store of 1024, each once a block.
    assert.deepEqual(sectors(one), [6, 6 * 16, 3, 3 * 32]);
  });

  it('asynchronous copies', () => {
    const one = profile('asyncCopy', [2, 1, 1], [64, 1, 1], [2 * KB, 2 * KB]);
    assert.deepEqual(one.asyncCopies, { requests: 4, bytes: 2 * KB });
    assert.deepEqual(sectors(one), [4, 64, 4, 64]);
    assert.deepEqual([one.shared.accesses, one.shared.wavefronts], [8, 32]);
  });

  it('a sample of a large product stands for all of it', () => {
    const n = 256;
    const grid: Dim3 = [n / 16, n / 16, 1];
    const size = n * n * 4;
    const whole = profile('gemm', grid, [16, 16, 1], [size, size, size], [n]);
    const blocks = typicalBlocks(grid, 6);
    const part = profile('gemm', grid, [16, 16, 1], [size, size, size], [n], blocks);
    assert.deepEqual([part.sampledBlocks, part.totalBlocks], [6, 256]);
    const { hot: _h, sampledBlocks: _s, allocations: sampled, ...rest } = part;
    const { hot: _h2, sampledBlocks: _s2, allocations: all, ...exact } = whole;
    assert.deepEqual(rest, exact, 'every block does the same');
    assert.equal(whole.global.uniqueBytes, 3 * size);
    assert.deepEqual(
      sampled.map(({ name, uniqueBytes, bytesPerBlock }) => [name, uniqueBytes, bytesPerBlock]),
      all.map(({ name, uniqueBytes, bytesPerBlock }) => [name, uniqueBytes, bytesPerBlock]),
    );
    // A's rows are those of the next block along x, B's columns those along y; C is each block's own.
    assert.deepEqual(
      sampled.map(({ sharedWithNeighbour }) => sharedWithNeighbour),
      [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
      ],
    );
  });
});

describe('instruction classes', () => {
  it('are counted exactly, predicated instructions too', () => {
    const ptx = `.version 8.0
.target sm_90
.address_size 64
.visible .entry mix(.param .u64 out, .param .u32 n) {
  .reg .u32 %r<8>; .reg .u64 %rd<4>; .reg .f32 %f<4>; .reg .f64 %d<2>; .reg .pred %p<2>;
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r7, [n];
  mov.u32 %r1, %tid.x;
  cvt.rn.f32.u32 %f1, %r1;
  mov.u32 %r2, 0;
loop:
  fma.rn.f32 %f1, %f1, %f1, %f1;
  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p1, %r2, %r7;
  @%p1 bra loop;
  ex2.approx.f32 %f2, %f1;
  shfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;
  mul.wide.u32 %rd2, %r1, 4;
  add.u64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r3;
  bar.sync 0;
  ret;
}`;
    const gpu = new VirtualGpu({ memoryBytes: 2 ** 16 });
    const out = gpu.allocate(512);
    const { profile } = gpu.launch(gpu.load(ptx), 'mix', {
      grid: [2, 1, 1],
      block: [128, 1, 1],
      arguments: [arg.pointer(out), arg.i32(5)],
      profile: true,
    });
    // Eight warps; five turns of the loop.
    assert.deepEqual(profile!.byClass, {
      other: 8 * 4,
      special: 8 * 2,
      fp32: 8 * 5,
      int: 8 * (5 * 2 + 2),
      branch: 8 * (5 + 1),
      shuffle: 8,
      store: 8,
      barrier: 8,
    });
    assert.equal(profile!.warpInstructions, 8 * (4 + 2 + 5 + 12 + 6 + 1 + 1 + 1));
    assert.equal(
      profile!.threadInstructions,
      32 * profile!.warpInstructions - 8 * 32,
      'the last branch of each warp has no lanes',
    );
    assert.deepEqual([profile!.branches, profile!.divergentBranches], [8 * 5, 0]);
  });
});

describe('reuse distances', () => {
  it('are the numbers of distinct keys between two uses', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 3000, size: 'max' }), (keys) => {
        const distances = new StackDistances();
        // A plain list of keys, the last used at the end.
        const order: number[] = [];
        for (const key of keys) {
          const at = order.indexOf(key);
          const expected = at < 0 ? -1 : order.length - 1 - at;
          if (at >= 0) order.splice(at, 1);
          order.push(key);
          assert.equal(distances.use(key), expected);
        }
        assert.equal(distances.size, order.length);
      }),
      { numRuns: 30 },
    );
  });

  it('stay right when more keys are live than the first table holds', () => {
    const distances = new StackDistances();
    for (let round = 0; round < 3; round++)
      for (let key = 0; key < 5000; key++) assert.equal(distances.use(key), round === 0 ? -1 : 4999);
  });
});

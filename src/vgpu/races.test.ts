/** Data races and their repaired twins, in shared and global memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, compileCuda, skipWithoutNvcc } from './nvcc-testing.ts';
import type { Executor, FindingKind, LaunchReport } from './types.ts';

const SOURCE = `
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" {
// A second barrier is missing: the next tile is written while the last is still read.
#define TILES(SECOND) __shared__ int s[64]; int t = threadIdx.x, sum = 0; \\
  for (int i = 0; i < 4; i++) { s[t] = in[i * 64 + t]; __syncthreads(); sum += s[63 - t]; SECOND } out[t] = sum;
__global__ void tilesBad(int* in, int* out) { TILES() }
__global__ void tilesGood(int* in, int* out) { TILES(__syncthreads();) }
__global__ void sumBad(int* in, int* out) { out[0] += in[threadIdx.x]; }
__global__ void sumGood(int* in, int* out) { atomicAdd(out, in[threadIdx.x]); }
__global__ void blocksBad(int* in, int* out) { if (threadIdx.x == 0) out[0] = blockIdx.x + 1; }
__global__ void blocksGood(int* in, int* out) { if (threadIdx.x == 0) out[blockIdx.x] = blockIdx.x + 1; }
__global__ void warpBad(int* in, int* out) { __shared__ int s[64]; int t = threadIdx.x; s[t] = in[t]; out[t] = s[t ^ 1]; }
__global__ void warpGood(int* in, int* out) { __shared__ int s[64]; int t = threadIdx.x; s[t] = in[t]; __syncwarp(); out[t] = s[t ^ 1]; }
__global__ void messageBad(int* in, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) { out[1] = 42; atomicExch(out, 1); } else { while (atomicAdd(out, 0) == 0) {} out[2] = out[1]; }
}
__global__ void messageGood(int* in, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) { out[1] = 42; __threadfence(); atomicExch(out, 1); }
  else { while (atomicAdd(out, 0) == 0) {} __threadfence(); out[2] = out[1]; }
}
// The scope reaches only the own block.
__global__ void scopeBad(int* in, int* out) { atomicAdd_block(out, 1); }
__global__ void scopeGood(int* in, int* out) { atomicAdd(out, 1); }
__global__ void lastBlockBad(int* in, int* out) {
  __shared__ bool last; out[8 + blockIdx.x] = in[blockIdx.x];
  if (threadIdx.x == 0) last = atomicAdd(out, 1) == gridDim.x - 1;
  __syncthreads(); if (last && threadIdx.x < gridDim.x) out[16 + threadIdx.x] = out[8 + threadIdx.x];
}
__global__ void lastBlockGood(int* in, int* out) {
  __shared__ bool last; if (threadIdx.x == 0) out[8 + blockIdx.x] = in[blockIdx.x];
  __threadfence();
  if (threadIdx.x == 0) last = atomicAdd(out, 1) == gridDim.x - 1;
  __syncthreads(); if (last && threadIdx.x < gridDim.x) out[16 + threadIdx.x] = out[8 + threadIdx.x];
}
__global__ void gridBad(int* in, int* out) { int t = blockIdx.x * blockDim.x + threadIdx.x; in[t] = t; cg::this_thread_block().sync(); out[t] = in[(t + 64) % 128]; }
__global__ void gridGood(int* in, int* out) { int t = blockIdx.x * blockDim.x + threadIdx.x; in[t] = t; cg::this_grid().sync(); out[t] = in[(t + 64) % 128]; }
// The read-only cache may hold what was there before, whatever orders the accesses.
__global__ void cachedBad(int* in, int* out) { in[threadIdx.x] = threadIdx.x; __syncthreads(); out[blockIdx.x * 64 + threadIdx.x] = __ldg(in + (threadIdx.x ^ 1)); }
__global__ void cachedGood(int* in, int* out) { if (blockIdx.x) return; in[threadIdx.x] = threadIdx.x; __syncthreads(); out[threadIdx.x] = in[threadIdx.x ^ 1] + __ldg(in + 64 + threadIdx.x); }
__global__ void bytesBad(int* in, int* out) { ((char*)out)[threadIdx.x / 2] = threadIdx.x; }
__global__ void bytesGood(int* in, int* out) { ((char*)out)[threadIdx.x] = threadIdx.x; }
__global__ void sameFlagGood(int* in, int* out) { out[0] = 7; }
__global__ void reductionGood(int* in, int* out) {
  __shared__ int s[64]; int t = threadIdx.x; s[t] = in[t]; __syncthreads();
  for (int d = 32; d > 0; d /= 2) { if (t < d) s[t] += s[t + d]; __syncthreads(); }
  if (t == 0) atomicAdd(out, s[0]);
}
}
`;

const ptx = skipWithoutNvcc() === false ? compileCuda(SOURCE) : '';

function launch(kernel: string, executor: Executor): LaunchReport {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
  const module = gpu.load(ptx, { name: 'races' });
  const [input, out] = [gpu.allocate(4096, { name: 'in' }), gpu.allocate(4096, { name: 'out' })];
  gpu.write(input, new Uint8Array(Int32Array.from({ length: 1024 }, (_, i) => i).buffer));
  gpu.write(out, new Uint8Array(4096));
  return gpu.launch(module, kernel, {
    executor,
    races: true,
    grid: [2, 1, 1],
    block: [64, 1, 1],
    arguments: [arg.pointer(input), arg.pointer(out)],
    instructionBudget: 1e6,
  });
}

/** `auto` runs compiled code under the race filter first. */
const EXECUTORS: readonly Executor[] = ['interpreter', 'auto'];

const PAIRS: readonly [name: string, kind: FindingKind, space: 'shared' | 'global'][] = [
  ['tiles', 'race', 'shared'],
  ['sum', 'race', 'global'],
  ['blocks', 'race', 'global'],
  ['warp', 'missing-syncwarp', 'shared'],
  ['message', 'race', 'global'],
  ['scope', 'race', 'global'],
  ['lastBlock', 'race', 'global'],
  ['grid', 'race', 'global'],
  ['bytes', 'race', 'global'],
];

describe('races and their repaired twins', { skip: skipWithoutNvcc() }, () => {
  for (const [name, kind, space] of PAIRS) {
    it(`${name}: ${kind} on ${space} memory`, () => {
      for (const executor of EXECUTORS) {
        const [finding] = launch(`${name}Bad`, executor).findings;
        assert.equal(finding?.kind, kind);
        assert.equal(finding?.space, space);
        assert.match(finding!.message, /between thread .* and thread /);
        assert.deepEqual(launch(`${name}Good`, executor).findings, []);
      }
    });
  }

  it('cached: a read through the read-only cache of what the launch wrote', () => {
    for (const executor of EXECUTORS) {
      const [finding] = launch('cachedBad', executor).findings;
      assert.equal(finding?.kind, 'stale-read');
      assert.match(
        finding!.message,
        /reads at kernel\.cu:\d+ what thread .* wrote at kernel\.cu:\d+ in the same launch/,
      );
      assert.deepEqual(launch('cachedGood', executor).findings, []);
    }
  });

  for (const name of ['sameFlagGood', 'reductionGood']) {
    it(`${name} is not accused`, () => {
      for (const executor of EXECUTORS) assert.deepEqual(launch(name, executor).findings, []);
    });
  }
});

/** A profile from a few blocks in addresses that no memory holds, against the profile of all blocks in memory that does. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type Build, buildDeviceCode, findToolchain, type Plan } from '../../kernel/index.ts';
import type { LaunchProfile } from '../../vgpu/index.ts';
import { profileSampled } from './profile-sampled.ts';
import { runPlan } from './run-plan.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

const source = `
#include <cuda_pipeline.h>
extern "C" __global__ void shifted(const float4* x, float4* y, long long n) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  float4 v = x[i], w = x[i + 1 < n ? i + 1 : i];
  y[i] = make_float4(v.x + w.y, v.y, v.z, v.w);
}
extern "C" __global__ void transposed(const float4* x4, float4* y4, long long n) {
  const float* x = (const float*)x4;
  float* y = (float*)y4;
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[(i % 1024) * n / 256 + i / 1024];
}
extern "C" __global__ void staged(const float4* x, float4* y, long long n) {
  __shared__ float4 tile[256];
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  __pipeline_memcpy_async(&tile[threadIdx.x], &x[i], 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[i] = tile[threadIdx.x ^ 1];
}
// Teams of 4 blocks that count themselves as they begin, and wait for each other. More tickets than blocks would be beyond the tensors.
extern "C" __global__ void teamed(const float4* x, float4* y, long long n, int* arrived) {
  __shared__ int ticket;
  if (threadIdx.x == 0) {
    ticket = atomicAdd(arrived, 1);
    atomicAdd(arrived + 1 + ticket / 4, 1);
    while (*(volatile int*)(arrived + 1 + ticket / 4) < 4);
  }
  __syncthreads();
  long long i = (long long)ticket * blockDim.x + threadIdx.x;
  y[i] = x[i];
}
extern "C" __global__ void beyond(const float4* x, float4* y, long long n) {
  y[0] = x[n + 8 + threadIdx.x];
}
`;

/** One launch over `packs` elements of 16 bytes. */
function planOf(entry: string, packs: number): Plan {
  const bytes = 16 * packs;
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(BigInt(packs));
  return {
    buffers: [
      { id: 0, bytes, kind: 'argument', argument: 0, name: 'x' },
      { id: 1, bytes, kind: 'workspace', name: 'y' },
    ],
    steps: [
      {
        ...{ kind: 'launch', entry, kernel: entry, grid: [packs / 256, 1, 1], block: [256, 1, 1], line: 1 },
        ...{ dynamicSharedBytes: 0 },
        arguments: [
          { kind: 'pointer', buffer: 0, byteOffset: 0 },
          { kind: 'pointer', buffer: 1, byteOffset: 0 },
          { kind: 'bytes', hex: count.toString('hex') },
        ],
      },
    ],
    outputs: [{ buffer: 1, dtype: 'float32', shape: [4 * packs], strides: [1], offset: 0 }],
  };
}

describe('a profile by sample', { skip }, () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-profile-'));
  after(() => rmSync(cacheDir, { recursive: true }));
  let made: Promise<Build> | undefined;
  const build = () => {
    made ??= buildDeviceCode({ source, arch: 'sm_90', cacheDir });
    return made;
  };
  const sampled = async (entry: string, packs: number) =>
    profileSampled({
      ...{ plan: planOf(entry, packs), build: await build(), gpu: 'h100' },
      ...{ contents: [new Uint8Array(Float32Array.of(1, 2, 3, 5, 7).buffer)] },
      limits: { milliseconds: 60_000, instructions: 1e8 },
    });

  for (const entry of ['shifted', 'transposed', 'staged']) {
    it(`counts what a whole run counts: ${entry}`, async () => {
      const packs = 8 * 256;
      const whole = runPlan({
        ...{ plan: planOf(entry, packs), build: await build(), profile: { gpu: 'h100' } },
        calls: [{ inputs: [new Uint8Array(16 * packs)], poisonSeed: 1, resetGlobals: false, freshMemory: false }],
        limits: { milliseconds: 60_000, instructions: 1e9, memoryBytes: 1e8, printBytes: 0 },
      });
      const part = await sampled(entry, packs);
      assert.ok(whole.status === 'completed' && part.status === 'completed', JSON.stringify(part));
      const bare = ([one]: readonly LaunchProfile[]) => ({ ...one!, hot: [] });
      assert.deepEqual(bare(part.profile), bare(whole.profile!));
      assert.deepEqual(part.modelled, whole.modelled);
    });
  }

  it('knows the traffic of tensors of gigabytes', async () => {
    const packs = 2 ** 29;
    const result = await sampled('shifted', packs);
    assert.ok(result.status === 'completed', JSON.stringify(result));
    const [{ global, sampledBlocks, totalBlocks }] = result.profile as [LaunchProfile];
    assert.equal(totalBlocks, packs / 256);
    assert.ok(sampledBlocks < 1000, `${sampledBlocks} blocks ran`);
    assert.equal(global.uniqueBytes, 2 * 16 * packs);
    // 16 GiB over the memory's pins, but for what may stay in the L2.
    assert.ok(result.modelled.low >= (2 * 16 * packs - 50e6) / 3.35e6, `${result.modelled.low} µs`);
    assert.ok(result.modelled.microseconds < 1.2 * result.modelled.low, `${result.modelled.microseconds} µs`);
  });

  it('runs whole teams of blocks that wait for each other, each time from counters as a fill has set them', async () => {
    const packs = 256 * 64;
    const plain = planOf('teamed', packs);
    const [step] = plain.steps as [Extract<Plan['steps'][number], { kind: 'launch' }>];
    const counters = { buffer: 2, dtype: 'int32', shape: [17], strides: [1], offset: 0 } as const;
    const plan: Plan = {
      ...plain,
      buffers: [...plain.buffers, { id: 2, bytes: 4 * 17, kind: 'workspace', name: 'arrived' }],
      steps: [
        { kind: 'fill', tensor: counters, bytes: '00000000', line: 1 },
        { ...step, arguments: [...step.arguments, { kind: 'pointer', buffer: 2, byteOffset: 0 }] },
      ],
    };
    const result = profileSampled({
      ...{ plan, build: await build(), gpu: 'h100', contents: [new Uint8Array(16)] },
      limits: { milliseconds: 60_000, instructions: 1e8 },
    });
    assert.ok(result.status === 'completed', JSON.stringify(result));
    const { sampledBlocks, totalBlocks } = result.profile.at(-1)!;
    assert.equal(totalBlocks, 64);
    assert.ok(sampledBlocks >= 4 && sampledBlocks % 4 === 0, `${sampledBlocks} blocks ran: whole teams`);
  });

  it('has no time for a launch that reaches beyond its tensors', async () => {
    const result = await sampled('beyond', 2 ** 29);
    assert.equal(result.status, 'unsupported');
    assert.match(result.status === 'unsupported' ? result.message : '', /beyond \(line 1\)/);
  });
});

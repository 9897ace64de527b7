/** Blocks of a sample that wait for others of their grid: these are started as on a GPU that has room. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, bytesOf, compileCuda, f32Of, skipWithoutNvcc } from './nvcc-testing.ts';

const source = `
__device__ void meet(int* arrived, int count) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(arrived, 1);
    while (*(volatile int*)arrived < count);
    __threadfence();
  }
  __syncthreads();
}
// Teams of 8 blocks, in the order in which they begin: each block writes the sum of its team's parts over its own elements.
extern "C" __global__ void ticketed(const float* x, float* parts, float* out, int* counters) {
  __shared__ int ticket;
  if (threadIdx.x == 0) ticket = atomicAdd(counters, 1);
  __syncthreads();
  const int team = ticket / 8;
  if (threadIdx.x == 0) {
    float sum = 0;
    for (int k = 0; k < 64; k++) sum += x[ticket * 64 + k];
    parts[ticket] = sum;
  }
  meet(counters + 1 + team, 8);
  float all = 0;
  for (int k = 0; k < 8; k++) all += __ldcg(parts + team * 8 + k);
  out[ticket * 64 + threadIdx.x] = all;
}
// Teams by the blocks' own numbers; the last of the grid never comes.
extern "C" __global__ void numbered(const float* x, float* parts, float* out, int* counters) {
  if (blockIdx.x == gridDim.x - 1) return;
  meet(counters + 1 + blockIdx.x / 8, 8);
  out[blockIdx.x * 64 + threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
}
`;

describe('blocks that wait for others', { skip: skipWithoutNvcc() }, () => {
  const blocks = 96;
  const x = Float32Array.from({ length: 64 * blocks }, (_, i) => i % 13);
  const launch = (kernel: string, sample: number[], how: { company?: boolean; profile?: boolean }) => {
    const gpu = new VirtualGpu();
    const module = gpu.load(compileCuda(source));
    const inputs = gpu.allocate(x.byteLength, { name: 'x' });
    gpu.write(inputs, bytesOf(x));
    const [parts, out, counters] = [4 * blocks, 256 * blocks, 4 * (blocks + 1)].map((bytes) => gpu.allocate(bytes));
    gpu.write(counters!, new Uint8Array(4 * (blocks + 1)));
    const report = gpu.launch(module, kernel, {
      ...{ grid: [blocks, 1, 1], block: [64, 1, 1], blocks: sample, executor: 'interpreter', instructionBudget: 1e7 },
      arguments: [inputs, parts!, out!, counters!].map((pointer) => arg.pointer(pointer)),
      ...how,
    });
    return { report, out: f32Of(gpu.read(out!, 256 * blocks)), written: gpu.written(out!, 256 * blocks) };
  };

  it('have those that they need, and no more: the sums of whole teams', () => {
    for (const profile of [false, true]) {
      const { report, out } = launch('ticketed', [40, 41], { company: true, profile });
      assert.deepEqual(report.findings, [], 'no findings');
      assert.equal(report.ranBlocks, 8, 'one team');
      assert.equal(report.profile?.sampledBlocks, profile ? 8 : undefined, 'counted in the profile');
      for (let i = 0; i < 512; i++)
        assert.equal(
          out[i],
          x.subarray(0, 512).reduce((a, b) => a + b),
          `element ${i} of the team that ran`,
        );
    }
  });

  it('have those around them in the grid', () => {
    const { report, written } = launch('numbered', [43], { company: true });
    assert.deepEqual(report.findings, [], 'no findings');
    const wrote = Array.from({ length: blocks }, (_, block) => block).filter((block) => written[256 * block] === 1);
    assert.deepEqual(wrote, [40, 41, 42, 43, 44, 45, 46, 47], 'the blocks that have written');
  });

  it('wait for ever where nobody comes who was needed, and where nobody may come', () => {
    for (const [sample, company] of [
      [[95, 93], true],
      [[3], false],
    ] as const) {
      const { report } = launch('numbered', [...sample], { company });
      assert.deepEqual(
        report.findings.map(({ kind }) => kind),
        ['deadlock'],
        `blocks ${sample}`,
      );
    }
  });

  it('leave a sample that does not wait as it is', () => {
    const { report } = launch('numbered', [95], { company: true });
    assert.equal(report.completed, true, 'completed');
    assert.equal(report.ranBlocks, 1, 'one block');
  });
});

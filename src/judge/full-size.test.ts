/** Kernels that are right at small shapes and wrong at the task's own, and honest ones, most of them run in part. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createVirtualDevice } from '../device/index.ts';
import { factsOf, findToolchain, prepareCandidate } from '../kernel/index.ts';
import type { Graph, Task } from '../task/index.ts';
import { gpuTarget } from '../vgpu/index.ts';
import { fullSize as check } from './checks/full-size.ts';
import { examineFullSize } from './full-size.ts';
import type { FullSizeReport } from './full-size-report.ts';
import { commit } from './seeds.ts';
import type { Trial } from './trial.ts';

const COLUMNS = 1100;
const ROWS = 96;

/** Softmax of rows. */
function taskOf(rows: number): Task {
  const spec = { shape: [rows, COLUMNS], dtype: 'float32' } as const;
  const graph: Graph = {
    inputs: [{ id: 0, spec, name: 'x', draw: { kind: 'normal', mean: 0, std: 1 } }],
    parameters: [],
    constants: [],
    nodes: [{ op: 'softmax', inputs: [0], attributes: { dim: 1 }, outputs: [{ id: 1, spec }], line: 4 }],
    outputs: [1],
  };
  const signature = { tensors: [{ name: 'x', role: 'input' as const, spec }], scalars: [], outputs: [spec] };
  return { name: 'softmax', source: '', hash: '0'.repeat(64), graph, signature, precision: 'fp32', scaled: [] };
}

const source = `#include <torch/extension.h>
__device__ unsigned finished = 0;

__device__ float block_max(float value) {
  __shared__ float parts[32];
  __syncthreads();
  for (int o = 16; o > 0; o /= 2) value = fmaxf(value, __shfl_xor_sync(~0u, value, o));
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = parts[0];
  for (int w = 1; w < blockDim.x / 32; w++) value = fmaxf(value, parts[w]);
  return value;
}
__device__ float block_sum(float value) {
  __shared__ float parts[32];
  __syncthreads();
  for (int o = 16; o > 0; o /= 2) value += __shfl_xor_sync(~0u, value, o);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = 0.f;
  for (int w = 0; w < blockDim.x / 32; w++) value += parts[w];
  return value;
}
__device__ void soften(const float* x, float* out, int row, int read, int columns) {
  const float* in = x + (size_t)row * columns;
  float most = -INFINITY, sum = 0.f;
  for (int i = threadIdx.x; i < read; i += blockDim.x) most = fmaxf(most, in[i]);
  most = block_max(most);
  for (int i = threadIdx.x; i < read; i += blockDim.x) sum += expf(in[i] - most);
  sum = block_sum(sum);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) out[(size_t)row * columns + i] = expf(in[i] - most) / sum;
}
__global__ void honest(const float* x, float* out, int columns) { soften(x, out, blockIdx.x, columns, columns); }
__global__ void short_loop(const float* x, float* out, int columns) {
  soften(x, out, blockIdx.x, columns < 1024 ? columns : 1024, columns);
}
__global__ void small_shared(const float* x, float* out, int columns) {
  __shared__ float row[1024];
  const float* in = x + blockIdx.x * columns;
  float most = -INFINITY, sum = 0.f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) { row[i] = in[i]; most = fmaxf(most, row[i]); }
  most = block_max(most);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += expf(row[i] - most);
  sum = block_sum(sum);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) out[blockIdx.x * columns + i] = expf(row[i] - most) / sum;
}
__global__ void short_index(const float* x, float* out, int columns) {
  soften(x, out, (unsigned short)(blockIdx.x * columns) / columns, columns, columns);
}
__global__ void wild_index(const float* x, float* out, int columns) {
  const short start = blockIdx.x * columns;
  soften(x + start, out + start, 0, columns, columns);
}
__global__ void dynamic_row(const float* x, float* out, int columns) {
  extern __shared__ float row[];
  row[threadIdx.x] = x[threadIdx.x];
  soften(x, out, blockIdx.x, columns, columns);
}
__global__ void row_sums(const float* x, float* sums, int columns) {
  float sum = 0.f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += expf(x[(size_t)blockIdx.x * columns + i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
__global__ void divide(const float* x, const float* sums, float* out, int columns) {
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    const size_t at = (size_t)blockIdx.x * columns + i;
    out[at] = expf(x[at]) / sums[blockIdx.x];
  }
}
__global__ void row_starts(int* starts, int columns) { if (threadIdx.x == 0) starts[blockIdx.x] = blockIdx.x * columns + 1; }
__global__ void by_starts(const float* x, const int* starts, float* out, int columns) {
  const int start = starts[blockIdx.x];
  soften(x + start - 1, out + start - 1, 0, columns, columns);
}
__global__ void last_block(const float* x, float* sums, float* out, int rows, int columns) {
  float sum = 0.f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += expf(x[(size_t)blockIdx.x * columns + i]);
  sum = block_sum(sum);
  __shared__ bool last;
  if (threadIdx.x == 0) { sums[blockIdx.x] = sum; __threadfence(); last = atomicAdd(&finished, 1) == rows - 1; }
  __syncthreads();
  if (!last) return;
  __threadfence();
  volatile float* known = sums;
  for (int i = threadIdx.x; i < rows * columns; i += blockDim.x) out[i] = expf(x[i]) / known[i / columns];
  if (threadIdx.x == 0) finished = 0;
}
#define ROW_BY_ROW(name, kernel, blocks, shared)                                                \\
  torch::Tensor name(torch::Tensor x) {                                                         \\
    auto out = torch::empty_like(x);                                                            \\
    const int rows = x.size(0), columns = x.size(1);                                            \\
    kernel<<<blocks, 256, shared>>>(x.data_ptr<float>(), out.data_ptr<float>(), columns);       \\
    return out;                                                                                 \\
  }
ROW_BY_ROW(right, honest, rows, 0)
ROW_BY_ROW(loop_of_1024, short_loop, rows, 0)
ROW_BY_ROW(shared_of_1024, small_shared, rows, 0)
ROW_BY_ROW(index_of_16_bits, short_index, rows, 0)
ROW_BY_ROW(start_of_16_bits, wild_index, rows, 0)
ROW_BY_ROW(blocks_64, honest, 64, 0)
ROW_BY_ROW(much_shared, dynamic_row, rows, columns * 256)
ROW_BY_ROW(flat_grid, honest, dim3(rows, columns * 64), 0)
torch::Tensor checked(torch::Tensor x) {
  TORCH_CHECK(x.size(1) <= 1024, "rows of at most 1024");
  return right(x);
}
torch::Tensor two_launches(torch::Tensor x) {
  auto out = torch::empty_like(x);
  auto sums = torch::empty({x.size(0)}, x.options());
  row_sums<<<x.size(0), 256>>>(x.data_ptr<float>(), sums.data_ptr<float>(), x.size(1));
  divide<<<x.size(0), 256>>>(x.data_ptr<float>(), sums.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
  return out;
}
torch::Tensor two_launches_past_the_end(torch::Tensor x) {
  auto out = torch::empty_like(x);
  auto sums = torch::empty({x.size(0)}, x.options());
  row_sums<<<x.size(0), 256>>>(x.data_ptr<float>(), sums.data_ptr<float>(), x.size(1));
  divide<<<x.size(0) + (x.size(1) > 1024 ? 1 : 0), 256>>>(x.data_ptr<float>(), sums.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
  return out;
}
torch::Tensor computed_addresses(torch::Tensor x) {
  auto out = torch::empty_like(x);
  auto starts = torch::empty({x.size(0)}, x.options().dtype(torch::kInt32));
  row_starts<<<x.size(0), 32>>>(starts.data_ptr<int>(), x.size(1));
  by_starts<<<x.size(0), 256>>>(x.data_ptr<float>(), starts.data_ptr<int>(), out.data_ptr<float>(), x.size(1));
  return out;
}
torch::Tensor last_block_finishes(torch::Tensor x) {
  auto out = torch::empty_like(x);
  auto sums = torch::empty({x.size(0)}, x.options());
  last_block<<<x.size(0), 256>>>(x.data_ptr<float>(), sums.data_ptr<float>(), out.data_ptr<float>(), x.size(0), x.size(1));
  return out;
}
`;

const whyNot = (await findToolchain()) === undefined && 'nvcc was not found';

describe("a candidate at the task's own shapes", { skip: whyNot }, () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-full-size-'));
  const device = createVirtualDevice({ gpu: 'h100' });
  const target = gpuTarget('h100');
  after(async () => {
    await device.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  const examine = (entry: string, wholeInstructions?: number, rows: Task | string = taskOf(3)) =>
    examineFullSize({
      full: {
        task: taskOf(ROWS),
        rows,
        prepare: ({ signature }) =>
          prepareCandidate(source, signature, { arch: target.arch, facts: factsOf(target), cacheDir, entry }),
      },
      device,
      commitment: commit(['0'.repeat(64)]),
      ...(wholeInstructions !== undefined && { wholeInstructions }),
    });
  const answer = (report: FullSizeReport) =>
    check.run({ trial: { fullSize: async () => report } as unknown as Trial, stage: 'sequence', calls: [] });
  const inPart = 0;

  test('an honest kernel passes whole and in part, and its rows are compared', async () => {
    const whole = await examine('right');
    assert.deepEqual([whole.proof, whole.launches[0]!.ranBlocks], [undefined, ROWS]);
    assert.equal(whole.outputs[0]!.everyElementWritten, true);
    const part = await examine('right', inPart);
    assert.deepEqual([part.proof, part.launches[0]!.ranBlocks], [undefined, 12]);
    const [out] = part.outputs;
    assert.equal(out!.compared, 12 * COLUMNS, JSON.stringify(out));
    assert.deepEqual([out!.rows[0], out!.rows.at(-1), out!.everyElementWritten], [0, ROWS - 1, false]);
    const said = await answer(part);
    assert.equal(said.status, 'passed');
    assert.match(JSON.stringify(said), /12 of 96 blocks ran; out: 13,200 elements of 12 rows compared/);
  });

  const wrong: [string, RegExp, number?][] = [
    ['loop_of_1024', /out\[\d+\]\[\d+\] is 0\.\d+ and should be .* of 13,200 elements/, inPart],
    ['shared_of_1024', /small_shared, launched on line \d+ in block \d+, 0, 0 of 96 x 1 x 1: .*shared/, inPart],
    ['index_of_16_bits', /out\[60\]\[0\] is the first element that was never written/],
    [
      'start_of_16_bits',
      /wild_index, launched on line .* block \d+, 0, 0 of 96 x 1 x 1: .*between allocations/,
      inPart,
    ],
    ['blocks_64', /out\[64\]\[0\] is the first element that was never written.*64 x 1 x 1 blocks/],
    ['much_shared', /shared memory/],
    ['flat_grid', /grid/],
    ['checked', /rows of at most 1024/],
    ['two_launches_past_the_end', /divide, launched on line \d+ in block 96, 0, 0 of 97 x 1 x 1/],
  ];
  for (const [entry, reason, whole] of wrong) {
    test(`rejected: ${entry}`, async () => {
      const report = await examine(entry, whole);
      assert.match(report.proof?.reason ?? JSON.stringify(report), reason);
      assert.equal((await answer(report)).status, 'rejected');
    });
  }

  test('a later launch is checked over made-up contents: its addresses, not its values', async () => {
    const report = await examine('two_launches', inPart);
    assert.equal(report.proof, undefined);
    assert.deepEqual(
      report.launches.map(({ madeUp }) => madeUp),
      [false, true],
    );
    assert.match(report.outputs[0]!.notCompared ?? '', /not all blocks ran/);
    assert.match(JSON.stringify(await answer(report)), /addresses only/);
  });

  test('a launch whose addresses an earlier one computes is not accused', async () => {
    const report = await examine('computed_addresses', inPart);
    assert.equal(report.proof, undefined, report.proof?.reason);
    assert.match(report.launches[1]!.notChecked ?? '', /depends on values that earlier launches compute/);
  });

  test('a kernel whose last block finishes is compared where it ran whole, and not accused where it did not', async () => {
    const whole = await examine('last_block_finishes');
    assert.equal(whole.proof, undefined, whole.proof?.reason);
    assert.equal(whole.outputs[0]!.compared, 12 * COLUMNS);
    const part = await examine('last_block_finishes', inPart);
    assert.equal(part.proof, undefined, part.proof?.reason);
    assert.equal(part.launches[0]!.ranBlocks, 12);
    assert.equal(part.outputs[0]!.compared, 0);
  });

  test('rows are not compared where they depend on each other', async () => {
    const across = taskOf(3);
    const [node] = across.graph.nodes;
    const rows: Task = { ...across, graph: { ...across.graph, nodes: [{ ...node!, attributes: { dim: 0 } }] } };
    const report = await examine('right', inPart, rows);
    assert.equal(report.proof, undefined);
    assert.match(report.outputs[0]!.notCompared ?? '', /depend on each other/);
  });
});

/** Real CUDA through the whole judge: interpreted, compiled by nvcc, run on the virtual GPU. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createVirtualDevice, defaultLimits } from '../device/index.ts';
import { findToolchain } from '../kernel/index.ts';
import type { Graph, Task } from '../task/index.ts';
import { judge } from './judge.ts';
import { createOracle } from './task-oracle.ts';

const rows = 6;
const columns = 70;
const spec = { shape: [rows, columns], dtype: 'float32' } as const;
const graph: Graph = {
  inputs: [{ id: 0, spec, name: 'x', draw: { kind: 'normal', mean: 0, std: 1 } }],
  parameters: [],
  constants: [],
  nodes: [{ op: 'softmax', inputs: [0], attributes: { dim: 1 }, outputs: [{ id: 1, spec }], line: 4 }],
  outputs: [1],
};
const task: Task = {
  name: 'softmax',
  source: '',
  hash: '0'.repeat(64),
  graph,
  signature: { tensors: [{ name: 'x', role: 'input', spec }], scalars: [], outputs: [spec] },
  precision: 'fp32',
  scaled: [],
};

/** A warp for each row; `body` may be changed, and the launch. */
function candidate(
  options: { globals?: string; before?: string; after?: string; grid?: string; columns?: string } = {},
): string {
  const { globals = '', before = '', after: last = '', grid = 'dim3(1, rows)', columns: width = 'columns' } = options;
  return `#include <torch/extension.h>
#include <cuda_runtime.h>
${globals}
__global__ void softmax_kernel(float* x, float* out, int rows, int columns) {
  const int row = blockIdx.y;
  const int lane = threadIdx.x;
  ${before}
  const float* in = x + row * columns;
  float most = -INFINITY;
  for (int i = lane; i < ${width}; i += 32) most = fmaxf(most, in[i]);
  for (int offset = 16; offset > 0; offset /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, offset));
  float sum = 0.f;
  for (int i = lane; i < ${width}; i += 32) sum += __expf(in[i] - most);
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffff, sum, offset);
  for (int i = lane; i < columns; i += 32) out[row * columns + i] = __expf(in[i] - most) / sum;
  ${last}
}

torch::Tensor forward(torch::Tensor x) {
  auto out = torch::empty_like(x);
  const int rows = x.size(0), columns = x.size(1);
  softmax_kernel<<<${grid}, 32>>>(x.data_ptr<float>(), out.data_ptr<float>(), rows, columns);
  return out;
}
`;
}

const whyNot = (await findToolchain()) === undefined && 'nvcc was not found';

describe('the judge on the virtual GPU', { skip: whyNot }, () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-judge-'));
  const device = createVirtualDevice({ gpu: 'h100' });
  const oracle = createOracle(task);
  after(async () => {
    await device.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });
  const verdictOf = (candidateSource: string) =>
    judge({ task, candidateSource, device, gpu: 'h100', limits: defaultLimits, cacheDir, oracle });

  test('an honest kernel is correct, and its time is modelled', async () => {
    const verdict = await verdictOf(candidate());
    assert.equal(verdict.outcome, 'correct', verdict.reason);
    assert.equal(verdict.modelled?.kind, 'modelled');
    assert.equal(verdict.admission?.score, 1);
  });

  const wrong: [string, string, string, RegExp][] = [
    [
      'two-dimensional indexing launched one-dimensionally',
      candidate({ grid: 'rows' }),
      'every-output-written',
      /350 of 420 outputs were never written: only row 0 has values \(first missing: out\[1\]\[0\]\)\. The launch of softmax_kernel on line \d+ has an extent of 1 in y/,
    ],
    ['a tail left out of the sum', candidate({ columns: '(columns / 32 * 32)' }), 'values', /outputs are wrong/],
    [
      'an input overwritten',
      candidate({ after: 'if (lane == 0) x[row * columns] = 0.f;' }),
      'inputs-unchanged',
      /`x` was overwritten/,
    ],
    [
      'the answer of the first call kept in a device global',
      candidate({
        globals: `__device__ float kept[${rows * columns}]; __device__ int have[${rows}];`,
        after: `__syncwarp();
  if (have[row]) { for (int i = lane; i < columns; i += 32) out[row * columns + i] = kept[row * columns + i]; }
  else { for (int i = lane; i < columns; i += 32) kept[row * columns + i] = out[row * columns + i]; __syncwarp(); if (lane == 0) have[row] = 1; }`,
      }),
      'calls-independent',
      /state is carried from call to call/,
    ],
    [
      'a write past the end',
      candidate({ after: 'if (row == rows - 1 && lane == 0) out[rows * columns] = 1.f;' }),
      'device-findings',
      /out/,
    ],
    [
      'a loop that never ends',
      candidate({
        before:
          'unsigned state = lane; while (columns > 0) { state = state * 5u + 1u; if (state == 7u && columns < 0) break; }',
        after: 'if (state == 7u) out[0] = 0.f;',
      }),
      'completes',
      /thread-instructions/,
    ],
    [
      'a loop that waits for what nobody writes',
      candidate({
        before: 'while (columns > 0) { if (in_loop(columns)) break; }',
        globals: '__device__ volatile int never; __device__ bool in_loop(int) { return never != 0; }',
      }),
      'device-findings',
      /waits in a loop for memory that nobody will write/,
    ],
  ];
  for (const [name, source, check, reason] of wrong) {
    test(`${name}: ${check}`, async () => {
      const limits = { ...defaultLimits, instructions: 2 ** 22 };
      const verdict = await judge({ task, candidateSource: source, device, gpu: 'h100', limits, cacheDir, oracle });
      assert.equal(verdict.outcome, 'rejected', verdict.reason);
      assert.equal(verdict.check, check, verdict.reason);
      assert.match(verdict.reason, reason);
    });
  }

  test('a host function that fails for these shapes is rejected, with the line', async () => {
    for (const [change, reason] of [
      ['TORCH_CHECK(x.size(0) == 7, "seven rows");', /line \d+: .*seven rows/],
      ['float first = *x.data_ptr<float>();', /line \d+: .*GPU's memory on the host/],
      ['auto y = x.view({11, -1});', /line \d+: .*cannot take the shape/],
    ] as const) {
      const verdict = await verdictOf(candidate().replace('auto out', `${change}\n  auto out`));
      assert.deepEqual([verdict.outcome, verdict.check], ['rejected', 'host-function'], verdict.reason);
      assert.match(verdict.reason, reason);
    }
    const verdict = await verdictOf(candidate({ grid: 'dim3(1, 100000)' }));
    assert.deepEqual([verdict.outcome, verdict.check], ['rejected', 'host-function'], verdict.reason);
    assert.match(verdict.reason, /the grid's y is at most 65535/);
  });

  test('a source that does not compile could not be judged, and says where', async () => {
    const verdict = await verdictOf(candidate({ before: 'int y = undefined_name;' }));
    assert.equal(verdict.outcome, 'unjudgeable');
    assert.match(verdict.reason, /undefined_name/);
  });
});

/** What each precision policy allows and forbids, by products that round as the policies do. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createVirtualDevice, defaultLimits } from '../device/index.ts';
import { findToolchain } from '../kernel/index.ts';
import { loadTask, type PrecisionPolicy, type Task } from '../task/index.ts';
import { judge } from './judge.ts';
import { createOracle } from './task-oracle.ts';

const source = `import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)

def get_inputs():
    return [torch.randn(24, 384), torch.randn(384, 20)]
`;

/** One thread an element: operands of type T pass `operand`, sums are of type S. */
const product = (T: string, c10: string, S: string, operand = 'x') => `#include <torch/extension.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
__device__ float operand(float x) { return ${operand}; }
__global__ void product(const ${T}* a, const ${T}* b, ${T}* c, int M, int N, int K) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= M * N) return;
  ${S} sum = ${S}(0.f);
  for (int k = 0; k < K; k++)
    sum = ${S}(float(sum) + operand(float(a[(i / N) * K + k])) * operand(float(b[k * N + i % N])));
  c[i] = ${T}(float(sum));
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto c = torch::empty({a.size(0), b.size(1)}, a.options());
  int M = a.size(0), N = b.size(1), K = a.size(1);
  product<<<(M * N + 127) / 128, 128>>>((const ${T}*)a.data_ptr<${c10}>(), (const ${T}*)b.data_ptr<${c10}>(), (${T}*)c.data_ptr<${c10}>(), M, N, K);
  return c;
}
`;

const single = (operand?: string) => product('float', 'float', 'float', operand);
const half = (S: string) => product('__half', 'at::Half', S);
const bfloat = (S: string) => product('__nv_bfloat16', 'at::BFloat16', S);
const tf32 = '__uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u)';

const CASES: readonly [
  what: string,
  policy: PrecisionPolicy,
  kernel: string,
  outcome: 'correct' | 'rejected by values' | 'rejected by host-function',
][] = [
  ['float32 throughout', 'fp32', single(), 'correct'],
  ['operands read as tf32', 'fp32', single(tf32), 'rejected by values'],
  ['operands read as tf32', 'tf32', single(tf32), 'correct'],
  ['operands read as bfloat16', 'tf32', single('float(__float2bfloat16(x))'), 'rejected by values'],
  ['halves summed in float32', 'fp16', half('float'), 'correct'],
  ['halves summed in halves', 'fp16', half('__half'), 'rejected by values'],
  ['bfloat16 summed in float32', 'bf16', bfloat('float'), 'correct'],
  ['bfloat16 summed in bfloat16', 'bf16', bfloat('__nv_bfloat16'), 'rejected by values'],
  ['float32 where the task has halves', 'fp16', single(), 'rejected by host-function'],
];

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

describe('precision policies', { skip }, () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-precision-'));
  const device = createVirtualDevice({ gpu: 'h100' });
  const loaded = new Map<PrecisionPolicy, Task>();
  before(async () => {
    for (const [, precision] of CASES)
      if (!loaded.has(precision))
        loaded.set(precision, await loadTask({ name: 'product', source }, { cacheDir, precision }));
  });
  after(async () => {
    await device.close();
    rmSync(cacheDir, { recursive: true, force: true });
  });

  for (const [what, policy, candidateSource, outcome] of CASES)
    test(`${policy}: ${what}: ${outcome}`, async () => {
      const task = loaded.get(policy)!;
      const oracle = createOracle(task);
      const verdict = await judge({
        task,
        candidateSource,
        device,
        gpu: 'h100',
        limits: defaultLimits,
        cacheDir,
        oracle,
      });
      const said = verdict.check ? `${verdict.outcome} by ${verdict.check}` : verdict.outcome;
      assert.equal(said, outcome, verdict.reason);
    });
});

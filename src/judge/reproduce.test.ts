/** A verdict redone from its evidence, through the real sandbox, compiler and virtual GPU. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { findToolchain } from '../kernel/index.ts';
import { loadTask } from '../task/index.ts';
import type { Evidence } from './evidence-schema.ts';
import { judgedEvidence } from './judged-evidence.fixture.ts';
import { reproduce } from './reproduce.ts';

const source = `import torch
import torch.nn as nn
N = 4096
class Model(nn.Module):
    def forward(self, x):
        return torch.relu(x) + 1
def get_inputs():
    return [torch.randn(8, N)]
def get_init_inputs():
    return []
`;
const kernel = (added: number) => `#include <torch/extension.h>
__global__ void relu_kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = fmaxf(x[i], 0.f) + ${added}.f;
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty_like(x);
  int n = x.numel();
  relu_kernel<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
`;

const whyNot = (await findToolchain()) === undefined && 'nvcc was not found';

describe('a verdict from its evidence', { skip: whyNot }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'assay-reproduce-'));
  const places = { traces: folder, builds: folder };
  after(() => rmSync(folder, { recursive: true, force: true }));

  const judged = async (candidateSource: string): Promise<Evidence> =>
    judgedEvidence(
      await loadTask({ name: 'relu', source }, { cacheDir: folder, scale: 2000 }),
      candidateSource,
      folder,
    );

  test('a correct kernel: the same inputs, errors and modelled time, and correct again on new inputs', async () => {
    const { reproduced, agreements, fresh } = await reproduce(await judged(kernel(1)), places);
    assert.equal(reproduced, true);
    assert.deepEqual(
      agreements.filter(({ agrees }) => !agrees),
      [],
    );
    assert.equal(fresh?.verdict.outcome, 'correct');
    assert.notEqual(fresh?.seeds?.secret, undefined);
    assert.ok(
      readdirSync(folder).some((name) => name.startsWith('families-')),
      'which inputs are legal for the task is kept for the next judgement',
    );
  });

  test('a forged verdict or time does not come out again, and what differs is named', async () => {
    const evidence = await judged(kernel(2));
    assert.equal(evidence.verdict.outcome, 'rejected');
    const verdict = { ...evidence.verdict, outcome: 'correct' as const, check: undefined };
    const forged = await reproduce({ ...evidence, verdict }, places);
    assert.equal(forged.reproduced, false);
    assert.deepEqual(forged.agreements[0], {
      what: 'verdict, on the same inputs',
      agrees: false,
      before: 'correct',
      now: `rejected by ${evidence.verdict.check}`,
    });
  });

  test('a source or task that is not the one that was judged is refused', async () => {
    const evidence = await judged(kernel(1));
    const other = { ...evidence.candidate, source: kernel(2) };
    await assert.rejects(reproduce({ ...evidence, candidate: other }, places), /not the one that was judged/);
    const task = { ...evidence.task, source: source.replace('+ 1', '+ 2') };
    await assert.rejects(reproduce({ ...evidence, task }, places), /The task in this evidence/);
  });
});

/** A task in evaluation mode: judged, put into evidence, and redone in that mode. Skipped where nvcc is not found. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { findToolchain } from '../kernel/index.ts';
import { loadTask } from '../task/index.ts';
import type { Evidence } from './evidence-schema.ts';
import { judgedEvidence } from './judged-evidence.fixture.ts';
import { evidencePage } from './page/page.ts';
import { randomOperator } from './random-task.ts';
import { reproduce } from './reproduce.ts';

const task = (forward: string) => `import torch
import torch.nn as nn
import torch.nn.functional as F
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(64)
    def forward(self, x):
        return ${forward}
def get_inputs():
    return [torch.randn(32, 64)]
def get_init_inputs():
    return []
`;
const source = task('F.dropout(self.norm(x), 0.2, self.training)');

/** The host function over a kernel for columns; the parameters and buffers are batch norm's. */
const candidate = (body: string) => `#include <torch/extension.h>
__global__ void norm(const float* x, const float* w, const float* b, const float* mean, const float* var, float* y) {
  int c = threadIdx.x;
  float m = mean[c], v = var[c];
  ${body}
  for (int i = 0; i < 32; i++) y[i * 64 + c] = (x[i * 64 + c] - m) * rsqrtf(v + 1e-5f) * w[c] + b[c];
}
torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, torch::Tensor running_mean, torch::Tensor running_var, torch::Tensor count) {
  auto y = torch::empty_like(x);
  norm<<<1, 64>>>(x.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), running_mean.data_ptr<float>(), running_var.data_ptr<float>(), y.data_ptr<float>());
  return y;
}
`;
const byTheBatch = `m = 0; v = 0;
  for (int i = 0; i < 32; i++) m += x[i * 64 + c] / 32;
  for (int i = 0; i < 32; i++) v += (x[i * 64 + c] - m) * (x[i * 64 + c] - m) / 32;`;

const whyNot = (await findToolchain()) === undefined && 'nvcc was not found';

describe('a task in evaluation mode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'assay-eval-'));
  const places = { traces: folder, builds: folder };
  after(() => rmSync(folder, { recursive: true, force: true }));

  const judged = async (candidateSource: string, mode?: 'eval'): Promise<Evidence> =>
    judgedEvidence(await loadTask({ name: 'norm', source }, { cacheDir: folder, mode }), candidateSource, folder);

  test('takes running statistics and no dropout; evidence and page name the mode, and it is redone in it', {
    skip: whyNot,
  }, async () => {
    const evidence = await judged(candidate(''), 'eval');
    assert.equal(evidence.verdict.outcome, 'correct', evidence.verdict.reason);
    assert.deepEqual([evidence.task.mode, evidence.task.name], ['eval', 'norm-eval']);
    assert.ok(
      evidence.notClaimed.some((one) => one.startsWith('Training mode:')),
      evidence.notClaimed.join('\n'),
    );
    assert.match(evidencePage(evidence), /<dt>Mode<\/dt><dd>evaluation: model\.eval\(\)<\/dd>/);
    const { reproduced, agreements } = await reproduce(evidence, places);
    assert.ok(reproduced, JSON.stringify(agreements.filter(({ agrees }) => !agrees)));
    const inAnother = { ...evidence, task: { ...evidence.task, mode: undefined } };
    await assert.rejects(reproduce(inAnother, places), /The task in this evidence is not the one/);
  });

  test("a kernel that takes the batch's statistics is wrong there", { skip: whyNot }, async () => {
    const { verdict } = await judged(candidate(byTheBatch), 'eval');
    assert.equal(verdict.outcome, 'rejected', verdict.reason);
  });

  test("in its file's own mode it is random, and the refusal names the option", { skip: whyNot }, async () => {
    const { verdict } = await judged(candidate(''));
    assert.equal(verdict.outcome, 'unjudgeable', verdict.reason);
    assert.match(verdict.reason, /dropout on line 9.* in evaluation mode \(`--eval`/);
  });

  test('what stays random says so, and what is always zero', async () => {
    const said = async (forward: string, mode?: 'eval') =>
      randomOperator(await loadTask({ name: 'net', source: task(forward) }, { cacheDir: folder, mode })) ?? '';
    assert.match(await said('F.dropout(x, 0.5)', 'eval'), /in evaluation mode too: pass `training=self\.training`/);
    const dead = 'F.dropout(torch.min(self.norm(x), torch.tensor(0.0)).clamp(0, 1), 0.5, self.training)';
    assert.match(await said(dead), /is always 0, though/);
    assert.equal(await said(dead, 'eval'), '');
    assert.doesNotMatch(await said('F.dropout(x, 0.5)'), /always 0/);
  });
});

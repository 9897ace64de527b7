/** `--device cuda` from outside, over the fake driver: what the evidence says of the GPU, that simulated clocks are never a claim, and what is said where there is no GPU. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { buildFakeDriver, cCompiler } from '../src/device/index.ts';
import { standingEnclosure, wallWorks } from '../src/isolation/index.ts';
import { findToolchain } from '../src/kernel/index.ts';
import { type Ended, start } from './program.ts';

const compiler = cCompiler();
const skip = !(await findToolchain())
  ? 'nvcc is not installed'
  : compiler
    ? false
    : 'there is no C compiler for the fake CUDA driver';

describe('assay with a GPU beside the virtual one', { skip }, async () => {
  const fake = compiler ? await buildFakeDriver(compiler) : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'assay-gpu-'));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    fake?.remove();
  });
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const product = file(
    'product.py',
    'import torch\nimport torch.nn as nn\n\nclass Model(nn.Module):\n    def forward(self, a, b):\n        return a @ b\n\n' +
      'def get_inputs():\n    return [torch.randn(12, 20), torch.randn(20, 8)]\n\ndef get_init_inputs():\n    return []\n',
  );
  const right = file(
    'product.cu',
    `#include <torch/extension.h>
__global__ void product(const float* a, const float* b, float* c, int rows, int inner, int columns) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= rows * columns) return;
  float sum = 0.f;
  for (int k = 0; k < inner; k++) sum += a[i / columns * inner + k] * b[k * columns + i % columns];
  c[i] = sum;
}
torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
  auto c = torch::empty({a.size(0), b.size(1)}, a.options());
  product<<<1, 96>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(), a.size(0), a.size(1), b.size(1));
  return c;
}
`,
  );
  /** The program with a GPU of the fake driver's. */
  const assay = (parameters: readonly string[], environment: Record<string, string> = {}): Promise<Ended> =>
    start(['--home', join(folder, 'home'), ...parameters], { ASSAY_FAKE_CUDA: fake!.library, ...environment }).ended;
  const onGpu = ['--device', 'cuda', '--no-tools', '--baselines', 'cublas'];

  let evidence = '';
  it('judges there too and takes times: right, and no speed is claimed of simulated clocks', async () => {
    const contexts = { ASSAY_FAKE_CONTEXTS: fake!.contexts };
    const { code, stdout, stderr } = await assay(['judge', product, right, ...onGpu, '--json'], contexts);
    assert.equal(code, 0, stdout + stderr);
    const said = JSON.parse(stdout);
    assert.equal(said.verdict.outcome, 'correct');
    assert.match(said.devices, /simulated NVIDIA H200 \(fake driver, no measurement\)/);
    assert.equal(said.hardware.simulated, true);
    assert.ok(said.hardware.calls >= 5, `${said.hardware.calls} calls`);
    assert.equal(said.measured, undefined, 'a measured time');
    evidence = join(said.folder, 'evidence.json');
    const { checks, timing, environment, notClaimed } = JSON.parse(readFileSync(evidence, 'utf8'));
    const there = checks.filter(({ device }: { device: string }) => device === 'cuda');
    assert.ok(
      there.some(({ check }: { check: string }) => check === 'values'),
      JSON.stringify(there),
    );
    assert.ok(
      there.every(({ status }: { status: string }) => status === 'passed' || status === 'not-asked'),
      stdout,
    );
    assert.equal(timing.claim, undefined);
    assert.equal(timing.report.source, 'simulated', JSON.stringify(timing));
    assert.deepEqual(
      timing.report.subjects.map(({ id }: { id: string }) => id),
      ['candidate', 'cuBLAS'],
    );
    // Its own processes are all that have a context there: the device's was put to rest.
    assert.equal(timing.report.condition.windowsWithOtherProcesses, 0);
    assert.match(notClaimed.join(' '), /clocks are simulated: nothing is claimed/);
    // The walls of this machine, as `assay doctor` finds them.
    const { name } = await standingEnclosure();
    const compiler = (await wallWorks()) ? 'bubblewrap' : 'none';
    assert.deepEqual(environment.walls, { compiler, device: name, hardware: name });
    const page = readFileSync(join(said.folder, 'evidence.html'), 'utf8');
    assert.match(page, /simulated NVIDIA H200/);
    assert.ok(page.includes(`GPU&#39;s process: ${name}`) || page.includes(`GPU's process: ${name}`), 'the walls');
  });

  it('reproduces that, with its times as far as they follow from the windows in the evidence', async () => {
    const { code, stdout, stderr } = await assay(['reproduce', evidence, ...onGpu, '--no-times', '--json']);
    assert.equal(code, 0, stdout + stderr);
    const { agreements, fresh, notCompared } = JSON.parse(stdout);
    assert.equal(fresh.outcome, 'correct');
    const compared = agreements.map(({ what }: { what: string }) => what);
    assert.ok(compared.includes('times: all that follows from the raw windows'), compared.join('; '));
    assert.deepEqual(notCompared.length, 1, notCompared.join(' '));
    assert.match(notCompared[0], /^The times themselves: they were taken on simulated NVIDIA H200/);
  });

  it('audits a claim: false where the kernel fails on the GPU alone, in its name', async () => {
    // The wait for its first launch finds the context broken, as after an address outside of all memory.
    const faults = { ASSAY_FAKE_FAULTS: 'cuStreamSynchronize:2:700' };
    const claim = ['audit', product, right, '--claim', '3x', ...onGpu, '--no-times', '--json'];
    const { code, stdout, stderr } = await assay(claim, faults);
    assert.equal(code, 1, stdout + stderr);
    const { conclusion, verdict } = JSON.parse(stdout);
    assert.equal(conclusion, 'false');
    assert.equal(verdict.check, 'device-findings');
    assert.match(verdict.reason, /^On simulated NVIDIA H200 \(fake driver, no measurement\): /);
  });

  const refused: readonly (readonly [what: string, says: RegExp, parameters: string[], environment?: object])[] = [
    [
      'another target than the GPU',
      /--gpu h100 is another GPU than the one here/,
      ['--device', 'cuda', '--gpu', 'h100'],
    ],
    ['a device that is none', /`virtual`, `cuda`, `cuda:1`/, ['--device', 'tpu']],
    [
      'a driver that is not there',
      /cannot be loaded.*Install the NVIDIA driver/s,
      ['--device', 'cuda'],
      { ASSAY_FAKE_CUDA: '/nowhere/libcuda.so.1' },
    ],
  ];
  for (const [what, says, parameters, environment] of refused) {
    it(`answers ${what} with a sentence and exit code 2`, async () => {
      const { code, stdout, stderr } = await assay(['judge', product, right, ...parameters], { ...environment });
      assert.equal(code, 2, stdout + stderr);
      assert.match(stdout + stderr, says);
      assert.doesNotMatch(stdout + stderr, /at .*\.ts:\d+/, 'a stack trace is not a sentence');
    });
  }
});

/** The program as a person uses it: verdicts, exit codes, and what it says to bad input. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { findToolchain } from '../src/kernel/index.ts';
import { root, run } from './program.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

const folder = mkdtempSync(join(tmpdir(), 'assay-cli-'));
const home = join(folder, 'home');
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const task = (forward: string, before = '') =>
  `import torch\nimport torch.nn as nn\n${before}\nclass Model(nn.Module):\n    def forward(self, x):\n        ${forward}\n\n` +
  'def get_inputs():\n    return [torch.randn(37, 65)]\n\ndef get_init_inputs():\n    return []\n';
const kernel = (body: string, host: string) =>
  `#include <torch/extension.h>\n__global__ void k(const float* x, float* y, int n) {\n  ${body}\n}\ntorch::Tensor forward(torch::Tensor x) {\n  ${host}\n}\n`;
const host =
  'auto y = torch::empty_like(x); k<<<(x.numel() + 127) / 128, 128>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel()); return y;';
const relu = file('relu.py', task('return torch.relu(x)'));
const right = file(
  'right.cu',
  kernel('int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = x[i] < 0.f ? 0.f : x[i];', host),
);

describe('assay', { skip }, () => {
  it('accepts a right kernel: exit code 0, evidence on disk', async () => {
    const { code, stdout, stderr } = await run('--home', home, 'judge', relu, right, '--json');
    assert.equal(code, 0, stdout + stderr);
    const said = JSON.parse(stdout);
    assert.equal(said.verdict.outcome, 'correct');
    assert.equal(said.modelled.kind, 'modelled');
    const evidence = JSON.parse(readFileSync(join(said.folder, 'evidence.json'), 'utf8'));
    assert.equal(evidence.candidate.source, readFileSync(right, 'utf8'));
    assert.match(readFileSync(join(said.folder, 'evidence.html'), 'utf8'), /<html/);
    const families = readdirSync(join(home, 'builds')).filter((name) => name.startsWith('families-'));
    assert.equal(families.length, 1, 'which inputs are legal for the task is kept for the next judgement');
  });

  it('prints a plan that fits 80 columns, and the same as JSON', async () => {
    const { code, stdout, stderr } = await run('--home', home, 'plan', right, '--task', relu);
    assert.equal(code, 0, stdout + stderr);
    assert.match(
      stdout,
      /grid 19 x 1 x 1, block 128 x 1 x 1[\s\S]*registers a thread, occupancy \d+ %[\s\S]*returns .* \[37, 65\] float32/,
    );
    assert(stdout.split('\n').every((line) => line.length <= 80));
    const json = JSON.parse((await run('--home', home, 'plan', right, '--task', relu, '--json')).stdout);
    assert.deepEqual(json.steps[0].grid, [19, 1, 1]);
    assert.deepEqual(
      json.buffers.map((b: { kind: string; bytes: number }) => [b.kind, b.bytes]),
      [
        ['argument', 9620],
        ['workspace', 9620],
      ],
    );
  });

  it('judges PTX with a launch description', async () => {
    const sum = file('sum.py', task('return x.sum(1)'));
    file('sum.ptx', readFileSync(join(root, 'src/kernel/ptx-door/row-sum.fixture.ptx'), 'utf8'));
    const launch = { launch: 'row_sum', grid: [1], block: [64], arguments: ['x', 'out', 37, 65] };
    const workspaces = [{ name: 'out', dtype: 'float32', shape: [37] }];
    const description = {
      format: 'assay.ptx-candidate/1',
      ptx: 'sum.ptx',
      workspaces,
      steps: [launch],
      outputs: ['out'],
    };
    const { code, stdout, stderr } = await run(
      '--home',
      home,
      'judge',
      sum,
      file('sum.json', JSON.stringify(description)),
    );
    assert.equal(code, 0, stdout + stderr);
    const half = { ...description, steps: [{ ...launch, block: [32] }] };
    const rejected = await run('--home', home, 'judge', sum, file('half.json', JSON.stringify(half)));
    assert.equal(rejected.code, 1, rejected.stdout);
    assert.match(rejected.stdout, /rejected by every-output-written/);
  });

  it('rejects a wrong kernel with the proof: exit code 1', async () => {
    const wrong = file(
      'wrong.cu',
      kernel('int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = x[i];', host),
    );
    const { code, stdout } = await run('--home', home, 'judge', relu, wrong);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /rejected by values/);
    assert.match(stdout, /out\[\d+\]\[\d+\]/);
  });

  it('sanitizes a kernel that includes a header beside it: 1 with findings, 0 without, 2 where it cannot run', async () => {
    file('factor.cuh', '__device__ inline float scaled(float x) { return x * FACTOR; }\n');
    const cuda = file(
      'scale.cu',
      '#include "factor.cuh"\n__global__ void scale(const float* x, float* y, int n) {\n  int i = blockIdx.x * blockDim.x + threadIdx.x;\n  if (i <= n) y[i] = scaled(x[i]);\n}\n',
    );
    const launch = [
      '--launch',
      '<<<4, 64>>>',
      '--arguments',
      'x: const float[200] = ramp, y: float[200], n: int = 200',
    ];
    const found = await run('--home', home, 'sanitize', cuda, '-D', 'FACTOR=2.0f', ...launch, '--json');
    assert.equal(found.code, 1, found.stdout + found.stderr);
    const { reports } = JSON.parse(found.stdout);
    assert.deepEqual(
      reports[0].findings.map((finding: { kind: string; place: { line: number } }) => [
        finding.kind,
        finding.place.line,
      ]),
      [
        ['out-of-bounds', 4],
        ['out-of-bounds', 4],
      ],
    );
    const clean = await run(
      '--home',
      home,
      'sanitize',
      cuda,
      '-D',
      'FACTOR=2.0f',
      ...launch.with(3, launch[3]!.replace('= 200', '= 199')),
    );
    assert.equal(clean.code, 0, clean.stdout + clean.stderr);
    const undefinedMacro = await run('--home', home, 'sanitize', cuda, ...launch);
    assert.equal(undefinedMacro.code, 2);
    assert.match(undefinedMacro.stderr, /does not compile: .*FACTOR/s);
  });

  it('inspects a task', async () => {
    const { code, stdout } = await run('--home', home, 'task', 'inspect', join(root, 'examples', 'linear_relu.py'));
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /torch::Tensor forward\(torch::Tensor x, torch::Tensor linear_weight, torch::Tensor linear_bias\)/,
    );
    assert.match(stdout, /relu/);
    assert.match(stdout, /can it tell right from wrong\? /);
    assert.match(stdout, /the judge's checks: (\d+) of \1 wrong variants caught/);
    assert.match(stdout, /KernelBench's own check lets pass/);
  });

  it('says what to do with a task whose result is random, and takes it in evaluation mode', async () => {
    const path = file('drop.py', task('return torch.nn.functional.dropout(x, 0.5, self.training) * 2'));
    const asked = ['--home', home, 'task', 'inspect', path];
    const random = await run(...asked, '--json');
    assert.match(JSON.parse(random.stdout).discrimination.flaws[0].reason, /in evaluation mode \(`--eval`/);
    const { code, stdout } = await run(...asked, '--eval', '--no-mutants');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^drop-eval .*\n {2}in evaluation mode \(`model\.eval\(\)`\)/);
    assert.doesNotMatch(stdout, /dropout/);
  });

  it('inspects a degenerate task: its flaws as one JSON object', async () => {
    const path = file(
      'dead.py',
      task('y = x.max(dim=1, keepdim=True).values; return torch.relu(y - y.mean(dim=1, keepdim=True))'),
    );
    const { code, stdout } = await run('--home', home, 'task', 'inspect', path, '--json');
    assert.equal(code, 0, stdout);
    const { discrimination } = JSON.parse(stdout);
    assert.equal(discrimination.fitness, 'degenerate');
    assert.match(discrimination.flaws[0].reason, /The answer is zero whatever the inputs are/);
    assert.equal(discrimination.admission.score, 1);
  });

  it('examines the machine', async () => {
    const { code, stdout } = await run('doctor', '--json');
    assert.equal(code, 0, stdout);
    const { findings } = JSON.parse(stdout);
    assert.equal(findings.find(({ name }: { name: string }) => name === 'nvcc').found, true);
  });

  const bad: { what: string; says: RegExp; parameters: () => string[] }[] = [
    {
      what: 'no such file',
      says: /nowhere\.py.*no such file/,
      parameters: () => ['judge', join(folder, 'nowhere.py'), right],
    },
    {
      what: 'a Python syntax error',
      says: /line 3/,
      parameters: () => ['optimize', file('syntax.py', 'import torch\n\nclass Model(:\n    pass\n')],
    },
    {
      what: 'an unknown operator',
      says: /line 6.*frobnicate|frobnicate.*line 6/,
      parameters: () => ['optimize', file('unknown.py', task('return torch.frobnicate(x)'))],
    },
    {
      what: 'an infinite loop in the task file',
      says: /time|seconds|\d+ s/,
      parameters: () => ['optimize', file('loop.py', task('return x', 'while True:\n    pass'))],
    },
    {
      what: 'a kernel that does not compile',
      says: /line 3.*missing/,
      parameters: () => ['judge', relu, file('broken.cu', kernel('y[0] = missing;', host))],
    },
    {
      what: 'an infinite loop in the host function',
      says: /line 6|steps|loop/,
      parameters: () => ['judge', relu, file('hostloop.cu', kernel('y[0] = 0.f;', `while (true) {}\n  ${host}`))],
    },
    {
      what: 'a 2 GB allocation',
      says: /2[.,]\d* GB|memory|limit/,
      parameters: () => [
        'judge',
        relu,
        file('big.cu', kernel('y[0] = 0.f;', `auto w = torch::empty({512, 1024, 1024}, x.options());\n  ${host}`)),
      ],
    },
    {
      what: 'a host function that opens a file',
      says: /line 6.*file/,
      parameters: () => [
        'judge',
        relu,
        file('opens.cu', kernel('y[0] = 0.f;', `FILE* f = fopen("/etc/passwd", "r");\n  ${host}`)),
      ],
    },
    { what: 'an unknown GPU', says: /h100/, parameters: () => ['judge', relu, right, '--gpu', 'voodoo2'] },
  ];
  for (const { what, says, parameters } of bad) {
    it(`answers ${what} with a sentence and exit code 2`, async () => {
      const { code, stdout, stderr, seconds } = await run('--home', home, ...parameters());
      assert.equal(code, 2, stdout + stderr);
      assert.match(stdout + stderr, says);
      assert.doesNotMatch(stdout + stderr, /at .*\.ts:\d+/, 'a stack trace is not a sentence');
      assert.ok(seconds < 120, `${seconds} s`);
    });
  }

  it('stops a kernel that never ends, and leaves nothing running', async () => {
    const endless = file(
      'endless.cu',
      kernel(
        'int i = threadIdx.x; for (;;) { i = i * 1664525 + n; if (i == 77 && n < 0) break; }\n  y[threadIdx.x] = i;',
        host,
      ),
    );
    const { code, stdout } = await run('--home', home, 'judge', relu, endless);
    assert.notEqual(code, 0, stdout);
    assert.match(stdout, /never end|stopped/);
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    assert.ok(!processes.includes(endless), 'a process is left');
  });
});

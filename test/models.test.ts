/**
 * `assay optimize --model` from outside, with a local server that speaks a vendor's protocol: killed while the vendor answers and resumed, nothing paid
 * twice and nothing over the budget; and nothing that is secret in any prompt or file.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openArchive } from '../src/archive/index.ts';
import { type Reaction, VendorServer } from '../src/engineer/llm/vendor-server.fixture.ts';
import type { Evidence } from '../src/judge/index.ts';
import { findToolchain } from '../src/kernel/index.ts';
import { drawArguments, loadTask, type Task } from '../src/task/index.ts';
import { start } from './program.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

const key = 'sk-very-secret-0123456789';
const folder = mkdtempSync(join(tmpdir(), 'assay-models-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const taskFile = join(folder, 'scale_shift.py');
writeFileSync(
  taskFile,
  `import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return torch.relu(x * 2.0) + 1.0

def get_inputs():
    return [torch.randn(64, 96)]

def get_init_inputs():
    return []
`,
);

/** A model's answer with a kernel; `body` computes out[i] from x[i]. */
function answer(body: string): Reaction {
  const source = `#include <torch/extension.h>
__global__ void scale_shift(const float* x, float* out) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  ${body}
}
torch::Tensor forward(torch::Tensor x) {
  auto out = torch::empty_like(x);
  scale_shift<<<48, 128>>>(x.data_ptr<float>(), out.data_ptr<float>());
  return out;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward); }
`;
  const text = `SUMMARY: one element a thread\n\`\`\`cuda\n${source}\`\`\`\n`;
  return { say: { text, tokens: { input: 3000, output: 300 } } };
}

const wrong = answer('out[i] = x[i] * 2.0f + 1.0f;');
const right = answer('out[i] = fmaxf(x[i] * 2.0f, 0.0f) + 1.0f;');
/** Of a call that is answered: 3000 tokens in at $3 a million, 300 out at $15. */
const answered = (3000 * 3 + 300 * 15) / 1e6;

function optimize(home: string, server: VendorServer, ...more: string[]) {
  const models = ['--model', 'openai-compatible:m', '--base-url', server.url, '--price', 'm=3/15', '--no-builtin'];
  const limits = [
    '--answer-tokens',
    '2000',
    '--judgements',
    '3',
    '--patience',
    '3',
    '--budget',
    '200',
    '--workers',
    '1',
  ];
  const parameters = ['--home', home, 'optimize', taskFile, ...models, ...limits, ...more, '--json'];
  return start(parameters, { ASSAY_MODEL_KEY: key });
}

async function recorded(home: string) {
  const archive = await openArchive(home);
  try {
    const [run, ...others] = await archive.runs();
    assert.ok(run && others.length === 0, 'one run is recorded');
    const candidates = await archive.candidates(run.id);
    const evidence = await Promise.all(
      candidates.map(({ id }) => archive.evidence(id) as Promise<Evidence | undefined>),
    );
    return { candidates, evidence, calls: await archive.calls(run.id), spent: await archive.spent(run.id) };
  } finally {
    await archive.close();
  }
}

describe('assay optimize --model', { skip }, () => {
  it('killed while a vendor answers: goes on from the answers on record, within the budget of the whole run', async () => {
    const home = join(folder, 'killed');
    const budget = 0.6;
    const output = join(folder, 'best.cu');
    const more = ['--dollars', String(budget), '--record', join(folder, 'calls.jsonl'), '--output', output];
    const first = await VendorServer.start('openai-compatible', [wrong, { hang: true }]);
    const { child, ended } = optimize(home, first, ...more);
    while (first.heard.length < 2 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    const killed = await ended;
    assert.equal(first.heard.length >= 2, true, killed.stdout + killed.stderr);
    const hung = first.heard.length - 1;
    const before = await recorded(home);
    assert.deepEqual(
      before.candidates.map(({ verdict }) => verdict?.check),
      ['values'],
    );
    const lost = before.calls.filter(({ error }) => error !== null);
    assert.equal(lost.length, hung, 'every call that was under way is on record');
    const most = lost.reduce((sum, { dollars }) => sum + dollars!, 0);
    assert.ok(most > hung * answered, 'what was lost counts as the most that it can have taken');

    const second = await VendorServer.start('openai-compatible', [right]);
    const resumed = await optimize(home, second, ...more, '--resume').ended;
    assert.equal(resumed.code, 0, resumed.stdout + resumed.stderr);
    const now = await recorded(home);
    const once = before.calls.find(({ error }) => error === null)!;
    const asked = now.calls.filter(({ requestHash }) => requestHash === once.requestHash);
    assert.deepEqual(
      asked.map(({ id }) => id),
      [once.id],
      'what had been answered was asked again',
    );
    assert.deepEqual(now.candidates[0], before.candidates[0], 'what was judged was judged again');
    assert.ok(
      now.candidates.some(({ verdict }) => verdict?.outcome === 'correct'),
      'nothing right was found',
    );
    const paid = most + answered * (1 + second.heard.length);
    assert.ok(
      Math.abs(now.spent.dollars - paid) < 1e-9,
      `${now.spent.dollars} dollars are counted, ${paid} were taken`,
    );
    assert.ok(now.spent.dollars <= budget, 'over the budget');

    const prompts = [...first.heard, ...second.heard].map(({ body }) => JSON.stringify(body));
    assert.ok(
      prompts.some((text) => text.includes('outputs are wrong')),
      'findings are told',
    );
    const secrets = secretsOf(await loadTask(taskFile, { cacheDir: join(folder, 'traces') }), now.evidence);
    assert.ok(secrets.size > 1000, `${secrets.size} secrets`);
    for (const secret of secrets)
      assert.ok(!prompts.some((text) => text.includes(secret)), `the judge's secret ${secret} is in a prompt`);

    for (const { stdout, stderr } of [killed, resumed]) assert.ok(!(stdout + stderr).includes(key), 'the key is said');
    const files = readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));
    const written = files.filter((name) => statSync(name).isFile());
    for (const name of ['calls.jsonl', 'best.cu', 'evidence.json', 'archive.sqlite'])
      assert.ok(
        written.some((file) => file.includes(name)),
        `${name} was not written`,
      );
    for (const name of written) assert.ok(!readFileSync(name).includes(key), `the key stands in ${name}`);
    await first.close();
    await second.close();
  });

  it('asks nothing where the next call could go over the budget, whoever asks, and says so', async () => {
    const server = await VendorServer.start('openai-compatible', [right]);
    const models = ['--model', 'openai-compatible:m,openai-compatible:n', '--price', 'n=3/15', '--explain', 'model'];
    const { code, stdout } = await optimize(join(folder, 'poor'), server, ...models, '--dollars', '0.01').ended;
    assert.deepEqual([code, server.heard.length], [1, 0], stdout);
    assert.equal((await recorded(join(folder, 'poor'))).spent.dollars, 0);
    await server.close();
  });
});

/** What nobody but the judge may know: seeds, tolerances, and the values that were drawn, as text. */
function secretsOf(task: Task, evidence: readonly (Evidence | undefined)[]): Set<string> {
  const secrets = new Set<string>();
  for (const one of evidence) {
    if (one?.seeds) secrets.add(one.seeds.secret);
    for (const { family, inputSeed, baseSeed, poisonSeed } of one?.calls ?? []) {
      secrets.add(inputSeed).add(String(poisonSeed)).add(poisonSeed.toString(16));
      if (baseSeed !== undefined) secrets.add(baseSeed);
      const [x] = drawArguments(task, family, inputSeed);
      for (const value of x!.values.slice(0, 500)) secrets.add(value.toPrecision(6));
    }
    for (const { rmsLimit, worst } of one?.tolerance.outputs ?? []) {
      secrets.add(String(rmsLimit));
      if (worst) secrets.add(String(worst.bound)).add(Number(worst.bound).toPrecision(6));
    }
  }
  // Short numbers stand in prompts for many reasons.
  return new Set([...secrets].filter((text) => text.length >= 7));
}

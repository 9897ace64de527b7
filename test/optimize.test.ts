/** `assay optimize` from outside: a verified kernel with evidence, a warm second run, and a run killed with SIGKILL and resumed. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openArchive } from '../src/archive/index.ts';
import { findToolchain } from '../src/kernel/index.ts';
import { run, start } from './program.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

const folder = mkdtempSync(join(tmpdir(), 'assay-optimize-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const taskFile = join(folder, 'scaled_softmax.py');
writeFileSync(
  taskFile,
  `import torch
import torch.nn as nn

class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x * 0.5, dim=-1)

def get_inputs():
    return [torch.randn(96, 160)]

def get_init_inputs():
    return []
`,
);

describe('assay optimize', { skip }, () => {
  it('finds a verified kernel, writes it with its evidence, and claims nothing measured', async () => {
    const home = join(folder, 'plain');
    const parameters = ['--home', home, 'optimize', taskFile, '--judgements', '6', '--json'];
    const { code, stdout, stderr } = await run(...parameters);
    assert.equal(code, 0, stdout + stderr);
    const said = JSON.parse(stdout);
    assert.equal(said.measured, false);
    assert.equal(said.speedupClaimed, null);
    assert.equal(said.best.modelled.kind, 'modelled');
    assert.ok(said.best.timesFasterThanDirectTranslation >= 1);
    assert.ok(said.best.percentOfFloor > 0 && said.best.percentOfFloor < 100);
    assert.equal(said.run.judged, 6);
    const evidence = JSON.parse(readFileSync(said.best.evidence, 'utf8'));
    assert.equal(evidence.verdict.outcome, 'correct');
    assert.equal(evidence.candidate.source, readFileSync(said.best.kernel, 'utf8'));

    const second = JSON.parse((await run(...parameters)).stdout);
    assert.notEqual(second.run.id, said.run.id);
    assert.ok(
      second.best.modelled.microseconds <= said.best.modelled.microseconds * 1.0001,
      'the second run starts from what the first found',
    );
  });

  it('goes on after SIGKILL: nothing lost, nothing judged twice', async () => {
    const home = join(folder, 'killed');
    const { child, ended } = start(['--home', home, 'optimize', taskFile, '--judgements', '7']);
    const judged = async () => {
      const archive = await openArchive(home);
      try {
        const [latest] = await archive.runs();
        return latest ? (await archive.candidates(latest.id)).filter(({ verdict }) => verdict) : [];
      } finally {
        await archive.close();
      }
    };
    const deadline = Date.now() + 120_000;
    while ((await judged()).length < 3 && child.exitCode === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    child.kill('SIGKILL');
    await ended;
    const before = await judged();
    assert.ok(before.length >= 3, `${before.length} were judged`);

    const resumed = await run('--home', home, 'optimize', taskFile, '--judgements', '7', '--resume', '--json');
    assert.equal(resumed.code, 0, resumed.stdout + resumed.stderr);
    const said = JSON.parse(resumed.stdout);
    assert.equal(said.run.resumed, true);
    assert.equal(said.run.judged, 7);
    const archive = await openArchive(home);
    const candidates = await archive.candidates(said.run.id);
    await archive.close();
    assert.equal(new Set(candidates.map(({ source }) => source)).size, candidates.length, 'no duplicates');
    const winner = candidates.find(({ id }) => id === said.best.candidate)!;
    for (const { id, verdict } of before) {
      if (id === winner.id) continue; // judged once more, as every winner is
      assert.equal(
        candidates.find((each) => each.id === id)?.verdict?.milliseconds,
        verdict!.milliseconds,
        `${id} was judged again`,
      );
    }
  });
});

/** `assay optimize` from outside: a verified kernel with evidence, a warm second run, and a run killed with SIGKILL and resumed. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { findToolchain } from '../src/kernel/index.ts';
import { killOften, runWhole, smallSoftmax } from './killed-run.ts';
import { run, start } from './program.ts';

const skip = (await findToolchain()) ? false : 'nvcc is not installed';

const folder = mkdtempSync(join(tmpdir(), 'assay-optimize-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const taskFile = join(folder, 'scaled_softmax.py');
writeFileSync(taskFile, smallSoftmax);

describe('assay optimize', { skip }, () => {
  it('finds a verified kernel, writes it with its evidence, and claims nothing measured', async () => {
    const home = join(folder, 'plain');
    const parameters = ['--home', home, 'optimize', taskFile, '--judgements', '4', '--patience', '1', '--json'];
    const { code, stdout, stderr } = await run(...parameters);
    assert.equal(code, 0, stdout + stderr);
    const said = JSON.parse(stdout);
    assert.equal(said.measured, false);
    assert.equal(said.speedupClaimed, null);
    assert.equal(said.best.modelled.kind, 'modelled');
    assert.ok(said.best.timesFasterThanDirectTranslation >= 1);
    assert.ok(said.best.percentOfFloor > 0 && said.best.percentOfFloor < 100);
    assert.ok(said.run.judged >= 2 && said.run.judged <= 4, `${said.run.judged} were judged in full`);
    assert.ok(said.run.passedOver > 0, 'most are passed over');
    const evidence = JSON.parse(readFileSync(said.best.evidence, 'utf8'));
    assert.equal(evidence.verdict.outcome, 'correct');
    assert.equal(evidence.candidate.source, readFileSync(said.best.kernel, 'utf8'));

    const second = JSON.parse((await run(...parameters)).stdout);
    assert.notEqual(second.run.id, said.run.id);
    assert.ok(
      second.best.modelled.microseconds <= said.best.modelled.microseconds * 1.0001,
      'the second run starts from what the first found',
    );
    assert.equal(second.directTranslationMicroseconds, said.directTranslationMicroseconds);
  });

  it('verifies what would keep its reference busy for minutes at smaller shapes, and stops when it is asked to', async () => {
    const large = join(folder, 'large_product.py');
    writeFileSync(
      large,
      [
        'import torch',
        'import torch.nn as nn',
        'class Model(nn.Module):',
        '    def forward(self, a, b):',
        '        return a @ b',
        'N = 4096',
        'def get_inputs():',
        '    return [torch.rand(N, N), torch.rand(N, N)]',
        'def get_init_inputs():',
        '    return []',
      ].join('\n'),
    );
    const parameters = ['--home', join(folder, 'large'), 'optimize', large, '--device', 'virtual', '--budget', '600'];
    const { child, ended } = start(parameters);
    let said = '';
    let asked = false;
    child.stdout!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      // Once: a second signal means "at once", and ends the process without its last words.
      if (!asked && /^run /m.test(said)) asked = child.kill('SIGTERM');
    });
    const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
    const { code, signal, stdout, stderr } = await ended;
    clearTimeout(late);
    assert.deepEqual({ code, signal }, { code: 130, signal: null }, stdout + stderr);
    assert.match(stdout, /verified at smaller ones/, 'it is said');
    assert.match(stdout, /^scaled\s+N 4096 -> \d+$/m, 'which');
  });

  it('goes on after SIGKILL as if nothing had happened: the same best, nothing lost, nothing done twice, no process left', async () => {
    const parameters = [
      'optimize',
      taskFile,
      '--workers',
      '1',
      '--patience',
      '1',
      '--budget',
      '600',
      '--headroom',
      '0',
    ];
    const whole = await runWhole(join(folder, 'whole'), parameters);
    const { kills, verdictsAtKills } = await killOften(join(folder, 'killed'), parameters, [2500, 4500], whole);
    assert.ok(kills > 0, 'the run ended before it was killed');
    assert.ok(verdictsAtKills.at(-1)! < whole.candidates.length, `killed after ${verdictsAtKills}`);
  });
});

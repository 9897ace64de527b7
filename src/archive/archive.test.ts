import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Graph } from '../task/index.ts';
import { Archive, type CandidateRecord, type VerdictRecord } from './index.ts';

const graph: Graph = { inputs: [], parameters: [], constants: [], nodes: [], outputs: [] };
const task = { hash: 'task-1', name: 'softmax', source: 'class Model: ...', graph };

function proposal(number: number, source = `// kernel ${number}`): CandidateRecord {
  const id = `candidate-${number}`;
  const parents = number > 1 ? [`candidate-${number - 1}`] : [];
  const [run, generation, engineer, strategy, summary] = ['run-1', 0, 'builtin', 'start', `block ${number}`] as const;
  return {
    id,
    run,
    number,
    generation,
    engineer,
    strategy,
    summary,
    knobs: { block: number },
    source,
    sourceHash: `hash of ${source}`,
    parents,
  };
}

function correct(microseconds: number): VerdictRecord {
  return {
    outcome: 'correct',
    check: null,
    reason: null,
    codeHash: `code ${microseconds}`,
    evidence: { seeds: ['a'] },
    milliseconds: 12.5,
    times: [
      { kind: 'modelled', device: 'h100', microseconds, low: microseconds / 2, high: microseconds * 2, detail: {} },
    ],
  };
}

describe('Archive', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'assay-archive-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const started = () => {
    const archive = new Archive(directory);
    archive.saveTask(task);
    archive.startRun({
      id: 'run-1',
      taskHash: 'task-1',
      gpu: 'h100',
      device: 'virtual',
      engineer: 'builtin',
      seed: 7,
      options: { budget: 9 },
    });
    return archive;
  };

  it('gives back what was stored, in another process life', () => {
    const archive = started();
    archive.addCandidate(proposal(1));
    archive.addVerdict('candidate-1', correct(4));
    archive.addCandidate(proposal(2));
    archive.close();

    const again = new Archive(directory);
    const [first, second] = again.candidates('run-1');
    assert.deepEqual(first, { ...proposal(1), verdict: correct(4) });
    assert.deepEqual(second, proposal(2));
    assert.equal(again.unfinishedRun('task-1', 'h100')?.id, 'run-1');
    assert.equal(again.unfinishedRun('task-1', 'a100'), undefined);
    again.finishRun('run-1');
    assert.equal(again.unfinishedRun('task-1', 'h100'), undefined);
    again.close();
  });

  it('ranks correct candidates of a task by time, each source once, never the rejected', () => {
    const archive = started();
    for (const [number, time] of [5, 3, 4, 3].entries()) {
      archive.addCandidate(proposal(number + 1, time === 3 ? '// same' : `// ${number}`));
      archive.addVerdict(`candidate-${number + 1}`, correct(time));
    }
    archive.addCandidate(proposal(9, '// wrong'));
    archive.addVerdict('candidate-9', { ...correct(1), outcome: 'rejected', check: 'values', reason: 'wrong' });
    const times = archive.best('task-1', 'modelled', 'h100', 10).map(({ verdict }) => verdict?.times[0]?.microseconds);
    assert.deepEqual(times, [3, 4, 5]);
    assert.deepEqual(archive.best('task-1', 'measured', 'h100', 10), []);
    assert.deepEqual(archive.best('task-1', 'modelled', 'h100', 10, 'run-1'), []);
    archive.close();
  });

  it('refuses a second candidate with the same number in a run', () => {
    const archive = started();
    archive.addCandidate(proposal(1));
    assert.throws(() => archive.addCandidate({ ...proposal(1), id: 'other' }), /UNIQUE/);
    assert.equal(archive.candidates('run-1').length, 1);
    archive.close();
  });

  it('loses nothing that was recorded when the writer is killed', async () => {
    started().close();
    const script = `
      import { Archive } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const archive = new Archive(${JSON.stringify(directory)});
      for (let number = 1; ; number++) {
        archive.addCandidate({ id: 'c' + number, run: 'run-1', number, generation: 0, engineer: 'e', strategy: 's', summary: '', knobs: null,
          source: 'x'.repeat(4000), sourceHash: 'h' + number, parents: [] });
        process.stdout.write(number + '\\n');
      }`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let acknowledged = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged = Number(chunk.toString().trim().split('\n').pop());
      if (acknowledged >= 50) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.on('exit', resolve));
    const archive = new Archive(directory);
    const numbers = archive.candidates('run-1').map(({ number }) => number);
    assert.ok(numbers.length >= acknowledged, `${numbers.length} stored, ${acknowledged} acknowledged`);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
    archive.close();
  });

  it('refuses a database of a newer version', async () => {
    const { openDatabase } = await import('./database.ts');
    const file = join(directory, 'archive.sqlite');
    const database = openDatabase(file);
    database.exec('PRAGMA user_version = 999');
    database.close();
    assert.throws(() => new Archive(directory), /newer Assay/);
  });
});

/** `assay archive`: what people see of it, and what others read of an export. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { correct, proposal, run1, taskOf } from '../src/archive/contract.fixture.ts';
import { type Archive, openArchive } from '../src/archive/index.ts';
import { exportArchive } from '../src/cli/archive/export.ts';
import { find, findTask } from '../src/cli/archive/find.ts';
import { show } from '../src/cli/archive/show.ts';
import { table } from '../src/cli/terminal/table.ts';
import { run } from './program.ts';

const home = mkdtempSync(join(tmpdir(), 'assay-archive-command-'));
after(() => rmSync(home, { recursive: true, force: true }));

describe('assay archive', () => {
  let archive: Archive;
  before(async () => {
    archive = await openArchive(home);
    const hash = 'ab12cd'.repeat(10);
    await archive.saveTask({
      ...taskOf(hash, [96, 160], 'softmax'),
      name: 'a_softmax_with_a_name_that_is_rather_longer_than_a_table_has_room_for',
    });
    await archive.startRun({ ...run1, taskHash: hash });
    await archive.addCandidate({ ...proposal(1), summary: 'plain \u001b[31mred' });
    await archive.addVerdict('run-1-1', correct(40));
    await archive.addCandidate({ ...proposal(2), parents: ['run-1-1'], summary: 'faster '.repeat(30) });
    await archive.addVerdict('run-1-2', correct(4));
    await archive.addCandidate({ ...proposal(3), parents: ['run-1-2'] });
    await archive.addVerdict('run-1-3', {
      ...correct(1),
      outcome: 'rejected',
      check: 'values',
      reason: 'wrong',
      times: [],
    });
    await archive.addCandidate(proposal(4));
  });
  after(() => archive.close());

  it('finds a task by its name or the start of its hash, a run and a candidate', async () => {
    const byHash = await findTask(archive, 'ab12cdab');
    assert.equal((await findTask(archive, byHash.name)).hash, byHash.hash);
    assert.equal((await find(archive, 'run-1')).kind, 'run');
    assert.equal((await find(archive, 'run-1-3')).kind, 'candidate');
    await assert.rejects(find(archive, 'nothing'), /no task, run or candidate nothing/);
  });

  it('shows a task, a run and a candidate in 80 columns, and lets no text of others move the cursor', async () => {
    for (const name of ['ab12cdab', 'run-1', 'run-1-1', 'run-1-3']) {
      const { lines } = await show(archive, await find(archive, name), 'h100');
      for (const line of lines.slice(0, lines.indexOf(''))) assert.ok(!line.includes('\u001b'), line);
      const heads = name === 'run-1-1' || name === 'run-1-3' ? lines.slice(0, 8) : lines.slice(2);
      for (const line of heads.flatMap((text) => text.split('\n'))) assert.ok(line.length <= 80, line);
    }
    const { lines, json } = await show(archive, await find(archive, 'run-1-3'), 'h100');
    const text = lines.join('\n');
    assert.match(text, /verdict +rejected: values: wrong/);
    assert.match(text, /lineage, the latest first\n {2}run-1-3 .*\n {2}run-1-2 .*\n {2}run-1-1 /);
    assert.deepEqual(
      (json as { lineage: { id: string }[] }).lineage.map(({ id }) => id),
      ['run-1-3', 'run-1-2', 'run-1-1'],
    );
  });

  it('exports JSON Lines, and a folder with sources and evidence', async () => {
    const tasks = await archive.tasks();
    const file = join(home, 'out.jsonl');
    assert.deepEqual(await exportArchive(archive, tasks, file), { tasks: 1, candidates: 4 });
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ id }) => id),
      ['run-1-1', 'run-1-2', 'run-1-3', 'run-1-4'],
    );
    assert.equal(lines[0].schema, 'assay.archive-candidate/1');
    assert.equal(lines[0].source, '// kernel 1');
    assert.equal(lines[0].run.gpu, 'h100');
    assert.deepEqual(lines[0].evidence, { seeds: ['a'] });
    assert.equal(lines[3].verdict, undefined);

    const folder = join(home, 'out');
    await exportArchive(archive, tasks, folder);
    const listed = readFileSync(join(folder, 'candidates.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const place = join(folder, `${tasks[0]!.name}-${tasks[0]!.hash.slice(0, 12)}`);
    assert.equal(readFileSync(join(place, listed[1].files.source), 'utf8'), '// kernel 2');
    assert.deepEqual(JSON.parse(readFileSync(join(place, listed[1].files.evidence), 'utf8')), { seeds: ['a'] });
    assert.ok(existsSync(join(place, 'task.py')), 'the task is there');
  });

  it('prints tables whose last line is no longer than a terminal', () => {
    const lines = table(
      [
        { name: 'n', right: true },
        { name: 'text', rest: true },
      ],
      [['1', 'x'.repeat(200)]],
    );
    assert.deepEqual(lines, ['n  text', `1  ${'x'.repeat(73)}...`]);
  });

  it('lists, and gives the best as one JSON object', async () => {
    const { code, stdout } = await run('--home', home, 'archive', 'best', 'ab12cdab', '--json');
    assert.equal(code, 0, stdout);
    assert.deepEqual(
      JSON.parse(stdout).best.map(({ id }: { id: string }) => id),
      ['run-1-2', 'run-1-1'],
    );
    const listed = await run('--home', home, 'archive', 'ls');
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, / ab12cdab +1 +4 +2 +4\.00 us\n/);
  });
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DatabaseSync } from '@photostructure/sqlite';
import { describeContract, proposal, run1, taskOf } from './contract.fixture.ts';
import { openArchive } from './index.ts';
import { noPostgres, type PostgresServer, startPostgres } from './postgres-server.fixture.ts';
import { migrations } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-archive-'));
after(() => rmSync(folder, { recursive: true }));
let places = 0;
const newFolder = () => join(folder, String(++places));

describe('an archive in SQLite', () => describeContract(newFolder));

describe('an archive in PostgreSQL', { skip: noPostgres }, () => {
  let server: PostgresServer;
  before(() => {
    server = startPostgres();
  });
  after(() => server.stop());

  describeContract(() => server.newDatabase());

  it('says what is wrong with an address, without its password', async () => {
    const url = server.newDatabase().replace('assay@', 'nobody-here:secret@');
    await assert.rejects(openArchive(url), (error: Error) => {
      assert.match(error.message, /^the archive at postgres:.* cannot be opened|nobody-here/);
      assert.ok(!error.message.includes('secret'), error.message);
      return true;
    });
  });
});

describe('the file of an archive', () => {
  it('loses nothing that was recorded when the writer is killed', async () => {
    const directory = newFolder();
    const first = await openArchive(directory);
    await first.saveTask(taskOf('task-1', [8], 'relu'));
    await first.startRun(run1);
    await first.close();
    const script = `
      import { openArchive } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const archive = await openArchive(${JSON.stringify(directory)});
      for (let number = 1; ; number++) {
        const id = 'c' + number;
        await archive.addCandidate({ ...${JSON.stringify(proposal(1))}, id, number, source: 'x'.repeat(4000), sourceHash: id });
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
    const archive = await openArchive(directory);
    const numbers = (await archive.candidates('run-1')).map(({ number }) => number);
    await archive.close();
    assert.ok(numbers.length >= acknowledged, `${numbers.length} stored, ${acknowledged} acknowledged`);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
  });

  it('of an older Assay is brought up to date, and what is in it is kept', async () => {
    const directory = newFolder();
    await (await openArchive(directory)).close();
    const file = join(directory, 'archive.sqlite');
    rmSync(file);
    const old = new DatabaseSync(file);
    old.exec(migrations[0]!);
    old.exec(`PRAGMA user_version = 1;
      INSERT INTO tasks VALUES ('old', 'old', 'text', '${JSON.stringify(taskOf('old', [96, 160], 'softmax').graph)}', '2026-01-01');
      INSERT INTO runs VALUES ('r', 'old', 'h100', 'virtual', 'builtin', 1, '{}', '2026-01-01', NULL);
      INSERT INTO candidates VALUES ('r-1', 'r', 1, 0, 'builtin', 'start', 'plain', 'null', '// k', 'hash', '2026-01-01');
      INSERT INTO verdicts VALUES ('r-1', 'correct', NULL, 'right', 'code', 'null', 5, '2026-01-01');
      INSERT INTO times VALUES ('r-1', 'modelled', 'h100', 4, 3, 5, '{}');`);
    old.close();
    const archive = await openArchive(directory);
    const [candidate] = await archive.candidates('r');
    const [related] = await archive.related(taskOf('new', [96, 160], 'softmax'), 'h100', 3);
    await archive.close();
    assert.equal(candidate?.verdict?.codeHash, 'code');
    assert.equal(related?.task.name, 'old');
    assert.ok(related.similarity > 0.99, String(related.similarity));
  });

  it('of a newer Assay is refused', async () => {
    const directory = newFolder();
    await (await openArchive(directory)).close();
    const database = new DatabaseSync(join(directory, 'archive.sqlite'));
    database.exec('PRAGMA user_version = 999');
    database.close();
    await assert.rejects(openArchive(directory), /newer Assay/);
  });
});

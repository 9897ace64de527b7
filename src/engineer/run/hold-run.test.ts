import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openArchive } from '../../archive/index.ts';
import { holdRun, RunHeld } from './hold-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-hold-'));
after(() => rmSync(folder, { recursive: true }));

/** A process that works on the run until it is killed. */
const elsewhere = `
  import { openArchive } from ${JSON.stringify(new URL('../../archive/index.ts', import.meta.url).href)};
  import { holdRun } from ${JSON.stringify(new URL('./hold-run.ts', import.meta.url).href)};
  await holdRun(await openArchive(${JSON.stringify(folder)}), 'run-1');
  process.stdout.write('held');
  setInterval(() => {}, 1000);`;

describe('a run', () => {
  it('is worked on by one process: another is told which, and takes it when that one was killed', async () => {
    const archive = await openArchive(folder);
    const graph = { inputs: [], parameters: [], constants: [], nodes: [], outputs: [] };
    await archive.saveTask({ hash: 'task', name: 'task', source: '', graph, precision: 'fp32' });
    const about = { taskHash: 'task', gpu: 'h100', device: 'virtual', engineer: 'builtin', seed: 1 } as const;
    await archive.startRun({ id: 'run-1', ...about, options: {} });
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', elsewhere], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await assert.rejects(holdRun(archive, 'run-1'), (error: unknown) => {
        assert.ok(error instanceof RunHeld, String(error));
        assert.match(
          error.message,
          new RegExp(`The run run-1 is being worked on by process ${child.pid} on this machine`),
        );
        return true;
      });
      child.kill('SIGKILL');
      await once(child, 'exit');
      const leave = await holdRun(archive, 'run-1');
      await leave();
    } finally {
      child.kill('SIGKILL');
      await archive.close();
    }
  });
});

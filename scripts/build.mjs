// Builds dist/: type-checks and compiles src/ with tsc, copies the files that are data (Python, PTX, HTML, CSS, prompts), then makes one file of each program
// and a snapshot of the Python that reads tasks, whose start takes seconds.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { makePrograms } from './programs.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
const tsc = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const data = /\.(py|ptx|mjs|html|css|json)$|\/prompts\/[a-z]+\.md$/;
cpSync(`${root}src`, `${root}dist`, {
  recursive: true,
  filter: (from) => !/\.(test|fixture)\.[a-z]+$/.test(from) && (data.test(from) || !/\.[a-z]+$/.test(from)),
});
await makePrograms(root);
const { ensureSnapshot } = await import(`${root}dist/task/trace/sandbox.js`);
await ensureSnapshot(`${root}dist/programs`);

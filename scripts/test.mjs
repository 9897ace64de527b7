// Runs every *.test.ts beside the code and in test/ (or the files named as arguments) and ends with the counts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleSource } from './bundle-source.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// The tests of whole commands first: they take longest, and at the end one of them would keep one core busy alone.
const found = ['test', 'src'].flatMap((folder) =>
  readdirSync(`${root}${folder}`, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`)
    .sort(),
);
const files = process.argv.length > 2 ? process.argv.slice(2).map((file) => relative(root, file)) : found;
const { folder, flags } = await bundleSource(root, files);
try {
  const run = spawn(process.execPath, [...flags, `${root}scripts/run-tests.mjs`, ...files], {
    cwd: root,
    stdio: 'inherit',
  });
  // A terminal interrupts both; the folder goes when the tests have ended.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => run.kill(signal));
  const [status] = await once(run, 'exit');
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Makes one file of each program, and of each that it starts, with what they share in files beside it. Loading some hundred modules one by one through a loader
 * of TypeScript takes a process two to three seconds; a run of all tests starts several hundred of them, one of the corpus some hundred.
 * A module keeps the URL of its source, so that it finds what lies beside it, and takes itself for what runs from source.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Programs that others start, as `src/` names them: the command and what runs in processes of its own. */
const programs = [
  'src/cli/main.ts',
  'src/device/virtual/child.ts',
  'src/device/cuda/child.ts',
  'src/device/cuda/tools/launcher.ts',
  'src/isolation/prisoner.fixture.ts',
  'src/vgpu/sanitizer/child.ts',
];

/**
 * Bundles the programs `files` (relative to `root`: tests, scripts) in a new folder, which is among the dependencies because isolated children may read those. Gives the folder and
 * Node's flags by which a process that is asked for a source file runs what was made of it.
 */
export async function bundleSource(root, files) {
  const require = createRequire(join(root, 'package.json'));
  const esbuild = createRequire(require.resolve('tsx/package.json'))('esbuild');
  const cache = join(root, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'assay-source-'));
  chmodSync(folder, 0o755); // children may have a user of their own
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [...files, ...programs],
    outdir: folder,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'shared/[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [sourceUrls(root)],
  });
  const start = join(folder, 'start.cjs');
  writeFileSync(start, startOf(root, folder));
  return { folder, flags: ['--require', start] };
}

/** `import.meta.url` of each module is its source's. */
function sourceUrls(root) {
  return {
    name: 'source-urls',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (relative(root, path).startsWith('..')) return undefined;
        const text = readFileSync(path, 'utf8');
        return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' };
      });
    },
  };
}

/** A module that Node loads before a program: it has Node run what was made of a source file in the file's place. */
function startOf(root, folder) {
  return `'use strict';
const Module = require('node:module');
const { existsSync } = require('node:fs');
const { join, relative, resolve } = require('node:path');
const run = Module.runMain;
Module.runMain = (main = process.argv[1]) => {
  if (!main.endsWith('.ts')) return run(main);
  const made = join(${JSON.stringify(folder)}, relative(${JSON.stringify(root)}, resolve(main)).replace(/ts$/, 'mjs'));
  if (!existsSync(made)) throw new Error(main + ' is not among the programs that scripts/bundle-source.mjs makes.');
  return run(made);
};
`;
}

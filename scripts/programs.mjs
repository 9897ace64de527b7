/**
 * Makes one file of each program in dist/ (the command, and the processes it starts), and lets V8 keep what it makes of it: starting the command costs
 * a quarter of what loading its modules one by one does, and every judgement starts two programs. The modules stay for `assay/vgpu`.
 * esbuild is tsx's own: it is asked for through tsx, so that there is one version of it.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';

/**
 * `module`: the program's first module, which is replaced by a few lines that start the file made of it. `flags`: what Node is given when the program is
 * started, because V8 keeps its work for one set of flags; `args`: a run that loads the program and ends, or undefined where loading is all that is wanted.
 */
const programs = [
  { name: 'assay', module: 'cli/main.js', flags: [], args: ['--version'] },
  {
    name: 'virtual-device',
    module: 'device/virtual/child.js',
    flags: ['--max-old-space-size=4096', '--min-semi-space-size=16', '--single-threaded-gc'],
  },
  { name: 'cuda-device', module: 'device/cuda/child.js', flags: ['--max-old-space-size=4096'] },
  { name: 'sanitizer', module: 'vgpu/sanitizer/child.js', flags: [] },
];

/** Dependencies that become part of the programs. The others have files of their own (machine code, Python). */
const merged = ['commander', 'zod'];

/** Makes the programs of the built package at `root`. */
export async function makePrograms(root) {
  const require = createRequire(join(root, 'package.json'));
  const esbuild = createRequire(require.resolve('tsx/package.json'))('esbuild');
  const dist = join(root, 'dist');
  const folder = join(dist, 'programs');
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, 'scripts/start-program.cjs'), join(folder, 'start.cjs'));
  const sources = new Set();
  for (const { name, module } of programs) {
    const { metafile } = await esbuild.build({
      entryPoints: [join(dist, module)],
      outfile: join(folder, `${name}.cjs`),
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      legalComments: 'inline',
      metafile: true,
      logLevel: 'warning',
      external: Object.keys(dependencies).filter((dependency) => !merged.includes(dependency)),
      plugins: [ownUrls(dist)],
    });
    for (const input of Object.keys(metafile.inputs)) sources.add(input);
  }
  writeFileSync(join(folder, 'LICENSES.txt'), licenses(root, [...sources]));
  // Only now, because a program may be made of another's first module.
  for (const { name, module } of programs) {
    const start = relative(join(dist, module, '..'), join(folder, 'start.cjs'));
    writeFileSync(
      join(dist, module),
      `import { createRequire } from 'node:module';\n\ncreateRequire(import.meta.url)('${start}')('${name}');\n`,
    );
  }
  for (const program of programs) keepCode(folder, program);
}

/** `import.meta.url` of each module, in a file that is in another place; and packages that are imported when they are needed. */
function ownUrls(dist) {
  return {
    name: 'own-urls',
    setup(build) {
      build.onLoad({ filter: /\.js$/ }, ({ path }) => {
        const module = relative(dist, path);
        if (module.startsWith('..')) return undefined;
        const text = readFileSync(path, 'utf8');
        const contents = text
          .replaceAll('import.meta.url', `urlOfModule(${JSON.stringify(module)})`)
          .replace(/\bawait import\((?!\s*['"]\.)/g, 'await importModule(');
        return { contents, loader: 'js' };
      });
    },
  };
}

/** The licenses of the packages that became part of the programs. */
function licenses(root, inputs) {
  const folders = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []));
  return [...folders]
    .map((folder) => {
      const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((name) => join(root, folder, name)).find(existsSync);
      if (!file) throw new Error(`${folder} is part of the programs and has no license file to go with it.`);
      return `${folder.replace(/^.*node_modules\//, '')}\n\n${readFileSync(file, 'utf8')}`;
    })
    .join('\n\n');
}

/** Runs a program once and keeps what V8 compiled for it. Fails the build where the program does not start. */
function keepCode(folder, { name, flags, args = [] }) {
  const file = join(folder, `${name}.cjs.cache`);
  const code = `
    process.argv.splice(1, 0, ${JSON.stringify(name)});
    const script = require(${JSON.stringify(join(folder, 'start.cjs'))})(${JSON.stringify(name)});
    setTimeout(() => {
      require('node:fs').writeFileSync(${JSON.stringify(file)}, script.createCachedData());
      process.exit();
    }, 100);
  `;
  const { status } = spawnSync(process.execPath, [...flags, '-e', code, '--', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`The program ${name} does not start.`);
}

/**
 * What a Node program of ours must read to run, and nothing else: Node itself with the libraries it is linked to, the package's code, its dependencies. From
 * source also what loads TypeScript, with its cache, read-only: else each process would compile all files anew, or could change what the next one runs.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The folder of package.json. This file is in src/isolation, or in dist/isolation or a program of dist/programs. */
const packageFolder = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Code runs as it was written; else as it was built. */
export const fromSource = import.meta.url.endsWith('.ts');

/** Flags that Node must be given so that it can load the package's code as this process does. */
export const loadingFlags: readonly string[] = fromSource ? process.execArgv : [];

/** Libraries that this Node has loaded, by their files; it is linked to system libraries, or to some of its own. Linux. */
function nodeLibraries(): string[] {
  if (!existsSync('/proc/self/maps')) return [];
  const files = readFileSync('/proc/self/maps', 'utf8').match(/\/\S+\.so[.\d]*$/gm) ?? [];
  return [...new Set(files)];
}

/** Folders of dependencies: the package's own, or that in which it is installed with others. */
function dependencyFolders(): string[] {
  const own = join(packageFolder, 'node_modules');
  const parts = packageFolder.split(sep);
  const outer = parts.indexOf('node_modules');
  const folders = [own, ...(outer === -1 ? [] : [parts.slice(0, outer + 1).join(sep)])].filter((f) => existsSync(f));
  return [...new Set(folders.flatMap((folder) => [folder, realpathSync(folder)]))];
}

/** The loader forgets what it has not used for a week. */
const KEPT_MILLISECONDS = 24 * 3600 * 1000;

let known: readonly string[] | undefined;

/** Files and folders. */
export function programFiles(): readonly string[] {
  known ??= [
    ...[process.execPath, ...nodeLibraries(), ...dependencyFolders()],
    ...['package.json', ...(fromSource ? ['src', 'tsconfig.json'] : ['dist'])].map((name) => join(packageFolder, name)),
  ];
  return known;
}

/** Where such a program starts: relative names in its flags are read from here. */
export const programDirectory: string = fromSource ? packageFolder : dirname(packageFolder);

const cacheFolder = join(tmpdir(), `tsx-${process.geteuid?.()}`);

/** The loader's cache, and where a process of that user looks for it. */
export function loaderCache(user: number): (readonly [from: string, to: string])[] {
  return fromSource ? [[cacheFolder, `/tmp/tsx-${user}`]] : [];
}

/** When a file of the source was changed last, milliseconds. */
function lastChange(): number {
  const source = join(packageFolder, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return Math.max(...files.map((file) => statSync(join(source, file)).mtimeMs));
}

const filled = new Map<string, Promise<void>>();

/**
 * From source: loads the program once where it may fill the loader's cache, before anything of a stranger's is near it, if the source has changed since that was
 * done last. Loading is all that it does without a parent. Where tests and the corpus run, programs are loaded without it (scripts/bundle-source.mjs).
 */
export function fillLoaderCache(program: string): Promise<void> {
  if (!program.endsWith('.ts') || !loadingFlags.some((flag) => /\btsx\b/.test(flag))) return Promise.resolve();
  const known = filled.get(program);
  if (known) return known;
  const filling = fill(program);
  filled.set(program, filling);
  return filling;
}

async function fill(program: string): Promise<void> {
  const mark = join(cacheFolder, `assay-${createHash('sha256').update(program).digest('hex').slice(0, 32)}`);
  const before = statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (before > Math.max(lastChange(), Date.now() - KEPT_MILLISECONDS)) return;
  try {
    await promisify(execFile)(process.execPath, [...loadingFlags, program], {
      cwd: programDirectory,
      env: { TMPDIR: tmpdir() },
    });
    writeFileSync(mark, '');
  } catch {
    // A program that cannot be loaded says so when it is started.
  }
}

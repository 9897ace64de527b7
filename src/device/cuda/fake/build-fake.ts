/** Builds the fake library with the C compiler that is here. For tests and dry runs: needs gcc or cc. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('./fake_cuda.c', import.meta.url));

/** The C compiler, or undefined where there is none. */
export function cCompiler(): string | undefined {
  return ['gcc', 'cc', 'clang'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

interface BuiltFake {
  /** The library's file. */
  readonly library: string;
  /** A file for ASSAY_FAKE_CONTEXTS. */
  readonly contexts: string;
  remove(): void;
}

/** The library's file, in a new folder, and how to remove it. @throws where the compiler fails, with what it says */
export async function buildFakeDriver(compiler: string): Promise<BuiltFake> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-fake-cuda-'));
  const library = join(folder, 'libfakecuda.so');
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];
  await promisify(execFile)(compiler, [...flags, '-o', library, source]);
  const contexts = join(folder, 'contexts');
  return { library, contexts, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

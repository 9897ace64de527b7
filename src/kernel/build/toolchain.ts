/** Finds nvcc and ptxas, and what they are. Asked once a process. */
import { execFile } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface Toolchain {
  nvcc: string;
  ptxas: string;
  /** The release line of `nvcc --version`, e.g. `Cuda compilation tools, release 13.0, V13.0.88`. */
  version: string;
  /** Where nvcc's own headers lie; nothing else of the file system may be included, but the system's C++ headers. */
  root: string;
}

let found: Promise<Toolchain | undefined> | undefined;

/** The CUDA compilers on PATH (or under /usr/local/cuda), or undefined where there are none. */
export function findToolchain(): Promise<Toolchain | undefined> {
  found ??= search();
  return found;
}

async function search(): Promise<Toolchain | undefined> {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/cuda/bin'];
  const nvcc = executableIn(directories, 'nvcc');
  if (!nvcc) return undefined;
  const home = dirname(realpathSync(nvcc));
  const ptxas = executableIn([home, ...directories], 'ptxas');
  if (!ptxas) return undefined;
  const { stdout } = await execute(nvcc, ['--version'], { timeout: 20_000 });
  const version =
    stdout
      .split('\n')
      .find((line) => line.includes('release'))
      ?.trim() ?? stdout.trim();
  return { nvcc, ptxas, version, root: await toolkitRoot(nvcc, home) };
}

/** nvcc on PATH may be a script or a link; a dry run of the real one says where its toolkit lies. */
async function toolkitRoot(nvcc: string, home: string): Promise<string> {
  const dryRun = ['--dryrun', '-x', 'cu', '-ptx', '-o', '/dev/null', '/dev/null'];
  const { stderr } = await execute(nvcc, dryRun, { timeout: 20_000 }).catch(() => ({ stderr: '' }));
  const top = /^#\$ TOP=(.*)$/m.exec(stderr)?.[1];
  return realpathSync(top ?? join(home, '..'));
}

function executableIn(directories: readonly string[], name: string): string | undefined {
  for (const directory of directories) {
    if (directory === '') continue;
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/**
 * Finds what compiles CUDA C++ here, and what it is: nvcc; where it is missing NVRTC, or clang with the CUDA toolkit's headers; ptxas where it is. Asked once a process.
 *
 * `ASSAY_COMPILER=nvcc|nvrtc|clang` chooses where several are; `ASSAY_NVRTC` names NVRTC's library; `CUDA_HOME` (or `CUDA_PATH`) names the toolkit to use instead of /usr/local/cuda.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BuildError } from './build-error.ts';
import { findNvrtc, type Nvrtc } from './nvrtc.ts';

const execute = promisify(execFile);

export interface Tool {
  path: string;
  /** As it names itself. */
  version: string;
}

/** The CUDA toolkit's headers and libdevice, which clang needs and nvcc brings. */
export interface CudaHeaders {
  root: string;
  /** e.g. `13.0`. */
  version: string;
}

/** What this machine has of what makes PTX and machine code. */
export interface Compilers {
  nvcc?: Tool;
  ptxas?: Tool;
  /** Looked for where nvcc is missing. */
  nvrtc?: Nvrtc;
  clang?: Tool & { architectures: readonly string[] };
  headers?: CudaHeaders;
}

/** What compiles here. Its `version` stands in every build's key. */
export interface Toolchain {
  kind: 'nvcc' | 'nvrtc' | 'clang';
  compiler: string;
  /** Absent: no machine code, and resources are unknown. */
  ptxas?: string;
  /** Compiler and assembler with their versions, for people and for the cache's key. */
  version: string;
  /** Where CUDA's headers lie; nothing else of the file system may be included, but the system's C++ headers. */
  root: string;
  /** clang's GPU architectures, e.g. `sm_90a`. */
  architectures: readonly string[];
}

const OLDEST_CLANG = 19;
/** Named ones first: 19 is what the tests run with. */
const CLANG_NAMES = ['clang++-19', 'clang++-20', 'clang++-21', 'clang++-22', 'clang++'];

let compilers: Promise<Compilers> | undefined;

/** What is installed. */
export function findCompilers(): Promise<Compilers> {
  compilers ??= search(process.env);
  return compilers;
}

/**
 * The compiler to use, or undefined where there is none.
 * @param wish `nvcc`, `nvrtc` or `clang`; empty: whichever is here, in that order.
 * @throws BuildError where the one that is wished for is not here.
 */
export async function findToolchain(wish = process.env.ASSAY_COMPILER ?? ''): Promise<Toolchain | undefined> {
  const have = await findCompilers();
  const chosen = choose(have, wish);
  if (wish !== '' && !chosen) {
    const why =
      wish === 'nvcc' || wish === 'clang' || wish === 'nvrtc' ? missing(have) : 'It may be nvcc, nvrtc or clang.';
    throw new BuildError('no-compiler', `The compiler ${JSON.stringify(wish)} is asked for (ASSAY_COMPILER). ${why}`);
  }
  return chosen;
}

function choose({ nvcc, ptxas, nvrtc, clang, headers }: Compilers, wish: string): Toolchain | undefined {
  const assembler = ptxas ? ptxas.version : 'no ptxas';
  if (nvcc && headers && (wish === '' || wish === 'nvcc')) {
    const version = ptxas ? nvcc.version : `${nvcc.version}; no ptxas`;
    return { kind: 'nvcc', compiler: nvcc.path, ptxas: ptxas?.path, version, root: headers.root, architectures: [] };
  }
  if (nvrtc && (wish === '' || wish === 'nvrtc')) {
    const version = `${nvrtc.version}${headers ? ` with the headers of CUDA ${headers.version}` : ''}; ${assembler}`;
    return {
      ...{
        kind: 'nvrtc',
        compiler: nvrtc.path,
        ptxas: ptxas?.path,
        version,
        root: nvrtc.root ?? '',
        architectures: [],
      },
    };
  }
  if (!clang || !headers || (wish !== '' && wish !== 'clang')) return undefined;
  return {
    kind: 'clang',
    compiler: clang.path,
    ptxas: ptxas?.path,
    version: `${clang.version} with the headers of CUDA ${headers.version}; ${assembler}`,
    root: headers.root,
    architectures: clang.architectures,
  };
}

/** What to install, in sentences, where {@link findToolchain} finds nothing. */
export function missing({ nvcc, clang, headers }: Compilers): string {
  if (nvcc && !headers)
    return `nvcc was found (${nvcc.path}), but not the headers of its toolkit: reinstall the CUDA toolkit, or point CUDA_HOME at it.`;
  if (clang && !headers) {
    return `nvcc was not found. ${clang.version} was, and it can stand in for nvcc, but CUDA C++ needs the CUDA toolkit's headers and its libdevice (include/cuda_runtime.h, nvvm/libdevice/libdevice.10.bc), which were not found: install the toolkit, or point CUDA_HOME at one.`;
  }
  if (headers) {
    return `nvcc was not found, and of clang no version ${OLDEST_CLANG} or later with NVPTX either; the headers of CUDA ${headers.version} are there (${headers.root}). Put the toolkit's nvcc on PATH, or install clang-${OLDEST_CLANG}.`;
  }
  return 'nvcc was not found. Install the CUDA toolkit (no GPU is needed) and put its bin folder on PATH; `assay doctor` checks it.';
}

/** @param environment PATH, and CUDA_HOME or CUDA_PATH, as in `process.env`. */
export async function search(environment: Readonly<Record<string, string | undefined>>): Promise<Compilers> {
  const path = (environment.PATH ?? '').split(delimiter);
  const home = environment.CUDA_HOME ?? environment.CUDA_PATH ?? '/usr/local/cuda';
  const directories = [...path, join(home, 'bin')];
  const nvccPath = executableIn(directories, 'nvcc');
  const besideNvcc = nvccPath ? [dirname(realpathSync(nvccPath))] : [];
  const ptxasPath = executableIn([...besideNvcc, ...directories], 'ptxas');
  const [nvcc, ptxas, clang] = await Promise.all([tool(nvccPath), tool(ptxasPath), findClang(path)]);
  const roots = [
    ...(nvccPath ? [await toolkitOf(nvccPath)] : []),
    home,
    ...(ptxasPath ? [join(dirname(realpathSync(ptxasPath)), '..')] : []),
  ];
  const root = roots.find((folder) => existsSync(join(folder, 'include', 'cuda_runtime.h')));
  const headers = root === undefined ? undefined : headersAt(root);
  const asked = environment.ASSAY_COMPILER === 'nvrtc' || (environment.ASSAY_NVRTC ?? '') !== '';
  const nvrtc = nvcc && !asked ? undefined : await findNvrtc(environment, roots);
  return {
    ...(nvcc && { nvcc }),
    ...(ptxas && { ptxas }),
    ...(nvrtc && { nvrtc }),
    ...(clang && { clang }),
    ...(headers && { headers }),
  };
}

async function tool(path: string | undefined): Promise<Tool | undefined> {
  if (path === undefined) return undefined;
  const { stdout } = await execute(path, ['--version'], { timeout: 20_000 });
  const lines = stdout.split('\n').map((line) => line.trim());
  return { path, version: lines.find((line) => line.includes('release')) ?? lines[0] ?? '' };
}

/** nvcc on PATH may be a script or a link; a dry run of the real one says where its toolkit lies. */
async function toolkitOf(nvcc: string): Promise<string> {
  const dryRun = ['--dryrun', '-x', 'cu', '-ptx', '-o', '/dev/null', '/dev/null'];
  const { stderr } = await execute(nvcc, dryRun, { timeout: 20_000 }).catch(() => ({ stderr: '' }));
  const top = /^#\$ TOP=(.*)$/m.exec(stderr)?.[1];
  return top ?? join(dirname(realpathSync(nvcc)), '..');
}

/** A toolkit is whole for clang only with libdevice, the bitcode of its mathematics. */
function headersAt(folder: string): CudaHeaders | undefined {
  const root = realpathSync(folder);
  if (!existsSync(join(root, 'nvvm', 'libdevice', 'libdevice.10.bc'))) return undefined;
  const number = Number(/#define CUDART_VERSION\s+(\d+)/.exec(readHeader(root))?.[1] ?? 0);
  return { root, version: `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}` };
}

function readHeader(root: string): string {
  try {
    return readFileSync(join(root, 'include', 'cuda_runtime_api.h'), 'utf8');
  } catch {
    return '';
  }
}

/** The first clang that is new enough and makes PTX. */
async function findClang(path: readonly string[]): Promise<Compilers['clang']> {
  for (const name of CLANG_NAMES) {
    const found = executableIn(path, name);
    if (!found) continue;
    const asked = ['--target=nvptx64-nvidia-cuda', '--print-supported-cpus'];
    const { stdout, stderr } = await execute(found, asked, { timeout: 20_000 }).catch(() => ({
      stdout: '',
      stderr: '',
    }));
    const said = `${stdout}\n${stderr}`;
    // Apple's numbers are others, and its clang has no NVPTX.
    const version = /^(?!Apple).*\bclang version (\d+)[^\s(]*/m.exec(said);
    const architectures = [...said.matchAll(/^\s+(sm_\d+[a-z]?)$/gm)].map((match) => match[1] as string);
    if (!version || Number(version[1]) < OLDEST_CLANG || architectures.length === 0) continue;
    return { path: found, version: version[0].trim(), architectures };
  }
  return undefined;
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

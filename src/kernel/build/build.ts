/**
 * Device code to PTX (nvcc) and machine code (ptxas): under limits, cached by content.
 *
 * Only the device pass of the compiler runs (`-ptx`): no host code is compiled, nothing that is built is ever executed
 * on the host. What the compiler opened is checked against an allow-list: the CUDA toolkit's and the C++ system headers.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { behindWall, type ProcessLimits, type ProcessResult, runLimited } from '../../isolation/index.ts';
import type { Build } from '../types.ts';
import { BuildError } from './build-error.ts';
import { readDiagnostics, readResources, summarise } from './diagnostics.ts';
import { checkFlags } from './flags.ts';
import { findToolchain, type Toolchain } from './toolchain.ts';

export interface BuildRequest {
  /** Device-only CUDA C++ whose line numbers are the candidate's. */
  source: string;
  /** e.g. `sm_90`. */
  arch: string;
  /** Folder of the cache; made when missing. Safe to share between processes. */
  cacheDir: string;
  /** Extra compiler flags, from the allow-list. */
  flags?: readonly string[];
  /** Folders of headers that whoever asks for the build trusts. With them nothing is cached: their content may change. */
  includeFolders?: readonly string[];
  signal?: AbortSignal;
}

const sourceFile = 'candidate.cu';
export const limits: ProcessLimits = {
  milliseconds: 60_000,
  cpuSeconds: 60,
  addressSpaceKiB: 8 * 1024 * 1024,
  fileKiB: 64 * 1024,
  outputBytes: 256 * 1024,
};

/** Bump when what is stored or how it is built changes. */
const cacheVersion = 1;

/** Compiles, or takes from the cache. Throws {@link BuildError}. */
export async function buildDeviceCode(request: BuildRequest): Promise<Build> {
  const flags = checkFlags(request.flags ?? []);
  const toolchain = await findToolchain();
  if (!toolchain) {
    throw new BuildError(
      'no-compiler',
      'nvcc and ptxas were not found. Install the CUDA toolkit (no GPU is needed) and put nvcc on PATH; `assay doctor` checks it. PTX with a launch description can be judged without it (src/kernel/ptx-door/README.md).',
    );
  }
  const hash = createHash('sha256')
    .update(JSON.stringify([cacheVersion, toolchain.version, request.arch, flags, request.source]))
    .digest('hex');
  if (request.includeFolders?.length) return compile(request, flags, toolchain, hash);
  const stored = join(request.cacheDir, `${hash}.json`);
  const cached = await readCache(stored);
  if (cached) return cached;

  const build = await compile(request, flags, toolchain, hash);
  await mkdir(request.cacheDir, { recursive: true });
  // Written whole under another name first: a reader or a crash never sees half a file.
  const partial = `${stored}.${randomUUID()}`;
  await writeFile(partial, JSON.stringify(build));
  await rename(partial, stored);
  return build;
}

async function readCache(file: string): Promise<Build | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return { ...(JSON.parse(text) as Build), cached: true };
  } catch {
    return undefined; // Damaged: build it again.
  }
}

async function compile(
  request: BuildRequest,
  flags: readonly string[],
  toolchain: Toolchain,
  hash: string,
): Promise<Build> {
  const started = performance.now();
  const directory = await mkdtemp(join(tmpdir(), 'assay-build-'));
  const headers = (request.includeFolders ?? []).map((folder) => resolve(folder));
  const path = [dirname(toolchain.nvcc), dirname(toolchain.ptxas), '/usr/local/bin', '/usr/bin', '/bin'].join(':');
  const run = async (tool: string, command: readonly string[]): Promise<string> => {
    const walled = await behindWall([tool, ...command], directory, [
      ...[toolchain.root, dirname(toolchain.nvcc)],
      ...headers,
    ]);
    const result = await runLimited(walled, directory, path, limits, request.signal);
    return expectSuccess(result);
  };
  try {
    await writeFile(join(directory, sourceFile), request.source);
    const language = flags.some((flag) => flag.startsWith('-std=')) ? [] : ['-std=c++17'];
    const optimise = flags.some((flag) => /^-O\d/.test(flag)) ? [] : ['-O3'];
    await run(toolchain.nvcc, [
      ...['-ptx', `-arch=${request.arch}`, '-lineinfo', ...language, ...optimise, ...flags],
      ...headers.map((folder) => `-I${folder}`),
      ...['-MD', '-MF', 'candidate.d', '-o', 'candidate.ptx', sourceFile],
    ]);
    const included = await readFile(join(directory, 'candidate.d'), 'utf8');
    await checkIncludes(included, directory, [toolchain.root, ...headers]);
    const report = await run(toolchain.ptxas, [
      '-v',
      `-arch=${request.arch}`,
      '-o',
      'candidate.cubin',
      'candidate.ptx',
    ]);
    const ptx = (await readFile(join(directory, 'candidate.ptx'), 'utf8')).replaceAll(`${directory}${sep}`, '');
    const cubin = (await readFile(join(directory, 'candidate.cubin'))).toString('base64');
    const milliseconds = performance.now() - started;
    const resources = readResources(report);
    return {
      hash,
      ptx,
      cubin,
      arch: request.arch,
      resources,
      compiler: toolchain.version,
      milliseconds,
      cached: false,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The output of a compiler that ended well. @throws BuildError */
export function expectSuccess(result: ProcessResult): string {
  if (result.ended === 'aborted') throw new BuildError('aborted', 'The build was stopped.');
  if (result.ended === 'timeout') {
    throw new BuildError(
      'limit',
      `The compiler was stopped after ${limits.milliseconds / 1000} s: the source takes too long to compile.`,
    );
  }
  if (result.ended === 'output') {
    throw new BuildError('limit', `The compiler was stopped: it printed more than ${limits.outputBytes / 1024} KiB.`);
  }
  if (result.status === 0) return result.output;
  const diagnostics = readDiagnostics(result.output, sourceFile);
  const summary = summarise(diagnostics);
  if (summary !== '') throw new BuildError('compile', `The CUDA code does not compile: ${summary}.`, diagnostics);
  const how = result.signal
    ? `was killed (${result.signal}: a limit on time, memory or file size)`
    : `failed (${result.status})`;
  const last = result.output.trim().split('\n').slice(-3).join(' ');
  throw new BuildError(result.signal ? 'limit' : 'compile', `The compiler ${how}${last ? `: ${last}` : '.'}`);
}

/** Refuses code that made the compiler open a file outside the toolkit's and the system's header folders. */
async function checkIncludes(makeRule: string, directory: string, folders: readonly string[]): Promise<void> {
  const files = makeRule
    .slice(makeRule.indexOf(':') + 1)
    .split(/\s*\\?\n\s*|\s+/)
    .filter((file) => file !== '');
  const trusted = folders.map((folder) => realpath(folder).catch(() => folder));
  const roots = [
    ...(await Promise.all(trusted)),
    '/usr/include',
    '/usr/lib/gcc',
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
  ];
  for (const file of files) {
    const real = await realpath(resolve(directory, file)).catch(() => resolve(directory, file));
    if (real === join(await realpath(directory), sourceFile)) continue;
    if (!roots.some((root) => real.startsWith(root + sep))) {
      throw new BuildError(
        'include',
        `The CUDA code includes ${JSON.stringify(file)}, which is not a CUDA or C++ system header.`,
      );
    }
  }
}

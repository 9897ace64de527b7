/**
 * Device code to PTX (nvcc, or clang where it is missing) and machine code (ptxas, where it is there): under limits, cached by content.
 *
 * Only the device pass of the compiler runs: no host code is compiled, nothing that is built is ever executed
 * on the host. What the compiler opened is checked against an allow-list: the CUDA toolkit's and the C++ system headers.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { behindWall, type ProcessLimits, type ProcessResult, runLimited, wallWorks } from '../../isolation/index.ts';
import { findCutlass, includesCutlass } from '../cutlass.ts';
import type { Build } from '../types.ts';
import { BuildError } from './build-error.ts';
import { CLANG_HEADERS, type CompilerRequest, clangCommand, writeClangHeaders } from './clang.ts';
import { filesNamed, readDiagnostics, summarise } from './diagnostics.ts';
import { checkFlags } from './flags.ts';
import { NVRTC_FOLDER, nvrtcCommand, nvrtcReads, writeNvrtc } from './nvrtc.ts';
import { readResources } from './resources.ts';
import { findCompilers, findToolchain, missing, type Toolchain } from './toolchain.ts';

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
  /** The compiler; the machine's own choice when absent. */
  toolchain?: Toolchain;
  /** Tighter limits than {@link LIMITS}. */
  limits?: Partial<ProcessLimits>;
  signal?: AbortSignal;
}

const sourceFile = 'candidate.cu';
export const ptxFile = 'candidate.ptx';
const LIMITS: ProcessLimits = {
  milliseconds: 60_000,
  cpuSeconds: 60,
  addressSpaceKiB: 8 * 1024 * 1024,
  fileKiB: 64 * 1024,
  outputBytes: 256 * 1024,
};

/** Bump when what is stored or how it is built changes. */
const cacheVersion = 2;

/** Compiles, or takes from the cache. Throws {@link BuildError}. */
export async function buildDeviceCode(request: BuildRequest): Promise<Build> {
  const flags = checkFlags(request.flags ?? []);
  const toolchain = request.toolchain ?? (await findToolchain());
  if (!toolchain) {
    throw new BuildError(
      'no-compiler',
      `${missing(await findCompilers())} PTX with a launch description can be judged without a compiler (src/kernel/ptx-door/README.md).`,
    );
  }
  const cutlass = includesCutlass(request.source) ? findCutlass() : undefined;
  const versions = cutlass ? [toolchain.version, cutlass.version] : toolchain.version;
  const hash = createHash('sha256')
    .update(JSON.stringify([cacheVersion, versions, request.arch, flags, request.source]))
    .digest('hex');
  const headers = [...(request.includeFolders ?? []), ...(cutlass ? [cutlass.folder] : [])].map((folder) =>
    resolve(folder),
  );
  if (request.includeFolders?.length) return compile(request, flags, toolchain, headers, hash);
  const stored = join(request.cacheDir, `${hash}.json`);
  const cached = await readCache(stored);
  if (cached) return cached;

  const build = await compile(request, flags, toolchain, headers, hash);
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
  headers: readonly string[],
  hash: string,
): Promise<Build> {
  const started = performance.now();
  const directory = await mkdtemp(join(tmpdir(), 'assay-build-'));
  const { root } = toolchain;
  // NVRTC may come without a toolkit.
  const toolkit = root === '' ? [] : [root, join(root, 'include'), join(root, 'nvvm', 'libdevice')];
  const trusted = [...toolkit, ...headers];
  const { source, arch, signal } = request;
  const limits = { ...LIMITS, ...request.limits };
  try {
    await writeFile(join(directory, sourceFile), source);
    if (toolchain.kind === 'clang') await writeClangHeaders(directory, toolchain);
    if (toolchain.kind === 'nvrtc') await writeNvrtc(directory);
    const chosen = [
      ...(flags.some((flag) => flag.startsWith('-std=')) ? [] : ['-std=c++17']),
      ...(flags.some((flag) => /^-O\d/.test(flag)) ? [] : ['-O3']),
      ...flags,
    ];
    const command = { toolchain, arch, flags: chosen, includeFolders: headers, source: sourceFile, output: ptxFile };
    const compiler = await runTool(
      commands[toolchain.kind](command, source),
      directory,
      [
        ...[...trusted, ...(await Promise.all(trusted.map(real))), dirname(toolchain.compiler)],
        ...(toolchain.kind === 'nvrtc' ? nvrtcReads(toolchain.compiler) : []),
      ],
      limits,
      signal,
    );
    const ptx = await readFile(join(directory, ptxFile), 'utf8').catch(() => '');
    const included = await readFile(join(directory, 'candidate.d'), 'utf8').catch(() => '');
    // Before anything that was read is told: a message about a file could hold its first words.
    await checkIncludes([...madeOf(included), ...filesNamed(compiler.output, sourceFile)], directory, trusted);
    expectSuccess(compiler, limits, { source, ptx });
    const built = {
      hash,
      ptx: ptx.replaceAll(`${directory}${sep}`, ''),
      arch,
      compiler: toolchain.version,
      wall: (await wallWorks()) ? 'bubblewrap' : 'none',
      cached: false,
    };
    const assembled = toolchain.ptxas
      ? await assemble({ ptxas: toolchain.ptxas, root: toolchain.root, directory, arch, flags, limits, signal })
      : { cubin: '', resources: [] };
    return { ...built, ...assembled, milliseconds: performance.now() - started };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Each compiler's command; the source's text is for those that cannot say what they read. */
const commands: Readonly<Record<Toolchain['kind'], (request: CompilerRequest, source: string) => string[]>> = {
  nvcc: nvccCommand,
  nvrtc: nvrtcCommand,
  clang: clangCommand,
};

/**
 * The files that were read are asked of the preprocessor itself, as it runs for the device's code: nvcc's own -MD would run it once more, for the host's.
 */
function nvccCommand({ toolchain, arch, flags, includeFolders, source, output }: CompilerRequest): string[] {
  return [
    ...[toolchain.compiler, '-ptx', `-arch=${arch}`, '-lineinfo', ...flags],
    ...includeFolders.map((folder) => `-I${folder}`),
    ...['-Xcompiler', '-MD,-MF,candidate.d', '-o', output, source],
  ];
}

export interface AssemblerRequest {
  ptxas: string;
  root: string;
  /** Where the PTX lies, as {@link ptxFile}. */
  directory: string;
  arch: string;
  flags?: readonly string[];
  limits?: ProcessLimits;
  signal?: AbortSignal;
}

/** Machine code and resources of the PTX in a directory. @throws BuildError with what ptxas says of it. */
export async function assemble(request: AssemblerRequest): Promise<Pick<Build, 'cubin' | 'resources'>> {
  const { ptxas, root, directory, arch, flags = [], limits = LIMITS, signal } = request;
  const own = flags.filter((flag) => /maxrregcount/.test(flag));
  const command = [ptxas, '-v', `-arch=${arch}`, ...own, '-o', 'candidate.cubin', ptxFile];
  const result = await runTool(command, directory, [root, dirname(ptxas)], limits, signal);
  const ptx = await readFile(join(directory, ptxFile), 'utf8');
  const report = expectSuccess(result, limits, { source: '', ptx });
  const cubin = (await readFile(join(directory, 'candidate.cubin'))).toString('base64');
  return { cubin, resources: readResources(report) };
}

async function runTool(
  command: readonly string[],
  directory: string,
  folders: readonly string[],
  limits: ProcessLimits,
  signal?: AbortSignal,
): Promise<ProcessResult> {
  const path = [dirname(command[0] ?? ''), '/usr/local/bin', '/usr/bin', '/bin'].join(':');
  const walled = await behindWall(command, directory, folders);
  return runLimited(walled, directory, path, limits, signal);
}

const real = (path: string): Promise<string> => realpath(path).catch(() => path);

/** The output of a compiler that ended well. @throws BuildError */
function expectSuccess(
  result: ProcessResult,
  limits: ProcessLimits,
  { source, ptx }: { source: string; ptx: string },
): string {
  if (result.ended === 'aborted') throw new BuildError('aborted', 'The build was stopped.');
  if (result.ended === 'timeout') {
    throw new BuildError(
      'limit',
      `The compiler was stopped after ${limits.milliseconds / 1000} s: the source takes too long to compile.`,
    );
  }
  if (result.ended === 'ok' && result.status === 0) return result.output;
  const diagnostics = readDiagnostics(result.output, sourceFile, source, ptx);
  const summary = summarise(diagnostics);
  if (summary !== '') throw new BuildError('compile', `The CUDA code does not compile: ${summary}.`, diagnostics);
  if (result.ended === 'output') {
    throw new BuildError('limit', `The compiler was stopped: it printed more than ${limits.outputBytes / 1024} KiB.`);
  }
  if (result.signal || KILLED.test(result.output) || ((result.status ?? 0) >= 129 && (result.status ?? 0) < 160)) {
    throw new BuildError(
      'limit',
      `The compiler was killed (${result.signal ?? `status ${result.status}`}): the source takes more than ${limits.cpuSeconds} s of processor time, ${limits.addressSpaceKiB / 2 ** 20} GiB of memory or a file of ${limits.fileKiB / 1024} MiB, or crashes it.`,
    );
  }
  throw new BuildError('compile', `The compiler failed (status ${result.status}) without an error that could be read.`);
}

/** How a compiler's driver tells that a part of it was killed or found no memory. */
const KILLED =
  /\b(Killed|Segmentation fault|CPU time limit exceeded|File size limit exceeded|Aborted|signal \d+|bad_alloc|out of memory|cannot allocate memory|No space left)\b/i;

/** The files of a make rule. */
function madeOf(makeRule: string): string[] {
  return makeRule
    .slice(makeRule.indexOf(':') + 1)
    .split(/\s*\\?\n\s*|\s+/)
    .filter((file) => file !== '');
}

/** Refuses code that made the compiler open a file outside the toolkit's and the system's header folders. */
async function checkIncludes(files: readonly string[], directory: string, folders: readonly string[]): Promise<void> {
  const roots = [
    ...(await Promise.all(folders.map(real))),
    ...['/usr/include', '/usr/lib/gcc', '/usr/lib/llvm', '/usr/lib/clang'],
    ...['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'],
    await real(join(directory, CLANG_HEADERS)),
    await real(join(directory, NVRTC_FOLDER)),
  ];
  for (const file of files) {
    const found = await real(resolve(directory, file));
    if (found === (await real(join(directory, sourceFile))) || file.startsWith('<')) continue;
    if (!roots.some((root) => found.startsWith(root + sep) || (/llvm$/.test(root) && found.startsWith(`${root}-`)))) {
      throw new BuildError(
        'include',
        `The CUDA code includes ${JSON.stringify(file)}, which is not a CUDA or C++ system header.`,
      );
    }
  }
}

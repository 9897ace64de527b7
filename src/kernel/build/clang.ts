/**
 * clang in nvcc's place: its command for the same flags, and small headers for what CUDA 13 took away or clang 19 does not know.
 *
 * clang reads the toolkit's own headers through a wrapper of its own (`__clang_cuda_runtime_wrapper.h`), which was written for CUDA 12 and older.
 */
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from './build-error.ts';
import type { Toolchain } from './toolchain.ts';

/** Asked for by clang's wrapper; CUDA 12 dropped the first two, and the third belongs to cuRAND, which may not be installed. Found only where the toolkit has none. */
const SHIMS: Readonly<Record<string, string>> = {
  'texture_fetch_functions.h': '/* Texture references left CUDA in version 12. */\n',
  'texture_indirect_functions.h': '#include "texture_types.h"\n',
  'curand_mtgp32_kernel.h': '/* Asked for by clang for the sake of cuRAND, which no candidate reaches through it. */\n',
};

/**
 * Read after CUDA's headers. What clang would drop without a word is an error; a grid constant is only never copied, which changes no result.
 * `__clz` and its like are functions of CUDA's own headers with nvcc and built in with clang.
 */
const AFTER_CUDA = `#undef __grid_constant__
#define __grid_constant__
#undef __cluster_dims__
#define __cluster_dims__(...) _Pragma("GCC error \\"__cluster_dims__ needs nvcc: clang drops it\\"")
#undef __block_size__
#define __block_size__(...) _Pragma("GCC error \\"__block_size__ needs nvcc: clang drops it\\"")
`;

export const CLANG_HEADERS = 'clang-headers';
const AFTER = 'after-cuda.h';

/** A toolkit of links: clang takes none that has no `bin`, which toolkits of headers alone lack. */
const TOOLKIT = 'cuda';

/** Puts into a build's directory what clang reads besides the candidate. */
export async function writeClangHeaders(directory: string, { root }: Toolchain): Promise<void> {
  const folder = join(directory, CLANG_HEADERS);
  await mkdir(folder);
  await mkdir(join(directory, TOOLKIT, 'bin'), { recursive: true });
  await mkdir(join(directory, TOOLKIT, 'nvvm'));
  for (const part of ['include', join('nvvm', 'libdevice')])
    await symlink(await realpath(join(root, part)), join(directory, TOOLKIT, part));
  for (const [name, text] of Object.entries({ ...SHIMS, [AFTER]: AFTER_CUDA }))
    await writeFile(join(folder, name), text);
}

/** A compilation of device code to PTX. */
export interface CompilerRequest {
  toolchain: Toolchain;
  /** The architecture that is asked for, e.g. `sm_100`. */
  arch: string;
  /** Flags as nvcc has them, from the allow-list. */
  flags: readonly string[];
  includeFolders: readonly string[];
  source: string;
  output: string;
}

/** The command, to be run in the build's directory. */
export function clangCommand({ toolchain, arch, flags, includeFolders, source, output }: CompilerRequest): string[] {
  const target = clangArchitecture(toolchain, arch);
  return [
    toolchain.compiler,
    ...['-x', 'cuda', '--cuda-device-only', `--cuda-gpu-arch=${target}`, `--cuda-path=${TOOLKIT}`, '-S'],
    // .loc lines and nothing more, as nvcc's -lineinfo.
    ...['-gline-directives-only', '-Wno-unknown-cuda-version', '-Wno-unused-value'],
    ...['-fno-color-diagnostics', '-fshow-overloads=best', '-ferror-limit=40', '-ftemplate-backtrace-limit=0'],
    ...[
      '-isystem',
      join(TOOLKIT, 'include', 'cccl'),
      '-idirafter',
      CLANG_HEADERS,
      '-include',
      join(CLANG_HEADERS, AFTER),
    ],
    ...includeFolders.map((folder) => `-I${folder}`),
    // nvcc defines these; CCCL puts the first one into the names of its namespaces.
    `-D__CUDA_ARCH_LIST__=${target.replace(/\D/g, '')}0`,
    ...clangFlags(flags),
    ...['-MD', '-MF', 'candidate.d', '-o', output, source],
  ];
}

/** The architecture itself, or the newest plain one before it: PTX runs on every later GPU. */
export function clangArchitecture({ architectures, version }: Toolchain, arch: string): string {
  if (architectures.includes(arch)) return arch;
  const number = (name: string) => Number(name.replace(/\D/g, ''));
  const older = architectures
    .filter((name) => /^sm_\d+$/.test(name) && number(name) <= number(arch))
    .sort((a, b) => number(b) - number(a));
  const [newest] = older;
  if (newest) return newest;
  throw new BuildError('no-compiler', `${version} makes no PTX for ${arch}. Install the CUDA toolkit's nvcc.`);
}

/** nvcc's flags in clang's words; those that only tune nvcc have none. */
function clangFlags(flags: readonly string[]): string[] {
  const translated: string[] = [];
  const model = (name: string, level: string) => translated.push('-mllvm', `-nvptx-prec-${name}32=${level}`);
  for (const flag of flags) {
    const option = flag.replace(/^--?/, '');
    const value = option.endsWith('true');
    if (option === 'use_fast_math') {
      translated.push('-fgpu-flush-denormals-to-zero', '-fgpu-approx-transcendentals');
      model('divf', '0');
      model('sqrtf', '0');
    } else if (option.startsWith('ftz=')) translated.push(`-f${value ? '' : 'no-'}gpu-flush-denormals-to-zero`);
    else if (option.startsWith('prec-div=')) model('divf', value ? '2' : '1');
    else if (option.startsWith('prec-sqrt=')) model('sqrtf', value ? '1' : '0');
    else if (option.startsWith('fmad=')) translated.push(`-ffp-contract=${value ? 'fast' : 'off'}`);
    else if (/^(D|U|std=|O\d|w$)/.test(option)) translated.push(flag);
  }
  return translated;
}

/**
 * NVRTC in nvcc's place: NVIDIA's compiler as a library (libnvrtc), which comes with drivers' packages and with PyTorch where no toolkit is. It parses hostile text, so it is loaded in a
 * process of its own, behind the wall and under limits, as nvcc is: a few lines of JavaScript that are written into the build's directory, read the source there, and leave PTX or messages.
 *
 * It has no standard headers of C++: what candidates use of them is taken from CCCL, where the toolkit's headers have it.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BuildError } from './build-error.ts';
import type { CompilerRequest } from './clang.ts';

/** What was found of it. */
export interface Nvrtc {
  readonly path: string;
  /** e.g. `NVRTC 13.0`. */
  readonly version: string;
  /** The folder that has `include/cuda_fp16.h`; absent: candidates that include CUDA's headers do not compile. */
  readonly root?: string;
}

export const NVRTC_FOLDER = 'nvrtc';
const PROGRAM = join(NVRTC_FOLDER, 'nvrtc.cjs');
const HEADERS = join(NVRTC_FOLDER, 'headers');

/** Arguments: library, output, source, options. Without a source it says the library's version. */
const PROGRAM_TEXT = `'use strict';
const { readFileSync, readdirSync, realpathSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const [koffiPath, file, output, source, ...options] = process.argv.slice(2);
const koffi = require(koffiPath);
// It asks the loader for this one by its bare name: where it is loaded already, it is found.
const beside = dirname(realpathSync(file));
for (const name of readdirSync(beside)) if (/^libnvrtc-builtins\\.so/.test(name)) koffi.load(join(beside, name));
const library = koffi.load(file);
const f = (name, ...kinds) => library.func(name, 'int', kinds);
const version = f('nvrtcVersion', 'void *', 'void *');
const [major, minor] = [new Int32Array(1), new Int32Array(1)];
version(major, minor);
if (source === undefined) {
  process.stdout.write('NVRTC ' + major[0] + '.' + minor[0] + '\\n');
} else {
  const strings = (list) => {
    const kept = list.map((text) => Buffer.from(text + '\\0'));
    return { kept, pointers: BigUint64Array.from(kept, (bytes) => BigInt(koffi.address(bytes))) };
  };
  const handle = new BigUint64Array(1);
  const create = f('nvrtcCreateProgram', 'void *', 'str', 'str', 'int', 'void *', 'void *');
  if (create(handle, readFileSync(source, 'latin1'), source, 0, null, null) !== 0) process.exit(70);
  const { kept, pointers } = strings(options);
  const status = f('nvrtcCompileProgram', 'uint64_t', 'int', 'void *')(handle[0], options.length, pointers);
  const text = (what) => {
    const size = new BigUint64Array(1);
    f('nvrtcGet' + what + 'Size', 'uint64_t', 'void *')(handle[0], size);
    const bytes = Buffer.alloc(Number(size[0]));
    f('nvrtcGet' + what, 'uint64_t', 'void *')(handle[0], bytes);
    return bytes.toString('latin1', 0, Math.max(0, bytes.length - 1));
  };
  process.stderr.write(text('ProgramLog'));
  if (status === 0) writeFileSync(output, text('PTX'), 'latin1');
  if (kept.length < 0 || status !== 0) process.exit(1);
}
`;

/** Standard headers that candidates and our own prelude name, each by CCCL's of the same name. */
const STANDARD = [
  'algorithm',
  'cfloat',
  'climits',
  'cmath',
  'cstddef',
  'cstring',
  'limits',
  'tuple',
  'type_traits',
  'utility',
];
/**
 * CCCL makes 64-bit integers of `long long` under NVRTC, and nvcc of `long`: another type, and another mangled name of every kernel that has one. So CCCL's go by another name.
 */
const LONGS = ['int64_t', 'int_least64_t', 'int_fast64_t', 'intmax_t', 'intptr_t'].flatMap((name) => [
  name,
  `u${name}`,
]);
const CSTDINT = `#pragma once
${LONGS.map((name) => `#define ${name} assay_cccl_${name}`).join('\n')}
#include <cuda/std/cstdint>
${LONGS.map((name) => `#undef ${name}`).join('\n')}
${LONGS.map((name) => `typedef ${name.startsWith('u') ? 'unsigned ' : ''}long ${name};`).join('\n')}
namespace std {
using namespace ::cuda::std;
${LONGS.map((name) => `using ::${name};`).join('\n')}
}
`;

/** Headers of C by those of C++, and what NVRTC has built in. */
const OTHERS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['float', 'limits', 'math', 'stddef', 'stdint', 'string'].map((name) => [`${name}.h`, `#include <c${name}>\n`]),
  ),
  cstdint: CSTDINT,
  'cuda_runtime.h': '/* NVRTC has it built in. */\n',
  'cuda.h': '/* Host functions only. */\n',
  'stdio.h': '/* printf is built in. */\n',
  cstdio: '/* printf is built in. */\n',
};

/** Puts into a build's directory what the compilation needs. */
export async function writeNvrtc(directory: string): Promise<void> {
  await mkdir(join(directory, HEADERS), { recursive: true });
  await writeFile(join(directory, PROGRAM), PROGRAM_TEXT);
  const standard = STANDARD.map((name) => [
    name,
    `#pragma once\n#include <cstdint>\n#include <cuda/std/${name}>\nnamespace std { using namespace ::cuda::std; }\n`,
  ]);
  for (const [name, text] of [...standard, ...Object.entries(OTHERS)])
    await writeFile(join(directory, HEADERS, name!), text!);
}

/** koffi, and the folder that holds all it is made of. */
function koffiFiles(): { entry: string; folder: string } {
  const entry = realpathSync(createRequire(import.meta.url).resolve('koffi'));
  return { entry, folder: entry.slice(0, entry.lastIndexOf('/node_modules/') + '/node_modules'.length) };
}

/** What the process must be able to read, besides the build's directory and the headers. */
export function nvrtcReads(library: string): string[] {
  return [dirname(process.execPath), koffiFiles().folder, dirname(library), dirname(realpathSync(library))];
}

/** The command, to be run in the build's directory. @throws BuildError for code that names files by itself */
export function nvrtcCommand(
  { toolchain, arch, flags, includeFolders, source, output }: CompilerRequest,
  text: string,
): string[] {
  checkDirectives(text);
  const { root } = toolchain;
  const folders = [
    HEADERS,
    ...(root === '' ? [] : [join(root, 'include', 'cccl'), join(root, 'include')]),
    ...includeFolders,
  ];
  return [
    ...[process.execPath, PROGRAM, koffiFiles().entry, toolchain.compiler, output, source],
    ...[
      `--gpu-architecture=${arch.replace('sm_', 'compute_')}`,
      '--generate-line-info',
      '--device-as-default-execution-space',
    ],
    ...folders.map((folder) => `--include-path=${folder}`),
    ...nvrtcFlags(flags),
  ];
}

/** nvcc's flags in NVRTC's words; those that it has no need of have none. */
function nvrtcFlags(flags: readonly string[]): string[] {
  return flags.flatMap((flag) => {
    const option = flag.replace(/^--?/, '');
    if (/^(D|U)/.test(option)) return [`-${option}`];
    if (/^(std=|use_fast_math$|(ftz|prec-div|prec-sqrt|fmad)=|restrict$|extra-device-vectorization$)/.test(option))
      return [`--${option.replace('gnu++', 'c++')}`];
    if (/^maxrregcount/.test(option)) return [`--${option.replace(' ', '=')}`];
    return option === 'w' ? ['--disable-warnings'] : [];
  });
}

/**
 * NVRTC does not say which files it read. So nothing is let through but includes of plain names, which are looked for in the folders above alone: no absolute names, no
 * way up, none that a macro makes.
 */
function checkDirectives(text: string): void {
  const spliced = text.replaceAll('??/', '\\').replace(/\\[ \t]*\r?\n/g, '');
  for (const [, word, rest] of spliced.matchAll(/^[^\S\n]*(?:#|%:|\?\?=)(?:[^\S\n]|\/\*.*?\*\/)*(\w+)([^\n]*)/gm)) {
    if (word !== 'include' && word !== 'include_next' && word !== 'import' && word !== 'embed') continue;
    const name = /^\s*(?:<([^>]*)>|"([^"]*)")/
      .exec(rest!)
      ?.slice(1)
      .find((one) => one !== undefined);
    if (word !== 'include' || name === undefined || name.startsWith('/') || name.split('/').includes('..'))
      throw new BuildError(
        'include',
        `The CUDA code has \`#${word}${rest!.trimEnd()}\`, which NVRTC is not given: it may include headers by their plain names only. Or install nvcc.`,
      );
  }
}

const NAMES = /^libnvrtc\.so(\.\d+)*$/;

/** The library and its version; undefined where there is none. `toolkits`: folders of CUDA toolkits, or of parts of one. */
export async function findNvrtc(
  environment: Readonly<Record<string, string | undefined>>,
  toolkits: readonly string[],
): Promise<Nvrtc | undefined> {
  const named = environment.ASSAY_NVRTC;
  const folders = [
    ...toolkits.flatMap((root) => [join(root, 'lib64'), join(root, 'lib')]),
    ...(environment.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder.startsWith('/')),
    ...['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'],
  ];
  const path = named || folders.flatMap((folder) => filesIn(folder)).at(0);
  if (!path || !existsSync(path)) return undefined;
  const root = [...toolkits, dirname(dirname(realpathSync(path)))].find((folder) =>
    existsSync(join(folder, 'include', 'cuda_fp16.h')),
  );
  // The program as an argument: there is no build's directory yet.
  const asked = ['-e', PROGRAM_TEXT.replace('slice(2)', 'slice(1)'), koffiFiles().entry, path];
  const { stdout } = await promisify(execFile)(process.execPath, asked, { timeout: 20_000, env: {} }).catch(() => ({
    stdout: '',
  }));
  const version = stdout.trim();
  return version === '' ? undefined : { path, version, ...(root === undefined ? {} : { root }) };
}

/** Libraries of that name, the plainest first. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const found = readdirSync(folder).filter((name) => NAMES.test(name));
  return found.sort((a, b) => a.length - b.length).map((name) => join(folder, name));
}

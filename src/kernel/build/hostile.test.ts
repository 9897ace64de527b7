/**
 * Device code that wants files, lies or costs: refused by its text first (cpp/), and by the build where text alone would not tell. Nothing of a file that is no
 * header may stand in a message. Each rule of the first layer is tried; of the second, what would get past the first if that had a hole.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileUnit } from '../compile-unit.ts';
import { parseTranslationUnit } from '../cpp/translation-unit.ts';
import { CandidateError } from '../error.ts';
import { BuildError, buildDeviceCode, findToolchain, type Toolchain } from './index.ts';

const found = async (wish: string): Promise<Toolchain | undefined> => findToolchain(wish).catch(() => undefined);
const nvcc = await found('nvcc');
const clang = await found('clang');
const KERNEL = '__global__ void k(float* x) { x[0] = 1; }\n';
/** What a leak of /etc/passwd would show: its lines, how they start, and names that stand in no message otherwise. */
const secrets = (existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '').split('\n').flatMap((line) => {
  const [name = ''] = line.split(':');
  return line === '' ? [] : [line, `${name}:`, ...(/^(www-data|nobody|daemon|_apt)$/.test(name) ? [name] : [])];
});

function assertTellsNothing(message: string): void {
  for (const words of secrets) assert.ok(!message.includes(words), `${words} of /etc/passwd stands in: ${message}`);
}

const REFUSED: readonly (readonly [what: string, source: string, line: number, message: RegExp])[] = [
  ['a file by its path', `#include "/etc/passwd"\n${KERNEL}`, 1, /#include of the file "\/etc\/passwd"/],
  [
    'a path that climbs out of an allowed folder',
    `#include <cub/../../../../etc/passwd>\n${KERNEL}`,
    1,
    /#include of the file/,
  ],
  ['#include_next', `#include_next <cuda_fp16.h>\n${KERNEL}`, 1, /#include_next is not read/],
  ['#import', `#import "/etc/passwd"\n${KERNEL}`, 1, /#import is not read/],
  ['#embed', `${KERNEL}__device__ char t[] = {\n#embed "/etc/passwd"\n};\n`, 3, /#embed is not read/],
  [
    '#embed where the host does not look',
    `#ifdef __CUDA_ARCH__\n#embed "/etc/passwd"\n#endif\n${KERNEL}`,
    2,
    /unsupported|not read/,
  ],
  [
    '__has_include of a file',
    `#ifdef __CUDA_ARCH__\n#if __has_include("/etc/passwd")\n#endif\n#endif\n${KERNEL}`,
    2,
    /#include of the file/,
  ],
  ['__has_include in a macro', `#define H __has_include("/etc/passwd")\n${KERNEL}`, 1, /#include of the file/],
  [
    '__has_embed',
    `#ifdef __CUDA_ARCH__\n#if __has_embed("/etc/passwd")\n#endif\n#endif\n${KERNEL}`,
    2,
    /asks about files/,
  ],
  ['an include made by a macro', `#define H "/etc/passwd"\n#include H\n${KERNEL}`, 2, /write the header's name itself/],
  [
    'an include that is another for the device',
    `#ifdef __CUDA_ARCH__\n#define H "/etc/passwd"\n#else\n#define H <vector>\n#endif\n#include H\n${KERNEL}`,
    6,
    /write the header's name itself/,
  ],
  ['a candidate that includes itself', `#include "candidate.cu"\n${KERNEL}`, 1, /a candidate is one file/],
  [
    'a pragma that reads a file',
    `#pragma GCC dependency "/etc/passwd"\n${KERNEL}`,
    1,
    /#pragma GCC dependency is not read/,
  ],
  [
    'the same as an operator',
    `${KERNEL}_Pragma("GCC dependency \\"/etc/passwd\\"")\n`,
    2,
    /#pragma GCC dependency is not read/,
  ],
  [
    'the same out of a macro',
    `#define P(x) _Pragma(#x)\nP(GCC dependency "/etc/passwd")\n${KERNEL}`,
    2,
    /#pragma GCC dependency is not read/,
  ],
  ['#line', `${KERNEL}#line 1 "/etc/passwd"\n`, 2, /#line would make messages/],
  ['a line marker', `${KERNEL}# 7 "/etc/passwd"\n`, 2, /#line would make messages/],
  ['a digraph', `%:include "/etc/passwd"\n${KERNEL}`, 1, /digraphs and trigraphs/],
  ['a comment whose end is split', `/* *\\\n/\n#include "/etc/passwd"\n/* */\n${KERNEL}`, 1, /split over two lines/],
  ['a comment whose start is split', `/\\\n* // */ # include "/etc/passwd"\n${KERNEL}`, 1, /splits over two lines/],
  [
    'a raw string whose start is split',
    `const char* s = R\\\n"(" /* )";\n#include "/etc/passwd"\n/* */\n${KERNEL}`,
    1,
    /splits over two lines/,
  ],
  [
    'a carriage return that ends a line for some',
    `struct A {};\r#include "/etc/passwd"\n${KERNEL}`,
    1,
    /carriage return/,
  ],
  ['assembly outside of kernels', `asm(".incbin \\"/etc/passwd\\"");\n${KERNEL}`, 1, /asm outside of device code/],
];

describe('refused by the text', () => {
  for (const [what, source, line, message] of REFUSED)
    test(what, () => {
      assert.throws(
        () => parseTranslationUnit(source),
        (error: unknown) => {
          assert(error instanceof CandidateError, String(error));
          assert.match(error.message, message);
          assert.equal(error.line, line);
          assertTellsNothing(error.message);
          return true;
        },
      );
    });

  test('what honest code has is read: pragmas, questions about CUDA headers, macros over several lines', () => {
    const source = `#pragma once
#define P(x) _Pragma(#x)
#ifdef __CUDA_ARCH__
#if __has_include(<cuda_bf16.h>)
#include <cuda_bf16.h>
#endif
#endif
#define LOOP \\
  P(unroll 4) \\
  for (int i = 0; i < 8; i++)
#pragma nv_diag_suppress 177
__global__ void k(float* x) {
#pragma unroll
  LOOP x[i] = 1;
}
`;
    assert.equal(parseTranslationUnit(source).items.length, 1);
  });
});

describe('refused by the build', () => {
  let cacheDir = '';
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'assay-hostile-'));
    await writeFile(join(cacheDir, 'secret.txt'), 'not_for_candidates 1\n');
    await symlink('/etc/passwd', join(cacheDir, 'vector'));
  });
  after(() => rm(cacheDir, { recursive: true, force: true }));
  const build = async (
    source: string,
    toolchain?: Toolchain,
    flags?: string[],
    cpuSeconds = 1,
  ): Promise<BuildError> => {
    const limits = { cpuSeconds };
    try {
      await buildDeviceCode({ source, arch: 'sm_90', cacheDir, toolchain, flags, limits });
    } catch (error) {
      assert(error instanceof BuildError, String(error));
      assertTellsNothing(error.message);
      return error;
    }
    throw new Error('it was built');
  };

  const READERS: readonly (readonly [what: string, source: () => string])[] = [
    ['a file that is no C++', () => '#include "/etc/passwd"\n'],
    ['a file in the folder of others', () => `#include "${join(cacheDir, 'secret.txt')}"\n`],
    ['a link to a file with the name of a header', () => `#include "${join(cacheDir, 'vector')}"\n`],
    ['a file as a string of lines', () => '#line 1 "/etc/passwd"\n__global__ void k(float* x) { x[0] = nope; }\n'],
    [
      '.incbin in a kernel',
      () => `__global__ void k(float* x) { asm volatile(".incbin \\"/etc/passwd\\";"); x[0] = 1; }\n`,
    ],
  ];
  for (const [name, toolchain] of [
    ['nvcc', nvcc],
    ['clang', clang],
  ] as const)
    for (const [what, source] of READERS)
      test(`${name}: ${what}`, { skip: toolchain?.ptxas ? false : `${name} or ptxas is not installed` }, async () => {
        const error = await build(source(), toolchain);
        assert.ok(error.kind === 'include' || error.kind === 'compile', error.kind);
        assert.ok(!error.message.includes('not_for_candidates'), error.message);
      });

  const skip = nvcc ? false : 'nvcc is not installed';

  test('flags that name files, commands or plug-ins', async () => {
    const flags = [
      '-I/etc',
      '-include=/etc/passwd',
      '-Xcompiler=-fplugin=x.so',
      '--compiler-options',
      '-ccbin=/bin/sh',
      '@options.txt',
      '-o/etc/motd',
      '--run',
      '-Xptxas=-v',
      '-DX=`id`',
      '-DX="/etc/passwd"',
      '-idirafter',
      '--options-file=x',
      '-keep-dir=/tmp',
      '-fpass-plugin=x.so',
      '-std=c++17\n-I/etc',
    ];
    for (const flag of flags) {
      const error = await build(KERNEL, nvcc ?? clang, [flag]);
      // Without a compiler the flags are looked at all the same.
      assert.equal(error.kind, 'flag', flag);
    }
  });

  test('flags of a macro do not become files', { skip }, async () => {
    const unit = parseTranslationUnit(KERNEL);
    const options = { arch: 'sm_90', cacheDir, flags: ['-DNAME=1', '-I/etc'] };
    await assert.rejects(compileUnit(unit, [], options), (error: unknown) => {
      assert(error instanceof CandidateError);
      assert.equal(error.kind, 'refused');
      assert.match(error.message, /"-I\/etc" is not on the list/);
      return true;
    });
  });

  // biome-ignore format: a table
  const BOMBS: readonly (readonly [what: string, source: string, kind: BuildError['kind'], message: RegExp])[] = [
    ['templates without an end', 'template <int N> struct D { static constexpr long v = D<N + 1>::v; };\n__global__ void k(long* x) { x[0] = D<0>::v; }\n', 'compile', /line 1: excessive recursion/],
    ['templates that double', 'template <int N, int M> struct D { static constexpr long v = D<N - 1, M * 2>::v + D<N - 1, M * 2 + 1>::v; };\ntemplate <int M> struct D<0, M> { static constexpr long v = M; };\n__global__ void k(long* x) { x[0] = D<22, 0>::v; }\n', 'limit', /was killed \(status \d+\).* 1 s of processor time/],
    ['a constant function without an end', '__host__ __device__ constexpr long forever() { long s = 0; for (long i = 0; i < 4000000000000; ++i) s += i; return s; }\n__global__ void k(long* x) { constexpr long v = forever(); x[0] = v; }\n', 'compile', /line 2: expression must have a constant value/],
    ['a gigabyte of constants', '__constant__ int table[268435456];\n__global__ void k(int* x) { x[0] = table[x[1]]; }\n', 'compile', /too much global constant data/],
    ['a gigabyte of initial values', '__device__ int table[268435456] = {1, 2, 3};\n__global__ void k(int* x) { x[0] = table[x[1]]; }\n', 'limit', /was killed/],
    ['an include that includes itself', '#include "candidate.cu"\n', 'compile', /nested/],
  ];
  for (const [what, source, kind, message] of BOMBS)
    test(what, { skip }, async () => {
      // What the compiler itself refuses takes it a second on a busy machine.
      const error = await build(source, nvcc, undefined, kind === 'compile' ? 20 : 1);
      assert.equal(error.kind, kind, error.message);
      assert.match(error.message, message);
    });

  test('macros that double each other', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `#define A${i + 1} A${i} A${i}`);
    const source = `#define A0 x[0] += 1;\n${lines.join('\n')}\n__global__ void k(int* x) { A30 }\n`;
    assert.throws(() => parseTranslationUnit(source), /macros expand to more than 200,000 tokens/);
  });
});

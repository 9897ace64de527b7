/** NVRTC in nvcc's place: what it is not given is refused before it runs; with a library here (ASSAY_NVRTC, or a toolkit's), that it compiles, says what is wrong where, and keeps to its limits. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { buildDeviceCode } from './build.ts';
import { BuildError } from './build-error.ts';
import { findNvrtc, nvrtcCommand } from './nvrtc.ts';
import type { Toolchain } from './toolchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-nvrtc-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const toolchainOf = (compiler: string, root: string): Toolchain => ({
  ...{ kind: 'nvrtc', compiler, root, version: 'NVRTC', architectures: [] },
});
const request = {
  ...{ toolchain: toolchainOf('/lib/libnvrtc.so', '/cuda'), arch: 'sm_90a', includeFolders: [] },
  ...{ source: 'candidate.cu', output: 'candidate.ptx' },
};

describe('NVRTC', () => {
  it("is told nvcc's flags in its own words", () => {
    const flags = [
      '-std=c++17',
      '-O3',
      '--use_fast_math',
      '-DN=4',
      '--expt-relaxed-constexpr',
      '-w',
      '--maxrregcount 64',
    ];
    const command = nvrtcCommand({ ...request, flags }, '').slice(5);
    assert.deepEqual(
      command.filter((one) => !one.startsWith('--include-path') && one.startsWith('-')),
      [
        ...['--gpu-architecture=compute_90a', '--generate-line-info', '--device-as-default-execution-space'],
        ...['--std=c++17', '--use_fast_math', '-DN=4', '--disable-warnings', '--maxrregcount=64'],
      ],
    );
  });
  for (const text of [
    '#include "/etc/passwd"',
    '#include <../../etc/passwd>',
    '  #  include MACRO',
    '#inc\\\nlude "/etc/passwd"',
    '%:include "/etc/passwd"',
    '??=include "/etc/passwd"',
    '#/* */include "/etc/passwd"',
    '#include_next <x>',
    '#embed "/etc/passwd"',
  ]) {
    it(`is not given ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => nvrtcCommand({ ...request, flags: [] }, `int a;\n${text}\n`),
        (error) => error instanceof BuildError && error.kind === 'include',
      );
    });
  }
  it('is given headers by plain names', () => {
    assert.ok(
      nvrtcCommand({ ...request, flags: [] }, '#include <cuda_fp16.h>\n# include "mma.h" // "..\n').length > 5,
      'a command',
    );
  });
});

const found = await findNvrtc(process.env, [process.env.CUDA_HOME ?? '/usr/local/cuda']);
describe('NVRTC, where it is installed', {
  skip: found ? false : 'libnvrtc was not found; ASSAY_NVRTC may name it',
}, () => {
  const toolchain = found && { ...toolchainOf(found.path, found.root ?? ''), version: found.version };
  const compile = (source: string) =>
    buildDeviceCode({ source, arch: 'sm_90a', cacheDir: join(folder, 'cache'), toolchain: toolchain! });

  it('makes PTX with lines, of templates, halves and standard types', async () => {
    const { ptx, compiler } = await compile(`#include <cstdint>
#include <cuda_fp16.h>
template <typename T> __global__ void k(const T* x, T* y, int64_t n) {
  int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
  if (i < n) y[i] = __shfl_down_sync(0xffffffffu, x[i], 1);
}
template __global__ void k<float>(const float*, float*, int64_t);
template __global__ void k<__half>(const __half*, __half*, int64_t);
`);
    assert.match(compiler, /^NVRTC \d+\.\d+/);
    assert.match(ptx, /\.target sm_90a/);
    assert.match(ptx, /\.entry _Z1kIfEvPKT_PS0_l\(/);
    assert.match(ptx, /\.entry _Z1kI6__halfEvPKT_PS1_l\(/);
    assert.match(ptx, /\.loc\s+\d+ 5 /);
  });
  it('says what is wrong, and where', async () => {
    await assert.rejects(compile('\n__global__ void k(float* x) { *x = nothing; }\n'), (error) => {
      assert.ok(error instanceof BuildError, String(error));
      assert.equal(error.kind, 'compile');
      assert.match(error.message, /line 2.*nothing/);
      return true;
    });
  });
});

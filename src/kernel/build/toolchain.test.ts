/** What is found on machines of links, and what is said of those that lack something. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { clangArchitecture, clangCommand } from './clang.ts';
import { checkFlags } from './flags.ts';
import { BuildError, findToolchain } from './index.ts';
import { missing, search, type Toolchain } from './toolchain.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-toolchain-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let machines = 0;
/** A machine of scripts that say what real compilers say, and of empty headers. */
function machine(
  programs: Readonly<Record<string, string>>,
  files: readonly string[] = [],
): { PATH: string; CUDA_HOME: string } {
  const root = join(folder, String(machines++));
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const [name, says] of Object.entries(programs)) {
    writeFileSync(join(root, 'bin', name), `#!/bin/sh\necho '${says}'\n`);
    chmodSync(join(root, 'bin', name), 0o755);
  }
  for (const file of files) {
    mkdirSync(dirname(join(root, 'cuda', file)), { recursive: true });
    writeFileSync(join(root, 'cuda', file), '#define CUDART_VERSION 12080\n');
  }
  return { PATH: join(root, 'bin'), CUDA_HOME: join(root, 'cuda') };
}

const CLANG = 'Debian clang version 19.1.7 (3)\nAvailable CPUs for this target:\n\tsm_80\n\tsm_90\n\tsm_90a';
const HEADERS = ['include/cuda_runtime.h', 'include/cuda_runtime_api.h', 'nvvm/libdevice/libdevice.10.bc'];
const NVCC = 'Cuda compilation tools, release 12.8, V12.8.93';

describe('what a machine has', () => {
  test('nvcc and its ptxas', async () => {
    const found = await search(machine({ nvcc: NVCC, ptxas: NVCC }, HEADERS));
    assert.equal(found.nvcc?.version, NVCC);
    assert.equal(found.ptxas?.version, NVCC);
    assert.equal(found.headers?.version, '12.8');
    assert.equal(found.clang, undefined);
  });

  test('clang, its architectures, and headers', async () => {
    const found = await search(machine({ 'clang++-19': CLANG }, HEADERS));
    assert.equal(found.clang?.version, 'Debian clang version 19.1.7');
    assert.deepEqual(found.clang?.architectures, ['sm_80', 'sm_90', 'sm_90a']);
    assert.equal(found.ptxas, undefined);
  });

  const lacking: [what: string, programs: Record<string, string>, files: string[], says: RegExp][] = [
    ['nothing', {}, [], /^nvcc was not found\. Install the CUDA toolkit .* `assay doctor`/],
    [
      'clang alone',
      { 'clang++-19': CLANG },
      [],
      /^nvcc was not found\. Debian clang version 19\.1\.7 was, .*libdevice.* CUDA_HOME/,
    ],
    [
      'clang and headers without libdevice',
      { 'clang++-19': CLANG },
      HEADERS.slice(0, 2),
      /needs the CUDA toolkit's headers and its libdevice/,
    ],
    ['headers alone', {}, HEADERS, /^nvcc was not found, and of clang no version 19 or later.*CUDA 12\.8 are there/],
    [
      'a clang that is too old',
      { 'clang++': CLANG.replace('19.1.7', '14.0.6') },
      HEADERS,
      /of clang no version 19 or later/,
    ],
    [
      'a clang without NVPTX',
      { 'clang++-19': 'clang version 19.1.0' },
      HEADERS,
      /of clang no version 19 or later with NVPTX/,
    ],
    ["Apple's clang", { 'clang++': CLANG.replace('Debian', 'Apple') }, HEADERS, /of clang no version 19 or later/],
    ['nvcc without its headers', { nvcc: NVCC }, [], /but not the headers of its toolkit/],
  ];
  for (const [what, programs, files, says] of lacking)
    test(`${what}: what to install`, async () => assert.match(missing(await search(machine(programs, files))), says));

  test('a compiler that nobody knows is no wish', async () => {
    await assert.rejects(findToolchain('gcc'), (error: unknown) => {
      assert(error instanceof BuildError);
      assert.equal(error.kind, 'no-compiler');
      assert.match(error.message, /"gcc" is asked for \(ASSAY_COMPILER\)\. It may be nvcc, nvrtc or clang/);
      return true;
    });
  });
});

describe("clang's command", () => {
  const toolchain: Toolchain = {
    ...{ kind: 'clang', compiler: 'clang++-19', version: 'clang 19', root: '/cuda' },
    architectures: ['sm_80', 'sm_90', 'sm_90a'],
  };

  test('an architecture that clang does not know is the newest plain one before it', () => {
    assert.equal(clangArchitecture(toolchain, 'sm_90a'), 'sm_90a');
    assert.equal(clangArchitecture(toolchain, 'sm_89'), 'sm_80');
    assert.equal(clangArchitecture(toolchain, 'sm_100a'), 'sm_90');
    assert.throws(() => clangArchitecture(toolchain, 'sm_70'), /makes no PTX for sm_70/);
  });

  test("nvcc's flags in clang's words", () => {
    const flags = [
      '-O2',
      '-std=c++20',
      '-DTILE=16',
      '--use_fast_math',
      '-fmad=false',
      '--expt-relaxed-constexpr',
      '-maxrregcount=64',
      '-lineinfo',
    ];
    const request = { toolchain, arch: 'sm_90', includeFolders: [], source: 'candidate.cu', output: 'candidate.ptx' };
    const command = clangCommand({ ...request, flags: checkFlags(flags) });
    for (const wanted of [
      '-O2',
      '-std=c++20',
      '-DTILE=16',
      '-fgpu-flush-denormals-to-zero',
      '-fgpu-approx-transcendentals',
      '-nvptx-prec-divf32=0',
      '-ffp-contract=off',
    ])
      assert.ok(command.includes(wanted), wanted);
    for (const none of ['--use_fast_math', '--expt-relaxed-constexpr', '-maxrregcount=64'])
      assert.ok(!command.includes(none), none);
  });
});

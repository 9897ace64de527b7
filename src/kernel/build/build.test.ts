import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { wallWorks } from '../../isolation/index.ts';
import { includeAction } from '../cpp/includes.ts';
import { BuildError, buildDeviceCode, findToolchain } from './index.ts';

const toolchain = await findToolchain();
const wall = await wallWorks();
const skip = toolchain ? false : 'nvcc is not installed';

describe('buildDeviceCode', { skip }, () => {
  let cacheDir = '';
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'assay-test-'));
  });
  after(() => rm(cacheDir, { recursive: true }));
  const build = (source: string, flags?: string[]) => buildDeviceCode({ source, arch: 'sm_90', cacheDir, flags });

  it('takes headers of CUTLASS where it is found, and its version tells builds apart', async () => {
    const checkout = await mkdtemp(join(tmpdir(), 'assay-cutlass-'));
    const before = process.env.ASSAY_CUTLASS;
    const source = '#include <cutlass/twice.h>\n__global__ void k(float* x) { *x = cutlass::twice(*x); }\n';
    const version = (text: string) => writeFile(join(checkout, 'include', 'cutlass', 'version.h'), text);
    try {
      delete process.env.ASSAY_CUTLASS;
      assert.throws(() => includeAction('<cutlass/twice.h>', 1), /CUTLASS was not found.*ASSAY_CUTLASS/);
      await mkdir(join(checkout, 'include', 'cutlass'), { recursive: true });
      await version('#define CUTLASS_MAJOR 1\n');
      const twice = 'namespace cutlass { __device__ inline float twice(float x) { return 2 * x; } }\n';
      await writeFile(join(checkout, 'include', 'cutlass', 'twice.h'), twice);
      process.env.ASSAY_CUTLASS = checkout;
      assert.equal(includeAction('<cutlass/twice.h>', 1), 'keep');
      const first = await build(source);
      assert.match(first.ptx, /\.entry _Z1kPf/);
      assert.equal((await build(source)).cached, true);
      await version('#define CUTLASS_MAJOR 2\n');
      assert.notEqual((await build(source)).hash, first.hash);
    } finally {
      if (before === undefined) delete process.env.ASSAY_CUTLASS;
      else process.env.ASSAY_CUTLASS = before;
      await rm(checkout, { recursive: true });
    }
  });

  it('gives PTX, machine code and resources, and remembers them', async () => {
    const source = `__global__ void scale(float* x, float by, int n) {
  __shared__ float tile[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  tile[threadIdx.x] = i < n ? x[i] : 0.f;
  __syncthreads();
  if (i < n) x[i] = tile[threadIdx.x ^ 1] * by;
}`;
    const first = await build(source);
    assert.equal(first.cached, false);
    assert.match(first.ptx, /\.entry _Z5scalePffi/);
    assert.match(first.ptx, /\.file\s+1 "candidate\.cu"/);
    assert.equal(first.resources.length, 1);
    assert.equal(first.resources[0]!.entry, '_Z5scalePffi');
    assert.ok(first.resources[0]!.registers >= 8);
    assert.equal(first.resources[0]!.staticSharedBytes, 1024);
    assert.equal(Buffer.from(first.cubin, 'base64').subarray(1, 4).toString(), 'ELF');
    const second = await build(source);
    assert.equal(second.cached, true);
    assert.equal(second.ptx, first.ptx);
  });

  it('reports compiler errors with their lines', async () => {
    await assert.rejects(build('__global__ void k(float* x) {\n  x[0] = missing;\n}'), (error: BuildError) => {
      assert.equal(error.kind, 'compile');
      assert.deepEqual(
        error.diagnostics.map(({ line }) => line),
        [2],
      );
      assert.match(error.message, /line 2: identifier "missing" is undefined/);
      return true;
    });
  });

  it('refuses flags that are not on the list', async () => {
    await assert.rejects(build('', ['-Xcompiler', '-fplugin=evil.so']), /"-Xcompiler" is not on the list/);
    await assert.rejects(build('', ['-I/etc']), BuildError);
  });

  it('refuses a file outside the header folders', async () => {
    const secret = join(cacheDir, 'secret.h');
    await writeFile(secret, 'constexpr int secret = 7;\n');
    await assert.rejects(
      build(`#include "${secret}"\n__global__ void k(int* x) { x[0] = secret; }`),
      // Behind the wall the file does not exist; without one the compiler's own list of opened files betrays it.
      (error: BuildError) => /secret\.h/.test(error.message) && error.kind === (wall ? 'compile' : 'include'),
    );
  });

  it('stops a compile that would take for ever', async () => {
    const source = `template <int N> struct Deep { static constexpr long value = Deep<N - 1>::value + Deep<N - 2>::value; };
constexpr long forever() { long s = 0; for (long i = 0; i < 4000000000000; ++i) s += i; return s; }
__global__ void k(long* x) { constexpr long v = forever(); x[0] = v; }`;
    await assert.rejects(build(source), BuildError);
  });

  it('stops when it is aborted', async () => {
    const signal = AbortSignal.timeout(30);
    await assert.rejects(
      buildDeviceCode({ source: '__global__ void aborted() {}', arch: 'sm_90', cacheDir, signal }),
      (error: BuildError) => error.kind === 'aborted',
    );
  });
});

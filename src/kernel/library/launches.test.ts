/** Launches that are calls, with their attributes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, launches, shown, tryHost } from '../interpret/try-host.fixture.ts';

const program = (body: string): string =>
  `template <typename T> __global__ void k(T* p, int n) {}
torch::Tensor forward(torch::Tensor x) { float* p = x.data_ptr<float>(); int n = 3;
  ${body}
  return x; }`;

const CONFIG = `cudaLaunchConfig_t config = {0};
  config.gridDim = dim3(8, 2); config.blockDim = 64; config.dynamicSmemBytes = 1024; config.stream = at::cuda::getCurrentCUDAStream();
  cudaLaunchAttribute attribute[2];
  attribute[0].id = cudaLaunchAttributeClusterDimension;
  attribute[0].val.clusterDim.x = 4; attribute[0].val.clusterDim.y = 1; attribute[0].val.clusterDim.z = 1;
  attribute[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute[1].val.programmaticStreamSerializationAllowed = 1;
  config.attrs = attribute; config.numAttrs = 2;`;

const launched = (body: string): unknown[] =>
  launches(tryHost(program(body), 'x[4]')).map((l) => [
    ...[l.kernel.spelling, l.grid, l.block, l.dynamicSharedBytes, l.cluster, l.cooperative],
    l.arguments.map(shown),
  ]);

test('cudaLaunchKernel and cudaLaunchCooperativeKernel', () => {
  const args = 'void* args[] = {(void*)&p, &n};';
  assert.deepEqual(launched(`${args} cudaLaunchKernel((void*)k<float>, dim3(5), dim3(32), args, 0, 0);`), [
    ['k<float>', [5, 1, 1], [32, 1, 1], 0, undefined, undefined, ['#0+0', 3]],
  ]);
  assert.deepEqual(
    launched(
      `${args} C10_CUDA_CHECK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(&k<float>), 6, 32, args, 16));`,
    ),
    [['k<float>', [6, 1, 1], [32, 1, 1], 16, undefined, true, ['#0+0', 3]]],
  );
});

test('a configuration made of empty braces is zero; one made of nothing is not', () => {
  for (const empty of ['c = {}', 'c{}']) {
    assert.deepEqual(
      launched(
        `cudaLaunchConfig_t ${empty}; c.gridDim = 2; cudaLaunchAttribute a = {}; a.id = cudaLaunchAttributeClusterDimension; a.val.clusterDim = {2, 1, 1}; c.attrs = &a; c.numAttrs = 1; cudaLaunchKernelEx(&c, k<float>, p, n);`,
      ),
      [['k<float>', [2, 1, 1], [1, 1, 1], 0, [2, 1, 1], undefined, ['#0+0', 3]]],
    );
  }
  const unset = program('cudaLaunchConfig_t c; c.gridDim = 2; cudaLaunchKernelEx(&c, k<float>, p, n);');
  assertRefused(unset, 'x[4]', 'invalid', /is read before it is given a value/);
});

test('cudaLaunchKernelEx: clusters, cooperative launches, hints', () => {
  assert.deepEqual(launched(`${CONFIG} cudaLaunchKernelEx(&config, k<float>, p, n);`), [
    ['k<float>', [8, 2, 1], [64, 1, 1], 1024, [4, 1, 1], undefined, ['#0+0', 3]],
  ]);
  assert.deepEqual(
    launched(
      `cudaLaunchConfig_t c{dim3(4), dim3(32), 0, 0}; cudaLaunchAttribute a; a.id = cudaLaunchAttributeCooperative; a.val.cooperative = 1; c.attrs = &a; c.numAttrs = 1; cudaLaunchKernelEx(&c, k<float>, p, n + 1);`,
    ),
    [['k<float>', [4, 1, 1], [32, 1, 1], 0, undefined, true, ['#0+0', 4]]],
  );
});

test('clusters that no GPU would take', () => {
  const with_ = (from: string, to: string, before = ''): string =>
    program(`${CONFIG.replace(from, to)}\n${before} cudaLaunchKernelEx(&config, k<float>, p, n);`);
  assertRefused(
    with_('clusterDim.x = 4', 'clusterDim.x = 3'),
    'x[4]',
    'fails',
    /\(8, 2, 1\) is no multiple of the cluster \(3, 1, 1\)/,
    11,
  );
  const wide = CONFIG.replace('clusterDim.x = 4', 'clusterDim.x = 16').replace('dim3(8, 2)', 'dim3(16)');
  assertRefused(
    program(`${wide} cudaLaunchKernelEx(&config, k<float>, p, n);`),
    'x[4]',
    'fails',
    /a cluster of 16 blocks, at most 8/,
  );
  const allowed = 'cudaFuncSetAttribute(k<float>, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);';
  assert.equal(
    launches(tryHost(program(`${allowed} ${wide} cudaLaunchKernelEx(&config, k<float>, p, n);`), 'x[4]')).length,
    1,
  );
  assertRefused(
    with_('attribute[1].id = cudaLaunchAttributeProgrammaticStreamSerialization', 'attribute[1].id = 1'),
    'x[4]',
    'unsupported',
    /the launch attribute 1/,
  );
  assertRefused(with_('config.numAttrs = 2', 'config.numAttrs = 3'), 'x[4]', 'invalid', /numAttrs is 3, attrs has 2/);
});

/** What a candidate may not do, or may not yet: each with its sentence and its line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, launches, tryHost } from './try-host.fixture.ts';

/** Line 3 holds the statement under test. */
const host = (statement: string, before = '__global__ void k(float* p) {}'): string =>
  `${before}\ntorch::Tensor forward(torch::Tensor x) { auto y = torch::empty_like(x);\n${statement}\nk<<<1, 32>>>(y.data_ptr<float>()); return y; }`;

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['cudaStream_t s; cudaStreamCreate(&s);', /creates or steers a stream/],
  ['auto s = at::cuda::getStreamFromPool();', /creates or changes a stream/],
  ['cudaEvent_t e; cudaEventCreate(&e);', /events/],
  ['cudaEventRecord(0);', /events/],
  ['std::thread t([] {});', /threads/],
  ['auto f = std::async([] { return 1; });', /threads/],
  ['at::parallel_for(0, 4, 1, [](int a, int b) {});', /threads/],
  ['FILE* f = fopen("a", "w");', /files/],
  ['std::ifstream f("a");', /files/],
  ['auto e = getenv("HOME");', /environment/],
  ['auto t = std::chrono::steady_clock::now();', /clock/],
  ['usleep(10);', /clock|waits/],
  ['int r = rand();', /random/],
  ['void* h = dlopen("a.so", 1);', /loads code/],
  ['system("ls");', /process/],
  ['exit(0);', /process/],
  ['PyObject* o = PyList_New(0);', /Python C API/],
  ['py::print(1);', /Python C API/],
  ['cublasSgemm(0);', /vendor library/],
  ['auto z = at::matmul(x, x);', /computes with PyTorch/],
  ['auto z = torch::softmax(x, 1);', /computes with PyTorch/],
  ['auto z = x.softmax(1);', /computes with PyTorch/],
  ['auto z = x > y;', /computes with PyTorch/],
  ['auto z = torch::layer_norm(x, {4});', /computes with PyTorch/],
  ['auto z = torch::nn::functional::gelu(x);', /computes with PyTorch|not tensors/],
  ['float v = x.item<float>();', /contents on the host/],
  ['auto c = x.cpu();', /contents on the host/],
  ['auto c = x.to(torch::kCPU);', /to the host/],
  ['float h[4]; cudaMemcpy(h, y.data_ptr<float>(), 16, cudaMemcpyDeviceToHost);', /cudaMemcpy to the host/],
  ['static int calls = 0;', /keep state between calls/],
  ['static torch::Tensor cache = y;', /keep state between calls/],
  ['cudaMallocManaged(0, 4);', /beyond one call/],
  ['auto z = torch::from_blob(0, {1});', /does not own/],
  ['thrust::sort(0, 1);', /from the host/],
  ['torch::manual_seed(1);', /not tensors/],
];

for (const [statement, message] of REFUSED) {
  test(`refused: ${statement}`, () => assertRefused(host(statement), 'x[4]', 'refused', message, 3));
}

test('refused: functions that run when the candidate is loaded, though nobody calls them', () => {
  for (const attribute of [
    '__attribute__((constructor))',
    '[[gnu::destructor]]',
    '__attribute__((used, constructor(101)))',
  ]) {
    const source = `__global__ void k(float* p) {}\n${attribute} void early() {}\ntorch::Tensor forward(torch::Tensor x) { return x; }`;
    assertRefused(source, 'x[4]', 'refused', /when the candidate is loaded/, 2);
  }
});

const UNSUPPORTED: readonly (readonly [string, RegExp])[] = [
  ['frobnicate(x);', /unsupported: frobnicate/],
  ['auto z = x.frobnicate();', /\.frobnicate\(\)/],
  ['int* p = new int[4];', /new/],
  ['asm("nop");', /asm/],
  ['goto end;', /goto/],
  ['std::list<int> m;', /std::list/],
  ['CUtensorMap map{};', /carries no tensor maps; copy tiles with cp.async/],
  ['cudaTextureObject_t t = 0;', /no textures or surfaces; read global memory/],
  ['long a = (long)x.data_ptr<float>(); int n = a / 7;', /address/],
];

for (const [statement, message] of UNSUPPORTED) {
  test(`unsupported: ${statement}`, () => assertRefused(host(statement), 'x[4]', 'unsupported', message, 3));
}

test('state outside of functions is refused where it stands', () => {
  assertRefused(
    host('', 'static int calls = 0; __global__ void k(float* p) {}'),
    'x[4]',
    'refused',
    /calls would keep state/,
    1,
  );
  assertRefused(
    host('', 'torch::Tensor cache;\n__global__ void k(float* p) {}'),
    'x[4]',
    'refused',
    /cache would keep state/,
    1,
  );
  assertRefused(
    host('', 'float* buffer = nullptr;\n__global__ void k(float* p) {}'),
    'x[4]',
    'refused',
    /buffer would keep state/,
    1,
  );
});

test('what is never reached is not judged', () => {
  const trace = tryHost(host('if (x.dim() > 5) { return at::matmul(x, x); }'), 'x[4]');
  assert.equal(launches(trace).length, 1);
});

test('includes: an allow-list, in every branch of every #if', () => {
  for (const bad of ['"/etc/passwd"', '"../secrets.h"', '"my.h"', '<cutlass/gemm.h>', '<linux/fs.h>']) {
    assert.throws(() => tryHost(`#include ${bad}\n${host('')}`, 'x[4]'), /line 1: .*#include/, bad);
    assert.throws(
      () => tryHost(`#ifdef __CUDA_ARCH__\n#include ${bad}\n#endif\n${host('')}`, 'x[4]'),
      /line 2: .*#include/,
      bad,
    );
  }
  assert.throws(() => tryHost(`#define H <my.h>\n#include H\n${host('')}`, 'x[4]'), /#include/);
  assert.throws(() => tryHost(`%:include "/etc/passwd"\n${host('')}`, 'x[4]'), /digraphs/);
  tryHost(
    `#include <torch/extension.h>\n#include <cub/cub.cuh>\n#include <cooperative_groups.h>\n#include <cuda_pipeline_primitives.h>\n#include <vector>\n${host('')}`,
    'x[4]',
  );
});

test('launch shapes that no GPU takes', () => {
  const launch = (config: string): string => host(`k<<<${config}>>>(y.data_ptr<float>());`);
  assertRefused(launch('0, 32'), 'x[4]', 'fails', /size 0/, 3);
  assertRefused(launch('1, 1025'), 'x[4]', 'fails', /block's x is at most 1024/, 3);
  assertRefused(launch('1, dim3(64, 32)'), 'x[4]', 'fails', /2048 threads/, 3);
  assertRefused(launch('dim3(1, 70000), 32'), 'x[4]', 'fails', /grid's y is at most 65535/, 3);
  assertRefused(launch('1, 32, 300000'), 'x[4]', 'fails', /dynamic shared memory/, 3);
});

test('endless and enormous things end soon', () => {
  // Processor time: other work on the machine must not fail this test.
  const started = process.cpuUsage();
  assertRefused(host('while (true) {}'), 'x[4]', 'limit', /infinite loop/);
  assertRefused(host('for (;;) k<<<1, 1>>>(y.data_ptr<float>());'), 'x[4]', 'limit', /launches more than 50000/, 3);
  assertRefused(
    host('f(1);', 'int f(int n) { return f(n + 1); } __global__ void k(float* p) {}'),
    'x[4]',
    'limit',
    /recursion/,
  );
  assertRefused(
    host('auto w = torch::empty({1 << 29}, x.options());'),
    'x[4]',
    'limit',
    /asks for 2\.0 GB of workspace, limit is 1\.0 GB/,
    3,
  );
  assertRefused(
    host('for (int i = 0; i < 100000; i++) auto w = torch::empty({1}, x.options());'),
    'x[4]',
    'limit',
    /more than 10000 tensors/,
    3,
  );
  assertRefused(
    `${'#define A0 x x x x x x x x x x\n'}${[1, 2, 3, 4, 5, 6, 7].map((i) => `#define A${i} ${`A${i - 1} `.repeat(10)}`).join('\n')}\nA7`,
    'x[4]',
    'limit',
    /macros expand/,
  );
  assertRefused(host(`int n = ${'('.repeat(5000)}1${')'.repeat(5000)};`), 'x[4]', 'limit', /nested/);
  const used = process.cpuUsage(started).user / 1e6;
  assert.ok(used < 8, `${used} s`);
});

test('harmless calls of the runtime are answered', () => {
  tryHost(
    host(`const at::cuda::OptionalCUDAGuard guard(device_of(x)); c10::cuda::CUDAGuard g2(x.device()); cudaDeviceSynchronize();
    cudaError_t err = cudaGetLastError(); if (err != cudaSuccess) { printf("failed %s", cudaGetErrorString(err)); throw std::runtime_error("bad"); }
    cudaStream_t s = at::cuda::getCurrentCUDAStream().stream(); std::cout << "n " << x.size(0) << std::endl; (void)s; AT_CUDA_CHECK(cudaGetLastError());`),
    'x[4]',
  );
});

test("the GPU's memory read by the host is proof against a candidate, not a refusal", () => {
  for (const read of ['x.data_ptr<float>()[0]', '*x.data_ptr<float>()']) {
    const source = `__global__ void k(float* p) {}\ntorch::Tensor forward(torch::Tensor x) {\nfloat v = ${read};\nreturn x; }`;
    assertRefused(source, 'x[4]', 'fails', /GPU's memory on the host/, 3);
  }
});

test('decltype of what names an object is a reference, which is not known here; without the reference it is', () => {
  const source = (type: string) =>
    `__global__ void k(float* p) {}\ntorch::Tensor forward(torch::Tensor x) {\nint a[2] = {1, 2}; int b = 3;\n${type} v = 4; k<<<v, 32>>>(x.data_ptr<float>());\nreturn x; }`;
  for (const expression of ['a[0]', 'std::max(a[0], b)', 'true ? b : b', '++b'])
    assertRefused(source(`decltype(${expression})`), 'x[4]', 'unsupported', /is a reference/, 4);
  for (const type of ['std::decay_t<decltype(a[0])>', 'decltype(b)', 'decltype(b + 1)'])
    assert.deepEqual(launches(tryHost(source(type), 'x[4]'))[0]?.grid, [4, 1, 1], type);
});

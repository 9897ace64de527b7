/** From source to plan with the real compiler: entries are found, arguments encoded, lines kept. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findToolchain } from './build/index.ts';
import type { PrepareOptions } from './compile-unit.ts';
import { parseTranslationUnit } from './cpp/translation-unit.ts';
import { deviceFactsOf } from './device-facts.ts';
import { CandidateError } from './error.ts';
import { interpretHost } from './interpret/host.ts';
import { signatureOf } from './interpret/try-host.fixture.ts';
import { activeBlocks } from './occupancy.ts';
import { prepareCandidate } from './prepare.ts';
import { readEntries } from './ptx-entries.ts';
import { deviceSource } from './split.ts';
import type { PlanStep, PreparedCandidate } from './types.ts';

const toolchain = await findToolchain();
const skip = toolchain ? false : 'nvcc is not installed';
let cacheDir = '';
before(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'assay-kernel-test-'));
});
after(() => rm(cacheDir, { recursive: true, force: true }));

const prepare = (
  source: string,
  signature: string,
  options: Partial<PrepareOptions> = {},
): Promise<PreparedCandidate> =>
  prepareCandidate(source, signatureOf(signature), { arch: 'sm_90', cacheDir, ...options });
const launchesOf = (p: PreparedCandidate): Extract<PlanStep, { kind: 'launch' }>[] =>
  p.plan.steps.flatMap((s) => (s.kind === 'launch' ? [s] : []));

/** Every way a kernel's name can be made, in one file: one compilation. */
const NAMES = `#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
struct Shape { int n; float eps; long strides[2]; };
enum class Mode { Fast, Slow };
namespace a { namespace b {
template <typename T, int N, bool FLAG, Mode M> __global__ void deep(T* p) { p[0] = T(float(N)); }
} }
namespace ops { enum class Act : unsigned char { None, Relu }; }
template <typename T, int N> struct Scale { __device__ T operator()(T v) const { return v * T(float(N)); } };
namespace {
struct Views { const float* from; int n; float* to[2]; };
struct Id { __device__ float operator()(float v) const { return v; } };
template <typename T, typename Op, ops::Act A> __global__ void map(T* p, Op op) { p[0] = op(p[0]); }
__global__ void viewed(Views v) { v.to[1][v.n] = v.from[0]; }
__global__ void pairs(const __half2* a, half2 b) { ((__half2*)a)[0] = b; }
__global__ void hidden(float* p) { p[0] = 1; }
template <typename T, typename U> __global__ void two(T* p, U v) { p[0] = T(float(v)); }
}
static __global__ void still(float* p, Shape s, double d, int64_t i, bool f, unsigned char c) { p[0] = s.eps + d + i + f + c + s.n; }
__global__ void over(float* p) { p[0] = 2; }
__global__ void over(float* p, int n) { p[n] = 2; }
extern "C" __global__ void plain_c(const float* __restrict__ p, const float* q, float4 v) { if (q) ((float*)p)[0] = v.w; }
template <typename T> __global__ void deduced(const T* a, T* b, size_t n) { b[n] = a[0]; }
template <typename T> __global__ void many(T* p, int n) { p[n] = T(1); }
template <typename T> __global__ void many(T* p, float v) { p[0] = T(v); }
namespace a { template <typename T, int... Is> __global__ void many(const T* __restrict__ p, T v[4]) { v[0] = p[0] + (Is + ... + 0); }
  template <typename T, int... Is> __global__ void many(T* p, long n) { p[n] = 0; } }
template <typename... Ts> __global__ void packed(float* p, Ts... v) { p[0] = (float(v) + ... + 0.f); }
struct Base { const float* from; int n; };
template <typename T> struct Derived : Base { T scale; Derived(const float* p, int n, T s) : scale(s) { from = p; this->n = n; } };
template <typename T> __global__ void derived(Derived<T> d, float* p) { p[d.n] = d.from[0] * float(d.scale); }
__constant__ float c_w[4];
static __device__ int s_n;
namespace a { __constant__ Shape shape; }
namespace { __device__ double hidden_d; }
__global__ void symbols(float* p) { p[0] = c_w[1] + s_n + a::shape.eps + hidden_d; }
torch::Tensor forward(torch::Tensor x) {
  auto h = torch::empty({4}, x.options().dtype(torch::kHalf));
  float* p = x.data_ptr<float>();
  a::b::deep<float, -3, true, Mode::Slow><<<1, 1>>>(p);
  a::b::deep<at::Half, 8, false, Mode::Fast><<<1, 1>>>(h.data_ptr<at::Half>());
  hidden<<<1, 1>>>(p);
  two<at::Half, at::Half><<<1, 1>>>(h.data_ptr<at::Half>(), at::Half(1.5f));
  still<<<1, 1>>>(p, Shape{7, 0.5f, {1, 2}}, 1, 2, true, 255);
  over<<<1, 1>>>(p);
  over<<<1, 1>>>(p, 1);
  plain_c<<<1, 1>>>(p + 2, nullptr, make_float4(1, 2, 3, 4));
  deduced<<<1, 1>>>(p, p, 3);
  map<float, Scale<float, 3>, ops::Act::Relu><<<1, 1>>>(p, Scale<float, 3>());
  map<at::Half, Scale<at::Half, -1>, ops::Act::None><<<1, 1>>>(h.data_ptr<at::Half>(), Scale<at::Half, -1>{});
  map<float, Id, ops::Act::None><<<1, 1>>>(p, Id());
  Views views{p + 1, 2};
  views.to[1] = p + 3;
  views.to[0] = nullptr;
  viewed<<<1, 1>>>(views);
  many<float><<<1, 1>>>(p, 2);
  many<float><<<1, 1>>>(p, 2.5f);
  many<at::Half><<<1, 1>>>(h.data_ptr<at::Half>(), 1);
  a::many<float, 1, 2><<<1, 1>>>(p, p + 4);
  a::many<float, 3><<<1, 1>>>(p, 7L);
  packed<int, double><<<1, 1>>>(p, 1, 2.0);
  packed<<<1, 1>>>(p, 2.f, p != nullptr, 7L);
  derived<<<1, 1>>>(Derived<double>(p + 1, 3, 0.5), p);
  float w[4] = {1, 2, 3, 4}; int n = 7; double d = 0.25; Shape shape{5, 0.5f, {1, 2}};
  cudaMemcpyToSymbol(c_w, w, 16); cudaMemcpyToSymbol(s_n, &n, 4); cudaMemcpyToSymbol(hidden_d, &d, 8); cudaMemcpyToSymbol(a::shape, &shape, sizeof(Shape));
  symbols<<<1, 1>>>(p);
  pairs<<<1, 1>>>(reinterpret_cast<const __half2*>(h.data_ptr<at::Half>()), half2{1.0f, 2.0f});
  return x;
}
`;

test('launches find their PTX entries, whatever their names; arguments are encoded as parameters', {
  skip,
}, async () => {
  const prepared = await prepare(NAMES, 'x[16]');
  const steps = launchesOf(prepared);
  assert.equal(new Set(steps.map((s) => s.entry)).size, 23);
  const names = steps.map((s) => s.kernel);
  assert.deepEqual(names, [
    'a::b::deep<float, -3, true, (Mode)1>',
    'a::b::deep<c10::Half, 8, false, (Mode)0>',
    'hidden',
    'two<c10::Half, c10::Half>',
    'still',
    'over',
    'over',
    'plain_c',
    'deduced<float>',
    'map<float, Scale<float, 3>, (ops::Act)1>',
    'map<c10::Half, Scale<c10::Half, -1>, (ops::Act)0>',
    'map<float, Id, (ops::Act)0>',
    'viewed',
    'many<float>',
    'many<float>',
    'many<c10::Half>',
    'a::many<float, 1, 2>',
    'a::many<float, 3>',
    'packed<int, double>',
    'packed<float, bool, long>',
    'derived<double>',
    'symbols',
    'pairs',
  ]);
  const hex = (i: number): (string | undefined)[] =>
    steps[i]?.arguments.map((a) => (a.kind === 'bytes' ? a.hex : `#${a.buffer}+${a.byteOffset}`)) ?? [];
  assert.deepEqual(hex(3), ['#1+0', '003e']);
  assert.deepEqual(hex(4), [
    '#0+0',
    '070000000000003f01000000000000000200000000000000',
    '000000000000f03f',
    '0200000000000000',
    '01',
    'ff',
  ]);
  assert.deepEqual(hex(7), ['#0+8', '0000000000000000', '0000803f000000400000404000008040']);
  const views = steps[12]?.arguments[0];
  assert.deepEqual(views?.kind === 'bytes' && views.pointers, [
    { at: 0, buffer: 0, byteOffset: 4 },
    { at: 24, buffer: 0, byteOffset: 12 },
  ]);
  assert.deepEqual(hex(12), ['0000000000000000020000000000000000000000000000000000000000000000']);
  assert.deepEqual(hex(14), ['#0+0', '00002040']);
  assert.deepEqual(hex(20), [`${'00'.repeat(8)}03000000${'00'.repeat(4)}000000000000e03f`, '#0+0']);
  assert.deepEqual(hex(22), ['#1+0', '003c0040']);
  const symbols = prepared.plan.buffers.flatMap((b) => (b.kind === 'symbol' ? [b] : []));
  assert.deepEqual(
    symbols.map((b) => [b.name, b.bytes]),
    [
      ['c_w', 16],
      ['s_n', 4],
      ['hidden_d', 8],
      ['a::shape', 24],
    ],
  );
  for (const { symbol } of symbols) assert.match(prepared.build.ptx, new RegExp(`\\s${symbol}[\\[;]`));
  for (const step of steps) {
    const entry = readEntries(prepared.build.ptx).find((e) => e.name === step.entry);
    assert.equal(entry?.parameters.length, step.arguments.length);
  }
});

test('compiler errors carry the line of the candidate, also for what the host asks for', { skip }, async () => {
  const source = `#include <torch/extension.h>
#include <cuda_fp16.h>
torch::Tensor helper(torch::Tensor x) {
  return x;
}
__global__ void k(float* p) {
  p[0] = undeclared;
}
torch::Tensor forward(torch::Tensor x) { k<<<1, 1>>>(x.data_ptr<float>()); return x; }`;
  await assert.rejects(
    prepare(source, 'x[4]'),
    (e: unknown) => e instanceof CandidateError && e.kind === 'compile' && e.line === 7 && /undeclared/.test(e.message),
  );
  const asserted = `template <int N> __global__ void k(float* p) { static_assert(N % 32 == 0, "N is a multiple of 32"); }
torch::Tensor forward(torch::Tensor x) { k<33><<<1, 1>>>(x.data_ptr<float>()); return x; }`;
  await assert.rejects(prepare(asserted, 'x[4]'), /line 1: .*multiple of 32/);
});

test('shared memory: more than 48 KB must be allowed first', { skip }, async () => {
  const source = (
    attribute: string,
  ): string => `__global__ void k(float* p) { extern __shared__ float s[]; s[threadIdx.x] = 1; p[0] = s[0]; }
torch::Tensor forward(torch::Tensor x) {
  int bytes = 64 * 1024;
  ${attribute}
  k<<<1, 32, bytes>>>(x.data_ptr<float>()); return x; }`;
  await assert.rejects(prepare(source(''), 'x[4]'), /line 5: .*64\.0 KB of shared memory.*cudaFuncSetAttribute/);
  const prepared = await prepare(
    source('cudaFuncSetAttribute(k, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);'),
    'x[4]',
  );
  assert.equal(launchesOf(prepared)[0]?.dynamicSharedBytes, 65536);
  // The attribute is for dynamic memory alone: what the kernel declares comes on top.
  const both = (allowed: string) =>
    source(`cudaFuncSetAttribute(k, cudaFuncAttributeMaxDynamicSharedMemorySize, ${allowed});`).replace(
      's[threadIdx.x] = 1;',
      '__shared__ float own[64]; own[threadIdx.x] = s[threadIdx.x] = 1; p[1] = own[0];',
    );
  assert.equal(launchesOf(await prepare(both('bytes'), 'x[4]'))[0]?.dynamicSharedBytes, 65536);
  await assert.rejects(prepare(both('bytes - 256'), 'x[4]'), /line 5: .*64\.0 KB of shared memory/);
});

test('occupancy queries are answered from the compiled kernel', { skip }, async () => {
  const source = `template <int N> __global__ void k(float* p) { __shared__ float s[N]; s[threadIdx.x] = p[0]; __syncthreads(); p[1] = s[N - 1 - threadIdx.x]; }
torch::Tensor forward(torch::Tensor x) {
  int blocks = 0;
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, k<8192>, 256, 0);
  k<8192><<<blocks * at::cuda::getCurrentDeviceProperties()->multiProcessorCount, 256>>>(x.data_ptr<float>()); return x; }`;
  const prepared = await prepare(source, 'x[4]');
  // 32 KiB + 1 KiB of 228 KiB a block: 6 blocks on each of 132 multiprocessors.
  assert.deepEqual(launchesOf(prepared)[0]?.grid, [6 * 132, 1, 1]);
});

test('occupancy arithmetic on known cases', () => {
  const facts = deviceFactsOf('sm_80');
  assert(facts);
  const resources = (registers: number, staticSharedBytes: number) => ({
    entry: '',
    registers,
    staticSharedBytes,
    spillStoreBytes: 0,
    spillLoadBytes: 0,
    stackBytes: 0,
  });
  assert.equal(activeBlocks(resources(32, 0), 256, 0, facts), 8, 'threads limit: 2048 / 256');
  assert.equal(activeBlocks(resources(64, 0), 256, 0, facts), 4, 'registers limit: 65536 / (64 * 256)');
  assert.equal(activeBlocks(resources(16, 0), 32, 0, facts), 32, 'blocks limit');
  assert.equal(activeBlocks(resources(32, 0), 128, 80 * 1024, facts), 2, 'shared memory: 164 KiB / 81 KiB');
  assert.equal(activeBlocks(resources(255, 0), 1024, 0, facts), 0, 'does not fit');
});

test('the device code is the candidate with its host functions blanked, line by line', () => {
  const source = NAMES;
  const unit = parseTranslationUnit(source);
  const facts = deviceFactsOf('sm_90');
  assert(facts);
  const trace = interpretHost(source, signatureOf('x[16]'), {
    facts,
  });
  const text = deviceSource(unit, trace.instantiations);
  const body = text.slice(text.indexOf('#line 1\n') + 8).split('\n');
  const lines = source.split('\n');
  lines.forEach((line, i) => {
    const kept = body[i] ?? '';
    assert.ok(kept === line || kept.trim() === '', `line ${i + 1}: ${kept}`);
    if (/__global__/.test(line)) assert.equal(kept, line);
  });
  assert.ok(!/torch::|Tensor|<<</.test(text.replaceAll(/namespace torch.*/g, '')), text);
});

test('macros keep their lines, conditionals stay balanced around host code', { skip }, async () => {
  const source = `#define LAUNCH(BS) \\
  k<BS><<<1, BS>>>( \\
      x.data_ptr<float>())
template <int N> __global__ void k(float* p) { p[threadIdx.x] = N; }
#ifdef NEVER
torch::Tensor forward(torch::Tensor x) { return at::relu(x); }
#else
torch::Tensor forward(torch::Tensor x) {
#if 1
  LAUNCH(64);
#else
  LAUNCH(128);
#endif
  return x; }
#endif
__global__ void last(float* p) { p[0] = __LINE__; }`;
  const prepared = await prepare(source, 'x[64]');
  assert.equal(launchesOf(prepared)[0]?.kernel, 'k<64>');
  assert.match(prepared.build.ptx, /0f41800000|1098907648/, '__LINE__ is still 16');
});

test('a candidate that launches nothing has a plan without launches', { skip }, async () => {
  const prepared = await prepare('torch::Tensor forward(torch::Tensor x) { return torch::zeros_like(x); }', 'x[4]');
  assert.deepEqual(
    prepared.plan.steps.map(({ kind }) => kind),
    ['fill'],
  );
});

test('packed accessors reach the kernel as a pointer with sizes and strides', { skip }, async () => {
  const source = `#include <torch/extension.h>
template <typename scalar_t>
__global__ void k(const torch::PackedTensorAccessor32<scalar_t, 2, torch::RestrictPtrTraits> a, at::PackedTensorAccessor64<scalar_t, 1> b) {
  const int i = threadIdx.x;
  if (i < a.size(0)) b[i] = a[i][a.size(1) - 1];
}
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(1)}, x.options());
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(x.scalar_type(), "k", ([&] {
    k<scalar_t><<<1, 32>>>(x.t().packed_accessor32<scalar_t, 2, torch::RestrictPtrTraits>(), y.packed_accessor64<scalar_t, 1>());
  }));
  return y;
}
`;
  const [step] = launchesOf(await prepare(source, 'x[4,8]:float16'));
  assert.deepEqual(step?.arguments, [
    {
      kind: 'bytes',
      hex: '0000000000000000' + '08000000' + '04000000' + '01000000' + '08000000',
      pointers: [{ at: 0, buffer: 0, byteOffset: 0 }],
    },
    {
      kind: 'bytes',
      hex: '0000000000000000' + '0800000000000000' + '0100000000000000',
      pointers: [{ at: 0, buffer: 1, byteOffset: 0 }],
    },
  ]);
});

test('aliases of accessors and structs that hold them are device code too', { skip }, async () => {
  const source = `#include <torch/extension.h>
template <typename scalar_t, int N>
using Acc = torch::PackedTensorAccessor32<scalar_t, N, torch::RestrictPtrTraits>;
struct Views { at::PackedTensorAccessor64<float, 1> to; int n; };
template <typename scalar_t>
__global__ void k(const Acc<scalar_t, 2> a, Views v) { auto to = v.to; if (threadIdx.x < v.n) to[threadIdx.x] = a[threadIdx.x][0]; }
struct Made { torch::Tensor y; };
torch::Tensor forward(torch::Tensor x) {
  Made made{torch::empty({x.size(0)}, x.options())};
  const Views views{made.y.packed_accessor64<float, 1>(), 3};
  k<float><<<1, 32>>>(x.packed_accessor32<float, 2, torch::RestrictPtrTraits>(), views);
  return made.y;
}
`;
  const [step] = launchesOf(await prepare(source, 'x[4,8]'));
  assert.deepEqual(step?.arguments[1], {
    kind: 'bytes',
    hex: '0000000000000000' + '0400000000000000' + '0100000000000000' + '0300000000000000',
    pointers: [{ at: 0, buffer: 1, byteOffset: 0 }],
  });
});

test('a row of an accessor may be given to a device function', { skip }, async () => {
  const source = `#include <torch/extension.h>
using Matrix = torch::PackedTensorAccessor32<float, 2, torch::RestrictPtrTraits>;
template <typename T> using Row = torch::TensorAccessor<T, 1, torch::RestrictPtrTraits, int32_t>;
__device__ float last(Row<float> row) { return row[row.size(0) - 1]; }
__global__ void k(const Matrix a, float* y) { if (threadIdx.x < a.size(0)) y[threadIdx.x] = last(a[threadIdx.x]); }
torch::Tensor forward(torch::Tensor x) {
  auto y = torch::empty({x.size(0)}, x.options());
  k<<<1, 32>>>(x.packed_accessor32<float, 2, torch::RestrictPtrTraits>(), y.data_ptr<float>());
  return y;
}
`;
  const [step] = launchesOf(await prepare(source, 'x[4,8]'));
  assert.deepEqual(
    step?.arguments.map(({ kind }) => kind),
    ['bytes', 'pointer'],
  );
});

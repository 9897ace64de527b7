/** Kernels' names as people make them, through the real compiler: each launch finds its entry; and what a plan tells of launches and lifetimes. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findToolchain } from './build/index.ts';
import { deviceFactsOf } from './device-facts.ts';
import { signatureOf } from './interpret/try-host.fixture.ts';
import { reportPlan } from './plan-report.ts';
import { prepareCandidate } from './prepare.ts';

const skip = (await findToolchain()) ? false : 'no compiler of CUDA C++ is installed';
let cacheDir = '';
before(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'assay-names-'));
});
after(() => rm(cacheDir, { recursive: true, force: true }));
const prepare = (source: string) => prepareCandidate(source, signatureOf('x[16]'), { arch: 'sm_90', cacheDir });

/** Declarations, the launches, and the entries that they must find; anonymous namespaces have names of the compiler's own. */
const CASES: readonly (readonly [declaration: string, launches: string, entries: readonly RegExp[]])[] = [
  [
    '__global__ void given(float* p) { p[0] = 1; }\ntemplate <typename T> __global__ void typed(T* p, int n) { p[0] = n; }\ntemplate <auto K> static void go(float* p) { K<<<1, 1>>>(p); }\n' +
      'template <void (*K)(float*)> static void start2(float* p) { K<<<1, 1>>>(p); }\nstruct Sizes { int n; int threads() const; };\nint Sizes::threads() const { return n * 32; }\nnamespace F = torch::nn::functional;',
    'go<given>(p); start2<given>(p); void (*f)(float*, int) = typed<float>; f<<<1, Sizes{2}.threads()>>>(p, 3);',
    [/^_Z5givenPf$/, /^_Z5givenPf$/, /^_Z5typedIfEvPT_i$/],
  ],
  [
    'template <typename T = float, int N = 4, bool B = false> __global__ void defaults(T* p) { p[0] = N + B; }',
    'defaults<><<<1, 1>>>(p); defaults<float, 8><<<1, 1>>>(p); defaults<<<1, 1>>>(p);',
    [/^_Z8defaultsIfLi4ELb0EEvPT_$/, /^_Z8defaultsIfLi8ELb0EEvPT_$/, /^_Z8defaultsIfLi4ELb0EEvPT_$/],
  ],
  [
    'template <typename T> __global__ void pointed(T* p) { p[0] = 1; }',
    'auto f = &pointed<float>; f<<<1, 1>>>(p); auto g = pointed<float>; g<<<1, 1>>>(p);',
    [/^_Z7pointedIfEvPT_$/, /^_Z7pointedIfEvPT_$/],
  ],
  [
    'template <typename T> __global__ void passed(T* p) { p[0] = 1; }\ntemplate <typename K, typename... A> void start(K kernel, A... a) { kernel<<<1, 1>>>(a...); }',
    'start(passed<float>, p);',
    [/^_Z6passedIfEvPT_$/],
  ],
  [
    'struct P { float* p; int n; };\ntemplate <int N> __global__ void __launch_bounds__(N, 2) bounded(const __grid_constant__ P a) { a.p[0] = a.n; }\n__global__ __launch_bounds__(128) void behind(float* p) { p[0] = 1; }',
    'bounded<256><<<1, 256>>>(P{p, 3}); behind<<<1, 128>>>(p);',
    [/^_Z7boundedILi256EEv1P$/, /^_Z6behindPf$/],
  ],
  [
    'namespace { namespace in { template <typename T, int N> __global__ void hidden(T* p) { p[0] = N; } } }\ntemplate <typename T> static __global__ void own(T* p, int n) { p[n] = 0; }',
    'in::hidden<float, 3><<<1, 1>>>(p); own<float><<<1, 1>>>(p, 2); own<<<1, 1>>>(p, 3);',
    [/^_ZN.*GLOBAL__N_.*2in6hiddenIfLi3EEEvPT_$/, /^_ZL?3ownIfEvPT_i$/, /^_ZL?3ownIfEvPT_i$/],
  ],
  ['extern "C" { __global__ void plain(float* p) { p[0] = 1; } }', 'plain<<<1, 1>>>(p);', [/^plain$/]],
  [
    'template <int A, unsigned B, long C, char D, bool E, size_t F, int64_t G> __global__ void numbers(float* p) { p[0] = A + B + C + D + E + F + G; }',
    "numbers<-1, 2u, -3L, 'a', true, 5, -6><<<1, 1>>>(p);",
    [/^_Z7numbersILin1ELj2ELln3ELc97ELb1ELm5ELln6EEvPf$/],
  ],
  [
    'template <typename A, typename B, typename C, typename D> __global__ void types(A* p) { p[0] = sizeof(B) + sizeof(C) + sizeof(D); }',
    'types<float, __nv_bfloat16, __half2, unsigned char><<<1, 1>>>(p); types<float, float4, long long, float*><<<1, 1>>>(p);',
    [/^_Z5typesIf13__nv_bfloat167__half2hEvPT_$/, /^_Z5typesIf6float4xPfEvPT_$/],
  ],
  [
    'template <typename T> struct V { T a[4]; };\ntemplate <typename T> __global__ void nested(V<V<T>> v, float* p) { p[0] = v.a[0].a[1]; }',
    'nested<float><<<1, 1>>>(V<V<float>>{}, p);',
    [/^_Z6nestedIfEv1VIS0_IT_EEPf$/],
  ],
  [
    'enum Mode { A, B };\ntemplate <auto M> __global__ void deduced(float* p) { p[0] = int(M); }',
    'deduced<A><<<1, 1>>>(p); deduced<3><<<1, 1>>>(p);',
    [/^_Z7deducedIL4Mode0EEvPf$/, /^_Z7deducedILi3EEvPf$/],
  ],
  [
    'template <typename T> __global__ void asked(float* p) { p[0] = std::is_const_v<T> + 2 * std::is_const_v<std::remove_pointer_t<T>> + 4 * std::is_reference_v<T> + 8 * std::is_volatile_v<std::remove_pointer_t<T>>; }',
    'asked<const float*><<<1, 1>>>(p); asked<float*><<<1, 1>>>(p); asked<const float><<<1, 1>>>(p); asked<float const* const><<<1, 1>>>(p); ' +
      'asked<const float&><<<1, 1>>>(p); asked<float&&><<<1, 1>>>(p); asked<volatile float*><<<1, 1>>>(p); asked<const volatile float* const*><<<1, 1>>>(p);',
    [
      /^_Z5askedIPKfEvPf$/,
      /^_Z5askedIPfEvS0_$/,
      /^_Z5askedIKfEvPf$/,
      /^_Z5askedIKPKfEvPf$/,
      /^_Z5askedIRKfEvPf$/,
      /^_Z5askedIOfEvPf$/,
      /^_Z5askedIPVfEvPf$/,
      /^_Z5askedIPKPVKfEvPf$/,
    ],
  ],
  [
    'template <typename T> __global__ void chosen(T* p, float* q) { q[0] = 1; }\ntemplate <typename T> __global__ void read(const T* p, float* q) { q[0] = p[0]; }',
    'const float* c = p; auto d = x.const_data_ptr<float>(); const auto* e = p; using C = decltype(c); chosen<<<1, 1>>>(c, p); chosen<<<1, 1>>>(d, p); ' +
      'chosen<<<1, 1>>>(e, p); chosen<<<1, 1>>>(p, p); read<<<1, 1>>>(c, p); read<<<1, 1>>>(p, p); chosen<C><<<1, 1>>>((C*)nullptr, p);',
    [
      /^_Z6chosenIKfEvPT_Pf$/,
      /^_Z6chosenIKfEvPT_Pf$/,
      /^_Z6chosenIKfEvPT_Pf$/,
      /^_Z6chosenIfEvPT_Pf$/,
      /^_Z4readIfEvPKT_Pf$/,
      /^_Z4readIfEvPKT_Pf$/,
      /^_Z6chosenIPKfEvPT_Pf$/,
    ],
  ],
  [
    'template <typename A, typename B, typename C> struct Three { float* p; };\ntemplate <typename T> __global__ void folded(T v) { v.p[0] = 1; }\ntemplate <typename A, typename B, typename C> __global__ void again(float* p) { p[0] = 1; }',
    'folded<<<1, 1>>>(Three<const float*, const float, const float*>{p}); again<const float4*, const float4&, const float4*><<<1, 1>>>(p); again<const float, const float*, float*><<<1, 1>>>(p);',
    [/^_Z6foldedI5ThreeIPKfS1_S2_EEvT_$/, /^_Z5againIPK6float4RS1_S2_EvPf$/, /^_Z5againIKfPS0_PfEvS2_$/],
  ],
  [
    '__global__ void over(const float* p, float* q) { q[0] = 1; }\n__global__ void over(float* p, float* q) { q[0] = 2; }\ntemplate <typename T> struct Of { static constexpr int n = 1; };\ntemplate <typename T> struct Of<const T> { static constexpr int n = 2; };\ntemplate <typename T> struct Of<const T*> { static constexpr int n = 3; };\ntemplate <typename T> struct Of<T&> { static constexpr int n = 4; };\ntemplate <int N> __global__ void sized(float* p) { p[0] = N; }\nstatic int kind(const float*) { return 5; }\nstatic int kind(float*) { return 6; }',
    'const float* c = p; over<<<1, 1>>>(c, p); over<<<1, 1>>>(p, p); sized<Of<float>::n><<<1, 1>>>(p); sized<Of<const float>::n><<<1, 1>>>(p); sized<Of<const float*>::n><<<1, 1>>>(p); sized<Of<float*>::n><<<1, 1>>>(p); sized<Of<const float&>::n><<<1, 1>>>(p); const int k = kind(c) * 10 + kind(p); if (k == 56) sized<56><<<1, 1>>>(p); if (std::is_same_v<decltype(k), const int> && std::is_const_v<std::remove_pointer_t<decltype(c)>>) sized<7><<<1, 1>>>(p);',
    [
      /^_Z4overPKfPf$/,
      /^_Z4overPfS_$/,
      /^_Z5sizedILi1EEvPf$/,
      /^_Z5sizedILi2EEvPf$/,
      /^_Z5sizedILi3EEvPf$/,
      /^_Z5sizedILi1EEvPf$/,
      /^_Z5sizedILi4EEvPf$/,
      /^_Z5sizedILi56EEvPf$/,
      /^_Z5sizedILi7EEvPf$/,
    ],
  ],
];

test('launches find the kernels that they name', { skip }, async () => {
  const source = `#include <torch/extension.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
${CASES.map(([declaration]) => declaration).join('\n')}
torch::Tensor forward(torch::Tensor x) {
  float* p = x.data_ptr<float>();
  ${CASES.map(([, launches]) => `{ ${launches} }`).join('\n  ')}
  return x;
}
`;
  const { plan } = await prepare(source);
  const entries = plan.steps.map((step) => (step.kind === 'launch' ? step.entry : step.kind));
  const expected = CASES.flatMap(([, , all]) => all);
  assert.equal(entries.length, expected.length);
  expected.forEach((pattern, i) => {
    assert.match(entries[i]!, pattern);
  });
});

test('a launch with more threads than its launch bounds allow is refused; a plan tells what workspaces take at once', {
  skip,
}, async () => {
  const source = (
    threads: number,
  ) => `__global__ void __launch_bounds__(64) k(const float* a, float* b) { b[threadIdx.x] = a[threadIdx.x]; }
torch::Tensor forward(torch::Tensor x) {
  auto a = torch::empty({1024}, x.options()), b = torch::empty({256}, x.options()), c = torch::empty({16}, x.options());
  k<<<1, 16>>>(x.data_ptr<float>(), a.data_ptr<float>());
  k<<<1, 16>>>(a.data_ptr<float>(), b.data_ptr<float>());
  k<<<1, ${threads}>>>(b.data_ptr<float>(), c.data_ptr<float>());
  return c; }`;
  await assert.rejects(prepare(source(128)), /line 6: .*launched with 128 threads, its __launch_bounds__ allow 64/);
  const facts = deviceFactsOf('sm_90');
  assert(facts);
  const report = reportPlan(await prepare(source(16)), facts);
  assert.equal(report.workspaceBytes, 4 * (1024 + 256 + 16));
  assert.equal(report.peakWorkspaceBytes, 4 * (1024 + 256));
  assert.equal(report.peakStep, 1);
  assert.deepEqual(
    report.buffers.map(({ firstStep, lastStep }) => [firstStep, lastStep]),
    [
      [0, 0],
      [0, 1],
      [1, 2],
      [2, 2],
    ],
  );
});

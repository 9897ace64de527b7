/** The C++ that host functions are written in. Each construct is seen through what it makes a launch's arguments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, launches, shown, tryHost, valuesOf } from './try-host.fixture.ts';

const out = (types: string, statements: string, before = ''): unknown[] =>
  valuesOf(statements, types, 'x[4,8]', before);

test('declarations, integer arithmetic and promotion', () => {
  assert.deepEqual(
    out('int,long', 'int n = x.numel(); const auto m = (n + 255) / 256; out<<<1,1>>>(m, n % 7)'),
    [1, 4],
  );
  assert.deepEqual(out('unsigned', 'unsigned u = 0; u -= 1; out<<<1,1>>>(u)'), [4294967295]);
  assert.deepEqual(out('int', 'int64_t big = 1LL << 40; out<<<1,1>>>((int)(big + 5))'), [5]);
  assert.deepEqual(out('int,int', 'out<<<1,1>>>(-7 / 2, -7 % 2)'), [-3, -1]);
  assert.deepEqual(out('int', 'size_t s = 5; out<<<1,1>>>(s > -1 ? 1 : 0)'), [0], 'a signed -1 becomes unsigned');
  assert.deepEqual(out('int,int', 'int a = 3, b = a++ + ++a; out<<<1,1>>>(a, b)'), [5, 8]);
  assert.deepEqual(out('int', 'out<<<1,1>>>(0x10 | 010 ^ 1 << 2)'), [16 | (8 ^ 4)]);
});

test('floats keep their precision', () => {
  assert.deepEqual(out('float', 'double eps = 1e-5; out<<<1,1>>>(eps)'), [Math.fround(1e-5)]);
  assert.deepEqual(out('double', 'out<<<1,1>>>(1.0f / 3)'), [Math.fround(1 / 3)]);
  assert.deepEqual(out('double', 'out<<<1,1>>>(1.0 / sqrt((double)x.size(1)))'), [1 / Math.sqrt(8)]);
  assert.deepEqual(out('int', 'out<<<1,1>>>(std::ceil(9 / 2.0f))'), [5]);
});

test('control flow', () => {
  assert.deepEqual(
    out(
      'int',
      'int s = 0; for (int i = 0; i < 10; ++i) { if (i == 3) continue; if (i == 6) break; s += i; } out<<<1,1>>>(s)',
    ),
    [12],
  );
  assert.deepEqual(
    out('int', 'int b = 1; while (b < 100) b *= 2; do { b--; } while (b > 120); out<<<1,1>>>(b)'),
    [120],
  );
  assert.deepEqual(
    out('int', 'int r; switch (x.dim()) { case 1: r = 1; break; case 2: r = 2; default: r = r + 10; } out<<<1,1>>>(r)'),
    [12],
  );
  assert.deepEqual(out('int', 'int p = 1; for (auto s : x.sizes()) p *= s; out<<<1,1>>>(p)'), [32]);
  assert.deepEqual(out('int', 'if (int64_t n = x.size(0); n > 3) { out<<<1,1>>>(n); }'), [4]);
  assert.deepEqual(
    out('int', 'int n = 0; try { TORCH_CHECK(false, "no"); } catch (...) { n = 7; } out<<<1,1>>>(n)'),
    [7],
  );
});

test('vectors, arrays, tuples, strings', () => {
  assert.deepEqual(
    out('int,int', 'std::vector<int64_t> v = x.sizes().vec(); v.push_back(3); v[0] = 9; out<<<1,1>>>(v[0], v.size())'),
    [9, 3],
  );
  assert.deepEqual(
    out(
      'int',
      'std::vector<int> v(4, 2); int s = std::accumulate(v.begin(), v.end(), 1, std::multiplies<int>()); out<<<1,1>>>(s)',
    ),
    [16],
  );
  assert.deepEqual(out('int', 'std::array<int, 3> a{1, 2}; int b[] = {5, 6}; out<<<1,1>>>(a[1] + a[2] + b[1])'), [8]);
  assert.deepEqual(
    out(
      'int,int',
      'auto [r, c] = std::make_tuple(x.size(0), x.size(1)); int a, b; std::tie(a, b) = std::make_pair(1, 2); out<<<1,1>>>(r * c, a + b)',
    ),
    [32, 3],
  );
  assert.deepEqual(out('int', 'std::string mode = "fast"; out<<<1,1>>>(mode == "fast" ? 1 : 2)'), [1]);
  assert.deepEqual(
    out('int,int', 'int a = 1, b = 2; std::swap(a, b); out<<<1,1>>>(std::max(a, b), std::min({a, b, 0}))'),
    [2, 0],
  );
  assert.deepEqual(
    out('int,int', 'out<<<1,1>>>(std::min<int>(-5u, 194), std::max<int>(-5u, 3))'),
    [-5, 3],
    'arguments become ints before they are compared',
  );
});

test('functions: defaults, references, overloads by arity and type, recursion', () => {
  const before = `
static inline int cdiv(int a, int b = 4) { return (a + b - 1) / b; }
int pick(int a) { return 1; }
int pick(float a) { return 2; }
int pick(int a, int b) { return 3; }
void bump(int& v) { v += 1; }
int fact(int n) { return n < 2 ? 1 : n * fact(n - 1); }`;
  assert.deepEqual(
    out(
      'int,int,int,int,int',
      'int n = 1; bump(n); out<<<1,1>>>(cdiv(9), pick(1) * 100 + pick(1.f) * 10 + pick(1, 2), n, fact(5), cdiv(9, 2))',
      before,
    ),
    [3, 123, 2, 120, 5],
  );
});

test('templates: type and integer parameters, deduction, defaults, if constexpr', () => {
  const before = `
template <typename T, int N = 4> struct Unused {};
template <typename T, int BLOCK = 128> __global__ void k(const T* p, T v) {}
template <typename T> int width() { if constexpr (std::is_same_v<T, float>) return 4; else return sizeof(T); }
template <int BLOCK, typename T> void run(const T* p, int n) { k<T, BLOCK><<<(n + BLOCK - 1) / BLOCK, BLOCK>>>(p, 2); }`;
  const trace = tryHost(
    `${before}
torch::Tensor forward(torch::Tensor x) { run<64>(x.data_ptr<float>(), 100); k<<<1, width<double>()>>>(x.data_ptr<float>(), 1); return x; }`,
    'x[4,8]',
  );
  assert.deepEqual(
    launches(trace).map((l) => [l.kernel.spelling, l.grid[0], l.block[0]]),
    [
      ['k<float, 64>', 2, 64],
      ['k<float, 128>', 1, 8],
    ],
  );
});

test('lambdas, by reference and by copy', () => {
  assert.deepEqual(
    out(
      'int,int',
      'int n = 1; auto add = [&](int a) { n += a; return n * 2; }; int r = add(3); auto keep = [=] { return n; }; n = 100; out<<<1,1>>>(r, keep())',
    ),
    [8, 4],
  );
});

test('structs as plain data, enums, constants, aliases, namespaces', () => {
  const before = `
namespace cfg { constexpr int TILE = 16; constexpr int AREA = TILE * TILE; enum class Mode { Fast = 3, Slow }; }
struct Params { int n; float eps = 0.5f; long sizes[2]; int area() const { return n * n; } };
using Index = int64_t;
template <typename T> struct Traits { static constexpr int threads = sizeof(T) * 32; };`;
  assert.deepEqual(
    out(
      'int,int,int,int',
      'Params p{6}; Index i = cfg::AREA; out<<<1,1>>>(p.area(), i, (int)cfg::Mode::Slow, Traits<double>::threads)',
      before,
    ),
    [36, 256, 4, 256],
  );
  const trace = tryHost(
    `struct P { int n; float eps = 0.5f; }; __global__ void k(P p, dim3 d) {}
torch::Tensor forward(torch::Tensor x) { P p{.n = 3}; p.eps *= 3; k<<<1,1>>>(p, dim3(2, 3)); return x; }`,
    'x[1]',
  );
  assert.deepEqual(launches(trace)[0]?.arguments.map(shown), [
    [3, 1.5],
    [2, 3, 1],
  ]);
});

test('macros: object-like, function-like, conditional, pasted, stringized, variadic', () => {
  const before = `
#define TILE 32
#define CDIV(a, b) (((a) + (b) - 1) / (b))
#define LAUNCH(name, ...) name<<<1, TILE>>>(__VA_ARGS__)
#define NAME(a, b) a##b
#if TILE > 16 && defined(CDIV)
#define BIG 1
#else
#define BIG 0
#endif
#ifdef __CUDA_ARCH__
#error host code is not device code
#endif`;
  assert.deepEqual(out('int,int', 'int NAME(va, lue) = CDIV(100, TILE); LAUNCH(out, value, BIG)', before), [4, 1]);
});

test('casts, sizeof, pointers and alignment', () => {
  assert.deepEqual(
    out('size_t,int', 'out<<<1,1>>>(TILE * sizeof(float) + sizeof(float4), static_cast<int>(2.9))', '#define TILE 4'),
    [32, 2],
  );
  assert.deepEqual(out('const float4*', 'out<<<1,1>>>(reinterpret_cast<const float4*>(x.data_ptr<float>() + 8))'), [
    '#0+32',
  ]);
  assert.deepEqual(
    out('int', 'bool a = reinterpret_cast<uintptr_t>(x.data_ptr<float>() + 2) % 16 == 0; out<<<1,1>>>(a)'),
    [0],
  );
  assert.deepEqual(out('const float*', 'out<<<1,1>>>(&x.data_ptr<float>()[3])'), ['#0+12']);
  assert.deepEqual(out('float*', 'float* p = nullptr; if (!p) out<<<1,1>>>(p)'), ['null']);
});

test('what C++ leaves undefined, or would not compile, is an error with its line', () => {
  const wrap = (body: string): string =>
    `__global__ void k(float* p) {}\ntorch::Tensor forward(torch::Tensor x) {\n${body}\nreturn x; }`;
  assertRefused(wrap('int n = 65536 * 65536;'), 'x[1]', 'invalid', /overflows int/, 3);
  assertRefused(wrap('int z = 0; int n = 1 / z;'), 'x[1]', 'invalid', /division by zero/, 3);
  assertRefused(wrap('int n; int m = n + 1;'), 'x[1]', 'invalid', /n is read before/, 3);
  assertRefused(
    wrap('k<<<1, 1>>>(x.data_ptr<int>());'),
    'x[1]',
    'fails',
    /data_ptr<int>\(\) of x, which holds float32/,
    3,
  );
  assertRefused(
    wrap('k<<<1, 1>>>((double*)x.data_ptr());'),
    'x[1]',
    'invalid',
    /cannot convert double\* to float\*/,
    3,
  );
  assertRefused(wrap('k<<<1, 1>>>(x);'), 'x[1]', 'invalid', /pass its data_ptr/, 3);
  assertRefused(wrap('k<<<1, 1>>>(x.data_ptr<float>(), 3);'), 'x[1]', 'invalid', /takes 1 arguments, 2 given/, 3);
  assertRefused(wrap('std::vector<int> v(2); v[5] = 1;'), 'x[1]', 'invalid', /element 5 of a list of 2/, 3);
  assertRefused(
    wrap('TORCH_CHECK(x.dim() == 3, "expected 3 dims, got ", x.dim());'),
    'x[1]',
    'fails',
    /expected 3 dims, got 1/,
    3,
  );
});

/** Parameter packs, fold expressions, captures and conditions that declare: what newer C++ adds to host code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, launches, shown, tryHost, valuesOf } from './try-host.fixture.ts';

const out = (types: string, statements: string, before = ''): unknown[] =>
  valuesOf(statements, types, 'x[4,8]', before);

test('function packs: folds, sizes, references, overloads', () => {
  const before = `
template <typename... Ts> int sum(Ts... v) { return (v + ... + 10); }
template <typename... Ts> int minus(Ts... v) { return (v - ...); }
template <typename... Ts> int minusLeft(Ts... v) { return (... - v); }
template <typename... Ts> int count(Ts&&... v) { return sizeof...(Ts) * 10 + sizeof...(v); }
template <typename T> void one(T& v) { v += 2; }
template <typename... Ts> void bump(Ts&... v) { (one(v), ...); }
template <typename... Ts> bool all(Ts... v) { return (... && (v > 0)); }
template <typename T> int width() { return sizeof(T); }
template <typename... Ts> int widths() { return (width<Ts>() + ... + 0); }
int pick(int a) { return 1; }
template <typename... Ts> int pick(Ts... a) { return 2; }`;
  assert.deepEqual(
    out('int,int,int,int', 'out<<<1,1>>>(sum(1, 2, 3), minus(10, 3, 2), minusLeft(10, 3, 2), count(1, 2.5f))', before),
    [16, 9, 5, 22],
  );
  assert.deepEqual(
    out(
      'int,int,int,int',
      'int n = 0, k = 0; bump(n, k, n); out<<<1,1>>>(n * 10 + k, all(1, 2) * 2 + all(1, -1), widths<double, char>(), pick(1) * 10 + pick(1, 2))',
      before,
    ),
    [42, 2, 9, 12],
  );
  assert.deepEqual(out('int', 'auto f = [](auto... v) { return (0 + ... + v); }; out<<<1,1>>>(f(1, 2, 4))'), [7]);
  assert.deepEqual(
    out(
      'int',
      'out<<<1,1>>>(last(5, 6))',
      'template <typename... T> int last(T... v) { int a[] = {v...}; return a[sizeof...(v) - 1]; }',
    ),
    [6],
  );
});

test('kernels with packs, launched through packs', () => {
  const trace = tryHost(
    `template <typename... Ts> __global__ void k(int n, Ts... p) {}
template <typename K, typename... A> void go(K kernel, dim3 g, A&&... a) { kernel<<<g, 32>>>(std::forward<A>(a)...); }
template <int... Is> __global__ void m(float* p) {}
template <int... Is> void all(float* p) { (m<Is, Is * 2><<<Is + 1, 32>>>(p), ...); m<Is...><<<1, 1>>>(p); }
torch::Tensor forward(torch::Tensor x) {
  k<<<1,1>>>(3, x.data_ptr<float>(), 2.5f);
  go(k<float*>, dim3(7), 1, x.data_ptr<float>());
  all<1, 2>(x.data_ptr<float>());
  return x; }`,
    'x[4,8]',
  );
  assert.deepEqual(
    launches(trace).map((l) => [l.kernel.spelling, l.grid[0], l.arguments.map(shown)]),
    [
      ['k<float*, float>', 1, [3, '#0+0', 2.5]],
      ['k<float*>', 7, [1, '#0+0']],
      ['m<1, 2>', 2, ['#0+0']],
      ['m<2, 4>', 3, ['#0+0']],
      ['m<1, 2>', 1, ['#0+0']],
    ],
  );
});

test('conditions that declare, captures with initializers, results of lambdas', () => {
  assert.deepEqual(out('int', 'if (auto n = x.size(0)) out<<<1,1>>>(n); else out<<<1,1>>>(1)'), [4]);
  assert.deepEqual(out('int', 'if (int n = x.size(0), m = 2; n > m) out<<<1,1>>>(n * m)'), [8]);
  assert.deepEqual(
    out(
      'int,int',
      'int a = 1, b = 1; auto f = [a, &b, n = x.size(1)]() mutable { a += n; b = a; }; f(); f(); out<<<1,1>>>(a, b)',
    ),
    [1, 17],
  );
  assert.deepEqual(out('float', 'auto f = [](int v) -> float { return v / 2; }; out<<<1,1>>>(f(5))'), [2]);
  assert.deepEqual(
    out('int', 'int n = 3; long m = twice(n); out<<<1,1>>>(m)', 'long twice(const long& v) { return v * 2; }'),
    [6],
  );
});

test('packs used wrongly are errors with their line', () => {
  assertRefused(
    `template <typename... Ts> int f(Ts... v) { return 0; }
torch::Tensor forward(torch::Tensor x) { int n = 1;
  f(n...); return x; }`,
    'x[4]',
    'invalid',
    /names no parameter pack/,
    3,
  );
  assertRefused(
    `template <typename... Ts> int f(Ts... v) { return (v + ...); }
torch::Tensor forward(torch::Tensor x) { f(); return x; }`,
    'x[4]',
    'invalid',
    /fold over an empty pack/,
    1,
  );
});

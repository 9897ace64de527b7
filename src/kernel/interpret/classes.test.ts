/** Classes and templates as libraries of launchers write them; the fuzz compares most of these with g++ (fuzz/arithmetic.ts). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, valuesOf } from './try-host.fixture.ts';

const out = (types: string, statements: string, before = ''): unknown[] =>
  valuesOf(statements, types, 'x[4,8]', before);

test('virtual functions are those of the object, others those of the name it goes by', () => {
  const before = `
struct I { virtual int get(int) const = 0; int twice(int k) const { return 2 * get(k); } int plain() const { return 1; } };
struct A : public I { int s; A(int v) : s(v) {} int get(int k) const override { return k + s; } int plain() const { return 2; } };
static int call(const I* i) { return i->get(5); } static int plain(const I& i) { return i.plain(); }`;
  assert.deepEqual(
    out('int,int,int,int', 'A a(4); I& i = a; out<<<1,1>>>(call(&a), i.twice(1), plain(a), a.plain())', before),
    [9, 10, 1, 2],
  );
});

test('specializations: partial ones, of variables, and overloads by enable_if', () => {
  const before = `
template <typename T, int N> struct V { static constexpr int id = 1; };
template <typename T> struct V<T, 4> { static constexpr int id = 2; using type = T; };
template <typename A, typename B> struct Same { static constexpr int value = 1; };
template <typename A> struct Same<A, A> { static constexpr int value = 2; };
template <typename T> constexpr int per_vector = 16 / sizeof(T);
template <> constexpr int per_vector<at::Half> = 99;
template <typename T> std::enable_if_t<std::is_integral_v<T>, int> kind(T) { return 1; }
template <typename T> std::enable_if_t<!std::is_integral_v<T>, int> kind(T) { return 2; }`;
  assert.deepEqual(
    out(
      'int,int,int,int,int',
      'out<<<1,1>>>(V<float, 2>::id + 10 * V<float, 4>::id, Same<int, int>::value, per_vector<double>, per_vector<at::Half>, kind(3) * 10 + kind(2.5))',
      before,
    ),
    [21, 2, 2, 99, 12],
  );
});

test('conversions, constructor templates, references as members, default initializers in lists', () => {
  const before = `
struct Size { int n; operator int() const { return n; } };
struct Any { int n; template <typename T> Any(T v) : n(static_cast<int>(v) + 1) {} };
struct Ctx { int& n; void bump() { n += 2; } };
struct L { int m, n; float f = 1.5f; };`;
  assert.deepEqual(
    out(
      'int,int,int,float',
      'int n = 4; Ctx c{n}; c.bump(); std::vector<L> v; v.push_back({3, 4}); out<<<1,1>>>(Size{5} + 1, Any(6.5f).n, n, v[0].f)',
      before,
    ),
    [6, 7, 6, 1.5],
  );
  assertRefused(
    'struct C { int& n; }; __global__ void k(C c) {}\ntorch::Tensor forward(torch::Tensor x) { int n = 1; C c{n}; k<<<1, 1>>>(c); return x; }',
    'x[1]',
    'unsupported',
    /the field n of C is a reference/,
    2,
  );
});

test('alignment that is written counts', () => {
  const before = `struct alignas(16) A { float v[3]; }; struct __align__(32) B { int n; };
struct C { char c; } __attribute__((aligned(8))); template <typename T, int N> struct alignas(sizeof(T) * N) Vec { T v[N]; };`;
  assert.deepEqual(
    out('int,int,int,int', 'out<<<1,1>>>(sizeof(A), sizeof(B), sizeof(C), sizeof(Vec<float, 4>))', before),
    [16, 32, 8, 16],
  );
});

test('handlers take the exceptions they name, and no undefined behaviour', () => {
  const body = (thrown: string): string =>
    `int n = 0; try { ${thrown}; } catch (const std::logic_error& e) { n = 1; } catch (const std::exception& e) { n = std::string(e.what()).size(); } out<<<1,1>>>(n)`;
  assert.deepEqual(out('int', body('throw std::invalid_argument("no")')), [1]);
  assert.deepEqual(out('int', body('TORCH_CHECK(false, "four")')), [4]);
  assertRefused(
    'torch::Tensor forward(torch::Tensor x) {\nint z = 0; try { z = 1 / z; } catch (...) { z = 2; }\nreturn x; }',
    'x[1]',
    'invalid',
    /division by zero/,
    2,
  );
});

test('the type of ?: comes from both branches, and sizeof evaluates nothing', () => {
  assert.deepEqual(
    out(
      'double,int',
      'int n = x.size(0); auto r = (n > 0 ? n + 1 : n * 0.5) / 2; out<<<1,1>>>(r, sizeof(x.data_ptr<float>()[0]))',
    ),
    [2.5, 4],
  );
});

test('texts, function pointers, nested names, algorithms', () => {
  assert.deepEqual(
    out(
      'int,int',
      'std::ostringstream s; s << "n=" << x.size(0) << \' \' << 1.5; std::string t = s.str(); t += "z"; out<<<1,1>>>(t == "n=4 1.5z" ? 1 : 0, t.find("1.5"))',
    ),
    [1, 4],
  );
  assert.deepEqual(
    out(
      'int,int,int',
      'int (*f)(int) = inc; Fn all[] = {f, &inc}; std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end(), std::greater<int>()); out<<<1,1>>>(all[1](f(2)), Cfg::kThreads + static_cast<int>(Cfg::M::B), v[0] * 10 + v[2])',
      'static int inc(int a) { return a + 1; } typedef int (*Fn)(int); struct Cfg { enum { kThreads = 256 }; enum class M { A = 2, B }; };',
    ),
    [4, 259, 31],
  );
  assertRefused(
    'torch::Tensor forward(torch::Tensor x) {\nagain: goto again;\nreturn x; }',
    'x[1]',
    'unsupported',
    /write a loop/,
    2,
  );
});

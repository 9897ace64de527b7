/** The candidate's own structs in host code: constructors, bases, member functions, operators, traits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, launches, shown, tryHost, valuesOf } from './try-host.fixture.ts';

const out = (types: string, statements: string, before = ''): unknown[] =>
  valuesOf(statements, types, 'x[4,8]', before);

test('constructors: initializers, defaults, delegation, overloads', () => {
  const before = `
struct Shape {
  int n, m = 3;
  int total;
  Shape() : Shape(2, 5) {}
  explicit Shape(int n_) : n(n_), total{n * m} {}
  Shape(int n, int m) : n(n), m(m) { total = n * this->m; }
  int area() const { return n * m; }
};`;
  assert.deepEqual(
    out('int,int,int', 'Shape a, b(7), c{4, 6}; out<<<1,1>>>(a.total, b.total, c.area() * 100 + c.total)', before),
    [10, 21, 2424],
  );
  assert.deepEqual(
    out(
      'int',
      'P p; P q{4}; out<<<1,1>>>(p.a * 10 + q.a)',
      'struct P { int a = 3; P() = default; P(int v) : a(v) {} };',
    ),
    [34],
  );
  assertRefused(
    `struct P { int a; P(int v); };
torch::Tensor forward(torch::Tensor x) { P p(1); return x; }`,
    'x[4]',
    'invalid',
    /a constructor of P is declared but has no body/,
    2,
  );
});

test('bases: inherited fields and member functions', () => {
  const before = `
struct Base { int n; float scale = 2.f; Base(int n) : n(n) {} int twice() const { return 2 * n; } };
template <typename T> struct Typed { using type = T; static constexpr int width = 16 / sizeof(T); };
struct Derived : public Base, Typed<float> { int extra; Derived(int n) : Base(n + 1), extra(twice()) {} int all() { return twice() + extra; } };`;
  assert.deepEqual(
    out('int,float,int', 'Derived d(4); Derived::type s = d.scale; out<<<1,1>>>(d.all(), s, Derived::width)', before),
    [20, 2, 4],
  );
});

test('a struct with a base class is a kernel argument', () => {
  const trace = tryHost(
    `struct Ptrs { float* a; const float* b; };
struct Args : Ptrs { int n; float s; };
__global__ void k(Args args) {}
torch::Tensor forward(torch::Tensor x) { Args a; a.a = x.data_ptr<float>(); a.b = a.a + 3; a.n = 5; a.s = 1.5f; k<<<1, 1>>>(a); return x; }`,
    'x[4]',
  );
  assert.deepEqual(launches(trace)[0]?.arguments.map(shown), [['#0+0', '#0+12', 5, 1.5]]);
});

test('operators: members, functions, indexing, calls, assignment, of enumerations', () => {
  const before = `
struct V { int x, y; V operator+(const V& o) const { return {x + o.x, y + o.y}; } V& operator+=(int k) { x += k; y += k; return *this; }
  int operator[](int i) const { return i ? y : x; } bool operator==(const V& o) const { return x == o.x && y == o.y; } int operator()(int k) const { return k * x; } V operator-() const { return V{-x, -y}; } };
V operator*(int k, V v) { return V{k * v.x, k * v.y}; }
enum class Flag { A = 1, B = 4 };
Flag operator|(Flag a, Flag b) { return static_cast<Flag>(static_cast<int>(a) | static_cast<int>(b)); }`;
  assert.deepEqual(
    out(
      'int,int,int,int',
      'V a{1, 2}, b{3, 4}; V c = a + 2 * b; c += 1; out<<<1,1>>>(c[0], c[1], (a == b) + 2 * (a == V{1, 2}) + a(100) + (-a)[1], (int)(Flag::A | Flag::B))',
      before,
    ),
    [8, 11, 100, 5],
  );
});

test('traits: specializations, static constants and functions, member types', () => {
  const before = `
template <typename T> struct Traits { static constexpr int width = 1; using acc = double; };
template <> struct Traits<float> { static constexpr int width = 4; static constexpr int twice = width * 2; using acc = float; };
template <typename T, int N> struct Policy { static constexpr int threads = N * 32; typedef typename Traits<T>::acc acc; static int blocks(int n) { return (n + threads - 1) / threads; } };
template <typename P> int run(int n) { using A = typename P::acc; return P::blocks(n) * 10 + sizeof(A); }`;
  assert.deepEqual(
    out(
      'int,int,int,int',
      'using P = Policy<float, 4>; out<<<1,1>>>(Traits<float>::twice, Traits<int>::width, run<P>(1000), P::threads)',
      before,
    ),
    [8, 1, 84, 128],
  );
});

test('a static constant is asked of an object too: tag dispatch', () => {
  const before = `
template <int N> struct Block { static constexpr int value = N; int own = 5; };
struct Wide : Block<64> {};
template <int T> __global__ void k(int v) {}`;
  const dispatch =
    'auto go = [&](auto tag) { constexpr int n = tag.value; out<<<1,1>>>(n, tag.own, Wide{}.value); }; go(Block<256>{});';
  assert.deepEqual(out('int,int,int', dispatch, before), [256, 5, 64]);
  const source =
    '__global__ void k() {}\nstruct S { int n; static int f() { return 1; } };\ntorch::Tensor forward(torch::Tensor x) { S s{1}; int v = s.m; return x; }';
  assertRefused(source, 'x[4]', 'invalid', /S has no field m/);
});

test('member function templates, and members that call each other', () => {
  const before = `
template <typename T> struct Runner { T* p; int n; int blocks() const { return (n + 255) / 256; }
  template <typename F> void each(F f) { for (int i = 0; i < blocks(); ++i) f(i, p); } };`;
  const trace = tryHost(
    `${before}
__global__ void k(float* p, int i) {}
torch::Tensor forward(torch::Tensor x) { Runner<float> r{x.data_ptr<float>(), 600}; r.each([](int i, float* p) { k<<<1, 32>>>(p, i); }); return x; }`,
    'x[4]',
  );
  assert.deepEqual(
    launches(trace).map((l) => l.arguments.map(shown)),
    [
      ['#0+0', 0],
      ['#0+0', 1],
      ['#0+0', 2],
    ],
  );
});

test('what structs may not do', () => {
  const host = (struct: string, use: string): string =>
    `${struct}\ntorch::Tensor forward(torch::Tensor x) { ${use}; return x; }`;
  assertRefused(
    host('struct S { int n; virtual int f() { return 1; } }; __global__ void k(S s) {}', 'S s; k<<<1, 1>>>(s)'),
    'x[4]',
    'unsupported',
    /S has virtual functions/,
  );
  assertRefused(
    host('struct S { static int calls; int n; };', 'S s'),
    'x[4]',
    'unsupported',
    /static member calls .* keep state/,
  );
  assertRefused(host('struct S { int n; };', 'S s{1, 2}'), 'x[4]', 'invalid', /2 values for S, which has 1/);
  assertRefused(host('struct S { int n; };', 'S s{.m = 2}'), 'x[4]', 'invalid', /S has no field m/);
  assertRefused(
    host('struct S { int n; int f() { return n; } };', 'int v = S::f()'),
    'x[4]',
    'invalid',
    /S::f needs an object/,
  );
  assertRefused(
    host(
      'template <typename T, int N> struct S {}; template <typename T> struct S<T, 1> {}; template <int N> struct S<int, N> {};',
      'S<int, 1> s',
    ),
    'x[4]',
    'unsupported',
    /two partial specializations that both match/,
  );
});

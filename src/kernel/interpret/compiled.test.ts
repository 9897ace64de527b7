/** Constructs with an answer of g++'s: each case is compiled and run, and interpreted, and must give the same number. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCompiler } from './fuzz/compare.ts';
import { assertRefused, launches, shown, tryHost } from './try-host.fixture.ts';

/** Declarations, and a whole number that depends on them. */
const CASES: readonly (readonly [string, string])[] = [
  [
    'template <typename... T> struct C { static constexpr int n = 100; };\ntemplate <typename A, typename... R> struct C<A, R...> { static constexpr int n = sizeof(A) + 2 * C<R...>::n, k = sizeof...(R); };\ntemplate <typename A> struct C<A> { static constexpr int n = 7, k = 50; };',
    'C<>::n + 3 * C<int>::n + 1000 * C<double, short, char>::n + C<int, char>::k',
  ],
  [
    'template <int... N> struct Sum;\ntemplate <> struct Sum<> { static constexpr int v = 0; };\ntemplate <int A, int... R> struct Sum<A, R...> { static constexpr int v = A + 10 * Sum<R...>::v; };',
    'Sum<1, 2, 3>::v',
  ],
  [
    'template <typename... T> struct L { static constexpr int n = sizeof...(T); };\ntemplate <typename T> struct Of { static constexpr int n = 9; };\ntemplate <typename... T> struct Of<L<T...>> { static constexpr int n = sizeof...(T); };\ntemplate <typename A, typename... T> struct Of<L<A, A, T...>> { static constexpr int n = 20 + sizeof...(T); };',
    'Of<L<int, float, char>>::n + 10 * Of<int>::n + 100 * Of<L<int, int, char>>::n',
  ],
  [
    'struct S { int a; S(int x, int y = 2); int f(int b) const; static int g(int c); int operator()(int d); };\nS::S(int x, int y) : a(x * y) {}\nint S::f(int b) const { return a * b; }\nint S::g(int c) { return c + 1; }\nint S::operator()(int d) { a += d; return a; }',
    '[] { S s(3); return s.f(2) + 100 * S::g(1) + 1000 * s(4); }()',
  ],
  [
    'template <typename T> struct S { T a; T f(int b) const; template <int N> int g() { return N; } };\ntemplate <typename T> T S<T>::f(int b) const { return a * b + sizeof(T); }',
    'S<float>{3}.f(2) + 100 * S<double>{1}.f(1) + S<int>{1}.g<4>()',
  ],
  [
    'struct S { int a; friend S operator+(S x, S y) { return S{x.a + y.a}; } friend bool operator<(const S& x, const S& y); friend int twice(S x) { return 2 * x.a; } };\nbool operator<(const S& x, const S& y) { return x.a < y.a; }',
    '(S{1} + S{4}).a + (S{1} < S{2}) * 10 + twice(S{50})',
  ],
  [
    'namespace longer { namespace in { inline int f(int a) { return a + 1; } } struct T { int k = 6; }; }\nnamespace s1 = longer::in; namespace s2 = longer;',
    '[] { namespace s3 = s2; return s1::f(1) + 10 * s2::T{}.k + 100 * s3::in::f(2); }()',
  ],
  [
    'namespace a1 { inline int tripled(int v) { return v * 3; } struct T { int k = 6; }; }\nusing a1::tripled; using a1::T;',
    '[] { using std::min; return tripled(min(4, 5)) + T{}.k; }()',
  ],
  [
    'struct A { int a; alignas(16) float v[3]; char b; }; struct B { char c; alignas(8) char d; alignas(double) short e; }; struct alignas(32) O { A a; B b; };',
    'sizeof(A) + 100 * alignof(A) + 10000 * sizeof(B) + 1000000 * sizeof(O) + alignof(float)',
  ],
  [
    'template <typename T> int digits() { return std::numeric_limits<T>::digits * 100 + std::numeric_limits<T>::digits10; }',
    'digits<float>() + digits<double>() * 3 + digits<int>() * 5 + digits<unsigned char>() * 7 + digits<bool>() + digits<int64_t>()',
  ],
  [
    'inline int inc(int v) { return v + 1; }\ninline int dec(int v) { return v - 1; }\ntemplate <int (*F)(int)> int apply(int v) { return F(F(v)); }\ntemplate <auto F> int once(int v) { return F(v); }',
    '[] { int (*f)(int); f = inc; int (*g)(int) = nullptr; if (!g) g = f(1) > 1 ? dec : inc; return f(5) + 10 * g(5) + 100 * apply<inc>(3) + 1000 * once<dec>(3); }()',
  ],
  [
    'template <typename T> struct K { static constexpr int n = 1; };\ntemplate <typename T> struct K<const T> { static constexpr int n = 2; };\ntemplate <typename T> struct K<T*> { static constexpr int n = 3; };\ntemplate <typename T> struct K<const T*> { static constexpr int n = 4; };\ntemplate <typename T> struct K<T&> { static constexpr int n = 5; };\ntemplate <typename T> struct K<volatile T> { static constexpr int n = 6; };\ntemplate <typename T> struct K<T* const> { static constexpr int n = 7; };',
    'K<int>::n + 10 * K<const int>::n + 100 * K<int*>::n + 1000 * K<const int*>::n + 10000 * K<const int&>::n + 100000 * K<volatile int>::n + 1000000L * K<const int* const>::n',
  ],
  [
    'template <typename T> int of(T*) { return std::is_const_v<T> ? 2 : 1; }\ntemplate <typename T> int to(const T*) { return std::is_const_v<T> ? 2 : 1; }\nint over(int*) { return 1; } int over(const int*) { return 2; } int over(const volatile int*) { return 3; }',
    '[] { int n = 1; const int c = 2; int* p = &n; const int* q = &n; volatile int* v = &n; return of(p) + 10 * of(q) + 100 * to(p) + 1000 * to(q) + 10000 * over(p) + 100000 * over(q) + 1000000 * over(v) + 10000000L * std::is_same_v<decltype(c), const int>; }()',
  ],
  [
    'template <typename T> constexpr int bits() { return std::is_const_v<T> + 2 * std::is_const_v<std::remove_const_t<T>> + 4 * std::is_const_v<std::remove_pointer_t<T>> + 8 * std::is_reference_v<T> + 16 * std::is_const_v<std::remove_reference_t<T>> + 32 * std::is_same_v<std::decay_t<T>, int> + 64 * std::is_volatile_v<std::add_volatile_t<T>> + 128 * std::is_integral_v<T>; }',
    'bits<int>() + 3 * bits<const int>() + 5 * bits<const int*>() + 7 * bits<const int* const>() + 11 * bits<const int&>() + 13 * bits<int&&>() + 17 * bits<const volatile int>()',
  ],
];

test('what g++ answers', { skip: hasCompiler() ? false : 'g++ is not installed' }, () => {
  const text = CASES.map(
    ([declarations, value], i) =>
      `namespace case_${i} {\n${declarations}\nstatic int64_t value() { return ${value}; }\n}`,
  ).join('\n');
  const folder = mkdtempSync(join(tmpdir(), 'assay-compiled-'));
  try {
    const prints = CASES.map((_, i) => `std::printf("%ld\\n", (long)case_${i}::value());`).join(' ');
    const headers = ['cstdint', 'cstdio', 'algorithm', 'limits', 'type_traits'].map((name) => `#include <${name}>\n`);
    writeFileSync(join(folder, 'cases.cpp'), `${headers.join('')}${text}\nint main() { ${prints} }\n`);
    execFileSync('g++', ['-O0', '-w', '-std=c++20', '-o', join(folder, 'cases'), join(folder, 'cases.cpp')], {
      stdio: 'pipe',
    });
    const expected = execFileSync(join(folder, 'cases'), { encoding: 'utf8' }).trim().split('\n').map(Number);
    CASES.forEach(([, value], i) => {
      const trace = tryHost(
        `${text}\n__global__ void out(int64_t v) {}\ntorch::Tensor forward(torch::Tensor x) { out<<<1, 1>>>(case_${i}::value()); return x; }`,
        'x[4]',
      );
      assert.equal(shown(launches(trace)[0]?.arguments[0]), expected[i], `case ${i}: ${value}`);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what is left of C++ is refused by its name, where it is used', () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['struct S { int a; union { float f; int i; }; };', 'S s;', /the union in struct S/],
    ['union U { float f; int i; };', 'U u;', /the union U/],
    ['struct S { unsigned a : 3; unsigned b : 29; };', 'S s;', /the bit-field a of struct S/],
    ['struct S { float v __attribute__((aligned(16))); };', 'S s;', /the aligned member v of struct S/],
    [
      'struct B { int f(int a) { return a; } }; struct D : B { using B::f; int f(float) { return 9; } };',
      'D d;',
      /the using declaration of f in struct D/,
    ],
    [
      'struct S { int f(int); }; int S::f(long v) { return 1; }',
      'S s; s.f(1);',
      /S::f defined outside of its class|no body/,
    ],
    ['template <int... N> struct Sum;', 'int n = Sum<1>::v;', /Sum with these template arguments/],
    ['', 'std::variant<int, float> v = 3;', /std::variant/],
    ['', 'auto p = std::make_unique<int>(3);', /std::make_unique/],
    ['', 'std::make_index_sequence<3> s;', /std::make_index_sequence/],
    ['', 'const int n = 3; int* p = &n;', /cannot convert const int\* to int\*/],
  ];
  for (const [before, statement, message] of refused) {
    const source = `${before}\n__global__ void k(float* p) {}\ntorch::Tensor forward(torch::Tensor x) {\n${statement}\nreturn x; }`;
    const kind = /cannot convert/.test(message.source) ? 'invalid' : 'unsupported';
    const line = 3 + before.split('\n').length;
    assert.throws(() => tryHost(source, 'x[4]'), message, statement);
    assertRefused(source, 'x[4]', kind, message, line);
  }
});

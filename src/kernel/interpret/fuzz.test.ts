/**
 * The interpreter against a real compiler, and against garbage. Random valid host code is compiled by g++ and run; every value
 * must agree. Random damage to real host code must give a CandidateError or a trace, soon, and nothing else.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CandidateError } from '../error.ts';
import { launches, tryHost } from './try-host.fixture.ts';
import type { Value } from './values.ts';

/** A small generator, so that a failure is found again by its seed. */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const TYPES = ['int', 'unsigned', 'int64_t', 'size_t', 'short', 'unsigned char', 'bool', 'float', 'double'];

/** Declarations that every program can use: structs with constructors, a base and operators; traits; packs; constexpr branches. */
const LIBRARY = `
struct P { int x; long y = 2; P() : P(3) {} explicit P(int a) : x(a & 63), y(x + 1) {} P(int a, long b) : x(a & 63), y(b & 63) {}
  P operator+(const P& o) const { return P(x + o.x, y + o.y); } bool operator<(const P& o) const { return x < o.x; }
  P& operator+=(int k) { x = (x + (k & 7)) & 63; return *this; } int operator[](int i) const { return i & 1 ? (int)y : x; }
  int operator()(int k) const { return x - k; } int sum() const { return x + (int)y; } };
P operator*(int k, P p) { p += k; return p; }
struct Q : P { int z = 5; short s; Q(int a) : P(a + 1), s(z) { z = x * 2; } int all() { return sum() + z + s; } };
struct Plain { int n; float f; unsigned char c = 7; };
template <typename T> struct W { static constexpr int value = 1; using type = int64_t; };
template <> struct W<float> { static constexpr int value = 3; static constexpr int twice = value * 2; using type = double; };
template <typename T> int width() { typename W<T>::type v = 1; return sizeof(v) * 10 + W<T>::value; }
template <typename... T> auto total(T... v) { return (v + ... + 0); }
template <typename... T> auto less(T... v) { return (... - v); }
template <typename... T> bool every(T... v) { return (... && (v > 1)); }
template <typename T, typename... R> T first(T v, R... r) { return v; }
template <typename... T> int counted(T&&... v) { int n[] = {((int)v & 15)..., (int)sizeof...(v)}; int s = 0; for (int i : n) s = s * 3 + i; return s; }
template <int N> int times(int v) { if constexpr (N > 2) return (v & 255) * N; else return v & 255; }
template <typename F> auto twice(F f, int v) { return f(f(v)); }
enum class E { A = 1, B, C = 8 };
constexpr int pick(E e) { switch (e) { case E::A: return 4; case E::B: return 5; default: return static_cast<int>(e); } }
`;

/** Expressions over variables a..f; small values and guarded operators keep most of them defined. */
function expression(random: (n: number) => number, depth: number): string {
  const pick = (items: readonly string[]): string => items[random(items.length)] as string;
  if (depth === 0 || random(5) === 0) {
    return pick([
      'a',
      'b',
      'c',
      'd',
      'e',
      'f',
      'g',
      'h',
      'i',
      String(random(100)),
      `${random(9)}u`,
      `${random(50)}LL`,
      `0x${random(4096).toString(16)}`,
      `${random(20)}.5f`,
      `${random(9)}.25`,
    ]);
  }
  const sub = (): string => expression(random, depth - 1);
  const integral = (): string => `((int)(${sub()}) & 1023)`;
  switch (random(20)) {
    case 12:
      return `P(${integral()})${pick(['.sum()', '[1]', '(3)', '.x', '.y'])}`;
    case 13:
      return `(P(${integral()}, ${integral()}) + ${random(9)} * P(${integral()})).${pick(['x', 'y', 'sum()'])}`;
    case 14:
      return `${pick(['total', 'less', 'first', 'counted', 'every'])}(${sub()}, ${sub()}, ${integral()})`;
    case 15:
      return pick([
        `times<${random(5)}>(${integral()})`,
        `width<${pick(['float', 'int', 'double'])}>()`,
        `pick(E::${pick(['A', 'B', 'C'])})`,
        `W<float>::twice`,
      ]);
    case 16:
      return `[&](${pick(['int', 'auto', 'long'])} q) { return q + (${sub()}); }(${integral()})`;
    case 17:
      return `[=, w = ${integral()}](auto v)${pick(['', ' -> float', ' -> long'])} { return (v & 15) * w; }(${integral()})`;
    case 18:
      return `${pick(['std::min', 'std::max'])}${pick(['<int>', '<long>', '<double>'])}(${sub()}, ${integral()})`;
    case 19:
      return pick([
        `Q(${integral()}).all()`,
        `Plain{${integral()}, 2.5f}.c`,
        `twice([&](int v) { return (v & 31) + ${random(9)}; }, ${integral()})`,
        `(P(${integral()}) < P(${integral()}))`,
      ]);
    case 0:
    case 1:
      return `(${sub()} ${pick(['+', '-'])} ${sub()})`;
    case 2:
      return `(${sub()} * ${integral()})`;
    case 3:
      return `(${sub()} / (${integral()} + 1))`;
    case 4:
      return `(${integral()} % (${integral()} + 1))`;
    case 5:
      return `(${sub()} ${pick(['<', '>', '<=', '>=', '==', '!='])} ${sub()})`;
    case 6:
      return `(${integral()} ${pick(['&', '|', '^'])} ${integral()})`;
    case 7:
      return `(${integral()} ${pick(['<<', '>>'])} ${random(8)})`;
    case 8:
      return `(${sub()} ${pick(['&&', '||'])} ${sub()})`;
    case 9:
      return `static_cast<${pick(['int64_t', 'float', 'double'])}>(${sub()})`;
    case 10:
      return `(${pick(['-', '+', '!'])}(${sub()}))`;
    default:
      return `(${sub()} ? ${integral()} : ${integral()})`;
  }
}

/** Statements that change the variables: assignments, loops, branches. */
function statement(random: (n: number) => number, depth: number): string {
  const variable = (): string => 'abcdefghi'[random(9)] as string;
  const inner = (): string => statement(random, depth - 1);
  switch (depth === 0 ? 0 : random(13)) {
    case 5:
      return `{ auto& r = ${variable()}; r = (int)(${expression(random, 2)}) & 127; ${inner()} }`;
    case 6:
      return `{ std::vector<int> v = {${random(9)}, (int)(${expression(random, 1)}) & 63}; v.push_back(${random(9)}); for (auto& each : v) each += 1; for (int each : v) { if (each == 3) continue; ${variable()} = each & 63; } ${'abcd'[random(4)]} = v.back() + v.size(); }`;
    case 7:
      return `{ auto fn = [&](int n) { ${variable()} = n & 63; ${inner()} }; fn(${random(99)}); fn(${random(99)}); }`;
    case 8:
      return `{ P p(${random(99)}); Q q(${random(99)}); p += ${random(9)}; p.y = q.x; auto [u, w] = p; ${'abcd'[random(4)]} = u + w + q.all() + (P()).y; }`;
    case 9:
      return `if (int n = (int)(${expression(random, 2)}) & 3) { ${'abcd'[random(4)]} = n; ${inner()} } else { ${inner()} }`;
    case 10:
      return `{ int t[3] = {1, (int)(${expression(random, 1)}) & 31}; int* p = t; *(p + 2) = p[1]; p++; *p += 4; ${'abcd'[random(4)]} = t[0] + t[1] * 2 + t[2]; }`;
    case 11:
      return `{ std::map<int, int> m; m[${random(5)}] += 2; m[(int)(${expression(random, 1)}) & 7] = ${random(50)}; m.insert({9, ${random(9)}}); int s = 0; for (const auto& [k, v] : m) s = s * 5 + k + v; auto at = m.find(${random(9)}); if (at != m.end()) s += at->second; ${'abc'[random(3)]} = (s + (int)m.size() + (int)m.count(2)) & 255; }`;
    case 12:
      return `{ std::optional<int> o; if (${expression(random, 1)}) o = ${random(99)}; std::pair<int, float> p{o.value_or(7), 1.5f}; ${'acd'[random(3)]} = p.first + (o ? *o : 1); }`;
    case 1:
      return `if (${expression(random, 2)}) { ${inner()} } else { ${inner()} }`;
    case 2:
      return `for (int k${depth} = 0; k${depth} < ${1 + random(4)}; ++k${depth}) { ${inner()} if (${variable()} > 1000) break; }`;
    case 3:
      return `switch (${random(3)}) { case 0: ${inner()} break; case 1: ${inner()} default: ${inner()} }`;
    case 4:
      return `{ auto t = ${expression(random, 2)}; int k = (int)t & 7; do { ${variable()} = k--; } while (k > 0); }`;
    default: {
      const operator = ['=', '=', '+=', '-=', '^=', '|='][random(6)] as string;
      // Floats have no bit operators; the integers are narrowed so that they stay small.
      const target = operator.length === 2 && '^|'.includes(operator[0] ?? '') ? 'abcd'[random(4)] : variable();
      return `${target} ${operator} ((int)(${expression(random, 3)}) & 255);`;
    }
  }
}

const DECLARATIONS = TYPES.map((type, i) => `${type} ${'abcdefghi'[i]} = ${i + 1};`).join(' ');

function hasCompiler(): boolean {
  try {
    execFileSync('g++', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Floats are marked, so that they are compared as numbers and integers as digits. */
function printed(value: Value | undefined): string {
  if (value?.kind === 'int') return String(value.value);
  return value?.kind === 'float' ? `f${value.value}` : (value?.kind ?? 'nothing');
}

function same(a: string, b: string): boolean {
  if (!a.startsWith('f') || !b.startsWith('f')) return a === b;
  const number = (text: string): number =>
    Number(
      text
        .slice(1)
        .replace(/^(-?)inf$/, '$1Infinity')
        .replace(/^-?nan$/i, 'NaN'),
    );
  return Object.is(number(a), number(b)) || number(a) === number(b);
}

test('random host code computes what g++ computes', { skip: hasCompiler() ? false : 'g++ is not installed' }, () => {
  const count = Number(process.env.ASSAY_FUZZ_PROGRAMS ?? 150);
  const random = generator(Number(process.env.ASSAY_FUZZ_SEED ?? 1));
  const programs = Array.from({ length: count }, () => {
    const body = Array.from({ length: 3 }, () => statement(random, 2)).join(' ');
    return { body, result: expression(random, 4) };
  });
  const folder = mkdtempSync(join(tmpdir(), 'assay-fuzz-'));
  try {
    // Undefined behaviour traps in the compiled program; the interpreter must then call it an error.
    const source = `#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <csetjmp>
#include <csignal>
#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>
static sigjmp_buf place;
static void caught(int) { siglongjmp(place, 1); }
template <typename T> void show(T v) { if constexpr (T(0.5) != T(0)) { double d = v; printf("f%.17g", d); } else if constexpr (T(-1) < T(0)) printf("%lld", (long long)v); else printf("%llu", (unsigned long long)v); }
void show(bool v) { printf("%d", v); }
${LIBRARY}
${programs.map((p, i) => `void program_${i}() { ${DECLARATIONS} ${p.body} auto r = ${p.result}; show(a); printf(" "); show(c); printf(" "); show(h); printf(" "); show(r); }`).join('\n')}
void (*all[])() = { ${programs.map((_, i) => `program_${i}`).join(', ')} };
int main() { signal(SIGILL, caught); signal(SIGFPE, caught); signal(SIGTRAP, caught);
  for (auto f : all) { if (sigsetjmp(place, 1) == 0) f(); else printf("\\ntrap"); printf("\\n"); } }`;
    writeFileSync(join(folder, 'fuzz.cpp'), source);
    const flags = [
      '-O0',
      '-w',
      '-std=c++17',
      '-fsanitize=signed-integer-overflow,integer-divide-by-zero,shift,float-cast-overflow',
      '-fsanitize-undefined-trap-on-error',
    ];
    execFileSync('g++', [...flags, '-o', join(folder, 'fuzz'), join(folder, 'fuzz.cpp')]);
    const output = execFileSync(join(folder, 'fuzz'), { encoding: 'utf8' }).split('\n');
    let line = 0;
    let compared = 0;
    const differences: string[] = [];
    programs.forEach((program, i) => {
      let expected = output[line++] ?? '';
      // A program that trapped may have printed a part of its values first.
      if (output[line] === 'trap') {
        expected = 'trap';
        line++;
      }
      const code = `${LIBRARY}template <typename T> __global__ void out(int a, int64_t c, float h, T r) {}
torch::Tensor forward(torch::Tensor x) { ${DECLARATIONS} ${program.body} auto r = ${program.result}; out<<<1, 1>>>(a, c, h, r); return x; }`.replace(
        'short0',
        'int',
      );
      let got: string;
      let why = '';
      try {
        got = launches(tryHost(code, 'x[1]'))[0]?.arguments.map(printed).join(' ') ?? '';
      } catch (error) {
        if (!(error instanceof CandidateError)) throw error;
        got = error.kind === 'invalid' ? 'trap' : error.message;
        why = ` (${error.message})`;
      }
      const parts = expected.split(' ');
      const agree = got.split(' ').every((g, k) => same(g, parts[k] ?? ''));
      if (!agree || (got === 'trap') !== (expected === 'trap')) {
        differences.push(
          `program ${i}: g++ says ${expected}, the interpreter ${got}${why}\n${program.body} auto r = ${program.result};`,
        );
      }
      if (expected !== 'trap') compared++;
    });
    assert.equal(
      differences.length,
      0,
      `${differences.length} differences; some:\n${differences.slice(0, 8).join('\n')}`,
    );
    assert.ok(compared > count / 2, `${compared} of ${count} programs are defined`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const REAL = `#include <torch/extension.h>
#define CHECK(x) TORCH_CHECK(x.is_cuda(), #x " must be on the GPU")
template <typename T, int N = 4> __global__ void k(const T* a, T* b, int n) { for (int i = 0; i < n; ++i) b[i] = a[i] * N; }
namespace util { struct P { int n; float e = 1.f; }; constexpr int cdiv(int a, int b) { return (a + b - 1) / b; } }
torch::Tensor forward(torch::Tensor x, double eps = 1e-5) {
  CHECK(x);
  auto y = torch::empty({x.size(0), x.size(1)}, x.options());
  std::vector<int64_t> s(x.sizes().begin(), x.sizes().end());
  util::P p{static_cast<int>(s[0]), (float)eps};
  for (int i = 0; i < 2; i++) { if (s[i] % 2 == 0 && p.n > 0) continue; p.n += i ? 1 : 2; }
  dim3 grid(util::cdiv(x.numel(), 256)), block{256, 1};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "k", ([&] { k<scalar_t, 8><<<grid, block, 0, at::cuda::getCurrentCUDAStream()>>>(x.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), x.numel()); }));
  return y.view({-1});
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward, "doc"); }`;

test('damaged host code gives a sentence or a trace, and ends', () => {
  const random = generator(Number(process.env.ASSAY_FUZZ_SEED ?? 7));
  const words = REAL.match(/\w+|[^\w\s]/g) ?? [];
  const junk = [
    ...words,
    '}',
    '{',
    '(',
    ')',
    '<<<',
    '>>>',
    '#',
    '"',
    "'",
    '/*',
    '\\',
    '::',
    ';',
    'template',
    '0x',
    '1e',
    '*',
    '&',
    '\n#if 1\n',
    '\n#define x y\n',
    '…',
  ];
  let traces = 0;
  const count = Number(process.env.ASSAY_FUZZ_GARBAGE ?? 300);
  for (let n = 0; n < count; n++) {
    let text = REAL;
    for (let edits = 1 + random(3); edits > 0; edits--) {
      const at = random(text.length);
      const length = random(3) === 0 ? random(40) : random(4);
      text = text.slice(0, at) + (random(2) ? (junk[random(junk.length)] as string) : '') + text.slice(at + length);
    }
    const started = process.cpuUsage();
    try {
      tryHost(text, 'x[6,8]');
      traces++;
    } catch (error) {
      if (!(error instanceof CandidateError))
        throw new Error(`program ${n} crashed the interpreter: ${(error as Error).stack}\n${text}`);
      assert.ok(error.message.length > 8, error.message);
    }
    const used = process.cpuUsage(started).user / 1e6;
    assert.ok(
      used < 5,
      `program ${n} took ${used} s
${text}`,
    );
  }
  assert.ok(traces > 0 && traces < count);
});

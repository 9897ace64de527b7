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
  switch (random(12)) {
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
  switch (depth === 0 ? 0 : random(5)) {
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
static sigjmp_buf place;
static void caught(int) { siglongjmp(place, 1); }
template <typename T> void show(T v) { if constexpr (T(0.5) != T(0)) { double d = v; printf("f%.17g", d); } else if constexpr (T(-1) < T(0)) printf("%lld", (long long)v); else printf("%llu", (unsigned long long)v); }
void show(bool v) { printf("%d", v); }
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
    programs.forEach((program, i) => {
      let expected = output[line++] ?? '';
      // A program that trapped may have printed a part of its values first.
      if (output[line] === 'trap') {
        expected = 'trap';
        line++;
      }
      const code = `template <typename T> __global__ void out(int a, int64_t c, float h, T r) {}
torch::Tensor forward(torch::Tensor x) { ${DECLARATIONS} ${program.body} auto r = ${program.result}; out<<<1, 1>>>(a, c, h, r); return x; }`.replace(
        'short0',
        'int',
      );
      let got: string;
      try {
        got = launches(tryHost(code, 'x[1]'))[0]?.arguments.map(printed).join(' ') ?? '';
      } catch (error) {
        if (!(error instanceof CandidateError)) throw error;
        got = error.kind === 'invalid' ? 'trap' : error.message;
      }
      const parts = expected.split(' ');
      const agree = got.split(' ').every((g, k) => same(g, parts[k] ?? ''));
      assert.ok(
        agree && (got === 'trap') === (expected === 'trap'),
        `program ${i}: g++ says ${expected}, the interpreter ${got}\n${code}`,
      );
      if (expected !== 'trap') compared++;
    });
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

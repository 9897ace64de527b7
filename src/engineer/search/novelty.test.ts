import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asTwinOf, sourceKey } from './novelty.ts';

const kernel = '#define N 4\n__global__ void k(float* x) {\n  x[N] = 1.0f; // four\n}\n';
const same = (a: string, b: string) => sourceKey(a) === sourceKey(b);

describe('novelty', () => {
  it('is not a matter of comments and white space', () => {
    assert.ok(
      same(kernel, '#define  N   4\n\n/* the kernel */ __global__ void k(float* x) {\n x[N] = 1.0f;\n}'),
      'cuda',
    );
    assert.ok(!same(kernel, kernel.replace('1.0f', '2.0f')), 'another number');
  });

  it('counts lines where they mean something, and leaves strings as they are', () => {
    assert.ok(!same('#define N 4\n+2;\nvoid f();', '#define N 4 +2;\nvoid f();'), 'where a macro ends');
    assert.ok(!same('asm("a // b");', 'asm("a // c");'), 'a comment in a string is none');
    assert.ok(
      !same(`if (c == '"') asm("a // b");`, `if (c == '"') asm("a // c");`),
      'a quote by itself begins no string',
    );
    assert.ok(!same('printf("a b");', 'printf("a  b");'), 'white space in a string');
    assert.ok(!same("c = ' ';", "c = '\t';"), 'white space in a character');
    assert.ok(!same('s = R"(a\n  b)";', 's = R"(a\n b)";'), 'white space in a raw string');
    assert.ok(!same('s = R"x(" // a)x";', 's = R"x(" // b)x";'), 'a quote in a raw string ends none');
    assert.ok(same('asm("a b" ,  x);', 'asm("a b" , x);'), 'white space behind a string');
    assert.ok(same('#define N 4 \\\n + 2\nint a;', '#define N 4 + 2\nint a;'), 'a line that goes on');
    const python = 'import torch\nfor k in x:\n  a()\nb()\n';
    assert.ok(!same(python, python.replace('\nb()', '\n  b()')), 'indentation in Python');
  });

  it('gives a twin the verdict of the one that was judged, with its name', () => {
    const evaluation = { outcome: 'correct', reason: 'right', microseconds: 4, codeHash: 'c' } as const;
    const twin = asTwinOf({ id: 'run-1' }, evaluation);
    assert.deepEqual(twin, { ...evaluation, twin: 'run-1', reason: 'compiles to the same code as run-1: right' });
    assert.deepEqual(asTwinOf({ id: 'run-2' }, twin), twin, 'the twin of a twin');
  });
});

/** What volatile is good for and what it is not, and variables of the module that are only stored to. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg } from './nvcc-testing.ts';
import { Sanitizer } from './sanitizer/index.ts';
import type { Executor } from './types.ts';

const ptx = (body: string): string => `.version 8.0
.target sm_80
.address_size 64
.global .u32 last;
.visible .entry k(.param .u64 p) {
  .reg .b64 %rd<4>; .reg .b32 %r<8>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [p];
  mov.u32 %r1, %ctaid.x;
  add.u32 %r2, %r1, 1;
${body}
}`;

function kinds(body: string, executor: Executor): string[] {
  const gpu = new VirtualGpu({ memoryBytes: 2 ** 26 });
  const module = gpu.load(ptx(body));
  const words = gpu.allocate(8, { name: 'words' });
  gpu.write(words, new Uint8Array(8));
  const config = { grid: [2, 1, 1], block: [1, 1, 1], arguments: [arg.pointer(words)], executor } as const;
  const { findings } = gpu.launch(module, 'k', { ...config, races: true, stopAtFault: false });
  return [...new Set(findings.map(({ kind }) => kind))];
}

const SECOND = 'setp.eq.u32 %p1, %r1, 1;';

describe('volatile and races', () => {
  const wrong: Record<string, string> = {
    'two blocks store different values': 'st.volatile.global.u32 [%rd1], %r2; ret;',
    'one stores, the other looks once': `${SECOND} @%p1 bra B; st.volatile.global.u32 [%rd1], 7; ret;
B: ld.volatile.global.u32 %r3, [%rd1]; ret;`,
    'one stores, the other adds by an atomic': `${SECOND} @%p1 bra B; st.volatile.global.u32 [%rd1], 7; ret;
B: red.global.add.u32 [%rd1], 1; ret;`,
    'a plain store to a variable of the module': 'st.global.u32 [last], %r2; ret;',
  };
  const right: Record<string, string> = {
    'two blocks store the same value': 'st.volatile.global.u32 [%rd1], 7; ret;',
    'one stores, the other waits for it': `${SECOND} @%p1 bra B; st.volatile.global.u32 [%rd1], 7; ret;
B: ld.volatile.global.u32 %r3, [%rd1]; setp.eq.u32 %p2, %r3, 0; @%p2 bra B; ret;`,
    'a lock that is released by a volatile store': `B: atom.global.cas.b32 %r3, [%rd1], 0, 1; setp.ne.u32 %p2, %r3, 0; @%p2 bra B;
membar.gl; ld.global.u32 %r4, [%rd1+4]; add.u32 %r4, %r4, 1; st.global.u32 [%rd1+4], %r4; membar.gl; st.volatile.global.u32 [%rd1], 0; ret;`,
    'one block alone stores to a variable of the module': `${SECOND} @%p1 ret; st.global.u32 [last], %r2; ret;`,
  };
  for (const executor of ['auto', 'interpreter'] as const) {
    for (const [name, body] of Object.entries(wrong)) {
      it(`${executor}: ${name}`, () => assert.deepEqual(kinds(body, executor), ['race']));
    }
    for (const [name, body] of Object.entries(right)) {
      it(`${executor}: ${name}: fine`, () => assert.deepEqual(kinds(body, executor), []));
    }
  }
});

it('too few arguments: the message says what the parameters are', () => {
  const launch = { grid: [1, 1, 1], block: [1, 1, 1], dynamicSharedBytes: 0 } as const;
  assert.throws(
    () => new Sanitizer(ptx('ret;')).check({ launch, arguments: [] }),
    /k has 1 parameter \(a pointer or 8 bytes\) and 0 arguments are given\./,
  );
});

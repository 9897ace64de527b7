/** Barriers that part of a block goes past: accused when it goes on behind them, not when it has returned or never comes there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg } from './nvcc-testing.ts';

function kinds(body: string, threads = 128): string[] {
  const gpu = new VirtualGpu({ memoryBytes: 2 ** 26 });
  const module = gpu.load(`.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 p) {
  .reg .b64 %rd<6>; .reg .b32 %r<12>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [p];
  mov.u32 %r2, %tid.x;
  mul.wide.u32 %rd2, %r2, 4;
  add.u64 %rd3, %rd1, %rd2;
  setp.lt.u32 %p1, %r2, 100;
${body}
}`);
  const out = gpu.allocate(4 * threads, { name: 'out' });
  const { findings } = gpu.launch(module, 'k', {
    grid: [1, 1, 1],
    block: [threads, 1, 1],
    arguments: [arg.pointer(out)],
    races: true,
    stopAtFault: false,
  });
  return findings.map(({ kind }) => kind);
}

const STORE = 'st.global.u32 [%rd3], %r2;';

describe('a barrier that not all threads reach', () => {
  const wrong: Record<string, string> = {
    'in a branch that splits a warp, others sleep and go on': `@!%p1 bra ELSE; bar.sync 0; bra JOIN; ELSE: nanosleep.u32 100; JOIN: ${STORE} ret;`,
    'in a branch without else': `@!%p1 bra JOIN; bar.sync 0; JOIN: ${STORE} ret;`,
    'in both branches, two of them': `@!%p1 bra ELSE; bar.sync 0; bra JOIN; ELSE: bar.sync 0; JOIN: ${STORE} ret;`,
    'in a branch of whole warps': `setp.lt.u32 %p2, %r2, 64; @!%p2 bra JOIN; bar.sync 0; JOIN: ${STORE} ret;`,
    'in a loop of thread-dependent length, before a store': `mov.u32 %r3, %r2;
LOOP: setp.ge.u32 %p2, %r3, 200; @%p2 bra JOIN; bar.sync 0; add.u32 %r3, %r3, 40; bra LOOP; JOIN: ${STORE} ret;`,
  };
  const right: Record<string, string> = {
    'after an early return': `@!%p1 ret; bar.sync 0; ${STORE} ret;`,
    'after an early return at the end of the text': `@!%p1 bra END; bar.sync 0; ${STORE} END: ret;`,
    'after others have worked and returned': `@%p1 bra WORK; ${STORE} ret; WORK: bar.sync 0; ${STORE} ret;`,
    'in a loop that some threads leave for good': `mov.u32 %r3, 0;
LOOP: bar.sync 0; add.u32 %r3, %r3, 1; setp.gt.u32 %p2, %r3, %r2; @%p2 bra END; setp.lt.u32 %p3, %r3, 20; @%p3 bra LOOP; ${STORE} END: ret;`,
    'in a uniform branch': `setp.lt.u32 %p2, 1, 2; @!%p2 bra JOIN; bar.sync 0; JOIN: ${STORE} ret;`,
  };
  for (const [name, body] of Object.entries(wrong)) {
    it(name, () => assert.deepEqual(kinds(body), ['barrier-divergence']));
  }
  for (const [name, body] of Object.entries(right)) it(`${name}: fine`, () => assert.deepEqual(kinds(body), []));
});

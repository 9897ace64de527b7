/** Loops that wait for memory which nobody will write: found at once and named, whoever runs; loops that end are left alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg } from './nvcc-testing.ts';
import type { Executor, Finding } from './types.ts';

/** `body` has %rd1: the address of two words, zero at first; %r1: the block, %r2: the thread. */
function run(
  body: string,
  executor: Executor,
  shape: { blocks?: number; threads?: number; profile?: boolean } = {},
): readonly Finding[] {
  const gpu = new VirtualGpu({ memoryBytes: 2 ** 26 });
  const module = gpu.load(`.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 p) {
  .reg .b64 %rd<4>; .reg .b32 %r<12>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [p];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %tid.x;
${body}
  ret;
}`);
  const words = gpu.allocate(8, { name: 'words' });
  gpu.write(words, new Uint8Array(8));
  const { findings } = gpu.launch(module, 'k', {
    grid: [shape.blocks ?? 1, 1, 1],
    block: [shape.threads ?? 64, 1, 1],
    arguments: [arg.pointer(words)],
    executor,
    stopAtFault: false,
    instructionBudget: 50_000_000,
    profile: shape.profile,
  });
  return findings;
}

const STUCK: Record<string, { body: string; blocks?: number }> = {
  'a flag that nobody sets': {
    body: 'WAIT: ld.volatile.global.u32 %r3, [%rd1]; setp.eq.u32 %p1, %r3, 0; @%p1 bra WAIT;',
  },
  'a lock that is never released, with back-off': {
    body: `mov.u32 %r5, 8;
TRY: atom.global.cas.b32 %r3, [%rd1], 0, 1; setp.eq.u32 %p1, %r3, 0; @%p1 bra GOT;
  nanosleep.u32 %r5; shl.b32 %r5, %r5, 1; min.u32 %r5, %r5, 256; bra TRY;
GOT: st.global.u32 [%rd1+4], %r2;`,
  },
  'a grid barrier that counts a block too many': {
    body: `setp.ne.u32 %p1, %r2, 0; @%p1 bra MEET;
  atom.global.add.u32 %r3, [%rd1], 1;
WAIT: ld.volatile.global.u32 %r3, [%rd1]; setp.lt.u32 %p1, %r3, 6; @%p1 bra WAIT;
MEET: bar.sync 0;`,
    blocks: 5,
  },
};

const ENDING: Record<string, string> = {
  'a flag that another warp sets late': `setp.ge.u32 %p1, %r2, 32; @%p1 bra LATE;
WAIT: ld.volatile.global.u32 %r3, [%rd1]; setp.eq.u32 %p1, %r3, 0; @%p1 bra WAIT;
  bra DONE;
LATE: mov.u32 %r4, 0;
COUNT: add.u32 %r4, %r4, 1; setp.lt.u32 %p2, %r4, 200000; @%p2 bra COUNT;
  setp.ne.u32 %p2, %r2, 40; @%p2 bra DONE; mov.u32 %r5, 1; st.volatile.global.u32 [%rd1], %r5;
DONE:`,
  'lanes asleep that wait for others of their warp': `setp.ge.u32 %p1, %r2, 8; @%p1 bra WAIT;
  mov.u32 %r4, 0;
COUNT: add.u32 %r4, %r4, 1; setp.lt.u32 %p2, %r4, 200; @%p2 bra COUNT;
  mov.u32 %r5, 1; st.volatile.global.u32 [%rd1], %r5; bra DONE;
WAIT: ld.volatile.global.u32 %r3, [%rd1]; setp.ne.u32 %p1, %r3, 0; @%p1 bra DONE;
  nanosleep.u32 1000; bra WAIT;
DONE:`,
  'a wait that gives up by the clock': `mov.u32 %r6, %clock;
WAIT: ld.volatile.global.u32 %r3, [%rd1]; setp.ne.u32 %p1, %r3, 0; @%p1 bra DONE;
  mov.u32 %r7, %clock; sub.u32 %r7, %r7, %r6; setp.lt.u32 %p2, %r7, 60000; @%p2 bra WAIT;
DONE:`,
  'a wait that gives up after many tries': `mov.u32 %r6, 0;
WAIT: ld.volatile.global.u32 %r3, [%rd1]; setp.ne.u32 %p1, %r3, 0; @%p1 bra DONE;
  add.u32 %r6, %r6, 1; setp.lt.u32 %p2, %r6, 40000; @%p2 bra WAIT;
DONE:`,
};

describe('livelock', () => {
  for (const executor of ['interpreter', 'auto'] as const) {
    for (const [name, { body, blocks }] of Object.entries(STUCK)) {
      it(`${executor}: ${name}`, () => {
        const findings = run(body, executor, { blocks });
        assert.deepEqual(
          findings.map(({ kind }) => kind),
          ['deadlock'],
        );
        assert.match(findings[0]!.message, /nobody will write/);
        assert.match(findings[0]!.instruction, /ld\.volatile|atom/);
      });
    }
    for (const [name, body] of Object.entries(ENDING)) {
      it(`${executor}: ${name}`, () => assert.deepEqual(run(body, executor), []));
    }
  }
  // Warps take short turns in a profile.
  it('in a profile: lanes asleep that wait for others of their warp', () => {
    assert.deepEqual(run(ENDING['lanes asleep that wait for others of their warp']!, 'auto', { profile: true }), []);
  });
});

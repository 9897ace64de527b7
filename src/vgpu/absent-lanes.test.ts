/** Shuffles from lanes that are not there: a fault when the value matters, none when it is thrown away, with races on or off. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg, i32Of } from './nvcc-testing.ts';
import type { Executor } from './types.ts';

/** Sums 0 to 15 in the first half warp by a tree; then `last` lanes store what they have. */
function run(last: number, executor: Executor, races: boolean): { kinds: string[]; sum: number; executor: string } {
  const gpu = new VirtualGpu({ memoryBytes: 2 ** 26 });
  const step = (offset: number): string => `shfl.sync.down.b32 %r4, %r3, ${offset}, 31, 65535; add.u32 %r3, %r3, %r4;`;
  const module = gpu.load(`.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 p) {
  .reg .b64 %rd<4>; .reg .b32 %r<8>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [p];
  mov.u32 %r2, %tid.x;
  setp.ge.u32 %p1, %r2, 16; @%p1 bra END;
  mul.wide.u32 %rd2, %r2, 4; add.u64 %rd2, %rd1, %rd2;
  ld.global.u32 %r3, [%rd2];
  ${[8, 4, 2, 1].map(step).join('\n  ')}
  setp.ge.u32 %p2, %r2, ${last}; @%p2 bra END;
  st.global.u32 [%rd2], %r3;
END: ret;
}`);
  const out = gpu.allocate(64, { name: 'out' });
  gpu.write(out, new Uint8Array(Int32Array.from({ length: 16 }, (_, i) => i).buffer));
  const report = gpu.launch(module, 'k', {
    grid: [1, 1, 1],
    block: [32, 1, 1],
    arguments: [arg.pointer(out)],
    executor,
    races,
  });
  const kinds = report.findings.map(({ kind }) => kind);
  return { kinds, sum: i32Of(gpu.read(out, 4))[0]!, executor: report.executor };
}

describe('shuffles from absent lanes', () => {
  for (const races of [false, true]) {
    for (const executor of ['auto', 'interpreter'] as const) {
      const how = `${executor}, races ${races ? 'on' : 'off'}`;
      it(`thrown away: nothing is found (${how})`, () => {
        const { kinds, sum } = run(1, executor, races);
        assert.deepEqual(kinds, []);
        assert.equal(sum, 120);
      });
      it(`stored: found (${how})`, () => assert.ok(run(16, executor, races).kinds.includes('absent-lane')));
    }
  }
});

/** What the compiler refuses, how launches fall back, and waiting for other threads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CannotRun } from '../executable.ts';
import { VirtualGpu } from '../gpu.ts';
import type { Executor, LaunchConfig, LaunchReport } from '../types.ts';

const kernel = (body: string): string => `.version 9.0
.target sm_90
.address_size 64
.visible .entry kernel(.param .u64 out)
{
  .reg .pred %p<4>;
  .reg .b32 %r<10>;
  .reg .b64 %rd<6>;
  ld.param.u64 %rd0, [out];
  mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd1, %r0, 4;
  add.s64 %rd1, %rd0, %rd1;
${body}
}
`;

function launch(
  body: string,
  executor: Executor,
  more: Partial<LaunchConfig> = {},
): { report: LaunchReport; words: Int32Array } {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 22 });
  const out = gpu.allocate(4 * 64);
  gpu.write(out, new Uint8Array(4 * 64));
  const report = gpu.launch(gpu.load(kernel(body)), 'kernel', {
    grid: [1, 1, 1],
    block: [64, 1, 1],
    arguments: [new Uint8Array(BigUint64Array.of(out).buffer)],
    executor,
    ...more,
  });
  return { report, words: new Int32Array(gpu.read(out, 4 * 64).slice().buffer) };
}

const REFUSED = `  .shared .align 8 .b8 arrivals[8];
  mov.u32 %r1, arrivals;
  setp.eq.u32 %p0, %r0, 0;
  @%p0 mbarrier.init.shared.b64 [%r1], 1;
  st.global.u32 [%rd1], %r0;
  ret;`;

test('what cannot be compiled is named with its line, and interpreted', () => {
  for (const executor of ['scalar', 'simd'] as const)
    assert.throws(
      () => launch(REFUSED, executor),
      (error) => error instanceof CannotRun && /^cannot compile: '.*mbarrier\.init.*' line \d+$/.test(error.message),
    );
  const { report, words } = launch(REFUSED, 'auto');
  assert.equal(report.executor, 'interpreter');
  assert.equal(words[63], 63);
});

/** High word of the time that %globaltimer starts at: a date of 2026, as a real GPU shows one. */
const CLOCK_HIGH = 416_766_852;

test('clocks advance, by the same in every run', () => {
  // Between the two readings all threads wait for each other.
  const body = `  mov.u64 %rd2, %clock64;
  mov.u32 %r1, %globaltimer_hi;
  sub.u32 %r1, %r1, ${CLOCK_HIGH};
  bar.sync 0;
  mov.u64 %rd3, %clock64;
  mov.u32 %r2, %clock;
  sub.s64 %rd3, %rd3, %rd2;
  cvt.u32.u64 %r3, %rd3;
  setp.lt.u32 %p0, %r2, %r3;
  @%p0 mov.u32 %r3, 0;
  add.u32 %r3, %r3, %r1;
  st.global.u32 [%rd1], %r3;
  ret;`;
  for (const executor of ['interpreter', 'scalar', 'simd'] as const) {
    const first = launch(body, executor);
    assert.equal(first.report.executor, executor);
    assert.ok(
      first.words.every((word) => word > 0 && word < 100_000),
      executor,
    );
    assert.deepEqual(launch(body, executor).words, first.words);
  }
});

test('launches that go on after faults run one thread at a time, and count every fault', () => {
  const body = `  ld.global.u32 %r1, [%rd1+4096];
  ret;`;
  const stopped = launch(body, 'auto');
  assert.equal(stopped.report.executor, 'simd');
  assert.equal(stopped.report.completed, false);
  const all = launch(body, 'auto', { stopAtFault: false });
  assert.equal(all.report.executor, 'scalar');
  assert.equal(all.report.findings[0]?.count, 64);
});

test('a block whose rows are not whole groups of lanes runs scalar code', () => {
  const body = `  st.global.u32 [%rd1], %r0;
  ret;`;
  assert.equal(launch(body, 'auto', { block: [3, 5, 1] }).report.executor, 'scalar');
  assert.equal(launch(body, 'auto', { block: [33, 1, 1] }).report.executor, 'simd');
});

test('a loop that never ends is stopped by the budget', () => {
  for (const executor of ['scalar', 'simd'] as const) {
    const { report } = launch('$L: add.s32 %r1, %r1, 1;\n  bra $L;', executor, { instructionBudget: 100_000 });
    assert.equal(report.completed, false);
    assert.deepEqual(
      report.findings.map(({ kind }) => kind),
      ['budget-exceeded'],
    );
  }
});

test('a thread may wait in a loop for a later thread of its warp', () => {
  // Thread 0 spins until thread 40 has written.
  const body = `  setp.eq.u32 %p0, %r0, 40;
  mov.u32 %r2, 7;
  @%p0 st.volatile.global.u32 [%rd0+160], %r2;
  setp.ne.u32 %p1, %r0, 0;
  @%p1 bra $DONE;
$WAIT:
  ld.volatile.global.u32 %r1, [%rd0+160];
  setp.ne.s32 %p2, %r1, 7;
  @%p2 bra $WAIT;
  st.global.u32 [%rd0], %r1;
$DONE:
  ret;`;
  for (const executor of ['scalar', 'simd'] as const) {
    const { report, words } = launch(body, executor);
    assert.deepEqual(report.findings, []);
    assert.equal(words[0], 7);
  }
});

test('indices that wrap around 32 bits inside a group of lanes are extended one by one', () => {
  // tid - 3 is negative for the first lanes: as u32 it wraps, as s32 it does not.
  const body = `  add.s32 %r1, %r0, -3;
  cvt.u64.u32 %rd2, %r1;
  shr.u64 %rd2, %rd2, 32;
  cvt.u64.u32 %rd3, %r1;
  shr.u64 %rd4, %rd3, 16;
  cvt.u32.u64 %r2, %rd4;
  st.global.u32 [%rd1], %r2;
  ret;`;
  const expected = launch(body, 'interpreter').words;
  assert.equal(expected[0], 0xffff);
  assert.equal(expected[3], 0);
  for (const executor of ['scalar', 'simd'] as const) assert.deepEqual(launch(body, executor).words, expected);
});

test('a write past a shared variable is found even where another variable follows', () => {
  const body = `  .shared .align 4 .b8 first[256];
  .shared .align 4 .b8 second[256];
  mov.u32 %r1, first;
  mad.lo.s32 %r1, %r0, 4, %r1;
  st.shared.u32 [%r1+OFFSET], %r0;
  mov.u32 %r2, second;
  mad.lo.s32 %r2, %r0, 4, %r2;
  st.shared.u32 [%r2], %r0;
  ret;`;
  for (const executor of ['interpreter', 'scalar', 'simd'] as const) {
    assert.deepEqual(launch(body.replace('OFFSET', '0'), executor).report.findings, [], executor);
    const [finding] = launch(body.replace('OFFSET', '4'), executor).report.findings;
    assert.equal(finding?.kind, 'out-of-bounds', executor);
    assert.match(finding?.message ?? '', /the shared variable first at offset 256: first has only 256 bytes/);
  }
});

test('a carry chain that all lanes have in common leaves each lane the same carry', () => {
  // The sum takes the place of its operand, and is uniform: no lane may see another lane's result.
  const body = `  mov.u64 %rd2, 0xffffffffffffffff;
  mov.u64 %rd3, 1;
  mov.u64 %rd4, 0;
  add.cc.u64 %rd2, %rd3, %rd2;
  addc.u64 %rd4, %rd4, %rd4;
  cvt.u32.u64 %r1, %rd4;
  st.global.u32 [%rd1], %r1;
  ret;`;
  for (const executor of ['interpreter', 'scalar', 'simd'] as const)
    assert.ok(
      launch(body, executor).words.every((word) => word === 1),
      executor,
    );
});

test('a carry that differs between lanes makes the sum differ, whatever its operands', () => {
  const body = `  add.cc.u32 %r1, %r0, 0xfffffff0;
  addc.u32 %r2, 0, 0;
  st.global.u32 [%rd1], %r2;
  ret;`;
  for (const executor of ['interpreter', 'scalar', 'simd'] as const)
    assert.ok(
      launch(body, executor).words.every((word, thread) => word === (thread >= 16 ? 1 : 0)),
      executor,
    );
});

test('a kernel is prepared for a shape before its first launch, by the executor that will run it', () => {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 22 });
  const shape = { grid: [1, 1, 1], block: [64, 1, 1] } as const;
  const plain = gpu.load(kernel('  st.global.u32 [%rd1], %r0;\n  ret;'));
  assert.equal(gpu.prepare(plain, 'kernel', shape), 'simd');
  assert.equal(gpu.prepare(plain, 'kernel', { ...shape, races: true }), 'simd');
  assert.equal(gpu.prepare(plain, 'kernel', { ...shape, schedule: 3 }), 'interpreter');
  const out = gpu.allocate(4 * 64);
  const args = [new Uint8Array(BigUint64Array.of(out).buffer)];
  assert.equal(gpu.launch(plain, 'kernel', { ...shape, arguments: args }).executor, 'simd');
  assert.deepEqual([...new Int32Array(gpu.read(out, 16).slice().buffer)], [0, 1, 2, 3]);

  const refused = gpu.load(kernel(REFUSED));
  assert.equal(gpu.prepare(refused, 'kernel', shape), 'interpreter');
  assert.throws(() => gpu.prepare(refused, 'kernel', { ...shape, executor: 'simd' }), CannotRun);
  assert.throws(() => gpu.prepare(refused, 'other', shape), /there is no kernel other/);
});

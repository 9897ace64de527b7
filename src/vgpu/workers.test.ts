/** Several workers over the blocks of a launch: the same results, findings and counts as one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import type { LaunchReport } from './types.ts';

const BLOCKS = 512;

/** Each thread: out[i] = 3 i, a global counter goes up, a float sum too; `fault` says which block reads out of bounds. */
const PTX = `.version 9.0
.target sm_90
.address_size 64
.global .align 4 .u32 seen;
.visible .entry kernel(.param .u64 out, .param .u64 sums, .param .u32 fault, .param .u32 rounds)
{
  .reg .pred %p, %q;
  .reg .b32 %i, %b, %t, %v, %f, %n, %k;
  .reg .f32 %one;
  .reg .b64 %o, %s, %a, %far;
  .reg .b16 %h;
  ld.param.u64 %o, [out];
  ld.param.u64 %s, [sums];
  ld.param.u32 %f, [fault];
  ld.param.u32 %n, [rounds];
  mov.u32 %b, %ctaid.x;
  mov.u32 %t, %tid.x;
  mad.lo.s32 %i, %b, 64, %t;
  mov.u32 %k, 0;
spin:
  add.u32 %k, %k, 1;
  setp.lt.u32 %q, %k, %n;
  @%q bra spin;
  mul.lo.s32 %v, %i, 3;
  mul.wide.s32 %a, %i, 4;
  add.s64 %a, %o, %a;
  st.global.u32 [%a], %v;
  atom.global.add.u32 %v, [%s], 1;
  mov.f32 %one, 0f3F800000;
  red.global.add.f32 [%s+4], %one;
  atom.global.max.u32 %v, [%s+8], %i;
  cvt.u16.u32 %h, %i;
  mul.wide.s32 %far, %i, 2;
  add.s64 %far, %s, %far;
  st.global.u16 [%far+64], %h;
  setp.ge.u32 %p, %b, %f;
  @!%p bra done;
  ld.global.u32 %v, [%o+-512];
  st.global.u32 [%a], %v;
done:
  ret;
}
`;

const pointer = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

interface Outcome {
  readonly report: LaunchReport;
  readonly out: Uint32Array;
  readonly sums: DataView;
  readonly halves: Uint16Array;
  readonly written: Uint8Array;
}

function run(gpu: VirtualGpu, fault: number, checked = true, rounds = 1): Outcome {
  const module = gpu.load(PTX);
  const out = gpu.allocate(4 * 64 * BLOCKS);
  const sums = gpu.allocate(64 + 2 * 64 * BLOCKS);
  gpu.write(sums, new Uint8Array(64));
  const report = gpu.launch(module, 'kernel', {
    grid: [BLOCKS, 1, 1],
    block: [64, 1, 1],
    arguments: [pointer(out), pointer(sums), word(fault), word(rounds)],
    checked,
  });
  return {
    report,
    out: new Uint32Array(gpu.read(out, 4 * 64 * BLOCKS).buffer),
    sums: new DataView(gpu.read(sums, 64).buffer),
    halves: new Uint16Array(gpu.read(sums + 64n, 2 * 64 * BLOCKS).buffer),
    written: gpu.written(sums + 64n, 2 * 64 * BLOCKS),
  };
}

test('two workers compute what one does, atomics lose nothing, and bytes of one word are all marked', () => {
  const [one, two] = [new VirtualGpu({ memoryBytes: 1 << 24 }), new VirtualGpu({ memoryBytes: 1 << 24, workers: 2 })];
  for (const checked of [true, false]) {
    // The other thread takes its time to start: launch until it has taken part.
    const ends = Date.now() + 60_000;
    for (let shared = 0; shared < 2 && Date.now() < ends; ) {
      const expected = run(one, BLOCKS, checked, 2000);
      const actual = run(two, BLOCKS, checked, 2000);
      assert.deepEqual(actual.report.findings, []);
      assert.equal(actual.report.executor, expected.report.executor);
      assert.equal(actual.report.threadInstructions, expected.report.threadInstructions);
      assert.deepEqual(actual.out, expected.out);
      assert.deepEqual(actual.halves, expected.halves);
      if (checked) assert.ok(actual.written.every((byte) => byte === 1));
      assert.equal(actual.sums.getUint32(0, true), 64 * BLOCKS);
      assert.equal(actual.sums.getFloat32(4, true), 64 * BLOCKS);
      assert.equal(actual.sums.getUint32(8, true), 64 * BLOCKS - 1);
      if (actual.report.workers === 2) shared++;
      if (shared === 1) two.reset();
      one.reset();
    }
    assert.ok(Date.now() < ends, 'the second worker never took part');
  }
});

test('the first fault in the order of blocks is the one reported, whoever meets it', () => {
  const [one, two] = [new VirtualGpu({ memoryBytes: 1 << 24 }), new VirtualGpu({ memoryBytes: 1 << 24, workers: 2 })];
  for (const fault of [0, 37, 300, BLOCKS - 1]) {
    const [expected, actual] = [run(one, fault).report, run(two, fault).report];
    assert.equal(actual.completed, false);
    assert.deepEqual(actual.findings, expected.findings);
    assert.equal(actual.findings[0]!.block![0], fault);
  }
});

test('a launch that never ends stops at the budget, and the next one runs', () => {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 24, workers: 2 });
  const module = gpu.load(PTX);
  const out = gpu.allocate(4 * 64 * BLOCKS);
  const sums = gpu.allocate(64 + 2 * 64 * BLOCKS);
  gpu.write(sums, new Uint8Array(64));
  const report = gpu.launch(module, 'kernel', {
    grid: [BLOCKS, 1, 1],
    block: [64, 1, 1],
    arguments: [pointer(out), pointer(sums), word(BLOCKS), word(0xffffffff)],
    instructionBudget: 1_000_000,
  });
  assert.deepEqual([report.completed, report.findings[0]?.kind], [false, 'budget-exceeded']);
  assert.equal(run(gpu, BLOCKS).report.completed, true);
});

test('a process with workers ends by itself', () => {
  const code = `import { VirtualGpu } from ${JSON.stringify(new URL('./gpu.ts', import.meta.url).href)};
    const gpu = new VirtualGpu({ memoryBytes: 1 << 20, workers: 2 });
    const ptx = '.version 9.0\\n.target sm_90\\n.address_size 64\\n.visible .entry k() { ret; }';
    console.log(gpu.launch(gpu.load(ptx), 'k', { grid: [64, 1, 1], block: [32, 1, 1], arguments: [] }).completed);`;
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.deepEqual([child.status, child.stdout.trim()], [0, 'true'], child.stderr);
});

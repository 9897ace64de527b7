/** Matrix instructions and asynchronous copies that go wrong: every executor says the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualGpu } from '../../gpu.ts';
import { arg } from '../../nvcc-testing.ts';
import type { Executor, LaunchReport } from '../../types.ts';

const kernel = (body: string): string => `.version 8.0
.target sm_90
.address_size 64
.visible .entry kernel(.param .u64 data)
{
  .reg .pred %p<4>;
  .reg .b32 %r<16>;
  .reg .f32 %f<8>;
  .reg .b64 %rd<6>;
  .shared .align 16 .b8 tile[512];
  ld.param.u64 %rd0, [data];
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, tile;
  mad.lo.u32 %r2, %r0, 16, %r1;
  mov.u32 %r3, 0;
${body}
  ret;
}
`;

/** The data is 1024 bytes, of which the last 128 were never written. */
function launch(body: string, executor: Executor, threads: number): LaunchReport {
  const gpu = new VirtualGpu({ memoryBytes: 1 << 22 });
  const data = gpu.allocate(1024, { name: 'data' });
  gpu.write(data, new Uint8Array(896));
  return gpu.launch(gpu.load(kernel(body)), 'kernel', {
    grid: [1, 1, 1],
    block: [threads, 1, 1],
    arguments: [arg.pointer(data)],
    executor,
  });
}

const FILL = '  st.shared.v4.u32 [%r2], {%r3, %r3, %r3, %r3};\n  bar.warp.sync -1;\n';
const LOAD_A = 'wmma.load.a.sync.aligned.row.m16n16k16.global.f16 {%r4, %r5, %r6, %r7, %r8, %r9, %r10, %r11}';
const MMA =
  'mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f0, %f1, %f2, %f3}, {%r0, %r0}, {%r0}, {%f0, %f0, %f0, %f0};';

interface Case {
  readonly name: string;
  readonly body: string;
  readonly finds: string | undefined;
  readonly says?: RegExp;
  readonly threads?: number;
}

const CASES: readonly Case[] = [
  { name: 'a product of half a warp', body: `  ${MMA}`, finds: 'absent-lane', threads: 48 },
  {
    name: 'a product without the lanes that have exited',
    body: `  setp.gt.u32 %p0, %r0, 20;\n  @%p0 ret;\n  ${MMA}`,
    finds: 'absent-lane',
  },
  {
    name: 'rows of shared memory',
    body: `${FILL}  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%r2];`,
    finds: undefined,
  },
  {
    name: 'rows that were never written',
    body: '  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%r2];',
    finds: 'uninitialised-read',
    says: /reads 16 bytes of the shared variable tile|reads 16 bytes of shared memory/,
  },
  {
    name: 'rows past the end',
    body: `${FILL}  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%r2+16];`,
    finds: 'out-of-bounds',
  },
  {
    name: 'rows at odd places',
    body: `${FILL}  ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r4}, [%r2+4];`,
    finds: 'misaligned',
  },
  { name: 'a matrix', body: `  ${LOAD_A}, [%rd0], 16;`, finds: undefined },
  {
    name: 'a matrix whose rows begin at no multiple of 16 bytes',
    body: `  ${LOAD_A}, [%rd0+2], 17;`,
    finds: undefined,
  },
  { name: 'a matrix partly never written', body: `  ${LOAD_A}, [%rd0+512], 16;`, finds: 'uninitialised-read' },
  { name: 'a matrix past the end', body: `  ${LOAD_A}, [%rd0], 40;`, finds: 'uninitialised-read' },
  { name: 'a matrix beyond its allocation', body: `  ${LOAD_A}, [%rd0], 80;`, finds: 'uninitialised-read' },
  {
    name: 'a matrix stored past the end',
    body: '  wmma.store.d.sync.aligned.row.m16n16k16.global.f32 [%rd0+512], {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, 16;',
    finds: 'out-of-bounds',
  },
  {
    name: 'a copy read before its group is waited for',
    body: '  cp.async.cg.shared.global [%r2], [%rd0], 16;\n  cp.async.commit_group;\n  ld.shared.u32 %r4, [%r2];\n  cp.async.wait_group 0;',
    finds: 'uninitialised-read',
    says: /still in flight/,
  },
  {
    name: 'a copy that reads too much',
    body: '  cp.async.cg.shared.global [%r2], [%rd0+1020], 16, 8;\n  cp.async.wait_all;',
    finds: 'misaligned',
  },
  {
    name: 'a short copy up to the last byte that was written',
    body: '  cp.async.ca.shared.global [%r2], [%rd0+888], 16, 8;\n  cp.async.wait_all;\n  ld.shared.v2.u32 {%r4, %r5}, [%r2+8];',
    finds: undefined,
  },
  {
    name: 'a short copy past the last byte that was written',
    body: '  cp.async.ca.shared.global [%r2], [%rd0+888], 16, 12;\n  cp.async.wait_all;',
    finds: 'uninitialised-read',
  },
  {
    name: 'more copies in flight than there is room for at first',
    body: `${'  cp.async.ca.shared.global [%r2], [%rd0], 4;\n'.repeat(40)}  cp.async.wait_all;\n  ld.shared.u32 %r4, [%r2];`,
    finds: undefined,
  },
  {
    name: 'copies that nobody waits for',
    body: '  cp.async.ca.shared.global [%r2], [%rd0], 8;',
    finds: 'unfinished-async-copy',
  },
];

for (const { name, body, finds, says, threads = 32 } of CASES)
  test(name, () => {
    const expected = launch(body, 'interpreter', threads);
    assert.deepEqual(
      expected.findings.map(({ kind }) => kind),
      finds === undefined ? [] : [finds],
    );
    if (says) assert.match(expected.findings[0]!.message, says);
    for (const executor of ['scalar', 'simd'] as const) {
      const actual = launch(body, executor, threads);
      assert.deepEqual(actual.findings, expected.findings, executor);
      assert.equal(actual.completed, expected.completed, executor);
      if (expected.completed) assert.equal(actual.threadInstructions, expected.threadInstructions, executor);
    }
  });

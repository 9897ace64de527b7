/** The example of the room's page runs as it stands. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { LaunchReport } from './types.ts';

const ptx = `.version 8.0
.target sm_80
.address_size 64
.visible .entry saxpy(.param .u64 x)
{
  .reg .b32 %r<5>;
  .reg .b64 %rd<4>;
  .reg .f32 %f<3>;
  ld.param.u64 %rd1, [x];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  mul.wide.s32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.f32 %f1, [%rd3];
  add.f32 %f2, %f1, %f1;
  st.global.f32 [%rd3], %f2;
  ret;
}
`;

test('the example of the page runs with what the door exports', async () => {
  const door: Readonly<Record<string, unknown>> = await import('./index.ts');
  const page = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
  const [line, names] = /^import \{ (.*) \} from 'assay\/vgpu';\n/.exec(example)!;
  const given = names!.split(', ');
  assert.ok(
    given.every((name) => name in door),
    names,
  );
  const printed: unknown[] = [];
  const bytes = new Uint8Array(new Float32Array(1024).fill(1.5).buffer);
  const run = new Function(...given, 'ptxText', 'bytes', 'console', example.slice(line.length));
  const values = given.map((name) => door[name]);
  run(...values, ptx, bytes, { log: (...all: unknown[]) => printed.push(...all) });
  const [completed, findings, read] = printed as [boolean, LaunchReport['findings'], Uint8Array];
  assert.deepEqual([completed, findings], [true, []]);
  assert.ok(
    new Float32Array(Uint8Array.from(read).buffer).every((value) => value === 3),
    'not 3 everywhere',
  );
});

/** stmatrix: four 8 x 8 matrices of 16-bit elements from registers to rows of shared memory, as they are and transposed. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { VirtualGpu } from './gpu.ts';
import { arg } from './nvcc-testing.ts';

for (const transposed of [false, true]) {
  it(`stmatrix ${transposed ? 'transposes' : 'stores rows'}`, () => {
    // Register i of lane l holds 1000 i + 2 l in its lower half and one more in its upper half.
    const text = `.version 8.0
.target sm_90
.address_size 64
.visible .entry store(.param .u64 out) .reqntid 32, 1, 1
{
  .reg .b32 %t, %s, %x, %r<4>; .reg .b64 %g, %w; .shared .align 16 .b8 tile[512];
  mov.u32 %t, %tid.x; mul.lo.u32 %x, %t, 131074; add.u32 %r0, %x, 65536;
  ${[1, 2, 3].map((i) => `add.u32 %r${i}, %r${i - 1}, ${1000 * 65537};`).join(' ')}
  mov.u32 %s, tile; shl.b32 %x, %t, 4; add.u32 %s, %s, %x;
  stmatrix.sync.aligned.m8n8.x4${transposed ? '.trans' : ''}.shared.b16 [%s], {%r0, %r1, %r2, %r3};
  bar.sync 0;
  ld.shared.v4.b32 {%r0, %r1, %r2, %r3}, [%s];
  ld.param.u64 %g, [out]; mul.wide.u32 %w, %t, 16; add.s64 %g, %g, %w;
  st.global.v4.b32 [%g], {%r0, %r1, %r2, %r3};
  ret;
}`;
    const gpu = new VirtualGpu({ memoryBytes: 1 << 22 });
    const out = gpu.allocate(512, { name: 'out' });
    const { findings } = gpu.launch(gpu.load(text), 'store', {
      races: true,
      grid: [1, 1, 1],
      block: [32, 1, 1],
      arguments: [arg.pointer(out)],
    });
    assert.deepEqual(findings, []);
    const got = new Uint16Array(gpu.read(out, 512).slice().buffer);
    for (let matrix = 0; matrix < 4; matrix++) {
      for (let row = 0; row < 8; row++) {
        for (let column = 0; column < 8; column++) {
          const [r, c] = transposed ? [column, row] : [row, column];
          const lane = 4 * r + (c >> 1);
          assert.equal(got[64 * matrix + 8 * row + column], 1000 * matrix + 2 * lane + (c & 1));
        }
      }
    }
  });
}

/**
 * Functions that compiled code computes by itself (ex2, lg2, directed fma and the like) against `math`, bit for bit, on
 * edge values, on values next to rounding boundaries and on random bit patterns. In vectors and one thread at a time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualGpu } from '../gpu.ts';
import * as math from '../math/index.ts';

const COUNT = 1 << 15;

/** Random bit patterns, and values around 1, small integers, powers of two, subnormals. */
function operands(seed: number): Float32Array {
  const words = new Uint32Array(COUNT);
  const values = new Float32Array(words.buffer);
  let state = seed;
  for (let index = 0; index < COUNT; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const word = state >>> 0;
    if (index % 4 === 0) words[index] = word;
    else if (index % 4 === 1) values[index] = ((word / 2 ** 32) * 2 - 1) * 150;
    else if (index % 4 === 2) values[index] = Math.round((word % 512) - 256) + ((word >>> 20) - 2048) * 2 ** -24;
    else values[index] = (word / 2 ** 32) * 2 ** ((word % 60) - 30) * (word & 1 ? -1 : 1);
  }
  values.set([
    0,
    -0,
    1,
    -1,
    Infinity,
    -Infinity,
    NaN,
    2 ** -149,
    -(2 ** -149),
    2 ** -126,
    3.4028234663852886e38,
    128,
    -126,
    -127,
  ]);
  return values;
}

const CASES: readonly (readonly [instruction: string, f: (a: number, b: number, c: number) => number])[] = [
  ['ex2.approx.f32 %r, %a', (a) => math.ex2Approx(a)],
  ['ex2.approx.ftz.f32 %r, %a', (a) => math.ex2Approx(a, true)],
  ['lg2.approx.f32 %r, %a', (a) => math.lg2Approx(a)],
  ['lg2.approx.ftz.f32 %r, %a', (a) => math.lg2Approx(a, true)],
  ['rsqrt.approx.f32 %r, %a', (a) => math.rsqrtApprox(a)],
  ['rcp.approx.ftz.f32 %r, %a', (a) => math.rcpApprox(a, true)],
  ['div.approx.f32 %r, %a, %b', (a, b) => math.divApprox(a, b)],
  ['div.full.ftz.f32 %r, %a, %b', (a, b) => math.divFull(a, b, true)],
  ['fma.rn.f32 %r, %a, %b, %c', (a, b, c) => math.fma32(a, b, c)],
  ['fma.rm.f32 %r, %a, %b, %c', (a, b, c) => math.fma32Directed(a, b, c, 'rm')],
  ['fma.rp.f32 %r, %a, %b, %c', (a, b, c) => math.fma32Directed(a, b, c, 'rp')],
  ['fma.rz.f32 %r, %a, %b, %c', (a, b, c) => math.fma32Directed(a, b, c, 'rz')],
  ['add.rm.f32 %r, %a, %b', (a, b) => math.add32(a, b, 'rm')],
  ['mul.rp.f32 %r, %a, %b', (a, b) => math.mul32(a, b, 'rp')],
  ['div.rz.f32 %r, %a, %b', (a, b) => math.div32(a, b, 'rz')],
  ['min.f32 %r, %a, %b', (a, b) => math.minNumber(a, b)],
  ['max.f32 %r, %a, %b', (a, b) => math.maxNumber(a, b)],
  ['cvt.sat.f32.f32 %r, %a', (a) => math.saturate(a)],
  ['mul.ftz.f32 %r, %a, %b', (a, b) => math.flush32(Math.fround(math.flush32(a) * math.flush32(b)))],
];

const ptxOf = (instruction: string): string => `.version 9.0
.target sm_90
.address_size 64
.visible .entry kernel(.param .u64 pa, .param .u64 pb, .param .u64 pc, .param .u64 pr)
{
  .reg .f32 %a, %b, %c, %r;
  .reg .b32 %t, %n, %i;
  .reg .b64 %x, %y;
  mov.u32 %t, %tid.x;
  mov.u32 %n, %ctaid.x;
  mad.lo.s32 %i, %n, 256, %t;
  mul.wide.s32 %x, %i, 4;
  ld.param.u64 %y, [pa];
  add.s64 %y, %y, %x;
  ld.global.f32 %a, [%y];
  ld.param.u64 %y, [pb];
  add.s64 %y, %y, %x;
  ld.global.f32 %b, [%y];
  ld.param.u64 %y, [pc];
  add.s64 %y, %y, %x;
  ld.global.f32 %c, [%y];
  ${instruction};
  ld.param.u64 %y, [pr];
  add.s64 %y, %y, %x;
  st.global.f32 [%y], %r;
  ret;
}
`;

for (const executor of ['scalar', 'simd'] as const)
  test(`${executor} code computes what math computes`, () => {
    const gpu = new VirtualGpu({ memoryBytes: 1 << 24 });
    const inputs = [operands(1), operands(77), operands(12345)];
    const [a, b, c] = inputs as [Float32Array, Float32Array, Float32Array];
    const pointers = inputs.map((values) => {
      const pointer = gpu.allocate(4 * COUNT);
      gpu.write(pointer, new Uint8Array(values.buffer));
      return pointer;
    });
    const result = gpu.allocate(4 * COUNT);
    for (const [instruction, f] of CASES) {
      const report = gpu.launch(gpu.load(ptxOf(instruction)), 'kernel', {
        grid: [COUNT / 256, 1, 1],
        block: [256, 1, 1],
        arguments: [...pointers, result].map((pointer) => new Uint8Array(BigUint64Array.of(pointer).buffer)),
        executor,
      });
      assert.deepEqual(report.findings, []);
      const found = new Float32Array(gpu.read(result, 4 * COUNT).slice().buffer);
      for (let index = 0; index < COUNT; index++) {
        const expected = f(a[index]!, b[index]!, c[index]!);
        // Sign of zero included; all NaN are alike.
        assert.ok(
          Object.is(found[index], expected),
          `${instruction}: ${found[index]} instead of ${expected} for ${a[index]}, ${b[index]}, ${c[index]}`,
        );
      }
    }
  });

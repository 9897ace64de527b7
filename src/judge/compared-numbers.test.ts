/** Numbers that kernels compare with: of all types, out of registers too, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numbersComparedWith } from './compared-numbers.ts';

test('operands of comparisons, minima and maxima, of each type', () => {
  const ptx = [
    '\tsetp.eq.f32 \t%p1, %f1, 0f422A0000;',
    '@%p1 max.f32 \t%f2, %f1, 0fC77DE800;',
    '\tsetp.lt.f64 %p2, %fd1, 0d3FE0000000000000;',
    '\tsetp.gt.u32 %p3, %r1, 1078530011;',
    '\tsetp.gt.s32 %p3, %r1, -1082130432;',
    '\tset.lt.f16.f16 %rs2, %rs1, 0x4900;',
    '\tmin.bf16 %rs2, %rs1, 0x4120;',
    '\tsetp.ne.s64 %p4, %rd1, 12;',
  ].join('\n');
  const { floating, whole } = numbersComparedWith(ptx);
  assert.deepEqual(floating, [42.5, -65000, 0.5, Math.fround(Math.PI), -1, 10]);
  assert.deepEqual(whole, [12]);
});

test('a number that was put into a register first counts; zero, infinity, sums and coefficients do not', () => {
  const ptx = [
    '\tmov.f32 \t%f14, 0fC77DE800;',
    '\tmov.f32 \t%f15, 0f3F800000;',
    '\tmov.f32 \t%f16, 0fFF800000;',
    '\tmax.f32 \t%f17, %f13, %f14;',
    '\tmax.f32 \t%f18, %f17, %f16;',
    '\tmin.f32 \t%f18, %f17, 0f00000000;',
    '\tadd.f32 \t%f19, %f18, %f15;',
    '\tfma.rn.f32 \t%f19, %f18, 0f3D372713, %f15;',
  ].join('\n');
  assert.deepEqual(numbersComparedWith(ptx), { floating: [-65000], whole: [] });
});

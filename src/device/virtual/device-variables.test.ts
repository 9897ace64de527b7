/** Words of device variables, many calls later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advanced } from './device-variables.ts';

const bits = (value: number): number => new Uint32Array(new Float32Array([value]).buffer)[0]!;

test('what two calls changed by the same amount is moved on by many', () => {
  const steps = (by: number) => [[5, 5 + by] as const, [5 + by, 5 + 2 * by] as const];
  assert.equal(advanced(steps(1), 7, 1000), 1007);
  assert.equal(advanced(steps(2048), 5 + 4096, 100), 5 + 4096 + 204_800);
  assert.equal(advanced([[9, 8] as const, [8, 7] as const], 7, 3), 4);
});

test('it does not wrap, as it would not in so few calls', () => {
  const far = advanced([[0, 1 << 20] as const, [1 << 20, 2 << 20] as const], 2 << 20, 1e6);
  assert.ok(far > 2 ** 30 && far < 2 ** 31, String(far));
});

test('what stays, or changes otherwise, stays', () => {
  assert.equal(advanced([[3, 3] as const, [3, 3] as const], 3, 1000), 3);
  assert.equal(advanced([[0, 1] as const, [1, 1] as const], 1, 1000), 1);
  assert.equal(advanced([[0, 71] as const, [71, 12] as const], 12, 1000), 12);
});

test('a float that counts is moved on as a float', () => {
  const step = (before: number, after: number) => [bits(before), bits(after)] as const;
  assert.equal(advanced([step(0, 1), step(1, 2)], bits(2), 1000), bits(1002));
});

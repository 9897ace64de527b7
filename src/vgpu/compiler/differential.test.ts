/** A slice of the random programs on which every executor must agree with the interpreter; all of them: bench/vgpu-differential.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareExecutors, compareWritten } from './differential.ts';
import { randomProgram } from './random-ptx.ts';

test('compiled code agrees with the interpreter on random programs', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1 << 20 }), { minLength: 20, maxLength: 400 }), (choices) => {
      compareExecutors(randomProgram(choices), ['scalar', 'simd']);
    }),
    { numRuns: 60, seed: 20250201 },
  );
});

test('compiled code reports the same written bytes as the interpreter', () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1 << 20 }), { minLength: 20, maxLength: 300 }), (choices) => {
      compared += compareWritten(randomProgram(choices), ['scalar', 'simd']);
    }),
    { numRuns: 25, seed: 20250202 },
  );
  assert.ok(compared > 25, `only ${compared} comparisons`);
});

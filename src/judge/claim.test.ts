import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MeasuredTime } from '../device/index.ts';
import type { ModelledTime } from '../vgpu/index.ts';
import { claim } from './claim.ts';

const measured = (microseconds: number, device = 'H100'): MeasuredTime => ({
  kind: 'measured',
  device,
  samples: [microseconds],
  medianMicroseconds: microseconds,
});

test('a claim is the ratio of two measured medians', () => {
  assert.equal(claim(measured(10), measured(25), 'eager').ratio, 2.5);
});

test('times of two devices make no claim', () => {
  assert.throws(() => claim(measured(10), measured(25, 'A100'), 'eager'), /one device/);
});

test('a time of zero makes no claim', () => {
  assert.throws(() => claim(measured(0), measured(25), 'eager'), /positive/);
});

test('a modelled time is not accepted where a measured one is asked for', () => {
  const modelled: ModelledTime = {
    kind: 'modelled',
    gpu: 'h100-sxm',
    microseconds: 1,
    low: 0.5,
    high: 2,
    limitedBy: 'memory bandwidth',
    occupancy: 1,
  };
  // The type check is the test: removing the refusal makes the directive below an error. At run time it throws too.
  // @ts-expect-error a ModelledTime is never the ground of a claim
  assert.throws(() => claim(modelled, measured(25), 'eager'));
});

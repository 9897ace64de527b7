import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commit, derivePoison, deriveSeed, sourceHash } from './seeds.ts';

const hash = sourceHash('__global__ void k() {}');

test('two commitments to one source have different secrets', () => {
  assert.notEqual(commit([hash]).secret, commit([hash]).secret);
  assert.equal(commit([hash]).origin, 'drawn after freezing');
});

test('a given secret gives the same seeds again, and says that it was given', () => {
  const first = commit([hash]);
  const again = commit([hash], first.secret);
  assert.equal(deriveSeed(again, 'call 3 inputs'), deriveSeed(first, 'call 3 inputs'));
  assert.equal(again.origin, 'given to reproduce');
});

test('labels give different seeds, and poisons of 32 bits', () => {
  const commitment = commit([hash]);
  const labels = Array.from({ length: 1000 }, (_, i) => `call ${i}`);
  assert.equal(new Set(labels.map((label) => deriveSeed(commitment, label))).size, 1000);
  for (const label of labels) {
    const poison = derivePoison(commitment, label);
    assert.equal(Number.isInteger(poison) && poison > 0 && poison < 2 ** 32, true);
  }
});

test('a secret that is not 32 bytes of hex is refused', () => {
  assert.throws(() => commit([hash], '42'), /64 hex digits/);
  assert.throws(() => commit([]), /at least one source/);
});

/**
 * The interpreter against a real compiler, and against garbage: the small version of `npm run fuzz:host`, and the header it
 * compares with against real PyTorch's behaviour in its own tests.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareHostPrograms, hasCompiler, RecordingCompiler } from './compare.ts';
import { damagedOutcome } from './damage.ts';
import { sameLine } from './plan-text.ts';
import { choicesOf } from './random.ts';
import { launchesAsCalls } from './tensors.ts';

test('random host functions ask what they ask under g++', {
  skip: hasCompiler() ? false : 'g++ is not installed',
}, () => {
  const compiler = new RecordingCompiler();
  try {
    const { programs, defined, launches, refused, differences } = compareHostPrograms(compiler, 1, 60);
    assert.equal(
      differences.length,
      0,
      `${differences.length} differences; some:\n${differences.slice(0, 5).join('\n')}`,
    );
    assert.equal(refused, 0, 'g++ compiles what is generated');
    assert.ok(
      defined > programs / 2 && launches > programs,
      `${defined} of ${programs} end, with ${launches} launches`,
    );
  } finally {
    compiler.remove();
  }
});

test('damaged host code gives a sentence or a trace, and ends', () => {
  const outcomes = Array.from({ length: 200 }, (_, seed) => damagedOutcome(choicesOf(seed)));
  const plans = outcomes.filter((o) => o === 'plan').length;
  assert.ok(plans > 0 && plans < outcomes.length, `${plans} plans`);
});

test('launches become calls for g++, and numbers compare as numbers', () => {
  assert.equal(
    launchesAsCalls('{ if (n) { k<T, 4><<<g, b>>>(a); } }'),
    '{ if (n) { recorder::configure(g, b),  k<T, 4>(a); } }',
  );
  assert.ok(sameLine('launch k : f0.10000000000000001 finf', 'launch k : f0.1 fInfinity'));
  assert.ok(!sameLine('launch k : f0.1', 'launch k : f0.2'));
  assert.ok(!sameLine('buffer 1 8', 'buffer 1 9'));
});

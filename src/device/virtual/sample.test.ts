import assert from 'node:assert/strict';
import test from 'node:test';
import { profileBudget, profileSample } from './sample.ts';

test('the launches of a network share what the profiler spends; a few launches have as much as one', () => {
  assert.equal(profileBudget(8), profileBudget(1));
  assert.equal(100 * profileBudget(100), 8 * profileBudget(1));
});

test('typical blocks as many as the budget allows, a pair at least, all where they fit', () => {
  assert.equal(profileSample([10, 1, 1], 100, 1000), undefined);
  assert.equal(profileSample([1000, 1, 1], 100, 1000)?.length, 10);
  assert.equal(profileSample([1000, 1, 1], 1e9, 1000)?.length, 2);
});

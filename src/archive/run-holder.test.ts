/** Who counts as working on a run. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { HOLDING_INTERVAL, isGone, thisProcess } from './run-holder.ts';

const soon = new Date(Date.now() + HOLDING_INTERVAL);
const late = new Date(Date.now() + 20 * HOLDING_INTERVAL);

test('a process that is there is not gone, however long it is silent; one that ended is', () => {
  const own = thisProcess();
  assert.deepEqual([isGone(own, soon), isGone(own, late)], [false, false]);
  const ended = { ...own, pid: spawnSync(process.execPath, ['--version']).pid };
  assert.equal(isGone(ended, soon), true);
});

test('an id that was given to another process is that of one that is gone', () => {
  const own = thisProcess();
  assert.equal(isGone({ ...own, began: '1' }, soon, '2'), true);
});

test('a process whose beginning the system hides is there until it is silent for long', () => {
  const own = { ...thisProcess(), began: '1' };
  assert.deepEqual([isGone(own, soon, ''), isGone(own, late, '')], [false, true]);
  assert.deepEqual([isGone({ ...own, began: '' }, soon, '2'), isGone({ ...own, began: '' }, late, '2')], [false, true]);
});

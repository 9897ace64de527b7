/** Numbers that programs are given as text. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { partOf } from '../scripts/on-gpu/place.ts';
import { whole, wholeOption } from '../src/cli/whole-number.ts';

test('whole numbers are whole, and large enough', () => {
  assert.deepEqual([whole(0)('0'), wholeOption('limit', '12'), wholeOption('gpu', '0', 0)], [0, 12, 0]);
  for (const text of ['', ' ', '0', '-1', '1.5', '1e300', 'Infinity', 'NaN', 'three', '2 3', '3s'])
    assert.throws(
      () => wholeOption('at-once', text),
      /^Error: --at-once must be a whole number of at least 1, not "/,
      text,
    );
});

test('a share is one of those there are', () => {
  assert.deepEqual(
    [partOf('0/1'), partOf('3/4')],
    [
      { index: 0, of: 1 },
      { index: 3, of: 4 },
    ],
  );
  for (const text of ['', '1', '4/4', '5/4', '-1/4', '0/0', '1.5/4', 'a/b', '0/4/2', '/4'])
    assert.throws(() => partOf(text), /--part must be I\/N/, text);
});

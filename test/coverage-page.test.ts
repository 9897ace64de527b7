import assert from 'node:assert/strict';
import test from 'node:test';
import { coveragePage } from '../bench/lowering/coverage-page.ts';
import type { Row, Trial } from '../bench/lowering/row.ts';

const trial = (more: Partial<Trial>): Trial => ({
  ...{
    candidate: 1,
    outcome: 'correct',
    kernels: 2,
    lines: 50,
    seconds: 3,
    date: '2026-11-23T16:00:00Z',
    microseconds: 4.56,
  },
  ...more,
});
const row = (level: number, name: string, more: Partial<Row>): Row => ({
  level,
  name,
  loadSeconds: 1,
  nodes: 3,
  trials: [],
  ...more,
});

test('each task counts once: correct by its direct translation, or in evaluation mode, random, not lowered, or not found correct', () => {
  const page = coveragePage(
    [
      row(1, '10_b', {
        trials: [trial({}), trial({ candidate: 2, outcome: 'rejected', check: 'values', reason: 'a | b' })],
      }),
      row(1, '2_a', { refused: 'cannot lower dropout (line 3): its result is random' }),
      row(1, '3_a', { refused: 'cannot lower svd (line 3): nobody wrote it' }),
      row(1, '4_a', {
        trials: [trial({ outcome: 'unjudgeable', check: 'completes', reason: 'too long', seconds: 9 })],
      }),
      row(1, '6_a', { mode: 'eval', trials: [trial({})] }),
      row(1, '5_a', { trials: [trial({ outcome: 'lowered', seconds: 0 })] }),
    ],
    'h100',
  );
  assert.match(page, /^\| 1 \| 6 \| 1 \| 1 \| 1 \| 1 \| 1 \| 1 \| 18 \| 3\.0 \| 9\.0 \|$/m, page);
  assert.match(page, /^\| 6_a \| 3 \| correct in evaluation mode \| 2 \|/m, page);
  assert.match(
    page,
    /^\| 10_b \| 3 \| correct \| 2 \| 4\.56 \| 3\.0 \| rejected by values: a \\\| b \| 2 \| 4\.56 \| 3\.0 \|$/m,
    page,
  );
  assert.ok(page.indexOf('| 2_a |') < page.indexOf('| 10_b |'), 'tasks stand in the order of their numbers');
});

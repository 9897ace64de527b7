import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { feedbackOf, withoutTheJudgesSecrets } from './feedback.ts';

describe('feedback', () => {
  it('says what is wrong and where, without how inputs were drawn or how far off a value may be', () => {
    const said = withoutTheJudgesSecrets(
      '3 of 96 outputs are wrong in call 2 (inputs: shifted; new inputs in the same buffers, nothing reset): row 5; ' +
        'out[5, 3] is 0.25 and should be 0.5, and may be off by 1.2e-7. It equals the task without its softmax.',
    );
    assert.equal(
      said,
      '3 of 96 outputs are wrong in call 2 (new inputs in the same buffers, nothing reset): row 5; ' +
        'out[5, 3] is 0.25 and should be 0.5. It equals the task without its softmax.',
    );
  });

  it('says that a result leans without saying by how much it may', () => {
    const said = withoutTheJudgesSecrets(
      'Each element of out is inside its own bound in call 0 (inputs: as filed; first call), but together they are off by 4.1e-1 of it ' +
        '(root mean square), where honest kernels are off by 2.0e-2 and 1.0e-1 is the limit: a lowered precision.',
    );
    assert.ok(!/\d\.\de/.test(said), said);
    assert.match(said, /further off than honest kernels are: a lowered precision/);
  });

  it('of what could not be prepared holds the reason alone', () => {
    const verdict = { outcome: 'unjudgeable', check: 'prepare', reason: 'line 4: expected a ;' };
    assert.deepEqual(feedbackOf(verdict, null), { findings: ['line 4: expected a ;'], profile: [], build: [] });
    assert.deepEqual(feedbackOf({ outcome: 'correct', reason: 'right' }, undefined).findings, []);
  });
});

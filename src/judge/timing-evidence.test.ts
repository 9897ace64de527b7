/** Times in evidence: they come back as they were, what does not hang together is refused, and the protocol run over them again comes to what they say. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evidenceOf, parseEvidence } from './evidence.ts';
import type { Evidence } from './evidence-schema.ts';
import { judgePrepared } from './judge.ts';
import { evidencePage } from './page/page.ts';
import { agreementOfTimes, replayTimes } from './reproduce-times.ts';
import { candidate, FakeDevice, honest, rowOracle, task } from './row-task.fixture.ts';
import { setupOf, slowBaselines } from './timed.fixture.ts';
import type { TimingSetup } from './timed.ts';
import { type ReportEvidence, recordsIn } from './timing-evidence.ts';

const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };

async function evidenceWith(timing: TimingSetup): Promise<Evidence> {
  const device = new FakeDevice(honest);
  const oracle = rowOracle();
  const verdict = await judgePrepared({ task, device, gpu: 'h100', limits, oracle, timing }, candidate);
  const arithmetics = oracle.arithmetics;
  return evidenceOf({ verdict, task, candidateSource: candidate.source, device, gpu: 'h100', limits, arithmetics });
}

const faster = await evidenceWith(setupOf(slowBaselines));
const report = faster.timing!.report!;
const secret = faster.seeds!.secret;

/** The same evidence as JSON, with something changed. */
function changed(change: (evidence: Evidence) => void): string {
  const copy = structuredClone(faster);
  change(copy);
  return JSON.stringify(copy);
}

describe('times in evidence', () => {
  test('come back from JSON as they were: every window, in order, with its condition', () => {
    const read = parseEvidence(JSON.stringify(faster));
    assert.deepEqual(read, faster);
    assert.equal(read.schema, 'assay.evidence/2');
    const { records, pilot } = recordsIn(read.timing!.report!);
    assert.equal(records.length, 4);
    assert.equal(records[0]!.blocks.length, 6);
    // 3 subjects in 2 instances, there and back twice, and a null plan of each there and back.
    assert.equal(records[0]!.blocks[0]!.length, 3 * 2 * 4 + 3 * 2);
    assert.equal(pilot.length, 5 * (3 * 2 * 2 + 3 * 2));
    assert.equal(records[1]!.blocks[2]![0]!.window.status, 'timed');
  });

  test('with a claim say what is not claimed, and nothing of nothing measured', () => {
    const said = faster.notClaimed.join('\n');
    assert.match(
      said,
      /Other devices, shapes or precisions, or warm caches, nor anything against torch\.compile max-autotune/,
    );
    assert.doesNotMatch(said, /Nothing was measured|No speed is claimed/);
  });

  test('of simulated clocks say that nothing was measured', async () => {
    const { notClaimed, timing } = await evidenceWith(setupOf(slowBaselines, { simulated: true }));
    assert.match(notClaimed[0]!, /The clocks are simulated/);
    assert.match(notClaimed[1]!, /Nothing was measured/);
    assert.equal(timing?.claim, undefined);
    assert.equal(timing?.report?.source, 'simulated');
  });

  test('that claim what they do not show are refused', () => {
    const refused = (change: (evidence: Evidence) => void, why: RegExp) =>
      assert.throws(() => parseEvidence(changed(change)), why);
    const notShown = /claims a speedup that its times do not show/;
    refused(({ timing }) => {
      timing!.claim!.speedup.ratio = 150;
    }, notShown);
    refused(({ timing }) => {
      timing!.claim!.over = 'PyTorch eager';
    }, notShown);
    refused(({ timing }) => {
      timing!.report!.source = 'simulated';
    }, notShown);
    refused(({ timing }) => {
      timing!.report!.outcome = 'undecided';
    }, notShown);
    refused(({ timing }) => {
      timing!.claim!.grade.beaten.pop();
    }, notShown);
    refused(({ timing }) => {
      delete timing!.report!.floorMicroseconds;
    }, notShown);
    refused(({ timing }) => {
      delete timing!.claim;
    }, /must hold a claim, or say why/);
    refused(({ verdict }) => {
      verdict.outcome = 'rejected';
    }, /not correct has no speed/);
    refused(({ timing }) => {
      timing!.report!.plan.resamples = 1e12;
    }, /damaged at `timing\.report\.plan\.resamples`/);
  });

  test('that name what is not there are refused', () => {
    const broken = structuredClone(report);
    broken.records[0]!.blocks[0]![0]![0] = 99;
    assert.throws(() => recordsIn(broken), /names a subject or a condition that is not listed/);
  });

  test('of version 1 are read: it has none', () => {
    const { timing: _, ...rest } = faster;
    const old = parseEvidence(JSON.stringify({ ...rest, schema: 'assay.evidence/1' }));
    assert.equal(old.timing, undefined);
  });
});

describe('the protocol over recorded windows', () => {
  const replayed = (change: (made: ReportEvidence) => void, from = secret) => {
    const copy = structuredClone(report);
    change(copy);
    return replayTimes(copy, from);
  };

  test('comes to what the evidence says', async () => {
    const { agrees, before, now } = await replayed(() => undefined);
    assert.equal(now, before);
    assert.equal(agrees, true);
    assert.match(before, /^faster; 4 processes, 1 looks/);
  });

  test('shows a ratio, an outcome or a window that was changed, and an order that does not follow from the seed', async () => {
    const cases: [(made: ReportEvidence) => void, string?][] = [
      [
        (made) => {
          made.comparisons[0]!.speedup.ratio = 2;
        },
      ],
      [
        (made) => {
          made.outcome = 'slower';
        },
      ],
      [
        (made) => {
          for (const row of made.records[1]!.blocks.flat())
            if (row[0] === 0 && row[2] === 'calls') row[4] = 0.9 * Number(row[4]);
        },
      ],
      [
        (made) => {
          const [block] = made.records[0]!.blocks;
          block!.reverse()[0]![1] = block![0]![1] === 0 ? 1 : 0;
        },
      ],
      [() => undefined, 'ab'.repeat(32)],
    ];
    for (const [index, [change, from]] of cases.entries()) {
      const { agrees } = await replayed(change, from);
      assert.equal(agrees, false, `case ${index} was not noticed`);
    }
  });

  test('taken anew they agree where outcome and intervals do', async () => {
    const again = (await evidenceWith(setupOf({ ...slowBaselines, seed: 'another day' }))).timing!.report!;
    assert.equal(agreementOfTimes(report, again).agrees, true, agreementOfTimes(report, again).now);
    const other = (
      await evidenceWith(
        setupOf({ device: { callMicroseconds: { candidate: 40, 'PyTorch eager': 80, 'torch.compile': 65 } } }),
      )
    ).timing!.report!;
    assert.equal(other.outcome, 'faster');
    assert.equal(agreementOfTimes(report, other).agrees, false);
  });
});

describe('times on the page', () => {
  test('a claim: correct and faster, with intervals, windows and clocks as pictures', () => {
    const page = evidencePage(faster);
    assert.match(page, /<h1>Correct and faster<\/h1>/);
    for (const label of ['Ratios with intervals', 'Time of a call in every window', 'The device&#39;s clock against'])
      assert.match(page, new RegExp(`aria-label="${label}`));
    assert.doesNotMatch(page, /<script|https?:\/\/|="(?:NaN|undefined)"|undefined /);
  });

  test('of simulated clocks: correct, never faster, and said above all numbers', async () => {
    const page = evidencePage(await evidenceWith(setupOf(slowBaselines, { simulated: true })));
    assert.match(page, /<h1>Correct<\/h1>/);
    assert.doesNotMatch(page, /Correct and faster|Times, measured/);
    assert.match(page, /Simulated clocks: nothing here was measured/);
  });

  test('escape what a device says of itself', () => {
    const hostile = structuredClone(faster);
    const made = hostile.timing!.report!;
    made.facts.device =
      made.subjects[1]!.id =
      made.comparisons[0]!.baseline =
      made.reason =
        '<script>alert(1)</script>';
    made.facts.environment = { '<script>': '<script>' };
    assert.doesNotMatch(evidencePage(hostile), /<script/);
  });
});

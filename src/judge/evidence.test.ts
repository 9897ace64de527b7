import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PreparedCandidate } from '../kernel/index.ts';
import { evidenceOf, parseEvidence } from './evidence.ts';
import type { Evidence } from './evidence-schema.ts';
import { f, sequential, softmaxRow } from './honest-kernels.fixture.ts';
import { judgePrepared } from './judge.ts';
import { evidencePage } from './page/page.ts';
import { COLUMNS, candidate, FakeDevice, type FakeKernel, honest, rowOracle, task } from './row-task.fixture.ts';

const limits = { milliseconds: 1000, instructions: 1e9, memoryBytes: 1e9, printBytes: 1e6 };

const onlyRow0: FakeKernel = (memory) => {
  memory.out.set(softmaxRow(memory.x.slice(0, COLUMNS), sequential, (x) => f(Math.exp(x))));
  memory.written.fill(1, 0, COLUMNS);
  return undefined;
};

async function evidenceFor(kernel: FakeKernel, prepared: PreparedCandidate = candidate): Promise<Evidence> {
  const device = new FakeDevice(kernel);
  const oracle = rowOracle();
  const verdict = await judgePrepared({ task, device, gpu: 'h100', limits, oracle }, prepared);
  const modelled = {
    kind: 'modelled',
    gpu: 'h100',
    microseconds: 4,
    low: 3,
    high: 6,
    limitedBy: 'memory bandwidth',
    occupancy: 0.5,
  } as const;
  const floor = { gpu: 'h100', microseconds: 2, limitedBy: 'memory bandwidth', bytes: 12288, operations: 1e5 };
  return evidenceOf({
    verdict: { ...verdict, modelled },
    task,
    candidateSource: prepared.source,
    device,
    gpu: 'h100',
    limits,
    floor,
    arithmetics: oracle.arithmetics,
  });
}

describe('evidence', () => {
  test('a judgement can be read back from its JSON as it was', async () => {
    const evidence = await evidenceFor(honest);
    assert.deepEqual(parseEvidence(JSON.stringify(evidence)), evidence);
    assert.equal(evidence.verdict.outcome, 'correct');
    assert.equal(evidence.seeds?.secret.length, 64);
    assert.equal(evidence.admission?.score, 1);
    assert.equal(evidence.tolerance.outputs.length >= 6, true);
    assert.match(evidence.notClaimed.join(' '), /Nothing was measured/);
  });

  test('NaN survives JSON', async () => {
    const evidence = await evidenceFor((memory) => {
      honest(memory);
      memory.out[3] = Number.NaN;
      return undefined;
    });
    const [output] = evidence.tolerance.outputs;
    assert.equal(output?.worst?.got, 'nan');
    assert.equal(output?.worst?.ratio, 'inf');
    assert.deepEqual(parseEvidence(JSON.stringify(evidence)), evidence);
  });

  test('says which walls stood, and is read where nobody had noted them', async () => {
    const evidence = await evidenceFor(honest);
    const { walls, ...environment } = evidence.environment;
    // A double of a device has no process.
    assert.equal(walls?.device, undefined);
    const noted = { ...evidence, environment: { ...environment, walls: { compiler: 'none', device: '<b>' } } };
    assert.deepEqual(parseEvidence(JSON.stringify(noted)), noted);
    assert.match(evidencePage(noted), /compiler: none; device.*process: &lt;b&gt;/);
    const before = { ...evidence, environment };
    assert.deepEqual(parseEvidence(JSON.stringify(before)), before);
    assert.match(evidencePage(before), /not noted/);
  });

  test('other JSON is refused in a sentence', () => {
    assert.throws(() => parseEvidence('{'), /not JSON/);
    assert.throws(() => parseEvidence('{"schema":"assay.evidence/99"}'), /assay\.evidence\/99/);
    assert.throws(() => parseEvidence('{"schema":"assay.evidence/1"}'), /damaged at/);
  });
});

describe('the page', () => {
  test('says the verdict first, draws the missing rows, and asks nothing of the network', async () => {
    const page = evidencePage(await evidenceFor(onlyRow0));
    assert.equal(page.indexOf('Rejected') < page.indexOf('only row 0 has values'), true);
    assert.match(page, /<svg[^>]*aria-label="out: elements never written"/);
    assert.doesNotMatch(page, /<script|https?:\/\/|src=|@import|url\(/);
  });

  test('escapes what came from outside', async () => {
    const hostile = '</pre><script>alert(1)</script>"\'&';
    const evidence = await evidenceFor(onlyRow0, { ...candidate, source: hostile });
    const names = { ...evidence, task: { ...evidence.task, name: hostile, source: hostile }, printed: hostile };
    const page = evidencePage({
      ...names,
      device: { kind: 'virtual', name: hostile },
      verdict: { ...evidence.verdict, reason: hostile },
    });
    assert.doesNotMatch(page, /<script/);
    assert.match(page, /&lt;script&gt;/);
  });

  test('a correct verdict shows time as modelled, with the floor', async () => {
    const page = evidencePage(await evidenceFor(honest));
    assert.match(page, /not from a clock/);
    assert.match(page, /50 % \(modelled\)/);
    assert.match(page, /no speedup over PyTorch is claimed/);
  });
});

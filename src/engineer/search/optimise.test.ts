import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AssayEvent, EventStream } from '../../events/index.ts';
import type { Engineer, Evaluation, SearchRecord } from '../ports.ts';
import {
  GridEngineer,
  history,
  MemoryArchive,
  type Point,
  read,
  type Setting,
  searchOn,
  write,
} from './landscape.fixture.ts';
import type { SearchOptions } from './optimise.ts';

/** A landscape whose optimum is known: time 10 + distance from (13, 4); x of 7 is wrong; odd y compile to the code of y - 1. */
function landscape(x: number, y: number): Evaluation {
  if (x === 7) return { outcome: 'rejected', check: 'values', reason: 'wrong at 7' };
  const even = y - (y % 2);
  return {
    outcome: 'correct',
    reason: '',
    microseconds: 10 + Math.abs(x - 13) + Math.abs(even - 4),
    codeHash: `code ${x} ${even}`,
  };
}

const starts = [
  { x: 0, y: 0 },
  { x: 7, y: 3 },
  { x: 3, y: 12 },
];
const grid = { engineer: new GridEngineer(starts, 16, 4), at: ({ x, y }: Point) => landscape(x, y) };

const search = (options: Partial<SearchOptions> = {}, setting: Setting = {}) => searchOn(grid, options, setting);

describe('optimise', () => {
  it('finds the optimum of a small landscape and says which candidate was first', async () => {
    const result = await search();
    assert.equal(result.best?.evaluation?.microseconds, 10);
    assert.deepEqual(read(result.first!.source), { x: 0, y: 0 });
    assert.ok(result.records.some((record) => record.evaluation?.outcome === 'rejected'));
  });

  it('gives the same run for the same seed, whatever the concurrency, and another for another', async () => {
    const one = await search();
    assert.deepEqual(history((await search()).records), history(one.records));
    const budget = { generations: 6, patience: 8 };
    const slow = await search({ budget });
    const wide = await search({ budget, concurrency: 3 });
    assert.deepEqual(history(wide.records), history(slow.records));
    assert.notDeepEqual(history((await search({ seed: 2 })).records), history(one.records));
  });

  it('never judges the same source twice', async () => {
    const judged: string[] = [];
    await search({}, { judged });
    assert.equal(new Set(judged).size, judged.length);
  });

  it('goes on after a crash at any judgement as if nothing had happened', async () => {
    const budget = { judgements: 30, patience: 8 };
    const whole = await search({ budget });
    for (let crashAfter = 0; crashAfter < 30; crashAfter++) {
      const archive = new MemoryArchive();
      const judged: string[] = [];
      await assert.rejects(search({ budget }, { archive, judged, crashAfter }), /killed/);
      const resumed = await search({ budget }, { archive, judged });
      assert.deepEqual(history(resumed.records), history(whole.records));
      assert.equal(resumed.best?.id, whole.best?.id);
      assert.equal(new Set(judged).size, judged.length, 'nothing is judged twice');
    }
  });

  it('survives many crashes in one run', async () => {
    const budget = { judgements: 40, patience: 8 };
    const archive = new MemoryArchive();
    const judged: string[] = [];
    let finished = false;
    for (let life = 0; life < 60 && !finished; life++) {
      finished = await search({ budget }, { archive, judged, crashAfter: 1 }).then(
        () => true,
        () => false,
      );
    }
    assert.ok(finished);
    assert.deepEqual(history(await archive.ofRun()), history((await search({ budget })).records));
    assert.equal(judged.length, 40);
  });

  it('does nothing more when a finished run is resumed', async () => {
    const archive = new MemoryArchive();
    const budget = { patience: 3 };
    const first = await search({ budget }, { archive });
    assert.equal(first.stopped, 'no improvement');
    const judged: string[] = [];
    const second = await search({ budget }, { archive, judged });
    assert.deepEqual(judged, []);
    assert.equal(second.best?.id, first.best?.id);
    assert.equal(second.stopped, 'no improvement');
  });

  it('starts from what other runs found', async () => {
    const archive = new MemoryArchive();
    const found = (await search()).best!;
    archive.others = [{ ...found, id: 'other-9' }];
    const result = await search({ budget: { judgements: 4 } }, { archive });
    assert.equal(result.best?.evaluation?.microseconds, 10);
    assert.deepEqual(result.best?.parents, ['other-9']);
    assert.deepEqual(read(result.first!.source), { x: 0, y: 0 }, 'the direct translation is still judged first');
  });

  it('does not judge what compiles to known code', async () => {
    const judged: string[] = [];
    const fingerprint = async ({ source }: SearchRecord) => {
      const { x, y } = read(source);
      return landscape(x, y).codeHash;
    };
    const result = await search({ fingerprint }, { judged });
    const codes = judged.map((source) => landscape(read(source).x, read(source).y).codeHash).filter(Boolean);
    assert.equal(new Set(codes).size, codes.length);
    const twin = result.records.find((record) => record.evaluation?.reason.startsWith('compiles to the same code'));
    assert.ok(twin?.evaluation?.twin, 'no twin, or it is not said whose');
    const few: string[] = [];
    await search({ fingerprint, budget: { judgements: 12, patience: 50 } }, { judged: few });
    assert.equal(few.length, 12, 'twins were counted as judgements');
  });

  it('hands failed candidates to strategies that mend them, and asks those from nothing without parents', async () => {
    const budget = { generations: 5, patience: 8 };
    const asked: { strategy: string; parents: readonly SearchRecord[]; history: readonly SearchRecord[] }[] = [];
    const mender: Engineer = {
      name: 'mender',
      strategies: [
        { name: 'mend', parents: 1, from: 'failed' },
        { name: 'from nothing', parents: 0 },
      ],
      attempts: 1,
      start: async () => [{ source: write({ x: 7, y: 1 }), strategy: 'start', summary: '', knobs: null, parents: [] }],
      canVary: () => true,
      vary: async (strategy, parents, random, _signal, history = []) => {
        asked.push({ strategy, parents, history });
        const point = { x: random.below(7), y: asked.length };
        return { source: write(point), strategy, summary: '', knobs: null, parents: parents.map(({ id }) => id) };
      },
    };
    const { records } = await search({ engineers: [mender], budget });
    const mended = asked.filter(({ strategy }) => strategy === 'mend');
    assert.ok(mended.length > 0, 'something was mended');
    for (const { parents } of mended)
      assert.deepEqual(
        parents.map(({ evaluation }) => evaluation?.outcome),
        ['rejected'],
      );
    const written = asked.filter(({ strategy }) => strategy === 'from nothing');
    assert.ok(written.length > 0 && written.every(({ parents }) => parents.length === 0), 'from nothing, no parents');
    assert.ok(
      asked.every(({ history }) => history.length > 0 && history.every(({ evaluation }) => evaluation)),
      'history is what earlier generations left, judged',
    );
    assert.equal(records[0]!.evaluation!.outcome, 'rejected');
  });

  it('stops at each budget and says at which', async () => {
    assert.equal((await search({ budget: { judgements: 10 } })).stopped, 'judgements');
    assert.equal((await search({ budget: { generations: 2 } })).stopped, 'generations');
    assert.equal((await search({ budget: { seconds: 0 } })).stopped, 'time');
    const near = await search({ budget: { withinFloor: 1.2, patience: 20 }, floorMicroseconds: 10 });
    assert.equal(near.stopped, 'floor');
    assert.ok(near.best!.evaluation!.microseconds! <= 12);
  });

  it('has a time of its own where it starts from what other runs found', async () => {
    const budget = { seconds: 3600, warmSeconds: 0, generations: 3, patience: 8 };
    assert.equal((await search({ budget })).stopped, 'generations');
    const archive = new MemoryArchive();
    archive.others = [{ ...(await search()).best!, id: 'other-9' }];
    const warm = await search({ budget }, { archive });
    assert.equal(warm.stopped, 'time');
    assert.equal(warm.best?.evaluation?.microseconds, 10, 'the best known is judged all the same');
  });

  it('stops when it is told to, leaving the candidate under way without a verdict', async () => {
    const archive = new MemoryArchive();
    const controller = new AbortController();
    let calls = 0;
    const result = await search(
      {
        signal: controller.signal,
        evaluate: async ({ source }) => {
          if (++calls < 3) return landscape(read(source).x, read(source).y);
          controller.abort();
          return { outcome: 'unjudgeable', reason: 'interrupted' };
        },
      },
      { archive },
    );
    assert.equal(result.stopped, 'interrupted');
    const rows = await archive.ofRun();
    assert.deepEqual(
      rows.map((row) => row.evaluation !== undefined),
      [true, true, false],
    );
    const whole = await search();
    assert.deepEqual(history((await search({}, { archive })).records), history(whole.records));
  });

  it('tells what it does as events', async () => {
    const events = new EventStream();
    const seen: AssayEvent[] = [];
    events.subscribe((event) => seen.push(event));
    const result = await search({ events, budget: { judgements: 20 }, floorMicroseconds: 5 });
    assert.equal(seen[0]?.type, 'run.started');
    assert.equal(seen.at(-1)?.type, 'run.finished');
    const bests = seen.filter((event) => event.type === 'candidate.best');
    assert.equal(bests.at(-1)?.candidate, result.best?.id);
    const times = bests.map((event) => event.time.microseconds);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => b - a),
    );
    assert.equal(seen.filter((event) => event.type === 'candidate.proposed').length, result.records.length);
  });
});

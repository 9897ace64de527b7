import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AssayEvent, EventStream } from '../../events/index.ts';
import type { Engineer, Evaluation, SearchRecord } from '../ports.ts';
import {
  GridEngineer,
  history,
  MemoryArchive,
  type Point,
  proposalAt,
  read,
  searchOn,
  write,
} from './landscape.fixture.ts';
import type { SearchOptions } from './optimise.ts';

const time = ({ x, y }: Point) => 10 + Math.abs(x - 13) + Math.abs(y - 4);

/** Everything left of 3 is fast and wrong. */
function at(point: Point): Evaluation {
  const codeHash = `${point.x} ${point.y}`;
  if (point.x < 3) return { outcome: 'rejected', check: 'values', reason: 'wrong', codeHash };
  return { outcome: 'correct', reason: '', microseconds: time(point), codeHash };
}

const starts = [
  { x: 8, y: 12 },
  { x: 1, y: 4 },
  { x: 12, y: 12 },
  { x: 3, y: 15 },
];
const hill = { engineer: new GridEngineer(starts, 16, 4), at };
const rank = async ({ source }: SearchRecord) => {
  const point = read(source);
  return { microseconds: point.x < 3 ? 1 : time(point) };
};
const options: Partial<SearchOptions> = { rank, budget: { generations: 20, patience: 20 } };

describe('the jury', () => {
  it('judges in full what could win, passes over the rest, and never calls that correct', async () => {
    const judged: string[] = [];
    const events = new EventStream();
    const seen: AssayEvent[] = [];
    events.subscribe((event) => seen.push(event));
    const { records, best } = await searchOn(hill, { ...options, events }, { judged });
    assert.equal(best?.evaluation?.microseconds, 10);
    const passed = records.filter(({ evaluation }) => evaluation?.outcome === 'passed over');
    assert.ok(passed.length > records.length / 2, `${passed.length} of ${records.length} were passed over`);
    assert.equal(judged.length + passed.length, records.length);
    for (const { source, evaluation } of passed) {
      assert.equal(evaluation?.microseconds, undefined);
      assert.equal(evaluation?.estimate, time(read(source)));
      assert.ok(!judged.includes(source), source);
      assert.match(evaluation!.reason, /not judged in full/);
    }
    assert.equal(seen.filter(({ type }) => type === 'candidate.passed-over').length, passed.length);
    // The wrong one ranks first, is judged, and does not stand in the way of the next.
    assert.equal(records.find(({ source }) => source === write({ x: 1, y: 4 }))?.evaluation?.outcome, 'rejected');
  });

  it('judges the first candidate always, the most promising of the others before them that it beats', async () => {
    const judged: string[] = [];
    await searchOn(hill, { ...options, budget: { generations: 1 } }, { judged });
    assert.deepEqual(judged.map(read), [starts[0], starts[1], starts[2]]);
  });

  it('finds as well as with judging everything, in a third of the judgements', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const [all, some]: [string[], string[]] = [[], []];
      const everything = await searchOn(hill, { ...options, seed, rank: undefined }, { judged: all });
      const halved = await searchOn(hill, { ...options, seed }, { judged: some });
      assert.ok(halved.best!.evaluation!.microseconds! <= everything.best!.evaluation!.microseconds!, `seed ${seed}`);
      assert.ok(some.length < all.length / 3, `${some.length} of ${all.length}`);
    }
  });

  it('is the same run after a crash at any judgement', async () => {
    const all: string[] = [];
    const whole = await searchOn(hill, options, { judged: all });
    for (let crashAfter = 0; crashAfter < all.length; crashAfter++) {
      const archive = new MemoryArchive();
      const judged: string[] = [];
      await assert.rejects(searchOn(hill, options, { archive, judged, crashAfter }), /killed/);
      const resumed = await searchOn(hill, options, { archive, judged });
      assert.deepEqual(history(resumed.records), history(whole.records));
      assert.deepEqual(judged, all, 'each judgement once, in the same order');
    }
  });

  it('judges the best that other runs know first, and the direct translation no more', async () => {
    const archive = new MemoryArchive();
    const known = (await searchOn(hill, options)).best!;
    archive.others = [{ ...known, id: 'other-9' }];
    const judged: string[] = [];
    const { records, best } = await searchOn(hill, { ...options, budget: { generations: 2 } }, { archive, judged });
    assert.deepEqual(judged[0], known.source);
    assert.deepEqual(best?.parents, ['other-9']);
    assert.equal(records[0]?.evaluation?.outcome, 'passed over');
  });

  it('begins with what can be taken over from related tasks', async () => {
    const archive = new MemoryArchive();
    const record = {
      ...proposalAt({ x: 13, y: 5 }, 'start', []),
      id: 'alike-1',
      number: 1,
      generation: 0,
      engineer: 'grid',
    };
    archive.alike = [record];
    const { best } = await searchOn(hill, { ...options, budget: { generations: 1 } }, { archive });
    assert.deepEqual(read(best!.source), { x: 13, y: 5 });
    assert.equal(best!.strategy, 'related work');
    assert.deepEqual(best!.parents, ['alike-1']);
  });

  it('judges what compiles to the same code once, also when both come at the same time', async () => {
    const judged: string[] = [];
    const twins = [
      { x: 5, y: 5 },
      { x: 6, y: 5 },
      { x: 6, y: 6 },
    ];
    const engineer = new GridEngineer(twins, 16, 4);
    const fingerprint = async () => 'one code for all';
    const { records } = await searchOn(
      { engineer, at: (point) => ({ ...at(point), codeHash: 'one code for all' }) },
      { fingerprint, concurrency: 3, budget: { generations: 1 } },
      { judged },
    );
    assert.equal(judged.length, 1);
    assert.equal(records.filter(({ evaluation }) => evaluation?.outcome === 'correct').length, 3);
  });

  it('does not judge at the same time what only a wrong answer of a faster one could make a winner', async () => {
    const points = [8, 12, 11, 10].map((x) => ({ x, y: 12 }));
    const judged: string[] = [];
    const engineer = new GridEngineer(points, 16, 4);
    await searchOn({ engineer, at }, { ...options, concurrency: 4, budget: { generations: 1 } }, { judged });
    assert.deepEqual(judged.map(read), points.slice(0, 2));
    const unranked: string[] = [];
    let [underWay, most] = [0, 0];
    await searchOn(
      { engineer, at },
      {
        ...{ concurrency: 4, rank: undefined, budget: { generations: 1 } },
        evaluate: async ({ source }) => {
          most = Math.max(most, ++underWay);
          await new Promise((resolve) => setTimeout(resolve, 5));
          underWay--;
          unranked.push(source);
          return at(read(source));
        },
      },
    );
    assert.equal(unranked.length, 4);
    assert.ok(most > 1, 'what cannot be ranked is judged side by side');
  });

  it('stops when the money is spent', async () => {
    const archive = new MemoryArchive();
    const payer: Engineer = {
      ...{ name: 'payer', strategies: [{ name: 'pay', parents: 0 }] },
      start: async () => [proposalAt({ x: 5, y: 5 }, 'start', [])],
      vary: async (strategy, _parents, random) => {
        archive.spent += 0.25;
        return proposalAt({ x: random.below(16), y: random.below(16) }, strategy, []);
      },
      canVary: () => true,
    };
    const budget = { dollars: 2, patience: 100 };
    const { stopped } = await searchOn({ engineer: payer, at }, { budget }, { archive });
    assert.equal(stopped, 'money');
    assert.equal(archive.spent, 2);
  });

  it('asks an engineer that takes long for several at once, and one that does not for one', async () => {
    const underWay = { slow: 0, quick: 0 };
    const most = { slow: 0, quick: 0 };
    const asked = (name: 'slow' | 'quick', atOnce?: number): Engineer => ({
      ...{ name, atOnce, strategies: [{ name: 'draw', parents: 0 }] },
      start: async () => [proposalAt({ x: name.length, y: 5 }, 'start', [])],
      vary: async (strategy, _parents, random) => {
        most[name] = Math.max(most[name], ++underWay[name]);
        await new Promise((resolve) => setTimeout(resolve, name === 'slow' ? 5 : 0));
        underWay[name]--;
        return proposalAt({ x: random.below(16), y: random.below(16) }, strategy, []);
      },
      canVary: () => true,
    });
    const engineers = [asked('slow', 3), asked('quick')];
    const budget = { generations: 4, patience: 9 };
    const { records } = await searchOn({ ...hill, at }, { engineers, budget, generationSize: 6 });
    assert.equal(most.quick, 1);
    assert.ok(most.slow >= 2 && most.slow <= 3, `${most.slow} at once`);
    assert.equal(records.length, 2 + 3 * 6);
    assert.equal(new Set(records.map(({ source }) => source)).size, records.length, 'no duplicates');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AssayEvent, EventStream } from '../../events/index.ts';
import type { Evaluation, SearchRecord } from '../ports.ts';
import { islandAt, migrantAt, population } from './islands.ts';
import { GridEngineer, history, MemoryArchive, type Point, searchOn, write } from './landscape.fixture.ts';

/**
 * Two valleys on a 48 x 48 grid. The wide one at (8, 8) falls from everywhere near the first start and ends at 20; the narrow one at (40, 40)
 * begins far above it and ends at 10, the optimum. A population that breeds from its fastest is drawn to the wide one.
 */
function deceptive({ x, y }: Point): Evaluation {
  const wide = 20 + 0.5 * Math.hypot(x - 8, y - 8);
  const narrow = 10 + 2.5 * Math.hypot(x - 40, y - 40);
  return { outcome: 'correct', reason: '', microseconds: Math.min(wide, narrow, 45), codeHash: `${x} ${y}` };
}

const starts = [
  { x: 12, y: 6 },
  { x: 33, y: 34 },
];
const valleys = { engineer: new GridEngineer(starts, 48, 3), at: deceptive };

const record = (number: number, generation: number, island: number, microseconds?: number): SearchRecord => ({
  ...{ id: `r-${number}`, number, generation, island, engineer: 'e', strategy: 's', summary: '', knobs: null },
  ...{ source: write({ x: number, y: 0 }), parents: [] },
  evaluation: { outcome: microseconds === undefined ? 'rejected' : 'correct', reason: '', microseconds },
});

describe('islands', () => {
  it('find what one population does not, on a landscape that draws it to the wrong valley', async () => {
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
    const budget = { judgements: 150, patience: 100 };
    const found = async (islands: number) => {
      let count = 0;
      for (const seed of seeds) {
        const { best } = await searchOn(valleys, { seed, budget, islands, migrationInterval: 12 });
        if (best!.evaluation!.microseconds! < 20) count++;
      }
      return count;
    };
    const [one, two] = [await found(1), await found(2)];
    assert.ok(one <= 5, `one population left the wrong valley in ${one} of 20 runs: the landscape deceives nobody`);
    assert.ok(two >= 15, `two islands found the right valley in only ${two} of 20 runs`);
  });

  it('get equally many candidates, whoever is first', () => {
    const archipelago = { islands: 3, interval: 2 };
    const counts = [0, 0, 0];
    for (let generation = 1; generation <= 3; generation++)
      for (let place = 0; place < 4; place++) counts[islandAt(place, generation, archipelago)]!++;
    assert.deepEqual(counts, [4, 4, 4]);
  });

  it('breed apart until the best of each goes to the next', () => {
    const archipelago = { islands: 3, interval: 2 };
    const records = [
      record(1, 0, 0, 30),
      record(2, 0, 1, 20),
      record(3, 0, 2),
      record(4, 1, 0, 25),
      record(5, 2, 1, 10),
      record(6, 3, 2, 40),
    ];
    const ids = (island: number, generation: number) =>
      population(island, generation, records, archipelago).map((one) => one.record.id);
    assert.deepEqual(ids(0, 1), ['r-1']);
    assert.deepEqual(ids(1, 1), ['r-2']);
    // Nobody lives on 2 yet: it is settled from the others.
    assert.deepEqual(ids(2, 1), ['r-2', 'r-1']);
    // Generation 2: 0 gives to 1, 1 to 2; 2 has nothing correct for 0.
    assert.deepEqual(ids(0, 2), ['r-4', 'r-1']);
    assert.deepEqual(ids(1, 2), ['r-2', 'r-4']);
    assert.deepEqual(ids(2, 2), ['r-2']);
    // Generation 4: what came over stays, and the better one of 1 comes too.
    assert.deepEqual(ids(2, 4), ['r-5', 'r-2', 'r-6']);
    assert.equal(migrantAt(3, 2, records, archipelago), undefined);
    assert.equal(migrantAt(4, 2, records, archipelago)?.record.id, 'r-5');
    assert.equal(migrantAt(4, 2, records, { islands: 1, interval: 2 }), undefined);
  });

  it('are the same again after a crash at any judgement, and tell who comes over', async () => {
    const options = { budget: { judgements: 40, patience: 20 }, islands: 3 };
    const events = new EventStream();
    const seen: AssayEvent[] = [];
    events.subscribe((event) => seen.push(event));
    const whole = await searchOn(valleys, { ...options, events });
    const moves = seen.filter((event) => event.type === 'island.migrated');
    assert.ok(moves.length > 0, 'somebody migrates');
    assert.ok(
      moves.every(({ from, to }) => to === (from + 1) % 3),
      JSON.stringify(moves),
    );
    for (let crashAfter = 0; crashAfter < 40; crashAfter += 3) {
      const archive = new MemoryArchive();
      const judged: string[] = [];
      await assert.rejects(searchOn(valleys, options, { archive, judged, crashAfter }), /killed/);
      const resumed = await searchOn(valleys, options, { archive, judged });
      assert.deepEqual(history(resumed.records), history(whole.records));
      assert.equal(new Set(judged).size, judged.length, 'nothing is judged twice');
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../task/index.ts';
import { processInterval } from './interval.ts';
import { seedOf } from './simulated-report.fixture.ts';

const bootstrap = (label: string) => ({ random: new Random(seedOf('interval'), label), resamples: 500 });

/** Values of processes with their own offset, and blocks about it. */
function draw(random: Random, processes: number, blocks: number, between: number, within: number): number[][] {
  return Array.from({ length: processes }, () => {
    const offset = between * random.normal();
    return Array.from({ length: blocks }, () => offset + within * random.normal());
  });
}

describe('the interval over processes', () => {
  it('covers the truth as often as it says, with few processes and a spread between them', () => {
    for (const [processes, between] of [
      [4, 0.01],
      [8, 0.01],
      [4, 0],
    ] as const) {
      const random = new Random(seedOf('coverage'), `${processes} ${between}`);
      let missed = 0;
      for (let i = 0; i < 3000; i++) {
        const { low, high } = processInterval(draw(random, processes, 6, between, 0.01), 0.05);
        if (low > 0 || high < 0) missed++;
      }
      // 150 expected; five deviations are 60.
      assert.ok(missed > 90 && missed < 210, `${missed} of 3000 missed with ${processes} processes`);
    }
  });

  it('is not narrowed by more blocks where processes differ', () => {
    const width = (blocks: number) => {
      const { low, high } = processInterval(draw(new Random(seedOf('width'), 'x'), 6, blocks, 0.02, 0.002), 0.05);
      return high - low;
    };
    assert.ok(width(200) > 0.01, 'two hundred blocks hide that processes differ');
  });

  it('with the bootstrap is never narrower than without', () => {
    const random = new Random(seedOf('wider'), 'x');
    for (let i = 0; i < 50; i++) {
      const values = draw(random, 4 + (i % 9), 5, 0.01, 0.01);
      const [plain, wide] = [processInterval(values, 0.02), processInterval(values, 0.02, bootstrap(`${i}`))];
      assert.ok(wide.low <= plain.low && wide.high >= plain.high, 'wide.low <= plain.low && wide.high >= plain.high');
      assert.ok(
        wide.bootstrap!.low <= wide.estimate && wide.bootstrap!.high >= wide.estimate,
        'wide.bootstrap!.low <= wide.estimate && wide.bootstrap!.high >= wide.estimate',
      );
    }
  });

  it('moves with the values, turns over with their sign, and does not care for the order of processes', () => {
    const values = fc.array(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 }), {
      minLength: 2,
      maxLength: 8,
    });
    const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);
    fc.assert(
      fc.property(values, fc.double({ min: -3, max: 3, noNaN: true }), (lists, shift) => {
        const plain = processInterval(lists, 0.01);
        const moved = processInterval(
          lists.map((list) => list.map((x) => x + shift)),
          0.01,
        );
        close(moved.low, plain.low + shift);
        close(moved.high, plain.high + shift);
        const turned = processInterval(
          lists.map((list) => list.map((x) => -x)),
          0.01,
        );
        close(turned.low, -plain.high);
        close(turned.high, -plain.low);
        const reversed = processInterval(lists.slice().reverse(), 0.01);
        close(reversed.low, plain.low);
        assert.ok(
          [plain.low, plain.high, plain.estimate].every(Number.isFinite),
          '[plain.low, plain.high, plain.estimate].every(Number.isFinite)',
        );
      }),
    );
  });

  it('refuses a single process', () => {
    assert.throws(() => processInterval([[1, 2, 3], []], 0.05), /two/);
  });
});

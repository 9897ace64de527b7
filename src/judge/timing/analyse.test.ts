/** What must hold of any times whatever: the analysis is a pure function of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../task/index.ts';
import { analyse } from './analyse.ts';
import { blockOrder } from './order.ts';
import { defaultPlan } from './plan.ts';
import type { Block, Records, Sample } from './records.ts';
import type { BaselineComparison } from './report.ts';

interface Recipe {
  seed: number;
  processes: number;
  blocks: number;
  gain: number;
  jitter: number;
  clocks: boolean;
}

const recipes: fc.Arbitrary<Recipe> = fc.record({
  seed: fc.integer({ min: 0, max: 1e9 }),
  processes: fc.integer({ min: 4, max: 8 }),
  blocks: fc.integer({ min: 4, max: 6 }),
  gain: fc.double({ min: 0.2, max: 5, noNaN: true }),
  jitter: fc.double({ min: 1e-4, max: 0.3, noNaN: true }),
  clocks: fc.boolean(),
});

/** Records with times of a recipe; each window changed by `change`. */
function recordsOf(
  { seed, processes, blocks, gain, jitter, clocks }: Recipe,
  change?: (sample: Sample) => Sample,
): Records {
  const random = new Random(seed, 'records');
  const subjects = [
    { id: 'candidate', role: 'candidate' },
    { id: 'baseline', role: 'baseline' },
  ] as const;
  const block = (): Block =>
    blockOrder(subjects, 2, random).map((arm) => {
      const time =
        (arm.work === 'null' ? 5 : arm.subject === 'candidate' ? 300 / gain : 300) * Math.exp(jitter * random.normal());
      const sample: Sample = {
        request: { ...arm, calls: 4 },
        window: {
          status: 'timed',
          deviceMicroseconds: time,
          hostMicroseconds: time + 10 + random.unit(),
          outputs: 'right',
          operands: '',
          condition: { throttled: [], smClockMHz: clocks ? random.pick([1980, 1975, 1635]) : undefined },
        },
      };
      return change ? change(sample) : sample;
    });
  return {
    facts: {
      device: 'x',
      deviceResolutionMicroseconds: 0,
      hostResolutionMicroseconds: 0,
      cache: 'cold',
      clocksLocked: false,
      mostCalls: 4,
      environment: {},
    },
    subjects,
    calls: 4,
    processes: Array.from({ length: processes }, (_, process) => ({
      process,
      settling: [],
      blocks: Array.from({ length: blocks }, block),
    })),
  };
}

const options = { plan: { ...defaultPlan, resamples: 100, mostLost: 0.9 }, alpha: 0.01 };

/** The one comparison, or why there is none. */
function comparisonOf(records: Records): BaselineComparison | string {
  const found = analyse(records, options);
  return 'cause' in found ? found.cause : found[0]!;
}

function close(a: number, b: number, what: string): void {
  assert.ok(Math.abs(a / b - 1) < 1e-9, `${what}: ${a} is not ${b}`);
}

/** Numbers anywhere in a value. */
function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(numbersIn) : [];
}

describe('the analysis', () => {
  it('does not change with the unit of time', () => {
    fc.assert(
      fc.property(recipes, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (recipe, unit) => {
        const scaled = recordsOf(recipe, ({ request, window }) => ({
          request,
          window: {
            ...window,
            deviceMicroseconds: unit * window.deviceMicroseconds,
            hostMicroseconds: unit * window.hostMicroseconds,
          },
        }));
        const [a, b] = [comparisonOf(recordsOf(recipe)), comparisonOf(scaled)];
        if (typeof a === 'string' || typeof b === 'string') return assert.equal(a, b);
        close(b.speedup.ratio, a.speedup.ratio, 'ratio');
        close(b.speedup.low, a.speedup.low, 'low');
        close(b.noiseFloor.ratio, a.noiseFloor.ratio, 'noise floor');
        assert.equal(a.outcome, b.outcome);
      }),
      { numRuns: 40 },
    );
  });

  it('is inverted when candidate and baseline change places', () => {
    const other = { faster: 'slower', slower: 'faster', 'as-fast': 'as-fast', undecided: 'undecided' } as const;
    fc.assert(
      fc.property(recipes, (recipe) => {
        const records = recordsOf(recipe);
        const swapped: Records = {
          ...records,
          subjects: [
            { id: 'candidate', role: 'baseline' },
            { id: 'baseline', role: 'candidate' },
          ],
        };
        const [a, b] = [comparisonOf(records), comparisonOf(swapped)];
        if (typeof a === 'string' || typeof b === 'string') return assert.equal(a, b);
        close(b.speedup.ratio, 1 / a.speedup.ratio, 'ratio');
        close(b.speedup.low, 1 / a.speedup.high, 'low');
        close(b.speedup.high, 1 / a.speedup.low, 'high');
        close(b.noiseFloor.ratio, a.noiseFloor.ratio, 'noise floor');
        assert.equal(b.outcome, other[a.outcome]);
      }),
      { numRuns: 40 },
    );
  });

  it('does not change with the order of processes, nor the ratio with the order of blocks or windows', () => {
    fc.assert(
      fc.property(recipes, (recipe) => {
        const records = recordsOf(recipe);
        const reversed: Records = {
          ...records,
          processes: records.processes.toReversed().map((record) => ({
            ...record,
            blocks: record.blocks.toReversed().map((block) => block.toReversed()),
          })),
        };
        const [a, b] = [comparisonOf(records), comparisonOf(reversed)];
        if (typeof a === 'string' || typeof b === 'string') return assert.equal(a, b);
        close(b.speedup.low, a.speedup.low, 'low');
        close(b.speedup.high, a.speedup.high, 'high');
        close(b.noiseFloor.ratio, a.noiseFloor.ratio, 'noise floor');
      }),
      { numRuns: 40 },
    );
  });

  it('gives numbers, ordered ones, on any times', () => {
    const times = fc.double({ min: 1e-3, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(recipes, fc.array(times, { minLength: 50, maxLength: 50 }), (recipe, list) => {
        let next = 0;
        const wild = recordsOf(recipe, ({ request, window }) => {
          const deviceMicroseconds = list[next++ % list.length]!;
          return { request, window: { ...window, deviceMicroseconds, hostMicroseconds: deviceMicroseconds + 10 } };
        });
        const found = analyse(wild, { ...options, bootstrapSeed: '0'.repeat(64) });
        if ('cause' in found) return;
        const { speedup, noiseFloor } = found[0]!;
        assert.ok(
          numbersIn(found).every((x) => !Number.isNaN(x)),
          JSON.stringify(found),
        );
        assert.ok(
          speedup.low <= speedup.ratio && speedup.ratio <= speedup.high,
          'speedup.low <= speedup.ratio && speedup.ratio <= speedup.high',
        );
        assert.ok(noiseFloor.ratio >= 1, 'noiseFloor.ratio >= 1');
      }),
      { numRuns: 60 },
    );
  });
});

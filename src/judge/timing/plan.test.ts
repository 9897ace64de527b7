import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TimedSubject, TimingFacts } from '../../device/index.ts';
import { Random } from '../../task/index.ts';
import { blockOrder } from './order.ts';
import { alphaOfLooks, checkPlan, defaultPlan, sizePlan, windowsOfBlock } from './plan.ts';
import { seedOf } from './simulated-report.fixture.ts';

const facts: TimingFacts = {
  device: 'x',
  deviceResolutionMicroseconds: 0.5,
  hostResolutionMicroseconds: 0.05,
  cache: 'cold',
  clocksLocked: false,
  mostCalls: 256,
  environment: {},
};
const pilot = (deviceMicroseconds: number) => ({
  deviceMicroseconds,
  hostMicroseconds: deviceMicroseconds + 9,
  nullHostMicroseconds: 10,
});

describe('looks', () => {
  it('spend all of alpha and no more, little of it early', () => {
    const spent = alphaOfLooks(defaultPlan);
    assert.ok(
      Math.abs(spent.reduce((sum, x) => sum + x, 0) - defaultPlan.alpha) < 1e-15,
      'Math.abs(spent.reduce((sum, x) => sum + x, 0) - defaultPlan.alpha) < 1e-15',
    );
    assert.ok(spent[0]! < 0.02 * defaultPlan.alpha, 'spent[0]! < 0.02 * defaultPlan.alpha');
    assert.ok(
      spent.every((x, i) => i === 0 || x > spent[i - 1]!),
      'spent.every((x, i) => i === 0 || x > spent[i - 1]!)',
    );
  });

  it('that cannot be followed are refused', () => {
    checkPlan(defaultPlan);
    for (const change of [
      { looks: [] },
      { looks: [1, 4] },
      { looks: [4, 4] },
      { blocks: 1.5 },
      { alpha: 0 },
      { margin: 2 },
    ]) {
      assert.throws(() => checkPlan({ ...defaultPlan, ...change }), /cannot be followed/, JSON.stringify(change));
    }
  });
});

describe('sizes', () => {
  it('make windows long against resolution and overhead, whatever the kernel', () => {
    for (const [microseconds, calls] of [
      [5, 40],
      [50, 4],
      [1000, 1],
    ] as const) {
      const sized = sizePlan(defaultPlan, facts, [pilot(microseconds), pilot(2 * microseconds)]);
      assert.ok('calls' in sized, "'calls' in sized");
      assert.equal(sized.calls, calls);
    }
  });

  it('take fewer blocks, then fewer looks, when calls are long; then refuse and say what it would take', () => {
    const size = (milliseconds: number) =>
      sizePlan(defaultPlan, facts, [pilot(1000 * milliseconds), pilot(1000 * milliseconds)]);
    const [short, long, longer, longest] = [size(1), size(40), size(100), size(3000)];
    assert.ok(
      'plan' in short && short.plan.blocks === defaultPlan.blocks,
      "'plan' in short && short.plan.blocks === defaultPlan.blocks",
    );
    assert.ok(
      'plan' in long && long.plan.blocks < defaultPlan.blocks && long.plan.looks.length === 3,
      "'plan' in long && long.plan.blocks < defaultPlan.blocks && long.plan.looks.length === 3",
    );
    assert.ok('plan' in longer && longer.plan.looks.length < 3, "'plan' in longer && longer.plan.looks.length < 3");
    assert.ok('refused' in longest, "'refused' in longest");
    assert.match(longest.refused, /budget of 120 s .* 4 processes of 4 blocks take about 96\d s/);
  });

  it('keep to the budget', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 1e6, noNaN: true }),
        fc.double({ min: 0.5, max: 1e6, noNaN: true }),
        (a, b) => {
          const sized = sizePlan(defaultPlan, facts, [pilot(a), pilot(b)]);
          if ('refused' in sized) return;
          const { plan, calls } = sized;
          const blocks = plan.looks.at(-1)! * (plan.blocks + 1);
          const windows = blocks * windowsOfBlock(1, plan.rounds).calls;
          const seconds = 1e-6 * windows * (9 + calls * a + 9 + calls * b);
          assert.ok(seconds <= plan.budget.seconds, `${seconds} s`);
          assert.ok(2 * windows * calls <= plan.budget.calls, '2 * windows * calls <= plan.budget.calls');
        },
      ),
    );
  });
});

describe('the order within a block', () => {
  const subjects: TimedSubject[] = [
    { id: 'candidate', role: 'candidate' },
    { id: 'a', role: 'baseline' },
    { id: 'b', role: 'baseline' },
  ];

  it('gives every arm as many windows, and within each round the same mean place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 4 }), (seed, rounds) => {
        const order = blockOrder(subjects, rounds, new Random(seed, 'order'));
        const { calls, nulls } = windowsOfBlock(subjects.length, rounds);
        assert.equal(order.filter(({ work }) => work === 'calls').length, calls);
        assert.equal(order.filter(({ work }) => work === 'null').length, nulls);
        const places = new Map<string, number[]>();
        order.forEach(({ subject, instance, work }, place) => {
          if (work !== 'calls') return;
          const key = `${subject} ${instance}`;
          places.set(key, [...(places.get(key) ?? []), place]);
        });
        const sums = [...places.values()].map((list) => list.reduce((sum, place) => sum + place, 0));
        assert.ok(
          sums.every((sum) => sum === sums[0]),
          'a linear drift would favour an arm',
        );
      }),
    );
  });

  it('differs from block to block', () => {
    const random = new Random(seedOf('order'), 'x');
    const orders = new Set(Array.from({ length: 20 }, () => JSON.stringify(blockOrder(subjects, 1, random))));
    assert.equal(orders.size, 20);
  });
});

/** The whole protocol on simulated clocks: honest kernels, broken devices, and samplers that cheat. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailedWindow, TimedWindow, TimingDevice } from '../../device/index.ts';
import type { Cause } from './causes.ts';
import { compareTimes, overall } from './compare.ts';
import { deviceOf, noiseKinds } from './noise.ts';
import { simulate, type Tampering } from './simulate.ts';
import { compareScene, deviceOfScene, everydayNoise, type Scene, seedOf } from './simulated-report.fixture.ts';

/** Changes the candidate's timed windows alone. */
function candidate(change: Tampering): Tampering {
  return (truth) => (truth.request.subject === 'candidate' && truth.request.work === 'calls' ? change(truth) : {});
}

/** Both clocks run for `factor` of the time less. */
function shortened(window: TimedWindow, factor: number): Partial<TimedWindow> {
  const gone = (1 - factor) * window.deviceMicroseconds;
  return {
    deviceMicroseconds: window.deviceMicroseconds - gone,
    hostMicroseconds: window.hostMicroseconds - gone,
  };
}

describe('honest kernels', () => {
  it('that are faster, slower, as fast, or hardly apart are said to be', async () => {
    for (const [gain, outcome] of [
      [1.3, 'faster'],
      [1.05, 'faster'],
      [1, 'as-fast'],
      [0.95, 'slower'],
      [0.5, 'slower'],
    ] as const) {
      const report = await compareScene({ gain });
      assert.equal(report.outcome, outcome, report.reason);
      const { speedup } = report.comparisons[0]!;
      assert.ok(speedup.low <= gain && gain <= speedup.high, `${gain} is outside ${speedup.low} to ${speedup.high}`);
    }
  });

  it('end early when they are far apart, and late when they are not', async () => {
    assert.equal((await compareScene({ gain: 1.3 })).processes, 4);
    const close = await compareScene({ gain: 1.017, noise: { jitter: 0.01, placement: 0.01 } });
    assert.equal(close.processes, 16);
  });

  it('are told in words, with interval and noise floor', async () => {
    const [faster, slower, asFast] = [
      await compareScene({ gain: 1.3 }),
      await compareScene({ gain: 0.8 }),
      await compareScene({ gain: 1 }),
    ];
    assert.match(
      faster.reason,
      /^1\.\d\d \(1\.2\d to 1\.3\d\) times as fast as baseline, beyond the noise floor of [\d.]+ %/,
    );
    assert.match(slower.reason, /^Slower than baseline: it takes 1\.2\d \(1\.2\d to 1\.[23]\d\) times as long/);
    assert.match(asFast.reason, /^As fast as baseline, within 2 %: [01]\.\d{3} \(0\.9\d\d to 1\.0\d\d\)\.$/);
  });

  it('are compared with every baseline: faster is faster than all of them', async () => {
    const against = async (second: number) =>
      compareScene({ device: { callMicroseconds: { candidate: 50, eager: 80, compiled: second } } });
    assert.equal((await against(60)).outcome, 'faster');
    assert.equal((await against(50)).outcome, 'as-fast');
    const slower = await against(40);
    assert.equal(slower.outcome, 'slower');
    assert.deepEqual(
      slower.comparisons.map(({ outcome }) => outcome),
      ['faster', 'slower'],
    );
  });

  it('are the same to the last bit with the same seed, and taken in another order with another', async () => {
    const order = async (seed: string) =>
      (await compareTimes(deviceOfScene({}), { seed: seedOf(seed) })).records[0]!.blocks[0]!.map(
        ({ request }) => `${request.subject} ${request.instance} ${request.work}`,
      );
    assert.deepEqual(await order('a'), await order('a'));
    assert.notDeepEqual(await order('a'), await order('b'));
  });

  it('of five microseconds get windows of many calls', async () => {
    const report = await compareScene({ device: { callMicroseconds: { candidate: 5, baseline: 6 } } });
    assert.equal(report.outcome, 'faster');
    assert.ok(report.callsPerWindow >= 40 && report.callsPerWindow <= 48, `${report.callsPerWindow} calls`);
    assert.ok(Math.abs(report.times[0]!.microseconds - 5) < 0.1, 'Math.abs(report.times[0]!.microseconds - 5) < 0.1');
  });

  it('whose ratio follows the clock are faster by what holds at every clock, or not at all', async () => {
    // The candidate is bound by memory and keeps its time at the low clock; the baseline does not.
    const follows = (atHigh: number): Scene => ({
      gain: atHigh,
      noise: { ...everydayNoise, clocks: { modesMHz: [1980, 1635], dwellMicroseconds: 30_000, bound: 0, told: true } },
      tamper: ({ request, window }) =>
        request.subject === 'baseline' && request.work === 'calls' && window.condition.smClockMHz === 1635
          ? shortened(window, 1.21)
          : {},
    });
    const report = await compareScene(follows(1.1));
    assert.equal(report.outcome, 'faster', report.reason);
    const { speedup, byClock } = report.comparisons[0]!;
    assert.deepEqual(
      byClock?.map(({ ratio }) => Math.round(100 * ratio)),
      [133, 110],
    );
    assert.ok(speedup.low < 1.11 && speedup.high > 1.32, 'the interval spans both clocks');
    assert.equal((await compareScene(follows(1))).outcome, 'undecided');
  });
});

describe('what is no measurement', () => {
  const cases: readonly (readonly [what: string, cause: Cause, scene: Scene])[] = [
    [
      'fast in the first calls of each process',
      'changes-with-calls',
      { tamper: candidate(({ earlier, window }) => (earlier < 60 ? shortened(window, 0.7) : {})) },
    ],
    [
      'fast in the last calls of each process',
      'changes-with-calls',
      { tamper: candidate(({ earlier, window }) => (earlier > 100 ? shortened(window, 0.8) : {})) },
    ],
    ['fast when timed, and wrong', 'wrong-output', { gain: 2, tamper: candidate(() => ({ outputs: 'wrong' })) }],
    [
      'wrong in one timed call of thousands',
      'wrong-output',
      {
        gain: 2,
        tamper: candidate(({ process, earlier }) => (process === 3 && earlier === 57 ? { outputs: 'wrong' } : {})),
      },
    ],
    ['not checked', 'unchecked-output', { gain: 2, tamper: candidate(() => ({ outputs: 'unchecked' })) }],
    [
      'given the same operands again',
      'reused-operands',
      { gain: 2, tamper: candidate(({ earlier }) => ({ operands: `pool ${earlier % 40}` })) },
    ],
    [
      'given the same operands in each process',
      'reused-operands',
      { gain: 2, tamper: candidate(({ earlier }) => ({ operands: `${earlier}` })) },
    ],
    ['timed at zero', 'impossible-sample', { tamper: candidate(() => ({ deviceMicroseconds: 0 })) }],
    [
      'timed at less than zero, once',
      'impossible-sample',
      { tamper: candidate(({ earlier }) => (earlier === 70 ? { hostMicroseconds: -3 } : {})) },
    ],
    ['timed at no number', 'impossible-sample', { tamper: candidate(() => ({ deviceMicroseconds: Number.NaN })) }],
    [
      'copied, not read',
      'identical-samples',
      { tamper: candidate(() => ({ deviceMicroseconds: 150, hostMicroseconds: 160 })) },
    ],
    [
      'half unseen by the device clock',
      'clocks-disagree',
      { tamper: candidate(({ window }) => ({ deviceMicroseconds: window.deviceMicroseconds / 2 })) },
    ],
    [
      'not waited for by the host',
      'clocks-disagree',
      { tamper: candidate(({ window }) => ({ hostMicroseconds: window.hostMicroseconds / 2 })) },
    ],
    ['under the floor', 'below-floor', { gain: 3, options: { floorMicroseconds: 20 } }],
    [
      'under the floor in a few windows',
      'below-floor',
      {
        options: { floorMicroseconds: 40 },
        tamper: candidate(({ earlier, window }) => (earlier % 20 === 3 ? shortened(window, 0.5) : {})),
      },
    ],
    [
      'only at the boosted clock',
      'clock-unstable',
      {
        tamper: ({ request, window }) => ({
          ...(request.subject === 'candidate' && request.work === 'calls' ? shortened(window, 0.83) : {}),
          condition: { throttled: [], smClockMHz: request.subject === 'candidate' ? 1980 : 1635 },
        }),
      },
    ],
    [
      'beside another process whenever the baseline runs',
      'clock-unstable',
      {
        tamper: ({ request, window }) =>
          request.subject === 'baseline' && request.work === 'calls'
            ? { ...shortened(window, 1.3), condition: { throttled: [], otherProcesses: 1 } }
            : {},
      },
    ],
    [
      'on a device that is too hot every now and then',
      'clock-unstable',
      {
        tamper: ({ earlier, window }) =>
          earlier % 10 === 3 ? { ...shortened(window, 1.3), condition: { throttled: ['hw-thermal-slowdown'] } } : {},
      },
    ],
    ['too long for the budget', 'budget', { options: { plan: { budget: { seconds: 0.01, calls: 1e6 } } } }],
  ];
  for (const [what, cause, scene] of cases) {
    it(`a candidate that is ${what}`, async () => {
      const report = await compareScene(scene);
      assert.equal(report.refusal?.cause, cause, report.reason);
      assert.ok(
        report.outcome === 'void' || report.outcome === 'undecided',
        "report.outcome === 'void' || report.outcome === 'undecided'",
      );
      assert.deepEqual(report.comparisons, []);
      assert.ok(report.reason.length > 40 && report.reason.endsWith('.'), report.reason);
    });
  }

  it('names the cheats it would look like', async () => {
    const { refusal } = await compareScene({ gain: 3, options: { floorMicroseconds: 20 } });
    assert.ok(refusal?.cheats.includes('T15'), "refusal?.cheats.includes('T15')");
    assert.match(refusal!.reason, /16\.\d µs a call, where no kernel can take less than 20\.0 µs/);
  });

  it('a device that fails, at the start or later, and its processes are ended all the same', async () => {
    const failing = (at: { start?: number; window?: number }): TimingDevice<'simulated'> & { open: number } => {
      const inner = deviceOfScene({});
      const failed: FailedWindow = { status: 'failed', message: 'the kernel did not end within 10 s.' };
      const device = {
        ...inner,
        open: 0,
        start: async (number: number) => {
          if (number === at.start) return failed;
          const process = await inner.start(number);
          if ('status' in process) return process;
          device.open++;
          let taken = 0;
          return {
            window: async (request: Parameters<typeof process.window>[0]) =>
              number === 2 && taken++ === at.window ? failed : process.window(request),
            close: async () => {
              device.open--;
              await process.close();
            },
          };
        },
      };
      return device;
    };
    for (const at of [{ start: 0 }, { start: 3 }, { window: 20 }]) {
      const device = failing(at);
      const report = await compareTimes(device, { seed: seedOf('x') });
      assert.equal(report.refusal?.cause, 'no-window');
      assert.equal(report.outcome, 'void');
      assert.match(report.reason, /did not end within 10 s/);
      assert.equal(device.open, 0);
    }
  });

  it('is ended by the signal', async () => {
    const signal = AbortSignal.abort(new Error('stopped by hand'));
    await assert.rejects(compareScene({ options: { signal } }), /stopped by hand/);
  });

  it('subjects that are no comparison are refused', async () => {
    const lone: readonly Record<string, number>[] = [{ candidate: 50 }, { baseline: 50 }];
    for (const callMicroseconds of lone) {
      await assert.rejects(compareScene({ device: { callMicroseconds } }), /one candidate with one or more baselines/);
    }
  });
});

describe('what gains nothing', () => {
  /** Scenes in which the candidate is no faster, with a bias that flatters it. */
  const flattered: readonly (readonly [what: string, scene: Scene])[] = [
    [
      'a device clock that flatters by 3 %, within what a null plan costs',
      { tamper: candidate(({ window }) => ({ deviceMicroseconds: 0.97 * window.deviceMicroseconds })) },
    ],
    [
      'a device clock that flatters in a third of the windows',
      {
        tamper: candidate(({ earlier, window }) =>
          earlier % 3 === 0 ? { deviceMicroseconds: 0.94 * window.deviceMicroseconds } : {},
        ),
      },
    ],
    [
      'a clock that is 1.5 % higher when the candidate runs',
      {
        tamper: ({ request, window }) => ({
          ...(request.subject === 'candidate' && request.work === 'calls' ? shortened(window, 1 / 1.015) : {}),
          condition: { throttled: [], smClockMHz: request.subject === 'candidate' ? 1950 : 1921 },
        }),
      },
    ],
    [
      'a burst of speed in the calls that are not counted',
      { tamper: candidate(({ earlier, window }) => (earlier < 8 ? shortened(window, 0.3) : {})) },
    ],
    [
      'speed in one process alone',
      { tamper: candidate(({ process, window }) => (process === 1 ? shortened(window, 0.8) : {})) },
    ],
    [
      'a few very fast windows, as best of n would take',
      { tamper: candidate(({ earlier, window }) => (earlier % 11 === 0 ? shortened(window, 0.3) : {})) },
    ],
    [
      'a difference under a step of the clock, which many windows would show',
      { device: { callMicroseconds: { candidate: 20, baseline: 22 }, stepMicroseconds: 4, mostCalls: 1 } },
    ],
    [
      'places in memory that alone make an eighth of difference',
      { gain: 1.08, tamper: ({ request, window }) => (request.instance === 1 ? shortened(window, 1.125) : {}) },
    ],
    [
      'a kernel shorter than a step of the clock',
      { gain: 1.2, device: { callMicroseconds: { candidate: 2, baseline: 2.05 }, stepMicroseconds: 4, mostCalls: 1 } },
    ],
  ];
  for (const [what, scene] of flattered) {
    it(what, async () => {
      for (const seed of ['a', 'b', 'c']) {
        const report = await compareScene({ ...scene, seed });
        assert.notEqual(report.outcome, 'faster', report.reason);
      }
    });
  }

  it('blocks with company are dropped, and the rest decides', async () => {
    const report = await compareScene({
      gain: 1.1,
      tamper: ({ earlier, window }) =>
        earlier % 80 === 79 ? { ...shortened(window, 1.8), condition: { throttled: [], otherProcesses: 1 } } : {},
    });
    assert.equal(report.outcome, 'faster', report.reason);
    assert.ok(report.comparisons[0]!.lost > 0.02, 'report.comparisons[0]!.lost > 0.02');
    assert.ok(report.condition.windowsWithOtherProcesses > 0, 'report.condition.windowsWithOtherProcesses > 0');
  });

  it('a clock that one side alone tells says nothing against either, nor does a power cap', async () => {
    const report = await compareScene({
      gain: 1.1,
      tamper: ({ request }) => ({
        condition: { throttled: ['sw-power-cap'], ...(request.subject === 'candidate' ? { smClockMHz: 1980 } : {}) },
      }),
    });
    assert.equal(report.outcome, 'faster', report.reason);
    assert.equal(report.comparisons[0]!.noiseFloor.coreClock, 1, 'no clock is compared with none');
    assert.equal(report.comparisons[0]!.lost, 0, 'blocks lost');
    assert.deepEqual(report.condition.throttled, ['sw-power-cap']);
  });

  it('company and heat are named', async () => {
    const report = await compareScene({
      tamper: ({ earlier }) => ({
        condition: {
          throttled: earlier % 9 === 0 ? ['hw-power-brake'] : [],
          otherProcesses: earlier % 7 === 0 ? 1 : 0,
        },
      }),
    });
    assert.match(
      report.reason,
      /the device was disturbed \((other processes, hw-power-brake|hw-power-brake, other processes)\)/,
    );
  });
});

describe('error rates, in small (bench/timing.ts counts them in full)', () => {
  const tried = async (name: string, gain: number, times: number) => {
    const kind = noiseKinds.find((one) => one.name === name)!;
    const outcomes: string[] = [];
    for (let i = 0; i < times; i++) {
      const seed = seedOf(`${name} ${gain} ${i}`);
      outcomes.push((await compareTimes(simulate(deviceOf(kind, gain), kind.noise, seed), { seed })).outcome);
    }
    return outcomes;
  };
  for (const { name, powerless } of noiseKinds) {
    it(`under ${name}: equal kernels are equal${powerless ? '' : ', and 3 % are found'}`, async () => {
      const equal = await tried(name, 1, 8);
      assert.ok(
        equal.every((outcome) => outcome !== 'faster' && outcome !== 'slower'),
        equal.join(),
      );
      if (powerless) return;
      const gains = await tried(name, 1.03, 4);
      assert.ok(gains.filter((outcome) => outcome === 'faster').length >= 3, gains.join());
    });
  }
});

describe('outcomes of several baselines', () => {
  it('add up to the least', () => {
    const of = (...outcomes: ('faster' | 'as-fast' | 'slower' | 'undecided')[]) =>
      overall(outcomes.map((outcome) => ({ outcome })));
    assert.equal(of('faster', 'faster'), 'faster');
    assert.equal(of('faster', 'as-fast'), 'as-fast');
    assert.equal(of('faster', 'undecided'), 'undecided');
    assert.equal(of('undecided', 'slower'), 'slower');
  });
});

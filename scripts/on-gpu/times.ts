/**
 * Honest kernels of the corpus against PyTorch eager and compiled, by the judge's whole protocol: the speedups, the A/A noise floor, how the two clocks agree, and what measuring costs by
 * itself. Over the fake driver PyTorch runs on the CPU: the two are then times of different things, and only the way is tried.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createCudaTimingDevice, createTorchBaselines } from '../../src/device/index.ts';
import {
  commit,
  compareTimes,
  createOracle,
  deriveSeed,
  sourceHash,
  type TimingPlan,
  type TimingReport,
  timedOperands,
} from '../../src/judge/index.ts';
import { factsOf, prepareCandidate } from '../../src/kernel/index.ts';
import { floor, pythonWithTorch } from '../../src/task/index.ts';
import { loadCaseTask } from '../corpus-cases.ts';
import { casesOf } from './corpora.ts';
import type { Place, Stage } from './place.ts';

/** Enough windows to go all the way; not enough for anything to be said. */
const TRIAL: Partial<TimingPlan> = {
  ...{ looks: [3], blocks: 2, leastBlocks: 2, rounds: 1, resamples: 100 },
  ...{ windowMicroseconds: 1, windowResolutions: 1, windowNulls: 0.01, mostLost: 0.9 },
};

async function timed(
  place: Place,
  each: ReturnType<typeof casesOf>[number],
  python: Exclude<ReturnType<typeof pythonWithTorch>, { missing: string }>,
) {
  const { target } = place;
  const { task, full } = await loadCaseTask(each.task, join(place.cache, 'traces'));
  // Where the case is scaled for the virtual GPU, its time is that of the file's own shapes.
  const at = full?.task ?? task;
  const options = { arch: target.arch, facts: factsOf(target), cacheDir: join(place.cache, 'builds'), task: at };
  const { plan, build } = await prepareCandidate(each.source, at.signature, options);
  const commitment = commit([sourceHash(each.source)]);
  const folder = join(place.cache, `torch-${each.name}`);
  mkdirSync(folder, { recursive: true });
  const oracle = createOracle(at);
  const baselines = await createTorchBaselines({
    ...{ task: at, python, folder, operands: timedOperands(at, oracle) },
    secret: deriveSeed(commitment, 'baseline operands'),
    device: place.simulated ? 'cpu' : place.gpu,
    subjects: place.simulated ? ['PyTorch eager'] : undefined,
    walkBytes: place.simulated ? 4096 : 4 * Math.ceil((2.5 * place.device.identity.l2Bytes) / 4),
  });
  const device = await createCudaTimingDevice({
    ...{ gpu: place.gpu, fake: place.fake, candidate: { plan, build }, baselines },
    operands: timedOperands(at, oracle),
    secret: deriveSeed(commitment, 'candidate operands'),
    ...(place.simulated ? { mostCalls: 2 } : {}),
  });
  const floorMicroseconds = place.unknown === undefined ? floor(at, target).microseconds : undefined;
  const report: TimingReport = await compareTimes(device, {
    seed: randomBytes(32).toString('hex'),
    ...(place.simulated ? { plan: TRIAL } : { floorMicroseconds }),
  });
  return { case: each.name, task: at.name, floorMicroseconds, report };
}

export const timesStage: Stage = {
  name: 'times',
  purpose: 'speedups over PyTorch, noise floor, clocks, what measuring costs',
  run: async (place) => {
    const python = pythonWithTorch();
    if ('missing' in python) return { passed: false, content: { missing: python.missing }, words: python.missing };
    // Submissions in Python and backward tasks have no times yet.
    const cases = casesOf(place, ['honest']).filter(({ name, task }) => !name.endsWith('.py') && !task.backward);
    const reports: Awaited<ReturnType<typeof timed>>[] = [];
    const failures: { case: string; message: string }[] = [];
    for (const each of cases) {
      try {
        const one = await timed(place, each, python);
        reports.push(one);
        process.stdout.write(`${each.name}: ${one.report.outcome}. ${one.report.reason}\n`);
      } catch (error) {
        failures.push({ case: each.name, message: (error as Error).message });
        process.stdout.write(`${each.name}: no times. ${(error as Error).message}\n`);
      }
    }
    const intervals = reports.flatMap(({ report }) => report.comparisons.flatMap(({ aa }) => aa));
    const summary = {
      aaIntervals: intervals.length,
      aaIntervalsWithOne: intervals.filter(({ low, high }) => low <= 1 && high >= 1).length,
      noiseFloors: reports.flatMap(({ report }) => report.comparisons.map(({ noiseFloor }) => noiseFloor.ratio)),
      clocks: reports.map(({ case: name, report }) => ({ case: name, clocks: report.clocks })),
      overheadMicroseconds: reports.map(({ case: name, report }) => ({
        case: name,
        null: report.times.map(({ subject, nullMicroseconds }) => ({ subject, nullMicroseconds })),
      })),
    };
    const voids = reports.filter(({ report }) => report.outcome === 'void').length;
    const words = `${reports.length} of ${cases.length} cases timed, ${voids} void; ${summary.aaIntervalsWithOne} of ${summary.aaIntervals} A/A intervals contain 1`;
    // A void report over the fake driver is no fault: CPU and simulated clocks do not belong together.
    const passed = failures.length === 0 && cases.length > 0 && (place.simulated || voids === 0);
    return { passed, content: { summary, reports, failures }, words };
  },
};

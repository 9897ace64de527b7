/**
 * Honest kernels of the corpus against PyTorch eager and compiled, by the judge's whole protocol: the speedups, the A/A noise floor, how the two clocks agree, and what measuring costs by
 * itself. Over the fake driver PyTorch runs on the CPU: the two are then times of different things, and only the way is tried.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  commit,
  compareTimes,
  createOracle,
  deriveSeed,
  sourceHash,
  type TimingReport,
  timesOnGpu,
  trialPlan,
} from '../../src/judge/index.ts';
import { factsOf, prepareCandidate } from '../../src/kernel/index.ts';
import { loadCaseTask } from '../corpus-cases.ts';
import { casesOf } from './corpora.ts';
import type { Place, Stage } from './place.ts';

async function timed(place: Place, each: ReturnType<typeof casesOf>[number]) {
  const { target, opened, simulated } = place;
  const { task, full } = await loadCaseTask(each.task, join(place.cache, 'traces'));
  // Where the case is scaled for the virtual GPU, its time is that of the file's own shapes; the fake driver is the virtual GPU.
  const at = simulated ? task : (full?.task ?? task);
  const options = { arch: target.arch, facts: factsOf(target), cacheDir: join(place.cache, 'builds'), task: at };
  const candidate = await prepareCandidate(each.source, at.signature, options);
  const commitment = commit([sourceHash(each.source)]);
  const setup = timesOnGpu({
    ...{ gpu: opened, task: at, oracle: createOracle(at), folder: place.cache },
    ...(place.unknown === undefined ? { target } : {}),
  });
  const { device, floorMicroseconds } = await setup.open(candidate, deriveSeed(commitment, 'operands of timed calls'));
  const seed = randomBytes(32).toString('hex');
  const report: TimingReport = await (device.source === 'measured'
    ? compareTimes(device, { seed, floorMicroseconds })
    : compareTimes(device, { seed, plan: trialPlan }));
  return { case: each.name, task: at.name, floorMicroseconds, report };
}

export const timesStage: Stage = {
  name: 'times',
  purpose: 'speedups over PyTorch, noise floor, clocks, what measuring costs',
  run: async (place) => {
    // Submissions in Python and backward tasks have no times yet.
    const cases = casesOf(place, ['honest']).filter(({ name, task }) => !name.endsWith('.py') && !task.backward);
    const { made, left } = await place.each(
      'times',
      cases,
      ({ name }) => name,
      async (each): Promise<{ timed: Awaited<ReturnType<typeof timed>> } | { case: string; message: string }> => {
        try {
          const one = await timed(place, each);
          process.stdout.write(`${each.name}: ${one.report.outcome}. ${one.report.reason}\n`);
          return { timed: one };
        } catch (error) {
          process.stdout.write(`${each.name}: no times. ${(error as Error).message}\n`);
          return { case: each.name, message: (error as Error).message };
        }
      },
    );
    const reports = made.flatMap((one) => ('timed' in one ? [one.timed] : []));
    const failures = made.filter((one) => 'message' in one);
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
    const refused = [...new Set(reports.flatMap(({ report }) => report.refusal?.cause ?? []))].join(', ');
    const words = `${reports.length} of ${cases.length} cases timed, ${left} left, ${voids} void${refused === '' ? '' : ` (${refused})`}; ${summary.aaIntervalsWithOne} of ${summary.aaIntervals} A/A intervals contain 1`;
    // A void report over the fake driver is no fault: CPU and simulated clocks do not belong together.
    const passed = failures.length === 0 && cases.length > 0 && (place.simulated || voids === 0);
    return { passed, left, content: { summary, reports, failures }, words };
  },
};

/**
 * `scripts/on-gpu.sh`: the tests, corpora, times and calibration that need a real GPU, stage by stage. A stage that fails is reported and the next one runs; the exit code
 * is 1 then. What was done is not done again by a run into the same folder, so that several short calls do all of it. With `--at-once N` what is not timed (the corpora) is
 * shared out among N processes; `--part I/N` is how such a process is told its share. Everything goes to results/DATE-DEVICE/, one JSON file a stage with its raw samples; over
 * the fake driver to a temporary folder, each file saying so.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { wholeOption } from '../src/cli/whole-number.ts';
import { calibrationStage } from './on-gpu/calibration.ts';
import { corpusStage } from './on-gpu/corpora.ts';
import { deviceStage } from './on-gpu/device.ts';
import { optimiseStage } from './on-gpu/optimise.ts';
import { peaksStage } from './on-gpu/peaks.ts';
import { openPlace, type Place, partOf, type Stage } from './on-gpu/place.ts';
import { plotsStage } from './on-gpu/plots.ts';
import { sameStage } from './on-gpu/same.ts';
import { shortStage } from './on-gpu/short.ts';
import { testsStage } from './on-gpu/tests.ts';
import { timesStage } from './on-gpu/times.ts';
import { toolsStage } from './on-gpu/tools.ts';

const stages: readonly Stage[] = [
  ...[deviceStage, testsStage, peaksStage, shortStage, toolsStage],
  ...[corpusStage, timesStage, calibrationStage, optimiseStage, sameStage, plotsStage],
];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      gpu: { type: 'string', default: '0' },
      stages: { type: 'string', default: stages.map(({ name }) => name).join(',') },
      filter: { type: 'string', default: '' },
      most: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      seconds: { type: 'string', default: '1000000' },
      'at-once': { type: 'string', default: '1' },
      part: { type: 'string' },
    },
  });
  const wanted = values.stages.split(',');
  const unknown = wanted.find((name) => !stages.some((stage) => stage.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`There is no stage ${unknown}; there are ${stages.map(({ name }) => name).join(', ')}.\n`);
    return 2;
  }
  let place: Place;
  let [seconds, atOnce] = [0, 0];
  try {
    const { quick, filter, out } = values;
    const most = values.most === undefined ? (quick ? 2 : 1000) : wholeOption('most', values.most);
    seconds = wholeOption('seconds', values.seconds);
    atOnce = wholeOption('at-once', values['at-once']);
    place = await openPlace({
      ...{ gpu: wholeOption('gpu', values.gpu, 0), seconds, filter, most, quick, out },
      ...(values.part === undefined ? {} : { part: partOf(values.part) }),
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  process.stdout.write(`${place.device.name}: results go to ${place.folder}\n`);
  const failed: string[] = [];
  const unfinished: string[] = [];
  try {
    for (const stage of stages.filter(({ name }) => wanted.includes(name))) {
      const { passed, left } = await runStage(stage, place, atOnce, seconds);
      if (left > 0) unfinished.push(stage.name);
      if (!passed) failed.push(stage.name);
    }
  } finally {
    await place.close();
  }
  if (unfinished.length > 0)
    process.stdout.write(
      `\nNot finished: ${unfinished.join(', ')}. Run it again with --out ${place.folder} for the rest.\n`,
    );
  process.stdout.write(
    failed.length === 0
      ? `\nAll stages passed${place.simulated ? ', over the fake driver: this proves that the script runs and nothing of a GPU' : ''}.\n`
      : `\nFailed: ${failed.join(', ')}.\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** One stage, said and written; what it throws is a failure. `seconds`: from this process' beginning. */
async function runStage(
  stage: Stage,
  place: Place,
  atOnce: number,
  seconds: number,
): Promise<{ passed: boolean; left: number }> {
  process.stdout.write(`\n== ${stage.name}: ${stage.purpose}\n`);
  const started = elapsed();
  try {
    if (stage.shared) await inParts(stage, place, atOnce, seconds - elapsed());
    const { passed, left = 0, content, words } = await stage.run(place);
    place.write(stage.name, { passed, left, ...content });
    const took = (elapsed() - started).toFixed(0);
    process.stdout.write(`${words}\n${passed ? 'passed' : 'FAILED'} after ${took} s\n`);
    return { passed, left };
  } catch (error) {
    place.write(stage.name, { passed: false, error: String((error as Error).stack ?? error) });
    process.stdout.write(`FAILED: ${(error as Error).message}\n`);
    return { passed: false, left: 0 };
  }
}

/** Seconds since this process began. */
const elapsed = () => performance.now() / 1000;

/** Has a stage done by several processes at once, each with a share of it; what they leave, whoever asks does. */
async function inParts(stage: Stage, { folder, part }: Place, count: number, seconds: number): Promise<void> {
  if (count < 2 || part !== undefined) return;
  const given = process.argv.slice(2);
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      // An option that is given twice counts as it is given last.
      const own = ['--stages', stage.name, '--out', folder, `--seconds=${seconds}`, `--part=${index}/${count}`];
      const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...given, ...own], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      await once(child, 'exit');
    }),
  );
}

process.exitCode = await main();

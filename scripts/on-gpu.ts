/**
 * `scripts/on-gpu.sh`: the tests, corpora, times and calibration that need a real GPU, stage by stage. A stage that fails is reported and the next one runs; the exit code
 * is 1 then. Everything goes to results/DATE-DEVICE/, one JSON file a stage with its raw samples; over the fake driver to a temporary folder, each file saying so.
 */
import { parseArgs } from 'node:util';
import { calibrationStage } from './on-gpu/calibration.ts';
import { corpusStage } from './on-gpu/corpora.ts';
import { deviceStage } from './on-gpu/device.ts';
import { openPlace, type Place, type Stage } from './on-gpu/place.ts';
import { testsStage } from './on-gpu/tests.ts';
import { timesStage } from './on-gpu/times.ts';

const stages: readonly Stage[] = [deviceStage, testsStage, corpusStage, timesStage, calibrationStage];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      gpu: { type: 'string', default: '0' },
      stages: { type: 'string', default: stages.map(({ name }) => name).join(',') },
      filter: { type: 'string', default: '' },
      most: { type: 'string', default: '1000' },
    },
  });
  const wanted = values.stages.split(',');
  const unknown = wanted.find((name) => !stages.some((stage) => stage.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`There is no stage ${unknown}; there are ${stages.map(({ name }) => name).join(', ')}.\n`);
    return 2;
  }
  let place: Place;
  try {
    place = await openPlace({ gpu: Number(values.gpu), filter: values.filter, most: Number(values.most) });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  process.stdout.write(`${place.device.name}: results go to ${place.folder}\n`);
  const failed: string[] = [];
  try {
    for (const stage of stages.filter(({ name }) => wanted.includes(name))) {
      process.stdout.write(`\n== ${stage.name}: ${stage.purpose}\n`);
      const started = performance.now();
      try {
        const { passed, content, words } = await stage.run(place);
        place.write(stage.name, { passed, ...content });
        if (!passed) failed.push(stage.name);
        const seconds = ((performance.now() - started) / 1000).toFixed(0);
        process.stdout.write(`${words}\n${passed ? 'passed' : 'FAILED'} after ${seconds} s\n`);
      } catch (error) {
        failed.push(stage.name);
        place.write(stage.name, { passed: false, error: String((error as Error).stack ?? error) });
        process.stdout.write(`FAILED: ${(error as Error).message}\n`);
      }
    }
  } finally {
    await place.close();
  }
  process.stdout.write(
    failed.length === 0
      ? `\nAll stages passed${place.simulated ? ', over the fake driver: this proves that the script runs and nothing of a GPU' : ''}.\n`
      : `\nFailed: ${failed.join(', ')}.\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();

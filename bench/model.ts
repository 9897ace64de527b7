/**
 * How good the time model is: reads measured times from `results/`, fits the model's constants for each GPU, and scores it
 * with its defaults, fitted, and on each run when fitted to the others. Prints the constants to put into
 * `src/vgpu/model/targets.ts`. Without measurements it says so and ends well.
 *
 *     npm run bench:model [folder or file ...]
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  BadMeasurements,
  defaultConstants,
  fitConstants,
  gpuTarget,
  type MeasuredRun,
  parseMeasurements,
  predict,
  predictLeftOut,
  type Score,
  score,
} from '../src/vgpu/index.ts';

const places = process.argv.length > 2 ? process.argv.slice(2) : ['results'];

function filesOf(place: string): string[] {
  if (!existsSync(place)) return [];
  if (statSync(place).isFile()) return [place];
  return readdirSync(place, { recursive: true })
    .map((name) => join(place, String(name)))
    .filter((name) => name.endsWith('.json'))
    .sort();
}

function line(name: string, { runs, spearman, pairwiseOrder, medianError, inInterval }: Score): string {
  const part = (value: number): string => (Number.isNaN(value) ? '-' : `${(100 * value).toFixed(0)} %`);
  const rank = Number.isNaN(spearman) ? '-' : spearman.toFixed(2);
  const cells = [name, `${runs}`, rank, part(pairwiseOrder), part(medianError), part(inInterval)];
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(14))).join('');
}

function main(): number {
  const runs: MeasuredRun[] = [];
  for (const file of places.flatMap(filesOf)) {
    try {
      runs.push(...parseMeasurements(readFileSync(file, 'utf8'), file));
    } catch (error) {
      if (!(error instanceof BadMeasurements)) throw error;
      console.error(error.message);
      return 2;
    }
  }
  if (runs.length === 0) {
    console.log(
      `There are no measured times in ${places.join(', ')}: the model's constants are its defaults and nothing is known of its error. ` +
        'src/vgpu/model/measurements.ts says what a file of measurements is.',
    );
    return 0;
  }
  for (const gpu of [...new Set(runs.map((run) => run.gpu))].sort()) {
    const target = gpuTarget(gpu);
    const own = runs.filter((run) => run.gpu === gpu);
    const fitted = fitConstants(own, target);
    console.log(`${target.name}`);
    console.log(
      ['constants', 'runs', 'Spearman', 'pairs in order', 'median error', 'in interval']
        .map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(14)))
        .join(''),
    );
    console.log(line('defaults', score(predict(own, target, defaultConstants))));
    console.log(line('fitted', score(predict(own, target, fitted))));
    console.log(line('fitted to the others', score(predictLeftOut(own, target))));
    const text = Object.entries(fitted).map(([name, value]) => `${name}: ${Number(value.toPrecision(3))}`);
    console.log(`fitted: { ${text.join(', ')} }\n`);
  }
  return 0;
}

process.exitCode = main();

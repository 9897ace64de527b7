/**
 * How near to the floor the built-in engineer's kernels come at a file's own shapes: for each task of a KernelBench level the modelled time of its starting
 * choices and of some variations of the best, as a percentage of the floor, and what limits it. Nothing is judged here: times alone.
 *
 *     npm run bench:floor -- DIR [--level 1] [--only REGEXP] [--starts 8] [--vary 0] [--gpu h100] [--precision fp32] [--jobs 1] [--cache FOLDER] [--keep FOLDER] [--all]
 *
 * DIR is a KernelBench checkout. `--starts 3`: so many of the first templates. `--vary 6`: so many changes of a knob, one after the other, each of the best so far.
 * `--all`: a line for every candidate. `--keep`: writes the best candidates there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  createBuiltinEngineer,
  LoweringError,
  type Proposal,
  Random,
  type SearchRecord,
} from '../src/engineer/index.ts';
import { JudgementBench } from '../src/engineer/run/bench.ts';
import { loadVerified, type PrecisionPolicy, TaskError } from '../src/task/index.ts';
import { gpuTarget, type ModelledTime } from '../src/vgpu/index.ts';
import { taskFiles } from './tasks/files.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    level: { type: 'string', default: '1' },
    only: { type: 'string' },
    starts: { type: 'string', default: '8' },
    vary: { type: 'string', default: '0' },
    gpu: { type: 'string', default: 'h100' },
    precision: { type: 'string', default: 'fp32' },
    jobs: { type: 'string', default: '1' },
    cache: { type: 'string', default: '.assay' },
    keep: { type: 'string' },
    all: { type: 'boolean', default: false },
  },
});

interface Timed {
  proposal: Proposal;
  modelled: ModelledTime;
}

interface Row {
  name: string;
  refused?: string;
  floorMicroseconds?: number;
  best?: Timed;
  tried: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
const microseconds = (value: number) => `${value.toPrecision(4)} us`;

/** The longest three resources of a time, in words. */
function limits({ resources = [] }: ModelledTime): string {
  return resources
    .slice(0, 3)
    .map(({ name, microseconds: own }) => `${name} ${microseconds(own)}`)
    .join('; ');
}

/** Ranks a task's candidates by their modelled time. A task that cannot be traced or lowered is a row with the reason. */
async function timesOf(path: string): Promise<Row> {
  const name = basename(path, '.py');
  const row: Row = { name, tried: 0 };
  const { gpu, cache } = options;
  try {
    const precision = options.precision as PrecisionPolicy;
    const { task: whole, verified: task } = await loadVerified(path, { cacheDir: join(cache, 'traces'), precision });
    const full = task === whole || task.scaled.length === 0 ? undefined : whole;
    const engineer = createBuiltinEngineer({ task, full, target: gpuTarget(gpu) });
    const rows = 'nothing is judged here';
    const bench = new JudgementBench({
      ...{ task, gpu, cacheDir: join(cache, 'builds'), devices: 1 },
      full: full && { task: full, rows },
    });
    row.floorMicroseconds = bench.floor.microseconds;
    const tryOut = async (proposal: Proposal) => {
      const ranked = await bench.rank(proposal.source);
      bench.forget(proposal.source);
      row.tried++;
      if (!ranked) return;
      const { modelled } = ranked;
      const time = modelled.microseconds;
      if (options.all)
        say(
          `  ${((100 * bench.floor.microseconds) / time).toFixed(1)} % ${microseconds(time)} ${proposal.summary}: ${limits(modelled)}`,
        );
      if (!row.best || time < row.best.modelled.microseconds) row.best = { proposal, modelled };
    };
    try {
      for (const proposal of (await engineer.start()).slice(1, 1 + Number(options.starts))) await tryOut(proposal);
      for (let round = 0; round < Number(options.vary) && row.best; round++) {
        const parent: SearchRecord = {
          ...row.best.proposal,
          id: 'best',
          number: 1,
          generation: 0,
          engineer: 'builtin',
        };
        const next = await engineer.vary('change a knob', [parent], new Random(name, round));
        if (next) await tryOut(next);
      }
    } finally {
      await bench.close();
    }
  } catch (error) {
    if (!(error instanceof LoweringError) && !(error instanceof TaskError)) throw error;
    row.refused = error.message;
  }
  return row;
}

function print({ name, refused, floorMicroseconds, best, tried }: Row): void {
  if (!best) {
    say(`${name}: ${refused ?? `no time of ${tried} candidates`}`);
    return;
  }
  const { modelled, proposal } = best;
  const percent = (100 * floorMicroseconds!) / modelled.microseconds;
  say(
    `${percent.toFixed(1).padStart(5)} % ${name}: ${microseconds(modelled.microseconds)}, floor ${microseconds(floorMicroseconds!)} | ${proposal.summary} | ${limits(modelled)}`,
  );
  if (options.keep) writeFileSync(join(options.keep, `${name}.cu`), proposal.source);
}

async function main(): Promise<number> {
  const [directory] = positionals;
  if (directory === undefined) {
    process.stderr.write('Give the folder of a KernelBench checkout: npm run bench:floor -- DIR\n');
    return 2;
  }
  if (options.keep) mkdirSync(options.keep, { recursive: true });
  const only = options.only === undefined ? undefined : new RegExp(options.only);
  const files = options.level.split(',').flatMap((level) => taskFiles(directory, Number(level), only));
  const rows: Row[] = [];
  const worker = async () => {
    for (let file = files.shift(); file; file = files.shift()) {
      const row = await timesOf(file.path);
      rows.push(row);
      print(row);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(options.jobs) || 1) }, worker));
  const reached = rows.flatMap(({ floorMicroseconds, best }) =>
    best ? [(100 * floorMicroseconds!) / best.modelled.microseconds] : [],
  );
  const above = reached.filter((percent) => percent >= 85).length;
  say(
    `${rows.length} tasks; ${reached.length} with a time on ${gpuTarget(options.gpu).name}; ${above} at 85 % of the floor or more`,
  );
  return 0;
}

process.exitCode = await main();

/**
 * `npm run public-cuda -- llmc|samples DIR`: CUDA written by others, as they wrote it. DIR is a checkout of llm.c or of
 * NVIDIA's cuda-samples. Prints for each file whether nvcc compiles it and whether the virtual GPU takes all of it, and
 * for each kernel that a drive knows whether its answer is right, with races on. Exit code 1 when anything falls short.
 *
 * Options: --home DIR (where PTX is kept between runs), --only TEXT (files whose path contains it), --jobs N (compilers
 * at a time), --load-only, --drive-only, --quiet (only what falls short).
 */
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PtxError, VirtualGpu } from '../src/vgpu/index.ts';
import { type CompileRequest, compileFile } from './public-cuda/compile.ts';
import { LLMC } from './public-cuda/llmc.ts';
import { Accused, type FileDrives, Rig, WrongAnswer } from './public-cuda/rig.ts';
import { SAMPLES } from './public-cuda/samples.ts';
import { writeStandIns } from './public-cuda/stand-ins.ts';

interface Collection {
  /** Folders of the checkout that compilers look for headers in. */
  readonly includes: readonly string[];
  readonly flags: readonly string[];
  readonly drives: readonly FileDrives[];
}

const COLLECTIONS: Readonly<Record<string, Collection>> = {
  llmc: { includes: ['.'], flags: ['--use_fast_math'], drives: LLMC },
  samples: { includes: ['Common'], flags: [], drives: SAMPLES },
};

type Outcome = 'right' | 'fault' | 'wrong' | 'accused' | 'failed';

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      home: { type: 'string', default: join(homedir(), '.cache', 'assay', 'public-cuda') },
      only: { type: 'string', default: '' },
      jobs: { type: 'string', default: '1' },
      'load-only': { type: 'boolean', default: false },
      'drive-only': { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  });
  const [name = '', folder = ''] = positionals;
  const collection = COLLECTIONS[name];
  if (!collection || folder === '') {
    process.stderr.write('Say which collection and where its checkout is: npm run public-cuda -- llmc|samples DIR\n');
    return 2;
  }
  const root = resolve(folder);
  const home = resolve(values.home);
  const common = {
    includeFolders: [...collection.includes.map((each) => join(root, each)), writeStandIns(root, join(home, name))],
    cache: join(home, 'ptx'),
  };
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.cu') && file.includes(values.only))
    .sort();
  if (files.length === 0)
    throw new Error(`${folder} has no .cu files with ${JSON.stringify(values.only)} in their paths`);
  const request = (file: string, drives?: FileDrives): CompileRequest => ({
    ...common,
    file: join(root, file),
    append: drives?.append,
    flags: [...collection.flags, ...(drives?.flags ?? [])],
  });
  const say = (short: boolean, text: string) => {
    if (short || !values.quiet) process.stdout.write(`${text}\n`);
  };

  const loads = { compiled: 0, loaded: 0 };
  await each(values['drive-only'] ? [] : files, Number(values.jobs), async (file) => {
    const compiled = await compileFile(request(file));
    if ('error' in compiled) return say(false, `no PTX    ${file}: ${compiled.error}`);
    loads.compiled++;
    const reason = whyNotLoaded(compiled.ptx, file);
    if (reason === undefined) loads.loaded++;
    say(reason !== undefined, reason === undefined ? `loads     ${file}` : `REFUSED   ${file}: ${reason}`);
  });

  const counts: Record<Outcome, number> = { right: 0, fault: 0, wrong: 0, accused: 0, failed: 0 };
  for (const drives of values['load-only'] ? [] : collection.drives.filter(({ file }) => file.includes(values.only))) {
    const compiled = await compileFile(request(drives.file, drives));
    for (const kernel of Object.keys(drives.drives)) {
      const started = performance.now();
      const [outcome, text] =
        'error' in compiled ? (['failed', compiled.error] as const) : run(compiled.ptx, drives, kernel);
      counts[outcome]++;
      const milliseconds = (performance.now() - started).toFixed(0).padStart(6);
      const good = outcome === 'right' || outcome === 'fault';
      const shown = good ? outcome : outcome.toUpperCase();
      say(!good, `${shown.padEnd(8)} ${milliseconds} ms  ${drives.file}: ${kernel}: ${text}`);
    }
  }
  const share = ((100 * loads.loaded) / Math.max(loads.compiled, 1)).toFixed(1);
  const loaded = `${name}: ${files.length} files; nvcc compiles ${loads.compiled}; of these ${loads.loaded} load with nothing unsupported (${share} %)`;
  const driven = `drives: ${counts.right} right, ${counts.fault} with a fault of their own that was found, ${counts.wrong} wrong, ${counts.accused} accused, ${counts.failed} that could not be run`;
  if (!values['drive-only']) process.stdout.write(`\n${loaded}\n`);
  if (!values['load-only']) process.stdout.write(`${driven}\n`);
  const short = counts.wrong + counts.accused + counts.failed > 0 || loads.loaded < 0.95 * loads.compiled;
  return short ? 1 : 0;
}

/** Runs a task for each item, some at a time, in order. */
async function each<T>(items: readonly T[], jobs: number, task: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: Math.max(1, jobs) }, async () => {
      for (const item of queue) await task(item);
    }),
  );
}

let loader: VirtualGpu | undefined;

/** The first thing in a module that the virtual GPU does not take; undefined when it takes everything. */
function whyNotLoaded(ptx: string, name: string): string | undefined {
  loader ??= new VirtualGpu();
  loader.reset();
  try {
    const [first] = loader.load(ptx, { name }).unsupported;
    return first && `${first.reason}: ${first.text}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function run(ptx: string, drives: FileDrives, name: string): [Outcome, string] {
  const fault = drives.faults?.[name];
  let rig: Rig | undefined;
  try {
    rig = new Rig(ptx, drives, name);
    drives.drives[name]!(rig);
    if (rig.compared === 0) return ['failed', 'the drive compared nothing'];
    if (fault) return rig.faultSeen ? ['fault', fault.why] : ['failed', `not found: ${fault.why}`];
    return ['right', `${rig.compared} numbers (${[...rig.executors].join(', ')})`];
  } catch (error) {
    // What a race makes of the answer is up to the schedule.
    if (error instanceof WrongAnswer && fault && rig?.faultSeen)
      return ['fault', `${fault.why}; in this schedule ${error.message}`];
    if (error instanceof WrongAnswer) return ['wrong', error.message];
    if (error instanceof Accused) return ['accused', error.message];
    if (error instanceof PtxError) return ['failed', `unsupported: ${error.message}`];
    if (error instanceof Error) return ['failed', error.message];
    throw error;
  }
}

process.exitCode = await main();

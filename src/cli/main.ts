/** The command line: what was asked for, handed to a command; errors as sentences; exit codes. */
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { gpuTargets } from '../vgpu/index.ts';
import { archiveBest, archiveExport, archiveLs, archiveShow } from './commands/archive.ts';
import { audit } from './commands/audit.ts';
import { bench } from './commands/bench.ts';
import { checks } from './commands/checks.ts';
import { doctor } from './commands/doctor.ts';
import { inspect } from './commands/inspect.ts';
import { judge } from './commands/judge.ts';
import { mcp } from './commands/mcp.ts';
import { optimize, searchSeconds } from './commands/optimize.ts';
import { plan } from './commands/plan.ts';
import { reproduce } from './commands/reproduce.ts';
import { sanitize } from './commands/sanitize.ts';
import { withDevice } from './devices.ts';
import { sentenceOf } from './failure.ts';
import { withModels } from './model-options.ts';
import { placesIn } from './places.ts';
import { taking, takingOption } from './task-options.ts';
import { version } from './version.ts';
import { whole } from './whole-number.ts';

const count = whole(1);

/** Milliseconds within which a second signal to stop is the first one, told twice. */
const SAME_INTERRUPTION = 500;

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number of seconds greater than 0.');
  return value;
}

function percent(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && Number.isFinite(value))) throw new InvalidArgumentError('It must be a percentage of at least 0.');
  return value;
}

/** `150x` or `150`. */
function ratio(text: string): number {
  const value = Number(text.replace(/x$/i, ''));
  if (!(value > 0 && Number.isFinite(value)))
    throw new InvalidArgumentError('It must be a ratio greater than 0, such as 150x.');
  return value;
}

/** `1.2ms`, `40us`, `3s`, in microseconds. */
function duration(text: string): number {
  const [, number, unit] = /^([0-9.]+)\s*(us|\u00b5s|ms|s)$/.exec(text) ?? [];
  const value = Number(number) * (unit === 's' ? 1e6 : unit === 'ms' ? 1e3 : 1);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a time with its unit, such as 1.2ms or 40us.');
  return value;
}

const collect = (text: string, sofar: readonly string[]): readonly string[] => [...sofar, text];

const gpu = () => new Option('--gpu <id>', 'target GPU').choices(gpuTargets.map(({ id }) => id)).default('h100');
const json = () => new Option('--json', 'print one JSON object on standard output and nothing else').default(false);

/** Runs the command line and gives the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const interruption = new AbortController();
  let asked = 0;
  const interrupt = () => {
    // The first Ctrl-C stops cleanly; a second one ends at once. What comes with the first is the same one: a terminal tells a bench and the runs it started, and so does the bench.
    if (interruption.signal.aborted && performance.now() - asked > SAME_INTERRUPTION) process.exit(130);
    if (interruption.signal.aborted) return;
    asked = performance.now();
    interruption.abort(new Error('interrupted'));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const run = async (work: Promise<number>) => {
    exitCode = await work;
  };

  const program = new Command('assay')
    .description('An AI CUDA engineer whose results can be believed.')
    .version(version)
    .option(
      '--home <folder>',
      'where traces, builds, evidence and the archive are kept',
      process.env.ASSAY_HOME ?? '.assay',
    )
    .option(
      '--archive <where>',
      'the archive: a folder, or a postgres:// address (default: the home folder)',
      process.env.ASSAY_ARCHIVE,
    )
    .showHelpAfterError('(assay --help lists the commands)')
    .exitOverride();
  const places = () => {
    const { home, archive } = program.opts<{ home: string; archive?: string }>();
    return placesIn(home, archive);
  };

  withModels(withDevice(taking(program.command('optimize'))))
    .description('PyTorch in, the best verified CUDA kernel out, with the evidence')
    .option(
      '--budget <seconds>',
      `time to search for (default ${searchSeconds.cold}; ${searchSeconds.warm} after an earlier run of the same task)`,
      seconds,
    )
    .option('--judgements <count>', 'most candidates to judge in full', count, 60)
    .option('--headroom <percent>', 'good enough: so far above the floor (speed of light)', percent, 5)
    .option(
      '--patience <count>',
      'generations without a better kernel to stop after (default 4; 1 after an earlier run)',
      count,
    )
    .option(
      '--workers <count>',
      'candidates at the same time; with 1 a seed gives the same run again',
      count,
      availableParallelism(),
    )
    .option('--seed <number>', 'seed of the search (not of the judge)', count, 1)
    .option('--resume', 'go on with the last run of this task that was cut off', false)
    .option('--output <file>', 'where to write the best kernel (default: in the run folder)')
    .addOption(json())
    .action((task, options) => run(optimize(task, options, places(), interruption.signal)));
  withDevice(taking(program.command('judge')))
    .description('is this kernel right? A verdict with reasons (exit code 0 accepted, 1 rejected, 2 not judged)')
    .argument(
      '<kernel>',
      'CUDA C++ in the form of a PyTorch extension, Python with ModelNew, or PTX with a launch description',
    )
    .option('--timing', 'say where the time went', false)
    .addOption(json())
    .action((task, kernel, options) => run(judge(task, kernel, options, places(), interruption.signal)));
  withDevice(taking(program.command('audit')))
    .description(
      'was that published speedup true? (exit code 0 it stands, 1 it is false or smaller, 2 it is open or cannot be judged)',
    )
    .argument('<kernel>', 'a candidate, as for judge')
    .requiredOption('--claim <ratio>', 'the speedup that was published, e.g. 150x', ratio)
    .option('--baseline <time>', "PyTorch's time that was published with it, e.g. 1.2ms", duration)
    .addOption(json())
    .action((task, kernel, options) => run(audit(task, kernel, options, places(), interruption.signal)));
  withDevice(program.command('reproduce'))
    .description(
      'judge again what an evidence.json says was judged, and say what agrees (exit code 0 the same verdict, 1 another)',
    )
    .argument('<evidence.json>', 'evidence that a judgement wrote')
    .addOption(json())
    .action((file, options) => run(reproduce(file, options, places(), interruption.signal)));
  program
    .command('checks')
    .description('what the judge asks of a candidate, and which cheats and faults each question exists for')
    .addOption(json())
    .action((options) => {
      exitCode = checks(options);
    });
  takingOption(program.command('plan'))
    .description(
      "what a kernel's host function does for a task's shapes: launches, buffers, fills, copies; nothing is run",
    )
    .argument('<kernel>', 'a candidate, as for judge')
    .addOption(gpu())
    .addOption(json())
    .action((kernel, options) => run(plan(kernel, options, places(), interruption.signal)));
  taking(program.command('task').description('about a task file').command('inspect'))
    .description(
      'print its graph, the signature a candidate must have, its floor, and which wrong answers it can tell from right ones',
    )
    .addOption(gpu())
    .option('--no-mutants', 'do not put wrong variants of the task to its checks')
    .addOption(json())
    .action((task, options) => run(inspect(task, options, places(), interruption.signal)));
  program
    .command('sanitize')
    .description(
      'memory errors, races, bad barriers in any CUDA kernel, with no GPU (exit code 0 nothing found, 1 findings, 2 not run)',
    )
    .argument('[kernel.cu]', 'CUDA C++; a header in its first comment may name the launch')
    .option('--ptx <file>', 'run this PTX (the CUDA file, if given too, is its source)')
    .option('--kernel <name>', 'the kernel to run (default: every kernel whose launch the header names)')
    .option('--launch <shape>', "e.g. '<<<(64, 2), 256, 1024>>>'")
    .option('--arguments <list>', "e.g. 'x: const float[1000] = ramp, y: float[1000], n: int = 1000'")
    .addOption(
      new Option('--arch <name>', 'architecture to compile for')
        .choices(['sm_75', 'sm_80', 'sm_86', 'sm_89', 'sm_90', 'sm_90a'])
        .default('sm_90a'),
    )
    .option('-I, --include <folder>', 'a folder of headers that the file includes (may be repeated)', collect, [])
    .option('-D, --define <name>', 'a macro, NAME or NAME=VALUE (may be repeated)', collect, [])
    .option('--no-races', 'do not look for races')
    .option('--schedules <count>', 'run under this many schedules and compare the results', count)
    .option('--budget <instructions>', 'thread-instructions after which a launch is taken not to end', count)
    .option('--first', 'stop a launch at its first finding', false)
    .option('--sarif <file>', 'write the findings as SARIF 2.1.0')
    .addOption(json())
    .action((file, options) => run(sanitize(file, options, places(), interruption.signal)));
  program
    .command('bench')
    .description(
      'every task of a folder through `optimize`: a table, a page, and what it comes to (exit code 0 all correct)',
    )
    .argument('<folder>', "task files in KernelBench's form and folders in robust-kbench's, however deep")
    .argument('[options...]', 'after --: options of `assay optimize`, for every task')
    .option('--budget <seconds>', 'time to search for, each task', seconds, 30)
    .option(
      '--scale <operations>',
      'verify at shapes that need at most this many operations; times are of the own shapes',
      count,
      150_000,
    )
    .option('--at-once <count>', 'tasks at the same time (1 where a GPU takes times)', count, availableParallelism())
    .option('--only <text>', 'tasks whose path has this in it')
    .option('--resume', 'go on with what an interrupted bench of this folder and these options left', false)
    .option('--report <file>', 'where to write the page (default: in the home folder)')
    .addOption(json())
    .action((folder, more, options) => run(bench(folder, more, options, places(), interruption.signal)));
  const archive = program.command('archive').description('what was tried, what became of it, and what was best');
  archive
    .command('ls')
    .description('the tasks, with how much was tried and the best time')
    .addOption(gpu())
    .addOption(json())
    .action((options) => run(archiveLs(options, places())));
  archive
    .command('show')
    .description('a task, a run, or a candidate with its verdict, lineage and source')
    .argument('<name>', "a task's name or the start of its hash, a run, or a candidate")
    .addOption(gpu())
    .addOption(json())
    .action((name, options) => run(archiveShow(name, options, places())));
  archive
    .command('best')
    .description('the fastest correct candidates of a task (exit code 1 where there is none)')
    .argument('<task>', "a task's name or the start of its hash")
    .option('--most <count>', 'how many', count, 5)
    .option('--output <file>', "where to write the best one's source")
    .addOption(gpu())
    .addOption(json())
    .action((task, options) => run(archiveBest(task, options, places())));
  archive
    .command('export')
    .description(
      'write all candidates for others: JSON Lines (a name that ends in .jsonl), or a folder with sources and evidence',
    )
    .argument('<to>', 'a file or a folder')
    .option('--task <task>', 'of this task alone')
    .addOption(json())
    .action((to, options) => run(archiveExport(to, options, places())));
  program
    .command('mcp')
    .description('tools for a coding agent (MCP): on standard input and output, or over HTTP on this machine')
    .option('--http', 'serve over HTTP on 127.0.0.1; the token is ASSAY_MCP_TOKEN, or a new one that is printed', false)
    .option('--port <number>', 'port of --http (default: one that is free)', whole(0), 0)
    .option('--root <folder>', 'the folder that task files are in', '.')
    .option('--judgements <count>', 'most judgements that agents may ask for, runs included', count, 200)
    .action((options) => run(mcp(options, places(), interruption.signal)));
  program
    .command('doctor')
    .description('what this machine has, what each thing is for, and how to get what is missing')
    .addOption(json())
    .action((options) => run(doctor(options)));

  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const message = sentenceOf(error);
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: message })}\n`);
    else process.stderr.write(`assay: ${message}\n`);
    return interruption.signal.aborted ? 130 : 2;
  }
}

// Whoever reads our output may stop early, as `head` does: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(process.exitCode ?? 0);
});

// No `await` here: the program is built as one CommonJS file (scripts/programs.mjs), which cannot wait at its top.
void main(process.argv).then((code) => {
  process.exitCode = code;
});

/** `assay optimize task.py`: PyTorch in, the best verified CUDA kernel out, with the evidence. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { openArchive } from '../../archive/index.ts';
import { agentName, type OptimisedTask, optimiseTask } from '../../engineer/index.ts';
import { EventStream } from '../../events/index.ts';
import { evidencePage, speedInWords } from '../../judge/index.ts';
import { type FullTask, specText, type Task, TaskError, VERIFIED_SCALE, workOf } from '../../task/index.ts';
import { gpuTarget } from '../../vgpu/index.ts';
import { type DeviceOptions, type Devices, openDevices } from '../devices.ts';
import { engineersFor, type ModelOptions } from '../model-options.ts';
import type { Places } from '../places.ts';
import { type TaskOptions, taskFrom } from '../task-options.ts';
import { type Colours, coloursFor } from '../terminal/colour.ts';
import { printable, significant, time, wrap } from '../terminal/format.ts';
import { OptimizeView } from '../terminal/optimize-view.ts';
import { Painter } from '../terminal/painter.ts';
import { speedLines, speedOf } from '../terminal/speed.ts';

export interface OptimizeOptions extends TaskOptions, DeviceOptions, ModelOptions {
  /** Seconds; {@link searchSeconds} where none are given. */
  budget?: number;
  judgements: number;
  seed: number;
  /** Percent above the floor at which it is good enough. */
  headroom: number;
  patience?: number;
  workers: number;
  resume: boolean;
  output?: string;
  json: boolean;
}

/**
 * How long is searched where nobody says: from nothing, and from what an earlier run of the task found. With what comes before and after (tracing, the winner's
 * confirmation) the first takes under a minute on two cores; the second is for who asks once more, not for who wants more.
 */
export const searchSeconds = { cold: 35, warm: 6 };

/** What was written for the winner. */
interface Written {
  kernel: string;
  evidence: string;
  page: string;
}

/** Searches, writes the best kernel and its evidence, prints a summary. Exit code 0 with a verified kernel, 1 without, 130 interrupted. */
export async function optimize(
  taskFile: string,
  options: OptimizeOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const colours = coloursFor(process.stdout);
  const events = new EventStream();
  const view = options.json ? undefined : new OptimizeView(new Painter(process.stdout), colours, options.budget);
  if (view) events.subscribe((event) => view.on(event));
  const devices = await openDevices(options, places, signal);
  try {
    events.emit({ type: 'note', level: 'info', message: devices.words });
    const { task, full } = await traced(taskFile, options, places, events, devices);
    const archive = await openArchive(places.archive);
    try {
      if (options.resume && !(await archive.unfinishedRun(task.hash, devices.gpu, agentName))) {
        events.emit({
          type: 'note',
          level: 'info',
          message: 'No run of this task was cut off: a new one begins, from what earlier ones found.',
        });
      }
      const result = await optimiseTask({
        ...{ task, full, archive, events, signal, concurrency: options.workers },
        ...{
          gpu: devices.gpu,
          hardware: devices.hardware,
          seed: options.seed,
          resume: options.resume,
          cacheDir: places.builds,
        },
        engineers: engineersFor(options, options.budget ?? searchSeconds.cold),
        budget: {
          ...(options.budget === undefined
            ? { seconds: searchSeconds.cold, warmSeconds: options.model ? undefined : searchSeconds.warm }
            : { seconds: options.budget }),
          ...{ judgements: options.judgements, patience: options.patience },
          withinFloor: 1 + options.headroom / 100,
        },
      });
      const written = result.best && write(result, result.best, options, places);
      view?.close();
      if (options.json) process.stdout.write(`${JSON.stringify(report(task, result, written, devices), null, 2)}\n`);
      else print(result, written, devices, colours, taskFile);
      if (result.stopped === 'interrupted') return 130;
      return written ? 0 : 1;
    } finally {
      await archive.close();
    }
  } finally {
    view?.close();
    await devices.close();
  }
}

/**
 * Elements and operations of one evaluation up to which a task is verified at its file's own shapes where nobody gave a scale. The reference takes a second
 * or so for as many, in which nothing else is done, not even for Ctrl-C; and a judgement asks for it tens of times.
 */
const MOST_UNSCALED = 1e9;

/** The task; where its reference would take minutes and no GPU is there to time it, at shapes at which it takes seconds: its times are of the file's own all the same. */
async function loadedFrom(
  file: string,
  options: OptimizeOptions,
  places: Places,
  events: EventStream,
  { hardware }: Devices,
): Promise<{ task: Task; full?: FullTask }> {
  const loaded = await taskFrom(file, options, places);
  const work = workOf(loaded.task.graph);
  if (options.scale !== undefined || work <= MOST_UNSCALED) return loaded;
  const takes = `One evaluation of the reference takes ${significant(work / 1e9)} thousand million operations at the file's own shapes`;
  const note = (message: string) => events.emit({ type: 'note', level: 'info', message });
  const slow = `${takes}, and a judgement is silent for minutes`;
  if (hardware !== undefined) {
    note(`${slow}: give --scale ${VERIFIED_SCALE} for smaller ones.`);
    return loaded;
  }
  try {
    const smaller = await taskFrom(file, { ...options, scale: VERIFIED_SCALE }, places);
    note(
      `${takes}: kernels are verified at smaller ones, and a few of their blocks and all times are of the file's own. Give --scale ${Math.ceil(work)} to have it otherwise.`,
    );
    return smaller;
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    note(`${slow}. ${error.message}`);
    return loaded;
  }
}

async function traced(
  file: string,
  options: OptimizeOptions,
  places: Places,
  events: EventStream,
  devices: Devices,
): Promise<{ task: Task; full?: FullTask }> {
  const started = performance.now();
  const loaded = await loadedFrom(file, options, places, events, devices);
  const { task } = loaded;
  const ms = performance.now() - started;
  const { graph, signature, name, scaled } = task;
  const inputs = signature.tensors.map((tensor) => `${tensor.name} ${specText(tensor.spec)}`);
  const operators = graph.nodes.map(({ op }) => op);
  events.emit({ type: 'task.traced', task: name, operators, inputs, outputs: signature.outputs.map(specText), ms });
  if (task.mode === 'eval')
    events.emit({ type: 'note', level: 'info', message: 'mode    evaluation, as `model.eval()` leaves the model' });
  if (scaled.length > 0) {
    const changes = scaled.map((change) => `${change.name} ${change.from} -> ${change.to}`).join(', ');
    events.emit({ type: 'note', level: 'info', message: `scaled  ${changes}` });
  }
  return loaded;
}

function write(
  { run }: OptimisedTask,
  { record, evidence }: NonNullable<OptimisedTask['best']>,
  { output }: OptimizeOptions,
  places: Places,
): Written {
  const folder = join(places.runs, run);
  mkdirSync(folder, { recursive: true });
  const written = {
    kernel: output ?? join(folder, 'best.cu'),
    evidence: join(folder, 'evidence.json'),
    page: join(folder, 'evidence.html'),
  };
  writeFileSync(written.kernel, record.source);
  writeFileSync(written.evidence, `${JSON.stringify(evidence, null, 2)}\n`);
  writeFileSync(written.page, evidencePage(evidence));
  return written;
}

const noClaim =
  'Nothing was measured. The times are modelled on a virtual GPU, and no speedup over PyTorch is claimed.';

/** What is said of speed at the end: the claim, or why there is none. */
function speedRemark({ best, objective }: OptimisedTask): string {
  const timing = best?.evidence.timing;
  if (timing !== undefined) return speedInWords(timing);
  return objective.kind === 'modelled'
    ? noClaim
    : `No speed is claimed: ${best === undefined ? 'there is no kernel' : 'no times against baselines were asked for'}.`;
}

/** What `--json` prints. */
function report(task: Task, result: OptimisedTask, written: Written | undefined, devices: Devices) {
  const { run, resumed, stopped, seconds, floor, best, directMicroseconds } = result;
  const { judged, correct, rejected, passedOver, spent, objective } = result;
  const timing = best?.evidence.timing;
  const microseconds = best && timeOf(best);
  return {
    task: { name: task.name, hash: task.hash, mode: task.mode, scaled: task.scaled },
    run: { id: run, resumed, stopped, seconds, judged, correct, rejected, passedOver, models: spent },
    floor,
    best: best && {
      candidate: best.record.id,
      summary: best.record.summary,
      engineer: best.record.engineer,
      parents: best.record.parents,
      ...written,
      modelled: best.modelled,
      [objective.kind]: objective.kind === 'modelled' ? best.modelled : best.alone,
      percentOfFloor: objective.kind === 'simulated' ? undefined : (100 * floor.microseconds) / microseconds!,
      timesFasterThanDirectTranslation: directMicroseconds && directMicroseconds / microseconds!,
      speed: timing && speedOf(timing),
    },
    directTranslationMicroseconds: directMicroseconds,
    times: objective,
    devices: devices.words,
    measured: objective.kind === 'measured',
    speedupClaimed: timing?.claim ? timing.claim.speedup : null,
    remark: speedRemark(result),
  };
}

/** The winner's time of the kind that the search went by, microseconds. */
function timeOf({ modelled, alone }: NonNullable<OptimisedTask['best']>): number {
  return alone?.medianMicroseconds ?? modelled.microseconds;
}

function print(
  result: OptimisedTask,
  written: Written | undefined,
  devices: Devices,
  colours: Colours,
  taskFile: string,
): void {
  const { floor, best, directMicroseconds, judged, correct, rejected, passedOver } = result;
  const { stopped, seconds, run, objective, spent } = result;
  const out = (line = '') => process.stdout.write(`${line}\n`);
  const row = (name: string, text: string) => out(`${name.padEnd(15)}${wrap(printable(text), 64, ' '.repeat(15))}`);
  out();
  if (!best || !written) {
    const interrupted = 'Interrupted before the best kernel so far was confirmed on seeds of its own.';
    out(colours.bad(stopped === 'interrupted' ? interrupted : 'No correct kernel was found.'));
  } else {
    const { modelled, record, alone, evidence } = best;
    out(colours.strong(colours.good('A verified kernel')));
    row('kernel', here(written.kernel));
    row('what it is', record.summary);
    row('made by', record.engineer);
    row(
      'modelled time',
      `${time(modelled.microseconds)} on ${gpuTarget(modelled.gpu).name} (${time(modelled.low)} to ${time(modelled.high)}), limited by ${modelled.limitedBy}`,
    );
    if (alone) row(`${alone.kind} time`, `${time(alone.medianMicroseconds)} alone, on ${alone.device}`);
    if (objective.kind !== 'simulated')
      row(
        'speed of light',
        `${significant((100 * floor.microseconds) / timeOf(best))} % of it (floor ${time(floor.microseconds)}, ${floor.limitedBy})`,
      );
    if (directMicroseconds)
      row(
        'against direct',
        `${significant(directMicroseconds / timeOf(best))} times the direct translation (${time(directMicroseconds)}), both ${objective.kind}`,
      );
    for (const line of evidence.timing ? speedLines(evidence.timing) : [])
      out(wrap(printable(line), 79, ' '.repeat(15)));
  }
  const reasons = Object.entries(rejected).map(([check, count]) => `${count} by ${check}`);
  row(
    'judged',
    `${judged} candidates in ${significant(seconds)} s: ${correct} correct, ${judged - correct} rejected${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}; stopped: ${stopped}`,
  );
  if (stopped === 'time') row('search longer', 'with more seconds: --budget 300, say');
  if (passedOver > 0) row('passed over', `${passedOver} more, slower by their profiles; not judged in full`);
  if (spent.calls > 0) row('models', spentInWords(spent));
  if (written) row('evidence', here(written.page));
  out();
  out(wrap(printable(devices.words), 79));
  out(wrap(printable(speedRemark(result)), 79));
  if (stopped === 'interrupted')
    out(wrap(`The run ${run} was interrupted; nothing is lost. Go on with: assay optimize ${taskFile} --resume`, 79));
}

/** What models cost, in words. */
function spentInWords({ calls, inputTokens, outputTokens, dollars, unpriced }: OptimisedTask['spent']): string {
  const price = unpriced === calls ? 'price not known' : `$${dollars.toFixed(4)}`;
  const rest = unpriced > 0 && unpriced < calls ? ` and ${unpriced} calls of unknown price` : '';
  return `${calls} calls, ${inputTokens} tokens in and ${outputTokens} out, ${price}${rest}`;
}

/** A path as short as it can be said from here. */
function here(file: string): string {
  const short = relative(process.cwd(), file);
  return short.startsWith('..') ? file : short;
}

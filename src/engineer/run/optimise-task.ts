/**
 * The whole path for one task: search with the engineers that were hired (the built-in one where none was named), judge on virtual devices, keep all of it in the
 * archive, confirm the winner on seeds of its own, and say what came of it.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Archive, JudgedCandidate, RunRecord, Spending } from '../../archive/index.ts';
import type { EventStream } from '../../events/index.ts';
import type { AloneTime, Evidence, Hardware } from '../../judge/index.ts';
import type { Floor, FullTask, Task } from '../../task/index.ts';
import type { ModelledTime } from '../../vgpu/index.ts';
import { createBuiltinEngineer } from '../builtin/engineer.ts';
import { LoweringError } from '../builtin/lower/index.ts';
import type { Engineer, Hire, SearchRecord } from '../ports.ts';
import type { SearchBudget, StopReason } from '../search/budget.ts';
import { optimise } from '../search/optimise.ts';
import { ArchivePort } from './archive-port.ts';
import { codeHash, type Judgement, JudgementBench } from './bench.ts';
import { holdRun } from './hold-run.ts';
import { type Objective, rankedTime, toRecord, toVerdict } from './records.ts';

export interface OptimiseTaskOptions {
  task: Task;
  /** The task at its file's own shapes, where it was scaled. */
  full?: FullTask;
  /** Target GPU's id. */
  gpu: string;
  /** A GPU: the search goes by times measured there, and the winner is judged and timed there in full. Absent: by modelled times. */
  hardware?: Hardware;
  archive: Archive;
  /** Cache of compiled device code. */
  cacheDir: string;
  budget: SearchBudget;
  /** Who proposes candidates; absent: the built-in engineer alone. */
  engineers?: readonly Hire[];
  seed: number;
  /** Go on with the last run of this task and target that was cut off, if there is one. */
  resume: boolean;
  /** Candidates compiled, ranked or judged at the same time. With 1, a seed gives the same run again. */
  concurrency: number;
  events?: EventStream;
  signal?: AbortSignal;
}

/** A candidate that stood up, with the evidence of its last judgement. */
export interface Winner {
  record: SearchRecord;
  modelled: ModelledTime;
  /** On the GPU, where there is one. */
  alone?: AloneTime;
  evidence: Evidence;
}

export interface OptimisedTask {
  run: string;
  resumed: boolean;
  stopped: StopReason;
  seconds: number;
  floor: Floor;
  best?: Winner;
  /** Which times the search went by. */
  objective: Objective;
  /** The direct translation's time of that kind, microseconds: what "times faster" compares with. Absent when it is not correct. */
  directMicroseconds?: number;
  /** In full. */
  judged: number;
  correct: number;
  /** Slower than the best by their profiles, and not judged in full. */
  passedOver: number;
  /** What models cost in this run, over all its processes. */
  spent: Spending;
  /** Rejected or not judgeable, by the check that said so. */
  rejected: Readonly<Record<string, number>>;
}

/** The engineer's name in the records of runs whose candidates an agent submits: no search goes on with these. */
export const agentName = 'agent';

/** Candidates that may fail their confirmation before the run gives up. */
const confirmations = 3;

/** The built-in engineer. Throws LoweringError where it cannot write the task. */
export const hireBuiltin: Hire = ({ task, full, target }) => createBuiltinEngineer({ task, full, target });

/** The built-in engineer where it can write the task; where it cannot, that is said and the others do without it. */
export const hireBuiltinIfAble: Hire = (setting) => {
  try {
    return hireBuiltin(setting);
  } catch (error) {
    if (!(error instanceof LoweringError)) throw error;
    setting.events?.emit({
      type: 'note',
      level: 'info',
      message: `The built-in engineer is left out: ${error.message}`,
    });
    return undefined;
  }
};

/**
 * One run, from its engineers' hiring to the confirmation of its best. Throws what an engineer throws that cannot work on the task (LoweringError of the built-in one), RunHeld
 * where another process works on the run to go on with, and when the signal is aborted before a search began.
 */
export async function optimiseTask(options: OptimiseTaskOptions): Promise<OptimisedTask> {
  const { task, gpu, archive, events, signal } = options;
  const objective = objectiveOf(options);
  const unfinished = options.resume ? await cutOff(archive, task.hash, gpu, objective) : undefined;
  const id = unfinished?.id ?? `${task.name}-${gpu}-${randomBytes(4).toString('hex')}`;
  let leave = unfinished && (await holdRun(archive, id));
  const bench = new JudgementBench({
    ...{ task, full: options.full, gpu, events, hardware: options.hardware },
    ...{ cacheDir: options.cacheDir, devices: options.concurrency },
  });
  try {
    const setting = {
      run: id,
      task,
      full: options.full?.task,
      archive,
      events,
      target: bench.target,
      floor: bench.floor,
    };
    const prepare = (source: string, abort?: AbortSignal) => bench.prepare(source, abort);
    const engineers: Engineer[] = [];
    for (const hire of options.engineers ?? [hireBuiltin]) {
      const hired = await hire({ ...setting, prepare, colleagues: [...engineers] });
      if (hired) engineers.push(hired);
    }
    await archive.saveTask(task);
    const run = unfinished ?? (await startRun(options, id, engineers, objective));
    leave ??= await holdRun(archive, id);
    events?.emit({ type: 'task.floor', gpu, microseconds: bench.floor.microseconds, limitedBy: bench.floor.limitedBy });
    const port = new ArchivePort(archive, task, run, bench, objective);
    const result = await optimise({
      ...{ run: run.id, task, gpu, engineers, archive: port, events, signal },
      ...{ budget: options.budget, seed: run.seed, concurrency: options.concurrency },
      // The floor is of the GPU that the target names: simulated clocks know nothing of it.
      floorMicroseconds: objective.kind === 'simulated' ? undefined : bench.floor.microseconds,
      evaluate: (record, abort) => port.evaluate(record, abort),
      rank: (record, abort) => port.rank(record, abort),
      fingerprint: (record, abort) => bench.prepare(record.source, abort).then(codeHash, () => undefined),
    });
    const best = await confirm(archive, run, bench, objective, port.alone, signal);
    if (result.stopped !== 'interrupted') await archive.finishRun(run.id);
    return {
      ...(await tally(archive, run, objective)),
      ...result,
      objective,
      run: run.id,
      resumed: unfinished !== undefined,
      floor: bench.floor,
      best,
      spent: await archive.spent(run.id),
    };
  } finally {
    await Promise.all([leave?.(), bench.close()]);
  }
}

function objectiveOf({ gpu, hardware }: OptimiseTaskOptions): Objective {
  if (hardware === undefined) return { kind: 'modelled', device: gpu };
  const { name, simulated } = hardware.gpu.device;
  return { kind: simulated ? 'simulated' : 'measured', device: name };
}

/** The latest run that was cut off and went by the same times: others cannot be gone on with. */
async function cutOff(
  archive: Archive,
  taskHash: string,
  gpu: string,
  objective: Objective,
): Promise<RunRecord | undefined> {
  const run = await archive.unfinishedRun(taskHash, gpu, agentName);
  const { objective: then } = (run?.options ?? {}) as { objective?: Objective };
  const same = then === undefined ? objective.kind === 'modelled' : isDeepStrictEqual(then, objective);
  return same ? run : undefined;
}

async function startRun(
  options: OptimiseTaskOptions,
  id: string,
  engineers: readonly Engineer[],
  objective: Objective,
): Promise<RunRecord> {
  const { task, gpu, archive, seed, budget } = options;
  const engineer = engineers.map(({ name }) => name).join(', ');
  const device = objective.kind === 'modelled' ? 'virtual' : 'cuda';
  await archive.startRun({ id, taskHash: task.hash, gpu, device, engineer, seed, options: { budget, objective } });
  return (await archive.run(id))!;
}

/** Judges the best again, alone, on new seeds; one that does not stand up is struck out and the next one tried. */
export async function confirm(
  archive: Archive,
  run: RunRecord,
  bench: JudgementBench,
  objective: Objective,
  alone: ReadonlyMap<string, Judgement>,
  signal: AbortSignal | undefined,
): Promise<Winner | undefined> {
  for (let attempt = 0; attempt < confirmations; attempt++) {
    const [candidate] = standing(await archive.candidates(run.id), objective);
    if (!candidate || signal?.aborted) return undefined;
    const before = alone.get(candidate.id);
    const judgement = before ?? (await bench.judge(candidate.source, candidate.id, true, signal));
    if (!before) {
      // Its time stays the one that it was ranked by.
      const ranked = candidate.verdict!.times.find(({ kind }) => kind === 'modelled');
      await archive.addVerdict(candidate.id, toVerdict(judgement, ranked));
    }
    const { verdict, evidence } = judgement;
    const modelled = rankedTime(verdict);
    if (verdict.outcome !== 'correct' || !modelled || !evidence) continue;
    return { record: toRecord(candidate, objective), modelled, alone: judgement.alone, evidence };
  }
  return undefined;
}

/** Correct candidates, fastest first. */
function standing(candidates: readonly JudgedCandidate[], objective: Objective): JudgedCandidate[] {
  const microseconds = (candidate: JudgedCandidate) =>
    toRecord(candidate, objective).evaluation?.microseconds ?? Infinity;
  return candidates
    .filter((candidate) => microseconds(candidate) < Infinity)
    .sort((a, b) => microseconds(a) - microseconds(b));
}

async function tally(archive: Archive, run: RunRecord, objective: Objective) {
  const candidates = await archive.candidates(run.id);
  const rejected: Record<string, number> = {};
  let [correct, passedOver] = [0, 0];
  for (const { verdict } of candidates) {
    if (!verdict) continue;
    if (verdict.outcome === 'passed over') passedOver++;
    else if (verdict.outcome === 'correct' || verdict.outcome === 'faster') correct++;
    else rejected[verdict.check ?? verdict.outcome] = (rejected[verdict.check ?? verdict.outcome] ?? 0) + 1;
  }
  const judged = correct + Object.values(rejected).reduce((sum, count) => sum + count, 0);
  const directMicroseconds = await directTime(archive, run, candidates, objective);
  return { judged, correct, passedOver, rejected, directMicroseconds };
}

/** The time of the direct translation, the engineer's first proposal: as judged in this run, or else in an earlier one. */
async function directTime(
  archive: Archive,
  { taskHash }: RunRecord,
  candidates: readonly JudgedCandidate[],
  objective: Objective,
): Promise<number | undefined> {
  const direct = candidates.find(({ number }) => number === 1);
  if (!direct) return undefined;
  const own = toRecord(direct, objective).evaluation;
  if (own?.outcome !== 'passed over') return own?.microseconds;
  const known = await archive.best(taskHash, objective.kind, objective.device, Number.MAX_SAFE_INTEGER);
  const judged = known.find(({ sourceHash }) => sourceHash === direct.sourceHash);
  return judged && toRecord(judged, objective).evaluation?.microseconds;
}

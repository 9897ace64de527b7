/**
 * The verdict on one candidate: freeze it, draw the seeds, ask the checks stage by stage, stop at the first proof.
 * This process never executes the candidate: its host function is interpreted by the kernel room, its kernels run on the device.
 */
import type { Device, RunResult } from '../device/index.ts';
import {
  BuildError,
  CandidateError,
  factsOf,
  type PreparedCandidate,
  type PrepareOptions,
  prepareCandidate,
} from '../kernel/index.ts';
import type { Task } from '../task/index.ts';
import { type Finding, gpuTarget } from '../vgpu/index.ts';
import { admit } from './admission.ts';
import type { Admission } from './admission-report.ts';
import { planStage, runStage } from './check.ts';
import { hostFunction } from './checks/host-function.ts';
import { timedOutputs } from './checks/timed-outputs.ts';
import { fullSizeTime } from './full-size-time.ts';
import { formToTime, type Hardware, type HardwareFacts, hardwareFacts, type TimedForm } from './hardware.ts';
import { profiledOnDevice, sanitizedOnDevice } from './hardware-tools.ts';
import { operatorShare, operatorShareInWords } from './operator-share.ts';
import type { Oracle } from './oracle.ts';
import { randomOperator } from './random-task.ts';
import { type Commitment, commit, sourceHash } from './seeds.ts';
import { takeTimes } from './take-times.ts';
import { createOracle } from './task-oracle.ts';
import type { Timed } from './timed.ts';
import { measuredTimeOf } from './timing/claim.ts';
import { isMeasured } from './timing/report.ts';
import { Trial } from './trial.ts';
import type { CheckResult, JudgeRequest, OutputAccuracy, Stage, StageTiming, Verdict } from './types.ts';

/** What a judgement has gathered so far; the verdict is made of it however it ends. */
interface Proceedings {
  sourceHash: string;
  checks: CheckResult[];
  timings: StageTiming[];
  candidate?: PreparedCandidate;
  commitment?: Commitment;
  trial?: Trial;
  admission?: Admission;
  timed?: Timed;
  hardware?: HardwareFacts;
}

const admissions = new WeakMap<Oracle, Admission>();
const announced = new WeakSet<Oracle>();

/**
 * Judges a candidate. Every way a candidate can fail is a verdict; it throws only when the request is at fault (a commitment that does
 * not contain the candidate, an aborted signal) or the judge is.
 */
export async function judge(request: JudgeRequest): Promise<Verdict> {
  const record: Proceedings = { sourceHash: sourceHash(request.candidateSource), checks: [], timings: [] };
  const random = randomOperator(request.task);
  if (random !== undefined) return unjudgeable(record, 'reference', random);
  let candidate: PreparedCandidate;
  try {
    candidate = await timed(record, 'prepare', () => {
      return prepare(request, request.candidateSource, request.task);
    });
  } catch (error) {
    return notPrepared(record, request, error);
  }
  const compiled = [candidate.build, ...(candidate.build.others ?? [])].filter(({ cached }) => !cached);
  const milliseconds = compiled.reduce((sum, build) => sum + build.milliseconds, 0);
  if (milliseconds > 0) record.timings.push({ stage: 'prepare: compiler', milliseconds });
  return tryCandidate(request, record, candidate);
}

/** The verdict on a candidate that could not be made ready: rejected where that proves it wrong. Rethrows what is no fault of the candidate's. */
function notPrepared(
  record: Proceedings,
  request: Pick<JudgeRequest, 'candidate' | 'events' | 'task'>,
  error: unknown,
): Verdict {
  const missing = error instanceof BuildError && error.kind === 'no-compiler';
  if (missing) return unjudgeable(record, 'prepare', error.message);
  if (!(error instanceof CandidateError)) throw error;
  if (error.kind !== 'fails') return unjudgeable(record, 'prepare', error.message);
  // At smaller shapes than the file's it may fail because it was never meant for them.
  if (request.task.scaled.length > 0)
    return unjudgeable(record, 'prepare', `${error.message} (at the smaller shapes of \`--scale\`; judge it without)`);
  const milliseconds = record.timings.reduce((sum, one) => sum + one.milliseconds, 0);
  const result: CheckResult = {
    ...{ check: hostFunction.id, stage: 'prepare', milliseconds, device: 'virtual' },
    answer: hostFunction.answer(error),
  };
  record.checks.push(result);
  return decidedBy(request, record, result);
}

function prepare(
  { gpu, cacheDir, tracesDir, signal }: Pick<JudgeRequest, 'gpu' | 'cacheDir' | 'tracesDir' | 'signal'>,
  source: string,
  task: Task,
  limits?: PrepareOptions['limits'],
): Promise<PreparedCandidate> {
  const target = gpuTarget(gpu);
  const options = { arch: target.arch, facts: factsOf(target), cacheDir, tracesDir, task, signal, limits };
  return prepareCandidate(source, task.signature, options);
}

/** Judges a candidate that has been prepared already: interpreted, compiled, and frozen by its hash. */
export async function judgePrepared(request: TrialRequest, candidate: PreparedCandidate): Promise<Verdict> {
  const record: Proceedings = { sourceHash: candidate.sourceHash, checks: [], timings: [] };
  const random = randomOperator(request.task);
  if (random !== undefined) return unjudgeable(record, 'reference', random);
  return tryCandidate(request, record, candidate);
}

/** The full-size task needs the cache of compiled code: the candidate is prepared again for its shapes. */
type TrialRequest = Omit<JudgeRequest, 'candidateSource' | 'cacheDir' | 'full' | 'timeAt'> &
  (
    | Pick<JudgeRequest, 'full' | 'timeAt' | 'cacheDir' | 'tracesDir'>
    | { full?: undefined; timeAt?: undefined; cacheDir?: undefined }
  );

async function tryCandidate(
  request: TrialRequest,
  record: Proceedings,
  candidate: PreparedCandidate,
): Promise<Verdict> {
  // Only now, with the source frozen, is anything drawn that the verdict depends on.
  const commitment = request.commitment ?? commit([record.sourceHash]);
  if (!commitment.sourceHashes.includes(record.sourceHash)) {
    throw new Error('The seeds were drawn before this candidate was frozen; draw new ones for it.');
  }
  const { task, device, gpu, limits, signal, hardware } = request;
  const oracle = request.oracle ?? createOracle(task, request.cacheDir);
  // At the file's own shapes a plan may take what the GPU has: nothing of it is run whole.
  const large = { workspaceBytes: gpuTarget(gpu).memoryBytes };
  const full = request.full && {
    ...request.full,
    prepare: (at: Task) => prepare(request, candidate.source, at, large),
  };
  const trial = new Trial({ task, candidate, oracle, device, gpu, limits, commitment, signal, full });
  Object.assign(record, { candidate, commitment, trial });

  const decided = await askStages(request, record, trial, device);
  if (decided !== undefined) return decidedBy(request, record, decided);
  record.admission = await timed(record, 'admission', async () => admissionOf(oracle, task, commitment));
  const unseen = record.admission.mutants.filter(({ killedBy }) => killedBy === undefined).map(({ id }) => id);
  if (unseen.length > 0) oracle.reveal(unseen);
  if (oracle.revealing.some((family) => !trial.plans.some((plan) => plan.family === family))) {
    // This candidate has not met inputs that show more of the task: it is judged again, with them.
    admissions.delete(oracle);
    const { sourceHash, timings } = record;
    return tryCandidate({ ...request, oracle, commitment }, { sourceHash, checks: [], timings }, candidate);
  }
  announce(request, oracle, record.admission);
  const there = hardware && (await tryOnHardware(request, record, candidate, commitment, oracle, hardware));
  if (there !== undefined) return decidedBy(request, record, there, hardware);
  const wrong = await timing(request, record, { task, candidate, oracle }, commitment, full);
  if (wrong !== undefined) return decidedBy(request, record, wrong);
  const timeAt = request.timeAt ?? request.full?.task;
  const { cacheDir } = request;
  if (timeAt === undefined || cacheDir === undefined) return correct(request, record);
  const at = { task: timeAt, device, gpu, signal };
  const fullSize = await timed(record, "time at the file's own shapes", () =>
    fullSizeTime({
      ...at,
      prepare: (own) => prepare({ ...request, cacheDir }, candidate.source, own, large),
    }),
  );
  return { ...correct(request, record), fullSizeTime: fullSize };
}

/** Asks the checks of one device, stage by stage; stops at the first that rejects or cannot judge. */
async function askStages(
  request: TrialRequest,
  record: Proceedings,
  trial: Trial,
  device: Device,
): Promise<CheckResult | undefined> {
  const stages: [Stage, () => Promise<RunResult | undefined>][] = [
    ['plan', async () => undefined],
    ['first-call', () => trial.runFirst()],
    ['sequence', () => trial.runSequence()],
  ];
  const on = device === request.device ? '' : ', on the GPU';
  for (const [stage, run] of stages) {
    request.signal?.throwIfAborted();
    const before = trial.calls.length;
    await timed(record, `${stage}: run${on}`, run);
    const calls = trial.calls.map((_, index) => index).slice(before);
    const asked = planStage(stage, device.kind);
    const decided = await timed(record, `${stage}: checks${on}`, () =>
      runStage(asked, { trial, stage, calls }, device.kind, (result) => note(request, record, result)),
    );
    if (decided !== undefined) return decided;
  }
  return undefined;
}

/** The same calls on a GPU, of a candidate that the virtual one finds right. */
async function tryOnHardware(
  request: TrialRequest,
  record: Proceedings,
  candidate: PreparedCandidate,
  commitment: Commitment,
  oracle: Oracle,
  { gpu, tools }: Hardware,
): Promise<CheckResult | undefined> {
  const { task, limits, signal } = request;
  const { device } = gpu;
  const trial = new Trial({ task, candidate, oracle, device, gpu: request.gpu, limits, commitment, signal });
  const decided = await askStages(request, record, trial, device);
  const facts = hardwareFacts(device, trial.calls.length);
  record.hardware = facts;
  if (decided !== undefined || !tools) return decided;
  const asked = { gpu, task, oracle, candidate, commitment, limits, signal };
  const sanitized = await timed(record, 'compute-sanitizer', () => sanitizedOnDevice(asked));
  note(request, record, sanitized);
  if (sanitized.answer.status === 'rejected') return sanitized;
  const profile = await timed(record, 'profile on the GPU', () => profiledOnDevice(asked));
  record.hardware = { ...facts, profile };
  return undefined;
}

/** Takes times, where they are asked for; a check's result where they prove the candidate wrong. */
async function timing(
  request: TrialRequest,
  record: Proceedings,
  judged: TimedForm,
  commitment: Commitment,
  full: Parameters<typeof formToTime>[1],
): Promise<CheckResult | undefined> {
  const { signal, events, hardware } = request;
  const admission = record.admission!;
  const times = hardware?.times;
  if (request.timing === undefined && times === undefined) return undefined;
  const { task, candidate, oracle } = times === undefined ? judged : await formToTime(judged, full);
  const setup = request.timing ?? times!(task, oracle);
  const onProgress = ({ process, of }: { process: number; of: number }) =>
    events?.emit({ type: 'note', level: 'info', message: `Times taken in ${process} of at most ${of} processes.` });
  record.timed = await timed(record, 'timing', () =>
    takeTimes({ setup, candidate, task, commitment, admission, signal, onProgress }),
  );
  const { report } = record.timed;
  if (report === undefined) return undefined;
  const { milliseconds } = record.timings.at(-1)!;
  const answer = timedOutputs.answer(report);
  const result: CheckResult = { check: timedOutputs.id, stage: 'timing', answer, milliseconds, device: 'cuda' };
  note(request, record, result);
  return answer.status === 'rejected' ? result : undefined;
}

function note({ events, candidate }: TrialRequest, record: Proceedings, result: CheckResult): void {
  record.checks.push(result);
  if (result.answer.status !== 'passed') return;
  const name = candidate ?? record.sourceHash.slice(0, 12);
  events?.emit({ type: 'check.passed', candidate: name, check: result.check, ms: result.milliseconds });
}

/** The oracle's admission, computed at its first use. */
function admissionOf(oracle: Oracle, task: Task, commitment: Commitment): Admission {
  const admission = admissions.get(oracle) ?? admit(task, oracle, commitment);
  admissions.set(oracle, admission);
  return admission;
}

/** Says once a task where it is degenerate. */
function announce({ events }: TrialRequest, oracle: Oracle, { dead }: Admission): void {
  if (announced.has(oracle)) return;
  announced.add(oracle);
  for (const { operator, reason } of dead) events?.emit({ type: 'task.degenerate', operator, reason });
}

async function timed<T>(record: Proceedings, stage: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    record.timings.push({ stage, milliseconds: performance.now() - start });
  }
}

function findingsOf(trial: Trial | undefined): readonly Finding[] {
  const judged = (trial?.runs ?? []).flatMap((run) =>
    run.status === 'completed' || run.status === 'faulted' ? run.findings : [],
  );
  return [...judged, ...(trial?.fullSizeReport?.proof?.findings ?? [])];
}

/** Accuracy of every call that was compared. */
function accuracyOf(trial: Trial | undefined): OutputAccuracy[] {
  return [...(trial?.comparisons() ?? [])].map(({ call, output, comparison }) => ({
    call,
    family: trial!.plans[call]!.family,
    output,
    elements: comparison.elements,
    wrong: comparison.wrong,
    worst: comparison.worst,
    rms: comparison.rms,
    rmsLimit: comparison.rmsLimit,
    histogram: comparison.histogram,
  }));
}

/** What every verdict carries, however it came about. */
function common(record: Proceedings): Omit<Verdict, 'outcome' | 'reason'> {
  const { trial, candidate, commitment, admission, sourceHash, checks, timings } = record;
  const completed = trial?.runs.filter((run) => run.status === 'completed') ?? [];
  return {
    sourceHash,
    checks,
    timings,
    candidate,
    commitment,
    admission,
    timing: record.timed,
    hardware: record.hardware,
    fullSize: trial?.fullSizeReport,
    findings: findingsOf(trial),
    accuracy: accuracyOf(trial),
    calls: trial?.plans ?? [],
    printed: (trial?.runs ?? []).map((run) => ('printed' in run ? run.printed : '')).join(''),
    profile: completed.find((run) => run.profile !== undefined)?.profile ?? [],
    operators: trial && operatorShare(trial.candidate.plan, trial.task.graph),
  };
}

function unjudgeable(record: Proceedings, check: string, reason: string): Verdict {
  return { ...common(record), outcome: 'unjudgeable', check, reason };
}

function decidedBy(
  request: Pick<JudgeRequest, 'candidate' | 'events'>,
  record: Proceedings,
  { check, answer }: CheckResult,
  on?: Hardware,
): Verdict {
  const where = (reason: string) => (on === undefined ? reason : `On ${on.gpu.device.name}: ${reason}`);
  if (answer.status !== 'rejected') {
    return unjudgeable(
      record,
      check,
      where(answer.status === 'unjudgeable' ? answer.reason : 'A check ended without an answer.'),
    );
  }
  const { proof } = answer;
  const candidate = request.candidate ?? record.sourceHash.slice(0, 12);
  const reason = where(proof.reason);
  request.events?.emit({ type: 'candidate.rejected', candidate, check, reason });
  const all = common(record);
  // What a GPU or its tools found is not among the virtual one's.
  const findings = on === undefined ? all.findings : [...all.findings, ...(proof.findings ?? [])];
  return { ...all, findings, outcome: 'rejected', check, reason, proof };
}

function correct(request: TrialRequest, record: Proceedings): Verdict {
  const trial = record.trial!;
  const families = new Set(trial.plans.map((plan) => plan.family)).size;
  const dead = record.admission!.dead;
  const caveat =
    dead.length === 0
      ? ''
      : ` But the task cannot see ${dead.map(({ operator }) => `\`${operator}\``).join(', ')}: what a candidate does there was not tested, and no claim may rest on it.`;
  const share = operatorShare(trial.candidate.plan, trial.task.graph);
  const others = share ? ` ${operatorShareInWords(share)}` : '';
  const reason = `Right in all ${trial.calls.length} calls, on inputs drawn in ${families} ways, on ${request.device.name}.${others}${caveat}`;
  // Only a right result has a time: how fast a wrong one is made means nothing.
  const completed = trial.runs.filter((run) => run.status === 'completed');
  const modelled = completed.find((run) => run.modelled !== undefined)?.modelled;
  const times = { modelled, measured: completed[0]?.measured };
  return { ...common(record), ...times, ...measuredOf(record.timed), outcome: 'correct', reason };
}

/** The candidate's times, where they were measured and can be believed. */
function measuredOf(timed: Timed | undefined): Pick<Verdict, 'measured'> {
  const { report } = timed ?? {};
  if (report === undefined || !isMeasured(report) || report.outcome === 'void') return {};
  const candidate = report.times.find(({ role }) => role === 'candidate');
  return candidate === undefined ? {} : { measured: measuredTimeOf(report, candidate.subject) };
}

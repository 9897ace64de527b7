/** Between the search's records and the archive's: the same facts in the two rooms' words. */
import type {
  CallRecord,
  CandidateRecord,
  JudgedCandidate,
  KnownTime,
  TimeRecord,
  VerdictRecord,
} from '../../archive/index.ts';
import { type AloneTime, type Evidence, sourceHash } from '../../judge/index.ts';
import type { ModelledTime } from '../../vgpu/index.ts';
import type { Evaluation, Json, Making, SearchRecord } from '../ports.ts';
import type { Judgement } from './bench.ts';
import { feedbackOf } from './feedback.ts';

/** As the archive stores it. */
export function toCandidate(record: SearchRecord, run: string): CandidateRecord {
  const { id, number, generation, engineer, strategy, summary, knobs, source, parents } = record;
  const hash = sourceHash(source);
  return { id, run, number, generation, engineer, strategy, summary, knobs, source, sourceHash: hash, parents };
}

/** Which times a run goes by: of one kind, on one device (the target's id for modelled ones, the GPU's name for others). */
export interface Objective {
  readonly kind: TimeRecord['kind'];
  readonly device: string;
}

/** As the search sees it, with its time by the objective; `evidence` is that of its verdict. */
export function toRecord(candidate: JudgedCandidate, objective: Objective, evidence?: Evidence): SearchRecord {
  const { id, number, generation, engineer, strategy, summary, source, parents, verdict } = candidate;
  const record: SearchRecord = {
    ...{ id, number, generation, engineer, strategy, summary, source, parents },
    knobs: candidate.knobs as Json,
  };
  if (!verdict) return record;
  const time = verdict.times.find(({ kind, device }) => kind === objective.kind && device === objective.device);
  const evaluation: Evaluation = {
    outcome: verdict.outcome,
    check: verdict.check ?? undefined,
    reason: verdict.reason ?? '',
    ...(verdict.outcome === 'passed over' ? { estimate: time?.microseconds } : { microseconds: time?.microseconds }),
    timeKind: objective.kind,
    codeHash: verdict.codeHash ?? undefined,
    ...(verdict.twin !== undefined && { twin: verdict.twin }),
    feedback: feedbackOf(verdict, evidence),
  };
  return { ...record, evaluation };
}

/** The time that a profile says, and what asking took: nothing where another run had asked. */
export interface RankedTime extends KnownTime {
  milliseconds: number;
}

/** The time that a candidate is ranked by: at the file's own shapes where it was judged at smaller ones. Undefined where none is known. */
export function rankedTime({ modelled, fullSizeTime }: Judgement['verdict']): ModelledTime | undefined {
  return fullSizeTime ? fullSizeTime.modelled : modelled;
}

/** A judgement for the search. Only a correct candidate has a time: the one that it was ranked by, where there is one. */
export function toEvaluation(
  { verdict, alone, codeHash, evidence }: Judgement,
  { kind }: Objective,
  ranked: TimeRecord | undefined,
): Evaluation {
  const { outcome, check, reason } = verdict;
  const modelled = ranked ?? rankedTime(verdict);
  const microseconds = kind === 'modelled' ? modelled?.microseconds : alone?.medianMicroseconds;
  const time = outcome === 'correct' ? { microseconds, timeKind: kind } : {};
  return { outcome, check, reason, codeHash, ...time, feedback: feedbackOf(verdict, evidence) };
}

/** A judgement for the archive, with the modelled time that the candidate was ranked by, where there is one: the evidence has the judge's own. */
export function toVerdict(
  { verdict, alone, codeHash, evidence, milliseconds }: Judgement,
  ranked: TimeRecord | undefined,
): VerdictRecord {
  const { check = null, reason, timing } = verdict;
  const judged = rankedTime(verdict);
  const modelled = ranked ?? (judged && toTime(judged));
  const times =
    verdict.outcome === 'correct' ? [...(modelled ? [modelled] : []), ...(alone ? [aloneTime(alone)] : [])] : [];
  const outcome = timing?.claim === undefined ? verdict.outcome : 'faster';
  return { outcome, check, reason, codeHash: codeHash ?? null, evidence: evidence ?? null, milliseconds, times };
}

/** What is known of a candidate that was ranked by its profile and not judged in full. */
export function toPassedOver({ reason, codeHash }: Evaluation, { time, milliseconds }: RankedTime): VerdictRecord {
  return {
    outcome: 'passed over',
    check: null,
    reason,
    codeHash: codeHash ?? null,
    evidence: null,
    milliseconds,
    times: [time],
  };
}

/** A modelled time as the archive stores it. */
export function toTime({ kind, gpu, microseconds, low, high, limitedBy, occupancy }: ModelledTime): TimeRecord {
  return { kind, device: gpu, microseconds, low, high, detail: { limitedBy, occupancy } };
}

/** The samples' own spread, not an interval of anything: it orders candidates. */
function aloneTime({ kind, device, samples, medianMicroseconds }: AloneTime): TimeRecord {
  const [low, high] = [Math.min(...samples), Math.max(...samples)];
  return { kind, device, microseconds: medianMicroseconds, low, high, detail: { samples } };
}

/** What calls to models took together, for the candidate that came of them. */
export function makingOf(calls: readonly CallRecord[]): Making {
  const sum = (of: (call: CallRecord) => number | null) => calls.reduce((total, call) => total + (of(call) ?? 0), 0);
  return {
    calls: calls.map(({ id }) => id),
    models: [...new Set(calls.map(({ model }) => model))],
    prompts: [...new Set(calls.flatMap(({ prompt }) => prompt.split(' ')))],
    inputTokens: sum((call) => call.inputTokens),
    outputTokens: sum((call) => call.outputTokens),
    dollars: sum((call) => call.dollars),
  };
}

/** Between the search's records and the archive's: the same facts in the two rooms' words. */
import type { CandidateRecord, JudgedCandidate, TimeRecord, VerdictRecord } from '../../archive/index.ts';
import { type Evidence, sourceHash } from '../../judge/index.ts';
import type { ModelledTime } from '../../vgpu/index.ts';
import type { Evaluation, Json, SearchRecord } from '../ports.ts';
import type { Judgement } from './bench.ts';
import { feedbackOf } from './feedback.ts';

/** As the archive stores it. */
export function toCandidate(record: SearchRecord, run: string): CandidateRecord {
  const { id, number, generation, engineer, strategy, summary, knobs, source, parents } = record;
  const hash = sourceHash(source);
  const island = record.island ?? 0;
  return { id, run, number, generation, island, engineer, strategy, summary, knobs, source, sourceHash: hash, parents };
}

/** As the search sees it; `gpu` names the target whose modelled time is wanted, `evidence` is that of its verdict. */
export function toRecord(candidate: JudgedCandidate, gpu: string, evidence?: Evidence): SearchRecord {
  const { id, number, generation, island, engineer, strategy, summary, source, parents, verdict } = candidate;
  const record: SearchRecord = {
    ...{ id, number, generation, island, engineer, strategy, summary, source, parents },
    knobs: candidate.knobs as Json,
  };
  if (!verdict) return record;
  const time = verdict.times.find(({ kind, device }) => kind === 'modelled' && device === gpu);
  const evaluation: Evaluation = {
    outcome: verdict.outcome,
    check: verdict.check ?? undefined,
    reason: verdict.reason ?? '',
    microseconds: time?.microseconds,
    codeHash: verdict.codeHash ?? undefined,
    feedback: feedbackOf(verdict, evidence),
  };
  return { ...record, evaluation };
}

/** A judgement for the search. Only a correct candidate has a time. */
export function toEvaluation({ verdict, codeHash, evidence }: Judgement): Evaluation {
  const { outcome, check, reason, modelled } = verdict;
  const microseconds = outcome === 'correct' ? modelled?.microseconds : undefined;
  return { outcome, check, reason, codeHash, microseconds, feedback: feedbackOf(verdict, evidence) };
}

/** A judgement for the archive. */
export function toVerdict({ verdict, codeHash, evidence, milliseconds }: Judgement): VerdictRecord {
  const { outcome, check = null, reason, modelled } = verdict;
  const times = outcome === 'correct' && modelled ? [toTime(modelled)] : [];
  return { outcome, check, reason, codeHash: codeHash ?? null, evidence: evidence ?? null, milliseconds, times };
}

function toTime({ kind, gpu, microseconds, low, high, limitedBy, occupancy }: ModelledTime): TimeRecord {
  return { kind, device: gpu, microseconds, low, high, detail: { limitedBy, occupancy } };
}

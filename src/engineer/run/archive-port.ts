/** The archive and the judgement bench, as the search knows them: its records are the archive's rows, its judge is the bench. */
import type { Archive, JudgedCandidate, KnownTime, RunRecord, VerdictRecord } from '../../archive/index.ts';
import { type Evidence, sourceHash } from '../../judge/index.ts';
import type { Task } from '../../task/index.ts';
import type { Evaluation, Ranking, SearchArchive, SearchRecord } from '../ports.ts';
import { warmStart } from '../search/optimise.ts';
import type { Judgement, JudgementBench } from './bench.ts';
import {
  makingOf,
  type Objective,
  type RankedTime,
  toCandidate,
  toEvaluation,
  toPassedOver,
  toRecord,
  toTime,
  toVerdict,
} from './records.ts';

export class ArchivePort implements SearchArchive {
  /** Judgements on seeds of the candidate's own: what stood up there needs no confirmation. */
  readonly alone = new Map<string, Judgement>();
  readonly #archive: Archive;
  readonly #task: Task;
  readonly #run: RunRecord;
  readonly #bench: JudgementBench;
  readonly #objective: Objective;
  /** Verdicts given in this process, until the search says that it has them. */
  readonly #judgements = new Map<string, VerdictRecord>();
  /** What profiles said, here or in other runs, until it is decided who is judged in full. */
  readonly #ranked = new Map<string, RankedTime>();
  /** What profiles said in other runs, by the hash of the source: the same source has the same time. */
  #before?: Promise<ReadonlyMap<string, KnownTime>>;

  constructor(archive: Archive, task: Task, run: RunRecord, bench: JudgementBench, objective: Objective) {
    this.#task = task;
    this.#objective = objective;
    this.#archive = archive;
    this.#run = run;
    this.#bench = bench;
  }

  async ofRun(): Promise<SearchRecord[]> {
    const { id } = this.#run;
    const calls = await this.#archive.calls(id);
    const records = await this.#withEvidence(await this.#archive.candidates(id));
    return records.map((record) => {
      const own = calls.filter(({ candidate }) => candidate === record.id);
      return own.length > 0 ? { ...record, made: makingOf(own) } : record;
    });
  }

  async ofOtherRuns(most: number): Promise<SearchRecord[]> {
    const { taskHash, id } = this.#run;
    const { kind, device } = this.#objective;
    return this.#withEvidence(await this.#archive.best(taskHash, kind, device, most, id));
  }

  async related(most: number): Promise<SearchRecord[]> {
    const work = await this.#archive.related(this.#task, this.#run.gpu, most);
    return work.map(({ candidate }) => toRecord(candidate, this.#objective));
  }

  async dollars(): Promise<number> {
    return (await this.#archive.spent(this.#run.id)).dollars;
  }

  async proposed(record: SearchRecord): Promise<void> {
    await this.#archive.addCandidate(toCandidate(record, this.#run.id), record.made?.calls);
    this.#bench.freeze(record.source);
  }

  async evaluate(record: SearchRecord, signal?: AbortSignal): Promise<Evaluation> {
    // The best of other runs is met with the doubt that a winner is met with.
    const alone = record.strategy === warmStart;
    const ranked = this.#ranked.get(record.id);
    const judgement = await this.#bench.judge(record.source, record.id, alone, signal);
    if (alone) this.alone.set(record.id, judgement);
    this.#judgements.set(record.id, toVerdict(judgement, ranked?.time));
    return toEvaluation(judgement, this.#objective, ranked?.time);
  }

  /** What its profile says: modelled times alone, so nothing where the run goes by others. */
  async rank({ id, source }: SearchRecord, signal?: AbortSignal): Promise<Ranking | undefined> {
    if (this.#objective.kind !== 'modelled') return undefined;
    const before = (await this.#knownBefore()).get(sourceHash(source));
    const known = before ? { ...before, milliseconds: 0 } : await this.#profiled(source, signal);
    if (!known) return undefined;
    this.#ranked.set(id, known);
    return { microseconds: known.time.microseconds, codeHash: known.codeHash ?? undefined };
  }

  #knownBefore(): Promise<ReadonlyMap<string, KnownTime>> {
    const { taskHash, gpu, id } = this.#run;
    this.#before ??= this.#archive.modelled(taskHash, gpu, id);
    return this.#before;
  }

  async #profiled(source: string, signal?: AbortSignal): Promise<RankedTime | undefined> {
    const ranked = await this.#bench.rank(source, signal);
    const { modelled, codeHash = null, milliseconds } = ranked ?? {};
    return modelled && { time: toTime(modelled), codeHash, milliseconds: milliseconds ?? 0 };
  }

  /** A record whose code equals an earlier one's has that one's verdict, with a reason that says so; the evidence stays with the other. */
  async judged(record: Parameters<SearchArchive['judged']>[0]): Promise<void> {
    const { id, evaluation } = record;
    const ranked = this.#ranked.get(id);
    const verdict =
      this.#judgements.get(id) ??
      (ranked && evaluation.outcome === 'passed over' ? toPassedOver(evaluation, ranked) : undefined) ??
      (await this.#twin(evaluation.twin));
    if (!verdict) throw new Error(`there is no verdict for ${id}`);
    this.#judgements.delete(id);
    this.#ranked.delete(id);
    this.#bench.forget(record.source);
    await this.#archive.addVerdict(id, { ...verdict, reason: evaluation.reason });
  }

  async #twin(twin: string | undefined): Promise<VerdictRecord | undefined> {
    const verdict = twin === undefined ? undefined : (await this.#archive.candidate(twin))?.verdict;
    return verdict && { ...verdict, twin: twin!, evidence: null, milliseconds: 0 };
  }

  #withEvidence(candidates: readonly JudgedCandidate[]): Promise<SearchRecord[]> {
    return Promise.all(
      candidates.map(async (candidate) =>
        toRecord(candidate, this.#objective, (await this.#archive.evidence(candidate.id)) as Evidence | undefined),
      ),
    );
  }
}

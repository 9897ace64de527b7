/**
 * What becomes of the candidates of one generation: successive halving. All are compiled and ranked cheaply, as many at once as the machine has
 * cores; those that could be faster than the best known are judged in full, the most promising first. The others are passed over: they are
 * never called correct, and the archive says so.
 */
import type { Evaluate, Evaluation, Ranking, SearchRecord } from '../ports.ts';
import type { StopReason } from './budget.ts';
import { asTwinOf } from './novelty.ts';
import { Turns } from './turns.ts';

export interface JuryOptions {
  evaluate: Evaluate;
  /** Hash over a candidate's compiled code and launches, as in its evaluation: a known one is not judged again. */
  fingerprint?: (record: SearchRecord, signal?: AbortSignal) => Promise<string | undefined>;
  /**
   * What a candidate's profile says, without asking whether it is right; undefined where that cannot be said. Absent: all are judged in full. Its time
   * is the one that the candidate's evaluation has, if it comes to that: one measure for all.
   */
  rank?: (record: SearchRecord, signal?: AbortSignal) => Promise<Ranking | undefined>;
  /** Candidates compiled, ranked or judged at the same time. */
  concurrency: number;
  signal?: AbortSignal;
}

/** The run, as the jury needs to know it. */
export interface Court {
  /** Time of the fastest correct candidate, microseconds; Infinity where there is none. */
  best(): number;
  /** An earlier candidate that compiles to this code and is judged. */
  twin(codeHash: string, of: SearchRecord): SearchRecord | undefined;
  /** Why no further judgement may begin. */
  stop(underWay: number): Promise<StopReason | undefined>;
  /** Records and announces what became of a candidate. */
  decided(record: SearchRecord, evaluation: Evaluation): Promise<void>;
}

/** By how much a candidate must be estimated to be faster than the best to be judged in full: less is no gain worth a judgement. */
const leastGain = 0.001;

interface Brief {
  record: SearchRecord;
  /** It is judged whatever its rank. */
  must: boolean;
  codeHash?: string;
  estimate?: number;
  failure?: unknown;
  decided?: boolean;
}

export class Jury {
  readonly #options: JuryOptions;
  readonly #court: Court;
  readonly #cores: Turns;
  readonly #briefs: Promise<Brief>[] = [];
  /** Decisions under way, by the compiled code. */
  readonly #deciding = new Map<string, Promise<void>>();
  /** Those of {@link decide} that are not decided yet. */
  readonly #underWay = new Set<{ estimate?: number; deciding: Promise<void> }>();
  #judging = 0;

  constructor(options: JuryOptions, court: Court) {
    this.#options = options;
    this.#court = court;
    this.#cores = new Turns(options.concurrency);
  }

  /** Begins to look at a candidate: compiles and ranks it. What must be judged is judged at once, while others are still compiled. */
  consider(record: SearchRecord, must: boolean): void {
    this.#briefs.push(this.#cores.take(() => this.#brief(record, must)));
  }

  /** Decides on all that were considered, as far as the budget goes. */
  async decide(): Promise<StopReason | undefined> {
    const briefs = await Promise.all(this.#briefs);
    const failed = briefs.find(({ failure }) => failure !== undefined);
    if (failed) throw failed.failure;
    // What could not be ranked, then the fastest.
    const order = briefs
      .filter(({ decided }) => !decided)
      .sort((a, b) => (a.estimate ?? 0) - (b.estimate ?? 0) || a.record.number - b.record.number);
    let next = 0;
    let stopped: StopReason | undefined;
    const worker = async () => {
      while (next < order.length) {
        stopped ??= await this.#court.stop(this.#judging);
        if (stopped === 'interrupted') return;
        const brief = order[next++];
        if (!brief) return;
        await this.#inTurn(brief, stopped === undefined);
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, this.#options.concurrency) }, worker));
    return stopped ?? (await this.#court.stop(0));
  }

  async #brief(record: SearchRecord, must: boolean): Promise<Brief> {
    const { rank, signal } = this.#options;
    const brief: Brief = { record, must };
    if (signal?.aborted) return brief;
    try {
      const ranking = await rank?.(record, signal);
      brief.estimate = ranking?.microseconds;
      brief.codeHash = ranking?.codeHash;
      if (!must) return brief;
      const stopped = await this.#court.stop(this.#judging);
      // A run that has no time left still says whether its first candidate is right.
      await this.#decideOn(brief, stopped === undefined || stopped === 'time');
      brief.decided = true;
    } catch (failure) {
      if (!signal?.aborted) brief.failure = failure;
    }
    return brief;
  }

  /** Decides after those that are estimated to be no slower: if one of them is right, this one need not be judged. */
  async #inTurn(brief: Brief, mayJudge: boolean): Promise<void> {
    const { estimate } = brief;
    const faster = [...this.#underWay].filter(
      (other) => estimate !== undefined && other.estimate !== undefined && other.estimate <= estimate,
    );
    const deciding = Promise.allSettled(faster.map((other) => other.deciding)).then(() =>
      this.#decideOn(brief, mayJudge),
    );
    const entry = { estimate, deciding };
    this.#underWay.add(entry);
    try {
      await deciding;
    } finally {
      this.#underWay.delete(entry);
    }
  }

  /** What costs nothing is decided also when the budget is spent. */
  async #decideOn(brief: Brief, mayJudge: boolean): Promise<void> {
    const { record } = brief;
    const known = this.#sameCode(brief) ?? this.#passedOver(brief);
    if (known) return this.#court.decided(record, known);
    const { fingerprint, signal } = this.#options;
    brief.codeHash ??= await fingerprint?.(record, signal);
    const { codeHash } = brief;
    if (codeHash === undefined) return this.#judgeUnlessKnown(brief, mayJudge);
    // Those that compile to the same code one after the other, so that one is judged and the others follow it.
    const before = this.#deciding.get(codeHash);
    const deciding = Promise.resolve(before).then(() => this.#judgeUnlessKnown(brief, mayJudge));
    // Who waits for it need not know how it ended: a failure is told by whose it is.
    this.#deciding.set(
      codeHash,
      deciding.catch(() => undefined),
    );
    return deciding;
  }

  async #judgeUnlessKnown(brief: Brief, mayJudge: boolean): Promise<void> {
    const known = this.#sameCode(brief);
    if (known) await this.#court.decided(brief.record, known);
    else if (mayJudge) await this.#judge(brief);
  }

  /** The evaluation of another candidate that compiles to the same code: what one is, the other is. */
  #sameCode({ record, codeHash, must }: Brief): Evaluation | undefined {
    if (codeHash === undefined) return undefined;
    const twin = this.#court.twin(codeHash, record);
    if (!twin?.evaluation || (must && twin.evaluation.outcome === 'passed over')) return undefined;
    return asTwinOf(twin, twin.evaluation);
  }

  #passedOver({ must, codeHash, estimate }: Brief): Evaluation | undefined {
    const best = this.#court.best();
    if (must || estimate === undefined || estimate < best * (1 - leastGain)) return undefined;
    const reason = `not judged in full: its profile says ${estimate.toFixed(3)} us, and the best known takes ${best.toFixed(3)} us`;
    return { outcome: 'passed over', reason, estimate, codeHash };
  }

  async #judge({ record }: Brief): Promise<void> {
    this.#judging++;
    try {
      const evaluation = await this.#judgement(record);
      if (evaluation) await this.#court.decided(record, evaluation);
    } finally {
      this.#judging--;
    }
  }

  /** Undefined when it was cut off by the signal: that is no verdict, and the record stays open for the resume. */
  async #judgement(record: SearchRecord): Promise<Evaluation | undefined> {
    const { evaluate, signal } = this.#options;
    try {
      const evaluation = await evaluate(record, signal);
      return signal?.aborted && evaluation.outcome === 'unjudgeable' ? undefined : evaluation;
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }
}

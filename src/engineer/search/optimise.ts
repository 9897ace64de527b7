/**
 * The search: one loop for every engineer. Generations of candidates are proposed, recorded, judged, recorded again; parents
 * are drawn by tournament; it ends at a budget, at the floor, or when nothing improves.
 *
 * All state is in the records. What generation g proposes depends only on the seed, on g and on the records of the
 * generations before it, so a run that was killed goes on exactly where it stood, and nothing is judged twice.
 */
import type { EventStream } from '../../events/index.ts';
import type { Engineer, Evaluation, Proposal, SearchArchive, SearchRecord } from '../ports.ts';
import { type Arm, type ChooseArm, chooseByRates } from './bandit.ts';
import { endBefore, judgedInFull, type SearchBudget, type Start, type StopReason, spent } from './budget.ts';
import { Jury, type JuryOptions } from './jury.ts';
import { sourceKey } from './novelty.ts';
import { breeders, type Individual, ranked, tournament } from './population.ts';
import { Random } from './random.ts';
import { Turns } from './turns.ts';

export interface SearchOptions extends Omit<JuryOptions, 'concurrency'> {
  run: string;
  task: { name: string };
  /** Id of the target GPU, for events. */
  gpu: string;
  engineers: readonly Engineer[];
  archive: SearchArchive;
  /** Gets what the search does. Rejections are reported by who judges. */
  events?: EventStream;
  budget: SearchBudget;
  seed: number;
  /** The least time any kernel could take on the target, microseconds. */
  floorMicroseconds?: number;
  /** Candidates compiled, ranked or judged at the same time (default 1). With 1, a seed gives the same run again. */
  concurrency?: number;
  /** Who makes the next candidate (default: {@link chooseByRates}). */
  choose?: ChooseArm;
  /** Candidates a generation after the first (default 6). */
  generationSize?: number;
}

export interface SearchResult {
  /** The fastest correct candidate of this run. */
  best?: SearchRecord;
  /** The first correct candidate proposed: the direct translation, where it is correct. */
  first?: SearchRecord;
  records: readonly SearchRecord[];
  stopped: StopReason;
  seconds: number;
}

/** So many of the fastest may become parents. */
const breeding = 12;
const tournamentSize = 3;
/** Attempts at a proposal that is not a repetition before a place in a generation stays empty. */
const attempts = 12;
/** Candidates that failed, of which one may be mended. */
const latestFailures = 4;
/** Candidates of other runs, and of related tasks, that a new run begins with. */
const warmStarts = 3;
const relatedStarts = 3;
/** What a candidate of another run is proposed as: the best of them is judged again, whatever its rank. */
export const warmStart = 'warm start';

export async function optimise(options: SearchOptions): Promise<SearchResult> {
  return new Search(options).run();
}

interface FirstProposal {
  engineer: string;
  proposal: Proposal;
}

/** A variation that an engineer was asked for. */
interface Asked {
  arm: Arm;
  random: Random;
  answer: Promise<Proposal | undefined>;
}

class Search {
  readonly #options: SearchOptions;
  readonly #started = performance.now();
  /** How many variations each engineer may be asked for at once. */
  readonly #asking = new Map<Engineer, Turns>();
  #records: SearchRecord[] = [];
  readonly #seen = new Set<string>();
  #bestSoFar = Infinity;
  /** Other runs' best will be among the first candidates. */
  #warm = false;

  constructor(options: SearchOptions) {
    this.#options = options;
    for (const engineer of options.engineers) this.#asking.set(engineer, new Turns(engineer.atOnce ?? 1));
  }

  async run(): Promise<SearchResult> {
    const { archive, events, run, task, gpu, engineers, budget } = this.#options;
    this.#records = [...(await archive.ofRun())];
    for (const record of this.#records) this.#seen.add(sourceKey(record.source));
    const resumed = this.#records.length > 0;
    const name = engineers.map((engineer) => engineer.name).join(', ');
    events?.emit({ type: 'run.started', run, task: task.name, gpu, engineer: name, resumed });
    this.#bestSoFar = ranked(this.#records)[0]?.microseconds ?? Infinity;

    let stopped: StopReason | undefined;
    for (let generation = 0; stopped === undefined; generation++) {
      stopped =
        endBefore(generation, budget, this.#records, this.#start) ??
        (generation > 0 ? await this.#stop(0) : undefined) ??
        (await this.#generation(generation));
    }
    const individuals = ranked(this.#records);
    const seconds = this.#seconds();
    const judged = this.#records.filter(judgedInFull);
    const rejected = judged.filter((record) => record.evaluation!.outcome === 'rejected').length;
    const best = individuals[0]?.record;
    events?.emit({ type: 'run.finished', run, best: best?.id, judged: judged.length, rejected, seconds });
    return { best, first: firstCorrect(this.#records), records: this.#records, stopped, seconds };
  }

  /** Runs what is left of a generation. */
  async #generation(generation: number): Promise<StopReason | undefined> {
    const { evaluate, fingerprint, rank, concurrency = 1, signal } = this.#options;
    const own = this.#records.filter((record) => record.generation === generation);
    const later = this.#records.some((record) => record.generation > generation);
    const jury = new Jury(
      { evaluate, fingerprint, rank, concurrency, signal },
      {
        best: () => this.#bestSoFar,
        twin: (codeHash, of) => this.#records.find((other) => other !== of && other.evaluation?.codeHash === codeHash),
        stop: (underWay) => this.#stop(underWay),
        decided: (record, evaluation) => this.#decided(record, evaluation),
      },
    );
    const consider = (record: SearchRecord) => jury.consider(record, this.#mustBeJudged(record));
    // Records that a crash cut off before they were decided on.
    for (const record of own) if (!record.evaluation) consider(record);
    let proposed = own.length;
    if (!later) {
      const proposals = generation === 0 ? this.#first() : this.#breed(generation, own);
      for await (const record of proposals) {
        consider(record);
        proposed++;
      }
    }
    const stopped = await jury.decide();
    return stopped ?? (proposed === 0 ? 'exhausted' : undefined);
  }

  /**
   * Generation 0: every engineer's first candidates; after the very first, which is the direct translation, what other runs found and
   * what can be taken over from related tasks.
   */
  async *#first(): AsyncGenerator<SearchRecord> {
    const { engineers, signal, events } = this.#options;
    const starts = engineers.map((engineer) => engineer.start(signal));
    // One that fails while another is waited for is told of when its turn comes.
    for (const start of starts) start.catch(() => undefined);
    events?.emit({ type: 'generation.started', generation: 0, proposed: 0 });
    const known = await this.#knownWork();
    this.#warm = known.some(({ proposal }) => proposal.strategy === warmStart);
    for (const [index, start] of starts.entries()) {
      const own = (await start).map((proposal) => ({ engineer: engineers[index]!.name, proposal }));
      for (const one of own) {
        yield* this.#firstRecord(one);
        for (const earlier of known.splice(0)) yield* this.#firstRecord(earlier);
      }
    }
    for (const earlier of known) yield* this.#firstRecord(earlier);
  }

  async *#firstRecord({ engineer, proposal }: FirstProposal): AsyncGenerator<SearchRecord> {
    if (this.#seen.has(sourceKey(proposal.source))) return;
    yield await this.#record(engineer, proposal, 0);
  }

  /** What the archive has for this task: other runs' best, and what engineers can take over from related tasks' best. */
  async #knownWork(): Promise<FirstProposal[]> {
    const { archive, engineers } = this.#options;
    const known = (await archive.ofOtherRuns(warmStarts)).map(
      ({ id, engineer, source, summary, knobs }): FirstProposal => {
        return { engineer, proposal: { source, strategy: warmStart, summary, knobs, parents: [id] } };
      },
    );
    for (const work of (await archive.related?.(relatedStarts)) ?? []) {
      for (const engineer of engineers) {
        const proposal = await engineer.adapt?.(work);
        if (proposal) known.push({ engineer: engineer.name, proposal });
      }
    }
    return known;
  }

  get #start(): Start {
    return this.#records.some(({ strategy }) => strategy === warmStart) ? 'warm' : 'cold';
  }

  /** The first of all, which others are compared with; where other runs know better, the best of what they found instead. */
  #mustBeJudged(record: SearchRecord): boolean {
    const warm = this.#records.find(({ strategy }) => strategy === warmStart);
    return record === (warm ?? (this.#warm ? undefined : this.#records[0]));
  }

  /** New candidates for a generation beside those that stand in it, by the records of earlier generations alone. */
  async *#breed(generation: number, own: readonly SearchRecord[]): AsyncGenerator<SearchRecord> {
    const { engineers, seed, signal, events, generationSize = 6 } = this.#options;
    const choose = this.#options.choose ?? chooseByRates(seed);
    const past = this.#records.filter((record) => record.generation < generation);
    if (own.length === 0) events?.emit({ type: 'generation.started', generation, proposed: generationSize });
    const parents = breeders(past).slice(0, breeding);
    const arms: Arm[] = engineers.flatMap((engineer) =>
      engineer.strategies.map((strategy) => ({ engineer, strategy })),
    );
    const pending = new Map<Arm, number>();
    const count = (arm: Arm, by: number) => pending.set(arm, (pending.get(arm) ?? 0) + by);
    for (const arm of arms) for (const record of own) if (madeBy(arm, record)) count(arm, 1);
    // Engineers that take long are asked for several places ahead; with none of them, one place after the other.
    const ahead = Math.max(...engineers.map(({ atOnce = 1 }) => atOnce));
    const asked = new Map<number, Asked>();
    let next = own.length;
    for (let place = own.length; place < generationSize; place++) {
      if ((await this.#stop(0)) !== undefined) break;
      for (; next < Math.min(generationSize, place + ahead); next++) {
        const arm = choose(arms, past, pending);
        count(arm, 1);
        asked.set(next, this.#ask(arm, parents, past, new Random(seed, generation, next)));
      }
      const { arm: first, random, answer } = asked.get(place)!;
      let proposal = await answer;
      let arm = first;
      // What came of an engineer asked ahead may have been proposed by another since.
      if (proposal && this.#seen.has(sourceKey(proposal.source))) proposal = undefined;
      for (const other of proposal ? [] : arms) {
        if (signal?.aborted) return;
        if (other === first && ahead === 1) continue;
        arm = other;
        proposal = await this.#vary(other, parents, past, random);
        if (proposal) break;
      }
      // An empty place ends the generation: the next place is always the number of records so far, also after a resume.
      if (!proposal) break;
      count(first, -1);
      count(arm, 1);
      yield await this.#record(arm.engineer.name, proposal, generation);
    }
    await Promise.allSettled([...asked.values()].map(({ answer }) => answer));
  }

  /** Begins to ask for a variation, as soon as the engineer has a turn free. */
  #ask(arm: Arm, parents: readonly Individual[], past: readonly SearchRecord[], random: Random): Asked {
    const answer = this.#asking.get(arm.engineer)!.take(() => this.#vary(arm, parents, past, random));
    answer.catch(() => undefined);
    return { arm, random, answer };
  }

  /** A variation that has not been proposed before. */
  async #vary(
    { engineer, strategy }: Arm,
    individuals: readonly Individual[],
    past: readonly SearchRecord[],
    random: Random,
  ): Promise<Proposal | undefined> {
    const suits = (record: SearchRecord) => engineer.canVary(record, strategy.name);
    const failed = strategy.from === 'failed' ? past.filter(hasFailed).filter(suits).slice(-latestFailures) : [];
    const fit = strategy.from === 'failed' ? [] : individuals.filter(({ record }) => suits(record));
    if (strategy.parents > 0 && failed.length + fit.length === 0) return undefined;
    const draw = () =>
      strategy.from === 'failed' ? random.pick(failed) : tournament(fit, tournamentSize, random).record;
    for (let attempt = 0; attempt < (engineer.attempts ?? attempts); attempt++) {
      const chosen = Array.from({ length: strategy.parents }, draw);
      const proposal = await engineer.vary(strategy.name, chosen, random, this.#options.signal, past);
      if (proposal && !this.#seen.has(sourceKey(proposal.source))) return proposal;
    }
    return undefined;
  }

  async #record(engineer: string, proposal: Proposal, generation: number): Promise<SearchRecord> {
    const { run, events, archive } = this.#options;
    const number = this.#records.length + 1;
    const { source, strategy, summary, knobs, parents, made } = proposal;
    const record: SearchRecord = {
      ...{ id: `${run}-${number}`, number, generation, engineer, source, strategy, summary, knobs, parents },
      ...(made && { made }),
    };
    this.#seen.add(sourceKey(source));
    this.#records.push(record);
    await archive.proposed(record);
    events?.emit({ type: 'candidate.proposed', candidate: record.id, generation, parent: parents[0], summary });
    return record;
  }

  async #decided(record: SearchRecord, evaluation: Evaluation): Promise<void> {
    record.evaluation = evaluation;
    await this.#options.archive.judged({ ...record, evaluation });
    this.#announce(record, evaluation);
  }

  #announce(record: SearchRecord, evaluation: Evaluation): void {
    const { events, floorMicroseconds } = this.#options;
    const { microseconds, outcome, estimate, reason, timeKind = 'modelled' } = evaluation;
    if (outcome === 'passed over')
      events?.emit({ type: 'candidate.passed-over', candidate: record.id, modelledMicroseconds: estimate!, reason });
    if (outcome !== 'correct' && outcome !== 'faster') return;
    const percentOfFloor =
      floorMicroseconds !== undefined && microseconds ? (100 * floorMicroseconds) / microseconds : undefined;
    events?.emit({
      type: 'candidate.accepted',
      candidate: record.id,
      time: microseconds === undefined ? undefined : { kind: timeKind, microseconds },
      percentOfFloor,
    });
    if (microseconds === undefined || microseconds >= this.#bestSoFar) return;
    this.#bestSoFar = microseconds;
    events?.emit({
      type: 'candidate.best',
      candidate: record.id,
      time: { kind: timeKind, microseconds },
      percentOfFloor,
      summary: record.summary,
    });
  }

  async #stop(underWay: number): Promise<StopReason | undefined> {
    const { budget, archive, signal, floorMicroseconds } = this.#options;
    return spent(budget, {
      ...{ records: this.#records, underWay, start: this.#start, seconds: this.#seconds() },
      ...{ best: this.#bestSoFar, floorMicroseconds },
      dollars: budget.dollars === undefined ? 0 : ((await archive.dollars?.()) ?? 0),
      interrupted: signal?.aborted ?? false,
    });
  }

  #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }
}

function madeBy(arm: Arm, record: SearchRecord): boolean {
  return record.engineer === arm.engineer.name && record.strategy === arm.strategy.name;
}

function hasFailed({ evaluation }: SearchRecord): boolean {
  return evaluation?.outcome === 'rejected' || evaluation?.outcome === 'unjudgeable';
}

function firstCorrect(records: readonly SearchRecord[]): SearchRecord | undefined {
  return records.find(({ evaluation }) => evaluation?.outcome === 'correct' || evaluation?.outcome === 'faster');
}

/**
 * The search: one loop for every engineer. Generations of candidates are proposed, recorded, judged, recorded again; parents
 * are drawn by tournament among the correct ones; it ends at a budget, at the floor, or when nothing improves.
 *
 * All state is in the records. What generation g proposes depends only on the seed, on g and on the records of the
 * generations before it, so a run that was killed goes on exactly where it stood, and nothing is judged twice.
 */
import { createHash } from 'node:crypto';
import type { EventStream } from '../../events/index.ts';
import type { Engineer, Evaluate, Evaluation, Proposal, SearchArchive, SearchRecord } from '../ports.ts';
import { type Arm, chooseArm } from './bandit.ts';
import { type Individual, ranked, tournament } from './population.ts';
import { Random } from './random.ts';

export interface SearchBudget {
  /** Candidates judged in this run, those before a resume included. */
  judgements?: number;
  /** Wall clock of this call, seconds. */
  seconds?: number;
  /** Stop when the best is within this factor of the floor: 1.1 is ten percent above it. */
  withinFloor?: number;
  /** Stop after this many generations in a row without a better candidate (default 4). */
  patience?: number;
  generations?: number;
}

export interface SearchOptions {
  run: string;
  task: { name: string };
  /** Id of the target GPU, for events. */
  gpu: string;
  engineers: readonly Engineer[];
  evaluate: Evaluate;
  archive: SearchArchive;
  /** Hash over a candidate's compiled code and launches, as in its evaluation: a known one is not judged again. */
  fingerprint?: (record: SearchRecord, signal?: AbortSignal) => Promise<string | undefined>;
  /** Gets what the search does. Rejections are reported by who judges. */
  events?: EventStream;
  budget: SearchBudget;
  seed: number;
  /** The least time any kernel could take on the target, microseconds. */
  floorMicroseconds?: number;
  /** Candidates judged at the same time (default 1). */
  concurrency?: number;
  /** Candidates a generation after the first (default 6). */
  generationSize?: number;
  signal?: AbortSignal;
}

export type StopReason =
  | 'judgements'
  | 'time'
  | 'floor'
  | 'no improvement'
  | 'generations'
  | 'exhausted'
  | 'interrupted';

export interface SearchResult {
  /** The fastest correct candidate of this run. */
  best?: SearchRecord;
  /** The first correct candidate proposed: the direct translation, where it is correct. */
  first?: SearchRecord;
  records: readonly SearchRecord[];
  stopped: StopReason;
  seconds: number;
}

/** Individuals that may become parents. */
const breeding = 12;
const tournamentSize = 3;
/** Attempts at a proposal that is not a repetition before a place in a generation stays empty. */
const attempts = 12;
/** Candidates that failed, of which one may be mended. */
const latestFailures = 4;
/** Candidates of other runs that a new run begins with. */
const warmStarts = 3;

export async function optimise(options: SearchOptions): Promise<SearchResult> {
  return new Search(options).run();
}

class Search {
  readonly #options: SearchOptions;
  readonly #started = performance.now();
  #records: SearchRecord[] = [];
  readonly #seen = new Set<string>();
  #bestSoFar = Infinity;
  #underWay = 0;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  async run(): Promise<SearchResult> {
    const { archive, events, run, task, gpu, engineers } = this.#options;
    this.#records = [...(await archive.ofRun())];
    for (const record of this.#records) this.#seen.add(sourceKey(record.source));
    const resumed = this.#records.length > 0;
    const name = engineers.map((engineer) => engineer.name).join(', ');
    events?.emit({ type: 'run.started', run, task: task.name, gpu, engineer: name, resumed });
    this.#bestSoFar = ranked(this.#records)[0]?.microseconds ?? Infinity;

    let stopped: StopReason | undefined;
    for (let generation = 0; stopped === undefined; generation++) {
      stopped = this.#stopBefore(generation) ?? (await this.#generation(generation));
    }
    const individuals = ranked(this.#records);
    const seconds = (performance.now() - this.#started) / 1000;
    const judged = this.#records.filter((record) => record.evaluation);
    const rejected = judged.filter((record) => record.evaluation!.outcome === 'rejected').length;
    const best = individuals[0]?.record;
    events?.emit({ type: 'run.finished', run, best: best?.id, judged: judged.length, rejected, seconds });
    return { best, first: firstCorrect(this.#records), records: this.#records, stopped, seconds };
  }

  /** Runs what is left of a generation. */
  async #generation(generation: number): Promise<StopReason | undefined> {
    const { events } = this.#options;
    const own = this.#records.filter((record) => record.generation === generation);
    const later = this.#records.some((record) => record.generation > generation);
    const wanted = generation === 0 ? await this.#first() : undefined;
    const size = wanted?.length ?? this.#options.generationSize ?? 6;
    if (own.length === 0) events?.emit({ type: 'generation.started', generation, proposed: size });
    // Records that a crash cut off before their judgement.
    const open: SearchRecord[] = own.filter((record) => !record.evaluation);
    if (!later && wanted) {
      for (const { engineer, proposal } of wanted) {
        if (!this.#seen.has(sourceKey(proposal.source))) open.push(await this.#record(engineer, proposal, generation));
      }
    } else if (!later) {
      open.push(...(await this.#breed(generation, own, size)));
      if (open.length === 0 && own.length === 0) return 'exhausted';
    }
    return this.#judge(open);
  }

  /** Generation 0: every engineer's first candidates, after the direct translation what other runs found. */
  async #first(): Promise<{ engineer: string; proposal: Proposal }[]> {
    const { engineers, archive, signal } = this.#options;
    const starts = await Promise.all(
      engineers.map(async (engineer) =>
        (await engineer.start(signal)).map((proposal) => ({ engineer: engineer.name, proposal })),
      ),
    );
    const known = await archive.ofOtherRuns(warmStarts);
    const warm = known.map((record) => ({
      engineer: record.engineer,
      proposal: { ...record, strategy: 'warm start', summary: record.summary, parents: [record.id] },
    }));
    const [plain, ...rest] = starts.flat();
    return [...(plain ? [plain] : []), ...warm, ...rest];
  }

  /** New candidates for a generation beside those that stand in it, by the records of earlier generations alone. */
  async #breed(generation: number, own: readonly SearchRecord[], size: number): Promise<SearchRecord[]> {
    const { engineers, seed, signal } = this.#options;
    const past = this.#records.filter((record) => record.generation < generation);
    const individuals = ranked(past).slice(0, breeding);
    const arms: Arm[] = engineers.flatMap((engineer) =>
      engineer.strategies.map((strategy) => ({ engineer, strategy })),
    );
    const pending = new Map<Arm, number>();
    const count = (arm: Arm) => pending.set(arm, (pending.get(arm) ?? 0) + 1);
    for (const arm of arms) for (const record of own) if (madeBy(arm, record)) count(arm);
    const made: SearchRecord[] = [];
    for (let place = own.length; place < size && !signal?.aborted; place++) {
      const random = new Random(seed, generation, place);
      const first = chooseArm(arms, past, pending);
      let proposal: Proposal | undefined;
      for (const arm of [first, ...arms.filter((other) => other !== first)]) {
        proposal = await this.#vary(arm, individuals, past, random);
        if (!proposal) continue;
        count(arm);
        made.push(await this.#record(arm.engineer.name, proposal, generation));
        break;
      }
      // An empty place ends the generation: the next place is always the number of records so far, also after a resume.
      if (!proposal) break;
    }
    return made;
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
      id: `${run}-${number}`,
      number,
      generation,
      engineer,
      source,
      strategy,
      summary,
      knobs,
      parents,
      ...(made && { made }),
    };
    this.#seen.add(sourceKey(source));
    this.#records.push(record);
    await archive.proposed(record);
    events?.emit({ type: 'candidate.proposed', candidate: record.id, generation, parent: parents[0], summary });
    return record;
  }

  /** Judges records, some at a time, until done or a budget says stop. */
  async #judge(open: readonly SearchRecord[]): Promise<StopReason | undefined> {
    let next = 0;
    let stopped: StopReason | undefined;
    const worker = async () => {
      while (next < open.length && stopped === undefined) {
        stopped = this.#outOfBudget(this.#underWay);
        if (stopped !== undefined) return;
        const record = open[next++]!;
        this.#underWay++;
        try {
          await this.#evaluate(record);
        } finally {
          this.#underWay--;
        }
      }
    };
    const workers = Math.max(1, this.#options.concurrency ?? 1);
    await Promise.all(Array.from({ length: workers }, worker));
    return stopped;
  }

  async #evaluate(record: SearchRecord): Promise<void> {
    const { evaluate, archive, signal } = this.#options;
    const evaluation = await this.#evaluation(record, evaluate, signal);
    // A judgement that was cut off is no verdict: the record stays open for the resume.
    if (!evaluation || (signal?.aborted && evaluation.outcome === 'unjudgeable')) return;
    record.evaluation = evaluation;
    await archive.judged({ ...record, evaluation });
    this.#announce(record, evaluation);
  }

  /** Undefined when the judgement was cut off by the signal. */
  async #evaluation(record: SearchRecord, evaluate: Evaluate, signal?: AbortSignal): Promise<Evaluation | undefined> {
    try {
      return (await this.#sameCode(record)) ?? (await evaluate(record, signal));
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  /** The evaluation of an earlier candidate that compiles to the same code: what one is, the other is. */
  async #sameCode(record: SearchRecord): Promise<Evaluation | undefined> {
    const codeHash = await this.#options.fingerprint?.(record, this.#options.signal);
    if (codeHash === undefined) return undefined;
    const twin = this.#records.find((other) => other !== record && other.evaluation?.codeHash === codeHash);
    return (
      twin?.evaluation && {
        ...twin.evaluation,
        reason: `compiles to the same code as ${twin.id}: ${twin.evaluation.reason}`,
      }
    );
  }

  #announce(record: SearchRecord, evaluation: Evaluation): void {
    const { events, floorMicroseconds } = this.#options;
    const { microseconds, timeKind = 'modelled' } = evaluation;
    if (evaluation.outcome !== 'correct' && evaluation.outcome !== 'faster') return;
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

  /** Stops that need no judgement under way: checked before each candidate. */
  #outOfBudget(underWay: number): StopReason | undefined {
    const { budget, signal, floorMicroseconds } = this.#options;
    if (signal?.aborted) return 'interrupted';
    const judged = this.#records.filter((record) => record.evaluation).length + underWay;
    if (budget.judgements !== undefined && judged >= budget.judgements) return 'judgements';
    if (budget.seconds !== undefined && (performance.now() - this.#started) / 1000 >= budget.seconds) return 'time';
    if (budget.withinFloor !== undefined && floorMicroseconds !== undefined) {
      if (this.#bestSoFar <= floorMicroseconds * budget.withinFloor) return 'floor';
    }
    return undefined;
  }

  #stopBefore(generation: number): StopReason | undefined {
    const { budget } = this.#options;
    if (budget.generations !== undefined && generation >= budget.generations) return 'generations';
    const patience = budget.patience ?? 4;
    const complete = this.#records.filter((record) => record.generation < generation);
    if (generation > patience) {
      const before = ranked(complete.filter((record) => record.generation < generation - patience))[0];
      const now = ranked(complete)[0];
      if (!now || (before && now.microseconds >= before.microseconds)) return 'no improvement';
    }
    return generation === 0 ? undefined : this.#outOfBudget(0);
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

/** Comments do not make a candidate new; its text otherwise does. */
function sourceKey(source: string): string {
  const bare = source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/[^\n]*/g, '')
    .replace(/\s+/g, ' ');
  return createHash('sha256').update(bare).digest('hex');
}

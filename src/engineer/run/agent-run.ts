/**
 * A run whose candidates come from outside: an agent submits them one by one. The same bench, checks, archive and budget as in a search; what
 * is missing is the search, because the agent does that.
 */
import { randomBytes } from 'node:crypto';
import type { Archive, RunRecord } from '../../archive/index.ts';
import type { EventStream } from '../../events/index.ts';
import type { Floor, FullTask, Task } from '../../task/index.ts';
import { createBuiltinEngineer } from '../builtin/engineer.ts';
import { LoweringError } from '../builtin/lower/index.ts';
import type { Proposal, SearchRecord } from '../ports.ts';
import { judgedInFull } from '../search/budget.ts';
import { asTwinOf, sourceKey } from '../search/novelty.ts';
import { ranked } from '../search/population.ts';
import { ArchivePort } from './archive-port.ts';
import { codeHash, JudgementBench } from './bench.ts';
import { holdRun } from './hold-run.ts';
import { agentName, confirm, type Winner } from './optimise-task.ts';
import type { Objective } from './records.ts';

export interface AgentRunOptions {
  task: Task;
  /** The task at its file's own shapes, where it was scaled. */
  full?: FullTask;
  /** Target GPU's id. */
  gpu: string;
  archive: Archive;
  /** Cache of compiled device code. */
  cacheDir: string;
  budget: AgentBudget;
  /** How the task was asked for, for whoever goes on with the run: kept with it, and not looked at here. */
  request?: unknown;
  events?: EventStream;
}

/** Candidates judged in full, and seconds on the wall clock from the run's beginning, whether anybody works on it or not. */
export interface AgentBudget {
  judgements: number;
  seconds: number;
}

/** A submission that is not judged, with what to do instead. */
export class SubmissionRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SubmissionRefused';
  }
}

export class AgentRun {
  readonly id: string;
  readonly floor: Floor;
  readonly #options: AgentRunOptions;
  readonly #bench: JudgementBench;
  readonly #objective: Objective;
  readonly #run: RunRecord;
  readonly #port: ArchivePort;
  /** Lets others go on with the run. */
  readonly #leave: () => Promise<void>;
  #records: SearchRecord[] = [];
  /** One submission after the other: numbers and budget are those of a queue. */
  #queue: Promise<unknown> = Promise.resolve();
  #finished = false;

  private constructor(
    options: AgentRunOptions,
    bench: JudgementBench,
    run: RunRecord,
    objective: Objective,
    leave: () => Promise<void>,
  ) {
    this.#options = options;
    this.#leave = leave;
    this.#bench = bench;
    this.#run = run;
    this.#objective = objective;
    this.#port = new ArchivePort(options.archive, options.task, run, bench, objective);
    this.id = run.id;
    this.floor = bench.floor;
  }

  /** Begins a run; where the built-in engineer can write the task, its direct translation is judged first: the least that is to be beaten. */
  static async open(options: AgentRunOptions, signal?: AbortSignal): Promise<AgentRun> {
    const { task, gpu, archive, budget, request = null } = options;
    const id = `${task.name}-${gpu}-${randomBytes(4).toString('hex')}`;
    await archive.saveTask(task);
    const about = { taskHash: task.hash, gpu, device: 'virtual' as const, engineer: agentName, seed: 1 };
    await archive.startRun({ id, ...about, options: { budget, objective: objectiveOf(gpu), request } });
    return AgentRun.goOn(options, (await archive.run(id))!, signal);
  }

  /**
   * Goes on with a run that another process began and left open, with the budget that it has left. What that process was killed over is judged now;
   * nothing that has a verdict is judged again. Throws RunHeld where that process still has it.
   */
  static async goOn(options: AgentRunOptions, record: RunRecord, signal?: AbortSignal): Promise<AgentRun> {
    const { task, full, gpu, cacheDir, events, archive } = options;
    const leave = await holdRun(archive, record.id);
    const bench = new JudgementBench({ task, full, gpu, events, cacheDir, devices: 1 });
    try {
      const run = new AgentRun(options, bench, record, objectiveOf(gpu), leave);
      run.#records = await run.#port.ofRun();
      for (const one of run.#records) if (!one.evaluation) await run.#decide(one, signal);
      const direct = run.#records.length === 0 ? await directTranslation(task, full?.task) : undefined;
      if (direct) await run.#judge('builtin', direct, signal);
      return run;
    } catch (error) {
      await Promise.all([leave(), bench.close()]);
      throw error;
    }
  }

  /** What is left of the budget. */
  get left(): { judgements: number; seconds: number } {
    const { budget } = this.#options;
    const judged = this.#records.filter(judgedInFull).length;
    const seconds = (Date.now() - Date.parse(this.#run.started)) / 1000;
    return { judgements: Math.max(0, budget.judgements - judged), seconds: Math.max(0, budget.seconds - seconds) };
  }

  /** Judges a candidate as every engineer's is. Throws SubmissionRefused where the budget is spent, or the source is known. */
  submit(
    candidate: { source: string; summary: string; parents: readonly string[] },
    signal?: AbortSignal,
  ): Promise<SearchRecord> {
    const turn = this.#queue.then(() => this.#submit(candidate, signal));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Correct candidates, fastest first, one for each compiled code. */
  frontier(most: number): SearchRecord[] {
    return ranked(this.#records)
      .slice(0, most)
      .map(({ record }) => record);
  }

  /** Ends the run: the best is judged once more, alone, on seeds of its own. Undefined where nothing stands. */
  async finish(signal?: AbortSignal): Promise<Winner | undefined> {
    await this.#queue;
    this.#finished = true;
    const { archive } = this.#options;
    try {
      const winner = await confirm(archive, this.#run, this.#bench, this.#objective, this.#port.alone, signal);
      if (!signal?.aborted) await archive.finishRun(this.id);
      return winner;
    } finally {
      await Promise.all([this.#leave(), this.#bench.close()]);
    }
  }

  /** Ends it without a verdict on the best; it may be found in the archive as cut off. */
  async close(): Promise<void> {
    this.#finished = true;
    await Promise.all([this.#leave(), this.#bench.close()]);
  }

  async #submit(
    { source, summary, parents }: { source: string; summary: string; parents: readonly string[] },
    signal?: AbortSignal,
  ): Promise<SearchRecord> {
    if (this.#finished) throw new SubmissionRefused('This run has ended; start another one.');
    const key = sourceKey(source);
    const same = this.#records.find((record) => sourceKey(record.source) === key);
    if (same?.evaluation) {
      const how = same.source === source ? '' : ', but for comments and white space';
      throw new SubmissionRefused(`This source was submitted before, as ${same.id}${how}.`);
    }
    const { judgements, seconds } = this.left;
    if (judgements === 0) throw new SubmissionRefused('The run has no judgements left: finish it.');
    if (seconds === 0) throw new SubmissionRefused('The run has no time left: finish it.');
    // A judgement that was broken off is taken up again.
    if (same) return this.#decide(same, signal);
    const unknown = parents.find((parent) => !this.#records.some(({ id }) => id === parent));
    if (unknown !== undefined)
      throw new SubmissionRefused(`There is no candidate ${unknown} in this run to be a parent.`);
    return this.#judge(agentName, { source, summary, parents, strategy: 'submitted', knobs: null }, signal);
  }

  async #judge(engineer: string, proposal: Proposal, signal?: AbortSignal): Promise<SearchRecord> {
    const { events } = this.#options;
    const number = this.#records.length + 1;
    const record: SearchRecord = { ...proposal, id: `${this.id}-${number}`, number, generation: number - 1, engineer };
    await this.#proposed(record);
    const { id, generation, parents, summary } = record;
    events?.emit({ type: 'candidate.proposed', candidate: id, generation, parent: parents[0], summary });
    return this.#decide(record, signal);
  }

  /** Keeps a proposal; its number is taken once in the archive, so two processes cannot both spend the same judgement. */
  async #proposed(record: SearchRecord): Promise<void> {
    const { archive } = this.#options;
    if ((await archive.candidates(this.id)).length !== this.#records.length)
      throw new SubmissionRefused('Another server has gone on with this run: submit to that one.');
    await this.#port.proposed(record);
    this.#records.push(record);
  }

  /** Judges a recorded candidate, or gives it the verdict of an earlier one with the same compiled code. */
  async #decide(record: SearchRecord, signal?: AbortSignal): Promise<SearchRecord> {
    const evaluation = (await this.#twin(record, signal)) ?? (await this.#port.evaluate(record, signal));
    if (signal?.aborted && evaluation.outcome === 'unjudgeable') throw signal.reason;
    record.evaluation = evaluation;
    await this.#port.judged({ ...record, evaluation });
    return record;
  }

  /** The evaluation of an earlier candidate that compiles to the same code. */
  async #twin(record: SearchRecord, signal?: AbortSignal): Promise<SearchRecord['evaluation']> {
    const hash = await this.#bench.prepare(record.source, signal).then(codeHash, () => undefined);
    const twin = this.#records.find((other) => other !== record && hash && other.evaluation?.codeHash === hash);
    return twin?.evaluation && asTwinOf(twin, twin.evaluation);
  }
}

function objectiveOf(gpu: string): Objective {
  return { kind: 'modelled', device: gpu };
}

async function directTranslation(task: Task, full: Task | undefined): Promise<Proposal | undefined> {
  try {
    const [first] = await createBuiltinEngineer({ task, full }).start();
    return first;
  } catch (error) {
    if (error instanceof LoweringError) return undefined;
    throw error;
  }
}

/**
 * What an agent works with, whichever way it came in: tasks, judgements, runs, the archive. Connections come and go (over HTTP each request is
 * one); the workshop stays, and its budget with it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type Archive, openArchive } from '../archive/index.ts';
import {
  type AgentBudget,
  AgentRun,
  type AgentRunOptions,
  agentName,
  type judgeOnce as Judge,
  judgeOnce,
  type SearchRecord,
} from '../engineer/index.ts';
import { EventStream } from '../events/index.ts';
import { type Evidence, evidencePage } from '../judge/index.ts';
import { type Floor, type FullTask, floor, loadWithFull, type Task } from '../task/index.ts';
import { type GpuTarget, gpuTarget } from '../vgpu/index.ts';
import { taskRequest } from './schemas.ts';
import { taskFileUnder } from './task-files.ts';

export interface WorkshopOptions {
  /** Where the archive is, and runs' results. */
  home: string;
  /** Caches of traced tasks and of compiled device code. */
  traces: string;
  builds: string;
  /** The folder that task files are in. */
  root: string;
  /** Judgements over all that agents ask for, runs included. */
  judgements: number;
}

/** How a task is meant. */
export type TaskRequest = z.infer<typeof taskRequest>;

/** What is kept with a run, so that another process can go on with it. */
const keptOptions = z.object({
  budget: z.object({ judgements: z.number(), seconds: z.number() }),
  request: taskRequest,
});

export interface LoadedTask {
  request: TaskRequest;
  task: Task;
  full?: FullTask;
  target: GpuTarget;
  floor: Floor;
}

/** A run that is under way, with its events. */
export interface OpenRun {
  run: AgentRun;
  loaded: LoadedTask;
  events: EventStream;
}

/** Files of a finished run. */
export interface Kept {
  kernel: string;
  evidence: string;
  page: string;
}

export class Workshop {
  readonly archive: Archive;
  readonly #options: WorkshopOptions;
  readonly #runs = new Map<string, OpenRun>();
  /** Runs of earlier processes that are being taken up. */
  readonly #takingUp = new Map<string, Promise<OpenRun>>();
  #judged = 0;

  private constructor(options: WorkshopOptions, archive: Archive) {
    this.#options = options;
    this.archive = archive;
  }

  static async open(options: WorkshopOptions): Promise<Workshop> {
    return new Workshop(options, await openArchive(options.home));
  }

  /** Judgements that are left to agents. */
  get left(): number {
    return this.#options.judgements - this.#judged;
  }

  async load(request: TaskRequest): Promise<LoadedTask> {
    const file = taskFileUnder(this.#options.root, request.task);
    const { precision, backward, scale } = request;
    const { task, full } = await loadWithFull(file, {
      ...{ cacheDir: this.#options.traces, precision, backward, reference: 'own' as const },
      ...(request.eval && { mode: 'eval' as const }),
      ...(scale !== undefined && { scale }),
    });
    const target = gpuTarget(request.gpu);
    return { request, task, ...(full && { full }), target, floor: floor(full?.task ?? task, target) };
  }

  /** Judges a kernel outside of runs. A task with a run under way is judged there, by that run's budget. */
  async judge(loaded: LoadedTask, source: string, events: EventStream, signal?: AbortSignal): ReturnType<typeof Judge> {
    const { task, full, target } = loaded;
    const open = [...this.#runs.values()].find(
      (one) => one.loaded.task.hash === task.hash && one.loaded.target.id === target.id,
    );
    if (open)
      throw new Error(
        `The run ${open.run.id} of this task is under way: submit the kernel to it with submit_candidate.`,
      );
    this.#spend();
    return judgeOnce({ task, full, gpu: target.id, cacheDir: this.#options.builds, source, events, signal });
  }

  /** Begins a run. */
  async start(
    loaded: LoadedTask,
    budget: AgentBudget,
    listener: (stream: EventStream) => () => void,
    signal?: AbortSignal,
  ): Promise<OpenRun> {
    const events = new EventStream();
    const stop = listener(events);
    try {
      return await this.#opened(budget.judgements, loaded, events, () =>
        AgentRun.open(this.#runOptions(loaded, budget, events), signal),
      );
    } finally {
      stop();
    }
  }

  /** A run that is under way, or was when an earlier process ended: that one is gone on with. Throws a sentence where there is none of that id. */
  async run(id: string, signal?: AbortSignal): Promise<OpenRun> {
    const open = this.#runs.get(id);
    if (open) return open;
    const before = this.#takingUp.get(id);
    if (before) return before;
    const taking = this.#takeUp(id, signal).finally(() => this.#takingUp.delete(id));
    this.#takingUp.set(id, taking);
    return taking;
  }

  async #takeUp(id: string, signal?: AbortSignal): Promise<OpenRun> {
    const record = await this.archive.run(id);
    if (!record || record.finished !== null)
      throw new Error(`No run ${id} is under way. start_run begins one; query_archive shows those that ended.`);
    const kept = keptOptions.safeParse(record.options);
    if (record.engineer !== agentName || !kept.success)
      throw new Error(`The run ${id} was not begun by these tools: go on with it by assay optimize --resume.`);
    const { budget, request } = kept.data;
    const loaded = await this.load(request);
    if (loaded.task.hash !== record.taskHash)
      throw new Error(`${request.task} has changed since the run ${id} began: begin another with start_run.`);
    const judged = (await this.archive.candidates(id)).filter(({ verdict }) => verdict && verdict.twin === undefined);
    const events = new EventStream();
    return this.#opened(Math.max(0, budget.judgements - judged.length), loaded, events, () =>
      AgentRun.goOn(this.#runOptions(loaded, budget, events), record, signal),
    );
  }

  #runOptions(loaded: LoadedTask, budget: AgentBudget, events: EventStream): AgentRunOptions {
    const { request, task, full, target } = loaded;
    const { archive } = this;
    return { task, full, gpu: target.id, archive, cacheDir: this.#options.builds, budget, request, events };
  }

  /** Opens a run; its judgements are set aside from those that are left to agents before anything is judged. */
  async #opened(
    judgements: number,
    loaded: LoadedTask,
    events: EventStream,
    opening: () => Promise<AgentRun>,
  ): Promise<OpenRun> {
    if (judgements > this.left)
      throw new Error(
        `The run needs ${judgements} judgements, and ${Math.max(0, this.left)} are left to agents on this server: ask for fewer, or start the server with more (--judgements).`,
      );
    this.#judged += judgements;
    try {
      const open = { run: await opening(), loaded, events };
      this.#runs.set(open.run.id, open);
      return open;
    } catch (error) {
      this.#judged -= judgements;
      throw error;
    }
  }

  /** Ends a run, confirms its best and writes it with its evidence; undefined where nothing stood up. */
  async finish(
    id: string,
    signal?: AbortSignal,
  ): Promise<{ record: SearchRecord; evidence: Evidence; kept: Kept } | undefined> {
    const { run } = await this.run(id, signal);
    const { judgements } = run.left;
    const winner = await run.finish(signal);
    this.#runs.delete(id);
    // What was set aside and not used goes back.
    this.#judged -= judgements;
    return winner && { record: winner.record, evidence: winner.evidence, kept: this.#keep(id, winner) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(({ run }) => run.close()));
    this.#runs.clear();
    await this.archive.close();
  }

  #spend(): void {
    if (this.left <= 0)
      throw new Error('No judgements are left to agents on this server: start it with more (--judgements).');
    this.#judged++;
  }

  #keep(id: string, { record, evidence }: { record: SearchRecord; evidence: Evidence }): Kept {
    const folder = join(this.#options.home, 'runs', id);
    mkdirSync(folder, { recursive: true });
    const kept = {
      kernel: join(folder, 'best.cu'),
      evidence: join(folder, 'evidence.json'),
      page: join(folder, 'evidence.html'),
    };
    writeFileSync(kept.kernel, record.source);
    writeFileSync(kept.evidence, `${JSON.stringify(evidence, null, 2)}\n`);
    writeFileSync(kept.page, evidencePage(evidence));
    return kept;
  }
}

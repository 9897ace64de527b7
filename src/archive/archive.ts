/**
 * The store of all tasks, runs, candidates, verdicts and lineage, across runs.
 *
 * Each call is one transaction: a process killed at any moment leaves a candidate either recorded or not, never half.
 * A candidate is recorded when it is proposed and again when it is judged, so that a resumed run judges exactly those
 * that have no verdict.
 */
import { join } from 'node:path';
import type { Task } from '../task/index.ts';
import { type Database, openDatabase, transaction } from './database.ts';
import type { CandidateRecord, JudgedCandidate, RunRecord, TimeRecord, VerdictRecord } from './records.ts';

type Row = Record<string, string | number | null>;

export class Archive {
  readonly #database: Database;

  /** Opens the archive in `directory` (file `archive.sqlite`), or makes one. */
  constructor(directory: string) {
    this.#database = openDatabase(join(directory, 'archive.sqlite'));
  }

  close(): void {
    this.#database.close();
  }

  /** Stores a task; once is enough. */
  saveTask(task: Pick<Task, 'hash' | 'name' | 'source' | 'graph'>): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO tasks (hash, name, source, graph, first_seen) VALUES (?, ?, ?, ?, ?)')
      .run(task.hash, task.name, task.source, JSON.stringify(task.graph), now());
  }

  startRun(run: Omit<RunRecord, 'started' | 'finished'>): void {
    this.#database
      .prepare(
        'INSERT INTO runs (id, task, gpu, device, engineer, seed, options, started) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(run.id, run.taskHash, run.gpu, run.device, run.engineer, run.seed, JSON.stringify(run.options), now());
  }

  /** Marks a run as ended by itself. */
  finishRun(id: string): void {
    this.#database.prepare('UPDATE runs SET finished = ? WHERE id = ?').run(now(), id);
  }

  run(id: string): RunRecord | undefined {
    const row = this.#database.prepare('SELECT * FROM runs WHERE id = ?').get(id) as Row | undefined;
    return row && toRun(row);
  }

  /** The latest run of this task on this target that was cut off. */
  unfinishedRun(taskHash: string, gpu: string): RunRecord | undefined {
    const row = this.#database
      .prepare(
        'SELECT * FROM runs WHERE task = ? AND gpu = ? AND finished IS NULL ORDER BY started DESC, rowid DESC LIMIT 1',
      )
      .get(taskHash, gpu) as Row | undefined;
    return row && toRun(row);
  }

  /** Every run, latest first. */
  runs(): RunRecord[] {
    return (this.#database.prepare('SELECT * FROM runs ORDER BY started DESC, rowid DESC').all() as Row[]).map(toRun);
  }

  /** Records a proposal, before it is judged. */
  addCandidate(candidate: CandidateRecord): void {
    transaction(this.#database, () => {
      const { id, run, number, generation, engineer, strategy, summary, knobs, source, sourceHash, parents } =
        candidate;
      this.#database
        .prepare(
          `INSERT INTO candidates (id, run, number, generation, engineer, strategy, summary, knobs, source, source_hash, proposed)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          id,
          run,
          number,
          generation,
          engineer,
          strategy,
          summary,
          JSON.stringify(knobs ?? null),
          source,
          sourceHash,
          now(),
        );
      const link = this.#database.prepare('INSERT OR IGNORE INTO parents (candidate, parent) VALUES (?, ?)');
      for (const parent of parents) link.run(id, parent);
    });
  }

  /** Records what became of a candidate. A second verdict on the same one replaces the first. */
  addVerdict(candidate: string, verdict: VerdictRecord): void {
    transaction(this.#database, () => {
      this.#database
        .prepare(
          `INSERT OR REPLACE INTO verdicts (candidate, outcome, check_id, reason, code_hash, evidence, milliseconds, judged)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          ...[candidate, verdict.outcome, verdict.check, verdict.reason, verdict.codeHash],
          ...[JSON.stringify(verdict.evidence), verdict.milliseconds, now()],
        );
      this.#database.prepare('DELETE FROM times WHERE candidate = ?').run(candidate);
      const add = this.#database.prepare(
        'INSERT INTO times (candidate, kind, device, microseconds, low, high, detail) VALUES (?, ?, ?, ?, ?, ?, ?)',
      );
      for (const { kind, device, microseconds, low, high, detail } of verdict.times) {
        add.run(candidate, kind, device, microseconds, low, high, JSON.stringify(detail));
      }
    });
  }

  /** Candidates of a run in the order proposed, each with its verdict if it has one. */
  candidates(run: string): JudgedCandidate[] {
    return this.#judged('WHERE c.run = ? ORDER BY c.number', [run]);
  }

  candidate(id: string): JudgedCandidate | undefined {
    return this.#judged('WHERE c.id = ?', [id])[0];
  }

  /**
   * The fastest correct candidates of a task over all runs (but one), by times of one kind on one device, fastest
   * first; one for each distinct source.
   */
  best(taskHash: string, kind: TimeRecord['kind'], device: string, most: number, exceptRun = ''): JudgedCandidate[] {
    return this.#judged(
      `JOIN runs r ON r.id = c.run JOIN times t ON t.candidate = c.id
       WHERE r.task = ? AND r.id <> ? AND v.outcome IN ('correct', 'faster') AND t.kind = ? AND t.device = ?
       GROUP BY c.source_hash ORDER BY t.microseconds LIMIT ?`,
      [taskHash, exceptRun, kind, device, most],
    );
  }

  #judged(rest: string, values: (string | number)[]): JudgedCandidate[] {
    const rows = this.#database
      .prepare(
        `SELECT c.*, v.outcome, v.check_id, v.reason, v.code_hash, v.evidence, v.milliseconds
         FROM candidates c LEFT JOIN verdicts v ON v.candidate = c.id ${rest}`,
      )
      .all(...values) as Row[];
    const parents = this.#database.prepare('SELECT parent FROM parents WHERE candidate = ? ORDER BY rowid');
    const times = this.#database.prepare('SELECT * FROM times WHERE candidate = ? ORDER BY kind, device');
    return rows.map((row) => {
      const candidate: JudgedCandidate = {
        id: String(row.id),
        run: String(row.run),
        number: Number(row.number),
        generation: Number(row.generation),
        engineer: String(row.engineer),
        strategy: String(row.strategy),
        summary: String(row.summary),
        knobs: JSON.parse(String(row.knobs)),
        source: String(row.source),
        sourceHash: String(row.source_hash),
        parents: (parents.all(row.id!) as Row[]).map(({ parent }) => String(parent)),
      };
      if (row.outcome === null) return candidate;
      return { ...candidate, verdict: toVerdict(row, times.all(row.id!) as Row[]) };
    });
  }
}

function toRun(row: Row): RunRecord {
  return {
    id: String(row.id),
    taskHash: String(row.task),
    gpu: String(row.gpu),
    device: row.device as RunRecord['device'],
    engineer: String(row.engineer),
    seed: Number(row.seed),
    options: JSON.parse(String(row.options)),
    started: String(row.started),
    finished: row.finished === null ? null : String(row.finished),
  };
}

function toVerdict(row: Row, times: readonly Row[]): VerdictRecord {
  return {
    outcome: row.outcome as VerdictRecord['outcome'],
    check: row.check_id as string | null,
    reason: row.reason as string | null,
    codeHash: row.code_hash as string | null,
    evidence: JSON.parse(String(row.evidence)),
    milliseconds: Number(row.milliseconds),
    times: times.map((time) => ({
      kind: time.kind as TimeRecord['kind'],
      device: String(time.device),
      microseconds: Number(time.microseconds),
      low: Number(time.low),
      high: Number(time.high),
      detail: JSON.parse(String(time.detail)),
    })),
  };
}

function now(): string {
  return new Date().toISOString();
}

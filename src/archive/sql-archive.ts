/** The archive over a database that speaks SQL. One text serves SQLite and PostgreSQL, so it keeps to what both understand. */
import type { Graph, PrecisionPolicy } from '../task/index.ts';
import type { Archive } from './archive.ts';
import type {
  CallRecord,
  CandidateRecord,
  JudgedCandidate,
  KnownTime,
  RelatedWork,
  RunRecord,
  Spending,
  StoredVerdict,
  TaskSummary,
  TaskToStore,
  TimeRecord,
  VerdictRecord,
} from './records.ts';
import { isGone, isSame, type RunHolder } from './run-holder.ts';
import type { Row, SqlDatabase, Statement, Value } from './sql-database.ts';
import { similarity, type TaskFeatures, taskFeatures } from './task-features.ts';

/** Candidates whose parents and times are fetched by one question; databases limit the values of one. */
const batch = 500;

export class SqlArchive implements Archive {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async saveTask(task: TaskToStore): Promise<void> {
    const { hash, name, source, graph } = task;
    const features = JSON.stringify(taskFeatures(task));
    const stored = insert('tasks', { hash, name, source, graph: JSON.stringify(graph), features, first_seen: now() });
    await this.#database.write([{ ...stored, sql: `${stored.sql} ON CONFLICT DO NOTHING` }]);
  }

  async tasks(): Promise<TaskSummary[]> {
    const rows = await this.#database.rows(
      `SELECT t.hash, t.name, t.first_seen, MAX(r.started) AS last_run, COUNT(DISTINCT r.id) AS runs, COUNT(c.id) AS candidates,
         SUM(CASE WHEN v.outcome IN ('correct', 'faster') THEN 1 ELSE 0 END) AS correct,
         (SELECT COALESCE(SUM(k.dollars), 0) FROM calls k JOIN runs q ON q.id = k.run WHERE q.task = t.hash) AS dollars
       FROM tasks t JOIN runs r ON r.task = t.hash LEFT JOIN candidates c ON c.run = r.id LEFT JOIN verdicts v ON v.candidate = c.id
       GROUP BY t.hash, t.name, t.first_seen ORDER BY last_run DESC, t.hash`,
    );
    return rows.map((row) => ({
      hash: String(row.hash),
      name: String(row.name),
      firstSeen: String(row.first_seen),
      runs: Number(row.runs),
      candidates: Number(row.candidates),
      correct: Number(row.correct),
      dollars: Number(row.dollars),
    }));
  }

  async taskSource(hash: string): Promise<string | undefined> {
    const [row] = await this.#database.rows('SELECT source FROM tasks WHERE hash = ?', [hash]);
    return row && String(row.source);
  }

  async startRun({ id, taskHash, gpu, device, engineer, seed, options }: Omit<RunRecord, 'started' | 'finished'>) {
    const asked = JSON.stringify(options ?? null);
    await this.#database.write([
      insert('runs', { id, task: taskHash, gpu, device, engineer, seed, options: asked, started: now() }),
    ]);
  }

  async finishRun(id: string): Promise<void> {
    await this.#database.write([{ sql: 'UPDATE runs SET finished = ? WHERE id = ?', values: [now(), id] }]);
  }

  async run(id: string): Promise<RunRecord | undefined> {
    const [row] = await this.#database.rows('SELECT * FROM runs WHERE id = ?', [id]);
    return row && toRun(row);
  }

  async unfinishedRun(taskHash: string, gpu: string, exceptEngineer = ''): Promise<RunRecord | undefined> {
    const [row] = await this.#database.rows(
      'SELECT * FROM runs WHERE task = ? AND gpu = ? AND engineer <> ? AND finished IS NULL ORDER BY started DESC, id LIMIT 1',
      [taskHash, gpu, exceptEngineer],
    );
    return row && toRun(row);
  }

  async holdRun(id: string, holder: RunHolder): Promise<RunHolder | undefined> {
    const text = await this.#holder(id);
    const before = text === null ? undefined : (JSON.parse(text) as RunHolder);
    const own = before !== undefined && isSame(before, holder);
    if (before && !own && !isGone(before)) return before;
    const next = JSON.stringify(own ? { ...holder, since: before.since } : holder);
    // Only if nobody has taken it since it was asked for.
    const values = [next, id, text ?? ''];
    await this.#database.write([
      { sql: "UPDATE runs SET holder = ? WHERE id = ? AND COALESCE(holder, '') = ?", values },
    ]);
    const now = await this.#holder(id);
    return now === next || now === null ? undefined : (JSON.parse(now) as RunHolder);
  }

  async leaveRun(id: string, holder: RunHolder): Promise<void> {
    const text = await this.#holder(id);
    if (text === null || !isSame(JSON.parse(text) as RunHolder, holder)) return;
    const sql = 'UPDATE runs SET holder = NULL WHERE id = ? AND holder = ?';
    await this.#database.write([{ sql, values: [id, text] }]);
  }

  async #holder(id: string): Promise<string | null> {
    const [row] = await this.#database.rows('SELECT holder FROM runs WHERE id = ?', [id]);
    return (row?.holder ?? null) as string | null;
  }

  async runs(taskHash?: string): Promise<RunRecord[]> {
    const order = 'ORDER BY started DESC, id';
    const rows = await (taskHash === undefined
      ? this.#database.rows(`SELECT * FROM runs ${order}`)
      : this.#database.rows(`SELECT * FROM runs WHERE task = ? ${order}`, [taskHash]));
    return rows.map(toRun);
  }

  async addCandidate(candidate: CandidateRecord, calls: readonly string[] = []): Promise<void> {
    const { id, run, number, generation, engineer, strategy, summary, source, sourceHash } = candidate;
    await this.#database.write([
      insert('candidates', {
        ...{ id, run, number, generation, engineer, strategy, summary },
        ...{ knobs: JSON.stringify(candidate.knobs ?? null), source, source_hash: sourceHash, proposed: now() },
      }),
      ...[...new Set(candidate.parents)].map((parent, position) =>
        insert('parents', { candidate: id, parent, position }),
      ),
      ...calls.map((call) => ({
        sql: 'UPDATE calls SET candidate = ? WHERE id = ? AND run = ?',
        values: [id, call, run],
      })),
    ]);
  }

  async addVerdict(candidate: string, verdict: VerdictRecord): Promise<void> {
    const { outcome, check, reason, codeHash, twin = null, evidence, milliseconds, times } = verdict;
    await this.#database.write([
      { sql: 'DELETE FROM verdicts WHERE candidate = ?', values: [candidate] },
      { sql: 'DELETE FROM times WHERE candidate = ?', values: [candidate] },
      insert('verdicts', {
        ...{ candidate, outcome, check_id: check, reason, code_hash: codeHash, twin },
        ...{ evidence: JSON.stringify(evidence ?? null), milliseconds, judged: now() },
      }),
      ...times.map(({ kind, device, microseconds, low, high, detail }) =>
        insert('times', { candidate, kind, device, microseconds, low, high, detail: JSON.stringify(detail ?? null) }),
      ),
    ]);
  }

  candidates(run: string): Promise<JudgedCandidate[]> {
    return this.#judged('WHERE c.run = ? ORDER BY c.number', [run]);
  }

  async candidate(id: string): Promise<JudgedCandidate | undefined> {
    const [found] = await this.#judged('WHERE c.id = ?', [id]);
    return found;
  }

  async evidence(candidate: string): Promise<unknown> {
    const [row] = await this.#database.rows('SELECT evidence FROM verdicts WHERE candidate = ?', [candidate]);
    return (row && JSON.parse(String(row.evidence))) ?? undefined;
  }

  best(
    taskHash: string,
    kind: TimeRecord['kind'],
    device: string,
    most: number,
    exceptRun = '',
  ): Promise<JudgedCandidate[]> {
    return this.#judged(
      `JOIN (
         SELECT c.id, t.microseconds,
           ROW_NUMBER() OVER (PARTITION BY c.source_hash ORDER BY t.microseconds, c.proposed, c.id) AS place
         FROM candidates c JOIN runs r ON r.id = c.run JOIN verdicts v ON v.candidate = c.id JOIN times t ON t.candidate = c.id
         WHERE r.task = ? AND r.id <> ? AND v.outcome IN ('correct', 'faster') AND t.kind = ? AND t.device = ?
       ) b ON b.id = c.id WHERE b.place = 1 ORDER BY b.microseconds, c.proposed, c.id LIMIT ?`,
      [taskHash, exceptRun, kind, device, most],
    );
  }

  async modelled(taskHash: string, gpu: string, exceptRun: string): Promise<ReadonlyMap<string, KnownTime>> {
    const rows = await this.#database.rows(
      `SELECT c.source_hash, v.code_hash, t.* FROM candidates c JOIN runs r ON r.id = c.run JOIN verdicts v ON v.candidate = c.id
         JOIN times t ON t.candidate = c.id
       WHERE r.task = ? AND r.id <> ? AND t.kind = 'modelled' AND t.device = ? ORDER BY v.judged`,
      [taskHash, exceptRun, gpu],
    );
    return new Map(
      rows.map((row) => [String(row.source_hash), { time: toTime(row), codeHash: row.code_hash as string | null }]),
    );
  }

  async related(task: TaskToStore, gpu: string, most: number): Promise<RelatedWork[]> {
    const own = taskFeatures(task);
    const rows = await this.#database.rows(
      `SELECT hash, name, features, CASE WHEN features IS NULL THEN graph END AS graph FROM tasks
       WHERE hash <> ? AND EXISTS (
         SELECT 1 FROM runs r JOIN candidates c ON c.run = r.id JOIN verdicts v ON v.candidate = c.id JOIN times t ON t.candidate = c.id
         WHERE r.task = tasks.hash AND v.outcome IN ('correct', 'faster') AND t.kind = 'modelled' AND t.device = ?)`,
      [task.hash, gpu],
    );
    const nearest = rows
      .map((row) => ({ row, likeness: similarity(own, featuresOf(row), gpu) }))
      .sort((a, b) => b.likeness.value - a.likeness.value || String(a.row.hash).localeCompare(String(b.row.hash)))
      .slice(0, most);
    const found: RelatedWork[] = [];
    for (const { row, likeness } of nearest) {
      const hash = String(row.hash);
      const [candidate] = await this.best(hash, 'modelled', gpu, 1);
      if (candidate) {
        const { value, shared } = likeness;
        found.push({ task: { hash, name: String(row.name) }, similarity: value, shared, candidate });
      }
    }
    return found;
  }

  async addCall(call: CallRecord): Promise<void> {
    const { id, run, candidate, engineer, strategy, model, error, dollars, milliseconds } = call;
    const outcome = {
      ...{ transcript: JSON.stringify(call.transcript ?? null), input_tokens: call.inputTokens },
      ...{ output_tokens: call.outputTokens, cached_tokens: call.cachedTokens, dollars, error, milliseconds },
    };
    const asked = {
      id,
      run,
      candidate,
      engineer,
      strategy,
      model,
      prompt: call.prompt,
      request_hash: call.requestHash,
    };
    const stored = insert('calls', { ...asked, ...outcome, made: now() });
    const replaced = Object.keys(outcome).map((column) => `${column} = excluded.${column}`);
    await this.#database.write([
      { ...stored, sql: `${stored.sql} ON CONFLICT (id) DO UPDATE SET ${replaced.join(', ')}` },
    ]);
  }

  async calls(run: string): Promise<CallRecord[]> {
    return (await this.#database.rows('SELECT * FROM calls WHERE run = ? ORDER BY made, id', [run])).map(toCall);
  }

  async spent(run: string): Promise<Spending> {
    const [row] = await this.#database.rows(
      `SELECT COUNT(*) AS calls, COALESCE(SUM(input_tokens), 0) AS input, COALESCE(SUM(output_tokens), 0) AS output,
         COALESCE(SUM(dollars), 0) AS dollars, COUNT(*) - COUNT(dollars) AS unpriced FROM calls WHERE run = ?`,
      [run],
    );
    return {
      calls: Number(row!.calls),
      inputTokens: Number(row!.input),
      outputTokens: Number(row!.output),
      dollars: Number(row!.dollars),
      unpriced: Number(row!.unpriced),
    };
  }

  async #judged(rest: string, values: readonly Value[]): Promise<JudgedCandidate[]> {
    const rows = await this.#database.rows(
      `SELECT c.*, v.outcome, v.check_id, v.reason, v.code_hash, v.twin, v.milliseconds
       FROM candidates c LEFT JOIN verdicts v ON v.candidate = c.id ${rest}`,
      values,
    );
    const ids = rows.map((row) => String(row.id));
    const parents = await this.#of(ids, 'SELECT candidate, parent FROM parents', 'ORDER BY position');
    const times = await this.#of(ids, 'SELECT * FROM times', 'ORDER BY kind, device');
    return rows.map((row, index) => {
      const id = ids[index]!;
      const candidate: JudgedCandidate = {
        id,
        run: String(row.run),
        number: Number(row.number),
        generation: Number(row.generation),
        engineer: String(row.engineer),
        strategy: String(row.strategy),
        summary: String(row.summary),
        knobs: JSON.parse(String(row.knobs)),
        source: String(row.source),
        sourceHash: String(row.source_hash),
        parents: (parents.get(id) ?? []).map(({ parent }) => String(parent)),
      };
      return row.outcome === null ? candidate : { ...candidate, verdict: toVerdict(row, times.get(id) ?? []) };
    });
  }

  /** Rows that belong to candidates, by candidate. */
  async #of(ids: readonly string[], select: string, order: string): Promise<Map<string, Row[]>> {
    const found = new Map<string, Row[]>();
    for (let from = 0; from < ids.length; from += batch) {
      const some = ids.slice(from, from + batch);
      const marks = some.map(() => '?').join(', ');
      for (const row of await this.#database.rows(`${select} WHERE candidate IN (${marks}) ${order}`, some)) {
        const own = found.get(String(row.candidate));
        if (own) own.push(row);
        else found.set(String(row.candidate), [row]);
      }
    }
    return found;
  }
}

/** A row to insert, by column. */
function insert(table: string, row: Record<string, Value>): Statement {
  const columns = Object.keys(row);
  return {
    sql: `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    values: Object.values(row),
  };
}

/** Of a task that an older Assay stored, the features are made from its graph; its precision was not kept. */
function featuresOf(row: Row): TaskFeatures {
  if (row.features !== null) return JSON.parse(String(row.features)) as TaskFeatures;
  const precision: PrecisionPolicy = 'fp32';
  return taskFeatures({ graph: JSON.parse(String(row.graph)) as Graph, precision });
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

function toVerdict(row: Row, times: readonly Row[]): StoredVerdict {
  return {
    outcome: row.outcome as StoredVerdict['outcome'],
    check: row.check_id as string | null,
    reason: row.reason as string | null,
    codeHash: row.code_hash as string | null,
    ...(row.twin !== null && { twin: String(row.twin) }),
    milliseconds: Number(row.milliseconds),
    times: times.map(toTime),
  };
}

function toTime(row: Row): TimeRecord {
  return {
    kind: row.kind as TimeRecord['kind'],
    device: String(row.device),
    microseconds: Number(row.microseconds),
    low: Number(row.low),
    high: Number(row.high),
    detail: JSON.parse(String(row.detail)),
  };
}

function toCall(row: Row): CallRecord {
  const numberOf = (value: Value | undefined) => (value === null || value === undefined ? null : Number(value));
  return {
    id: String(row.id),
    run: String(row.run),
    candidate: row.candidate as string | null,
    engineer: String(row.engineer),
    strategy: String(row.strategy),
    model: String(row.model),
    prompt: String(row.prompt),
    requestHash: String(row.request_hash),
    transcript: JSON.parse(String(row.transcript)),
    inputTokens: numberOf(row.input_tokens),
    outputTokens: numberOf(row.output_tokens),
    cachedTokens: numberOf(row.cached_tokens),
    dollars: numberOf(row.dollars),
    error: row.error as string | null,
    milliseconds: Number(row.milliseconds),
  };
}

function now(): string {
  return new Date().toISOString();
}

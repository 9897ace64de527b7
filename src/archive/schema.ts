/**
 * The archive's tables, as migrations in order: a database at version n has had the first n applied.
 * Never change one that has been released; add another.
 *
 * They are written in SQLite's words. PostgreSQL reads the same text with three words exchanged: {@link forPostgres}.
 */

export const migrations: readonly string[] = [
  `
  CREATE TABLE tasks (
    hash TEXT PRIMARY KEY,           -- SHA-256 of the source and the scale
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    graph TEXT NOT NULL,             -- JSON, src/task/types.ts Graph
    first_seen TEXT NOT NULL         -- ISO 8601, UTC
  ) STRICT;

  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    task TEXT NOT NULL REFERENCES tasks (hash),
    gpu TEXT NOT NULL,               -- target id, e.g. h100
    device TEXT NOT NULL,            -- virtual or cuda
    engineer TEXT NOT NULL,
    seed INTEGER NOT NULL,
    options TEXT NOT NULL,           -- JSON, what the run was asked for
    started TEXT NOT NULL,
    finished TEXT                    -- NULL while under way or interrupted
  ) STRICT;
  CREATE INDEX runs_by_task ON runs (task, gpu, started);

  CREATE TABLE candidates (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id),
    number INTEGER NOT NULL,         -- 1, 2, ... in the order proposed within the run
    generation INTEGER NOT NULL,
    engineer TEXT NOT NULL,          -- who proposed it
    strategy TEXT NOT NULL,          -- how: a name of the engineer's own
    summary TEXT NOT NULL,           -- one line for people
    knobs TEXT,                      -- JSON, for engineers that have them
    source TEXT NOT NULL,
    source_hash TEXT NOT NULL,       -- SHA-256 of the source
    proposed TEXT NOT NULL,
    UNIQUE (run, number)
  ) STRICT;
  CREATE INDEX candidates_by_source ON candidates (source_hash);

  CREATE TABLE parents (
    candidate TEXT NOT NULL REFERENCES candidates (id),
    parent TEXT NOT NULL,            -- a candidate's id, perhaps of another run
    PRIMARY KEY (candidate, parent)
  ) STRICT;

  CREATE TABLE verdicts (
    candidate TEXT PRIMARY KEY REFERENCES candidates (id),
    outcome TEXT NOT NULL,           -- rejected, correct, faster, unjudgeable, passed over
    check_id TEXT,                   -- the check that rejected
    reason TEXT,
    code_hash TEXT,                  -- SHA-256 of the compiled code, for novelty
    evidence TEXT NOT NULL,          -- JSON, src/judge evidence
    milliseconds REAL NOT NULL,      -- what judging took
    judged TEXT NOT NULL
  ) STRICT;

  -- A time has a kind: modelled ones and measured ones are never compared.
  CREATE TABLE times (
    candidate TEXT NOT NULL REFERENCES candidates (id),
    kind TEXT NOT NULL CHECK (kind IN ('modelled', 'measured')),
    device TEXT NOT NULL,            -- target id for modelled, the GPU's name for measured
    microseconds REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    detail TEXT NOT NULL,            -- JSON: limiting resource and occupancy, or raw samples
    PRIMARY KEY (candidate, kind, device)
  ) STRICT;
  `,
  `
  ALTER TABLE tasks ADD COLUMN features TEXT;                      -- JSON, task-features.ts: what related work is found by
  ALTER TABLE candidates ADD COLUMN island INTEGER NOT NULL DEFAULT 0;   -- the population it belongs to
  ALTER TABLE parents ADD COLUMN position INTEGER NOT NULL DEFAULT 0;    -- the main parent first

  -- Questions to language models, also those that no candidate came of: money is counted here and nowhere else.
  CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL REFERENCES runs (id),
    candidate TEXT REFERENCES candidates (id),  -- NULL while, or because, there is none
    engineer TEXT NOT NULL,
    strategy TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,            -- name@version of the prompt's text
    request_hash TEXT NOT NULL,      -- SHA-256 of what was asked: a resumed run finds the answer that was paid for
    transcript TEXT NOT NULL,        -- JSON: what was asked and answered
    input_tokens INTEGER,            -- NULL where the vendor does not say
    output_tokens INTEGER,
    cached_tokens INTEGER,
    dollars REAL,                    -- NULL where the price is not known
    error TEXT,
    milliseconds REAL NOT NULL,
    made TEXT NOT NULL
  ) STRICT;
  CREATE INDEX calls_by_run ON calls (run, made);
  CREATE INDEX calls_by_candidate ON calls (candidate);
  `,
  `
  -- A third kind of time: that of a fake driver's clocks, kept so that such a run can be resumed, and never taken for a measured one.
  CREATE TABLE times_of_three_kinds (
    candidate TEXT NOT NULL REFERENCES candidates (id),
    kind TEXT NOT NULL CHECK (kind IN ('modelled', 'measured', 'simulated')),
    device TEXT NOT NULL,            -- target id for modelled, the GPU's name for the others
    microseconds REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (candidate, kind, device)
  ) STRICT;
  INSERT INTO times_of_three_kinds SELECT candidate, kind, device, microseconds, low, high, detail FROM times;
  DROP TABLE times;
  ALTER TABLE times_of_three_kinds RENAME TO times;
  `,
  `
  ALTER TABLE verdicts ADD COLUMN twin TEXT;                       -- the candidate with the same compiled code that was judged in its place
  `,
  `
  ALTER TABLE runs ADD COLUMN holder TEXT;                         -- JSON, run-holder.ts: the process that works on it; NULL for none
  `,
  `
  ALTER TABLE candidates DROP COLUMN island;                       -- a run has one population
  `,
];

/** A migration in PostgreSQL's words: types of 64 bits, and no STRICT tables, since all are. */
export function forPostgres(migration: string): string {
  return migration
    .replace(/\) STRICT;/g, ');')
    .replace(/\bINTEGER\b/g, 'BIGINT')
    .replace(/\bREAL\b/g, 'DOUBLE PRECISION');
}

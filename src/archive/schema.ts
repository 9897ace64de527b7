/**
 * The archive's tables, as migrations in order: a database at version n has had the first n applied.
 * Never change one that has been released; add another.
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
    outcome TEXT NOT NULL,           -- rejected, correct, faster, unjudgeable
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
];

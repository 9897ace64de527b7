/** Opens the SQLite file: write-ahead log, so that readers (dashboard, second run) never block the writer; migrated. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { migrations } from './schema.ts';

/** An open SQLite database, with node:sqlite's interface. */
export type Database = InstanceType<typeof DatabaseSync>;

/** Opens or creates `file`, and brings its tables up to date. Throws when a newer Assay has written it. */
export function openDatabase(file: string): Database {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;',
  );
  migrate(database, file);
  return database;
}

function migrate(database: Database, file: string): void {
  transaction(database, () => {
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) {
      throw new Error(
        `${file} was written by a newer Assay (schema ${version}, this one knows ${migrations.length}). Update Assay.`,
      );
    }
    for (const [index, migration] of migrations.entries()) {
      if (index < version) continue;
      database.exec(migration);
      database.exec(`PRAGMA user_version = ${index + 1}`);
    }
  });
}

/** All of `work`, or nothing of it. */
export function transaction<T>(database: Database, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

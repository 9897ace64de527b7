/** The archive in a SQLite file: write-ahead log, so that readers (dashboard, second run) never block the writer; migrated. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { migrations } from './schema.ts';
import { type Row, type SqlDatabase, type Statement, type Value, writtenByNewer } from './sql-database.ts';

export class SqliteDatabase implements SqlDatabase {
  readonly #database: InstanceType<typeof DatabaseSync>;

  /** Opens or creates `file`, and brings its tables up to date. Throws when a newer Assay has written it. */
  constructor(file: string) {
    mkdirSync(dirname(file), { recursive: true });
    this.#database = new DatabaseSync(file);
    this.#database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;',
    );
    try {
      this.#migrate(file);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  async rows(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#database.prepare(sql).all(...values) as Row[];
  }

  async write(statements: readonly Statement[]): Promise<void> {
    this.#transaction(() => {
      for (const { sql, values } of statements) this.#database.prepare(sql).run(...values);
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #migrate(file: string): void {
    if (this.#version(file) === migrations.length) return;
    this.#transaction(() => {
      // Asked again: another process may have done it while this one waited.
      const version = this.#version(file);
      for (const migration of migrations.slice(version)) this.#database.exec(migration);
      this.#database.exec(`PRAGMA user_version = ${migrations.length}`);
    });
  }

  #version(file: string): number {
    const { user_version: version } = this.#database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) throw writtenByNewer(file, version, migrations.length);
    return version;
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

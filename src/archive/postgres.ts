/**
 * The archive in PostgreSQL, for several machines at once. The driver `pg` is the user's own to install; it is loaded only when an archive's address
 * begins with `postgres://`.
 */
import { createRequire } from 'node:module';
import type { Pool, PoolClient } from 'pg';
import { forPostgres, migrations } from './schema.ts';
import { type Row, type SqlDatabase, type Statement, type Value, writtenByNewer } from './sql-database.ts';

/** Connections of one archive: a few readers beside a writer. */
const connections = 4;
/** Any number that other programs' locks are unlikely to have: processes that open a new archive at once make its tables one after another. */
const migrationLock = 7_266_251;

export class PostgresDatabase implements SqlDatabase {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Connects to `url` and brings the tables up to date. Throws a sentence where that fails, without the address's password. */
  static async open(url: string): Promise<PostgresDatabase> {
    const { Pool } = driver();
    const pool = new Pool({ connectionString: url, max: connections });
    // A connection that breaks while nobody uses it: the next question opens another, or says why not.
    pool.on('error', () => undefined);
    const database = new PostgresDatabase(pool);
    try {
      await database.#migrate(shown(url));
    } catch (error) {
      await pool.end();
      throw error;
    }
    return database;
  }

  async rows(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return (await this.#pool.query<Row>(numbered(sql), values.map(storable))).rows;
  }

  write(statements: readonly Statement[]): Promise<void> {
    return this.#transaction(async (client) => {
      for (const { sql, values } of statements) await client.query(numbered(sql), values.map(storable));
    });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  #migrate(where: string): Promise<void> {
    return this.#transaction(
      async (client) => {
        await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
        await client.query('CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)');
        const { rows } = await client.query<{ version: string }>('SELECT version FROM schema_version');
        const version = Number(rows[0]?.version ?? 0);
        if (version > migrations.length) throw writtenByNewer(where, version, migrations.length);
        if (version === migrations.length) return;
        for (const migration of migrations.slice(version)) await client.query(forPostgres(migration));
        await client.query('DELETE FROM schema_version');
        await client.query('INSERT INTO schema_version (version) VALUES ($1)', [migrations.length]);
      },
      (error) => new Error(`the archive at ${where} cannot be opened: ${error.message}`, { cause: error }),
    );
  }

  async #transaction(
    work: (client: PoolClient) => Promise<void>,
    noConnection: (error: Error) => Error = (error) => error,
  ): Promise<void> {
    const client = await this.#pool.connect().catch((error: Error) => {
      throw noConnection(error);
    });
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => {
        broken = failure;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

function driver(): typeof import('pg') {
  const require = createRequire(import.meta.url);
  try {
    return require('pg') as typeof import('pg');
  } catch {
    throw new Error('an archive in PostgreSQL needs the package `pg`: npm install pg@8');
  }
}

/** `?` as PostgreSQL writes it. Our SQL has no question mark in a text. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => `$${++count}`);
}

/** PostgreSQL stores no NUL in a text; no compiler takes one either. */
function storable(value: Value): Value {
  return typeof value === 'string' ? value.replaceAll('\0', '\ufffd') : value;
}

/** An address for messages: without name and password. */
function shown(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `postgres://${host}${pathname}`;
  } catch {
    return 'the address given';
  }
}

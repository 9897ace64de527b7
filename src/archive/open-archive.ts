/** Which database an archive is in, by its address. */
import { join } from 'node:path';
import type { Archive } from './archive.ts';
import { PostgresDatabase } from './postgres.ts';
import { SqlArchive } from './sql-archive.ts';
import { SqliteDatabase } from './sqlite.ts';

/** Opens the archive at `where`, or makes one: a `postgres://` address, or a folder for the file `archive.sqlite`. */
export async function openArchive(where: string): Promise<Archive> {
  const database = /^postgres(ql)?:\/\//.test(where)
    ? await PostgresDatabase.open(where)
    : new SqliteDatabase(join(where, 'archive.sqlite'));
  return new SqlArchive(database);
}

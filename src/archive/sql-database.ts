/**
 * A database as the archive uses it: rows for a question, and changes that all happen or none does. SQLite and PostgreSQL are two of them.
 * The SQL is what both understand, with `?` for values.
 */

export type Value = string | number | null;

/** A row by column. PostgreSQL gives whole numbers of 64 bits as text. */
export type Row = Readonly<Record<string, Value>>;

export interface Statement {
  sql: string;
  values: readonly Value[];
}

export interface SqlDatabase {
  rows(sql: string, values?: readonly Value[]): Promise<Row[]>;
  /** All of it, or nothing; on disk when it returns. */
  write(statements: readonly Statement[]): Promise<void>;
  close(): Promise<void>;
}

/** What an archive says that a newer Assay has written. */
export function writtenByNewer(where: string, version: number, known: number): Error {
  return new Error(
    `${where} was written by a newer Assay (schema ${version}, this one knows ${known}). Update Assay, or name another archive.`,
  );
}

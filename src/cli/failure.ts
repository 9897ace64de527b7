/** Errors as sentences for people: those that rooms throw say what to do; the system's are translated; the rest are faults of ours. */
import { printable } from './terminal/format.ts';

const systemErrors: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: (path) => `There is no file ${path}.`,
  EACCES: (path) => `${path} may not be read or written by you.`,
  EISDIR: (path) => `${path} is a folder; a file is needed.`,
  ENOSPC: () => 'The disk is full.',
};

/** A sentence for any error. Errors with a `kind` come from a room and are sentences already. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error));
  const { code, path } = error as NodeJS.ErrnoException;
  const translate = code === undefined ? undefined : systemErrors[code];
  if (translate) return printable(translate(path ?? 'the file'));
  const expected = 'kind' in error || error.constructor === Error;
  const detail = expected ? '' : ` (a fault in Assay; please report it)\n${error.stack ?? ''}`;
  return printable(`${error.message}${detail}`);
}

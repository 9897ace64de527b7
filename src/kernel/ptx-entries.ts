/** The entries of a PTX file with their parameters: what a launch's arguments must become. */

export interface PtxParameter {
  /** As declared: `u64`, `f32`, `b8` for structs. */
  type: string;
  bytes: number;
}

export interface PtxEntry {
  name: string;
  parameters: readonly PtxParameter[];
  /** The candidate's lines that `-lineinfo` names in it. */
  lines: readonly number[];
  /** Statically allocated shared memory is ptxas' to say, see EntryResources. */
  line: number;
}

const SCALAR_BYTES: Readonly<Record<string, number>> = { '8': 1, '16': 2, '32': 4, '64': 8, '128': 16 };

/** Reads `.entry name ( .param ..., ... )` lists; the rest of the file is skipped. */
export function readEntries(ptx: string): PtxEntry[] {
  const entries: PtxEntry[] = [];
  for (const match of ptx.matchAll(/\.entry\s+([\w$%.]+)\s*(?:\(([\s\S]*?)\n?\))?/g)) {
    const parameters = (match[2] ?? '')
      .replace(/\/\/.*$/gm, '')
      .split(',')
      .map((p) => p.trim())
      .filter((p) => p !== '')
      .map(readParameter);
    const line = ptx.slice(0, match.index).split('\n').length;
    const end = ptx.indexOf('\n}', match.index);
    const body = ptx.slice(match.index, end < 0 ? undefined : end);
    // The candidate is the first file of the table; lines of inlined headers have other files.
    const lines = [...body.matchAll(/^\s*\.loc\s+1\s+(\d+)/gm)].map((loc) => Number(loc[1]));
    entries.push({ name: match[1] ?? '', parameters, lines, line });
  }
  return entries;
}

/** A global or constant variable of a PTX file. */
export interface PtxVariable {
  name: string;
  bytes: number;
}

/** Variables at the file's level, in the global and constant space. */
export function readVariables(ptx: string): PtxVariable[] {
  const pattern = /^\s*(?:\.\w+\s+)?\.(?:global|const)\s+\.align\s+\d+\s+\.(\w+)\s+([\w$]+)(?:\[(\d+)\])?/gm;
  return [...ptx.matchAll(pattern)].map(([, type, name, count]) => ({
    name: name!,
    bytes: (SCALAR_BYTES[/\d+/.exec(type!)?.[0] ?? '8'] ?? 1) * Number(count ?? 1),
  }));
}

function readParameter(text: string): PtxParameter {
  const type = /\.([subf](?:8|16|32|64|128)|f16x2|pred)\b/.exec(text)?.[1] ?? 'b8';
  const element = SCALAR_BYTES[/\d+/.exec(type)?.[0] ?? '8'] ?? 1;
  const array = /\[(\d+)\]\s*$/.exec(text)?.[1];
  return { type, bytes: array ? element * Number(array) : element };
}

/** The body of an entry in PTX text; undefined when it is not there. */
export function entryText(ptx: string, entry: string): string | undefined {
  const start = ptx.search(new RegExp(`\\.entry\\s+${entry.replace(/[^\w]/g, '\\$&')}\\b`));
  if (start < 0) return undefined;
  const next = ptx.indexOf('.entry', start + 6);
  return ptx.slice(start, next < 0 ? undefined : next);
}

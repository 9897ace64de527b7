/** The entries of a PTX file with their parameters: what a launch's arguments must become. */

export interface PtxParameter {
  /** As declared: `u64`, `f32`, `b8` for structs. */
  type: string;
  bytes: number;
}

export interface PtxEntry {
  name: string;
  parameters: readonly PtxParameter[];
  /** Threads of a block that it is compiled for at most (`__launch_bounds__`). */
  maxThreads?: number;
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
    const bounds = /^[^{]*?\.maxntid\s+([\d, ]+)/.exec(body.slice(match[0].length))?.[1];
    const maxThreads = bounds?.split(',').reduce((product, count) => product * Number(count), 1);
    entries.push({
      ...{ name: match[1] ?? '', parameters, lines, line },
      ...(maxThreads !== undefined && { maxThreads }),
    });
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

/**
 * Bytes of shared memory that an entry declares, or that stand at the file's level and are named in it (in any function, where it calls one), without gaps for alignment:
 * what can be told where no ptxas says it.
 */
export function declaredSharedBytes(ptx: string, entry: string): number {
  const body = entryText(ptx, entry) ?? '';
  const calls = /^\s*call\b/m.test(body);
  const declared = [...ptx.matchAll(/\.shared\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d+)\])?;/g)];
  // Those inside of another entry are that entry's own.
  const global = new Set(declared.filter(({ index }) => !insideEntry(ptx, index)).map(([, , name]) => name!));
  const named = new Set(body.match(/[\w$]+/g));
  return declared
    .filter(([, , name]) => named.has(name!) || (calls && global.has(name!)))
    .reduce(
      (sum, [, type, , count]) => sum + (SCALAR_BYTES[/\d+/.exec(type!)?.[0] ?? '8'] ?? 1) * Number(count ?? 1),
      0,
    );
}

function insideEntry(ptx: string, at: number): boolean {
  const start = ptx.lastIndexOf('.entry', at);
  return start >= 0 && ptx.lastIndexOf('\n}', at) < start;
}

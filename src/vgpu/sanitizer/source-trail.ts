/**
 * Where an instruction comes from, out of PTX's `.loc` lines: with the column, and through inlined functions out to the
 * kernel's own text, so that a fault in `atomicAdd` is shown at the line that calls it.
 */
import { isOwnFile } from '../ptx/own-place.ts';

export interface SourcePlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1; 0 when not known. */
  readonly column: number;
}

interface Loc {
  readonly ptxLine: number;
  readonly place: string;
  readonly inlinedAt: string | undefined;
}

const LOC = /^\s*\.loc\s+(\d+)\s+(\d+)\s+(\d+)(?:.*inlined_at\s+(\d+)\s+(\d+)\s+(\d+))?/;
const FILE = /^\s*\.file\s+(\d+)\s+"((?:[^"\\]|\\.)*)"/;
const FUNCTION = /^\s*(?:\.visible\s+|\.weak\s+|\.extern\s+)*\.(?:entry|func)\b/;

export class SourceMap {
  readonly #files = new Map<string, string>();
  readonly #locs: Loc[] = [];
  /** PTX lines at which a function begins. */
  readonly #functions: number[] = [];

  constructor(ptx: string) {
    for (const [index, text] of ptx.split('\n').entries()) {
      const loc = LOC.exec(text);
      if (loc !== null) {
        const inlinedAt = loc[4] === undefined ? undefined : `${loc[4]}:${loc[5]}:${loc[6]}`;
        this.#locs.push({ ptxLine: index + 1, place: `${loc[1]}:${loc[2]}:${loc[3]}`, inlinedAt });
        continue;
      }
      const file = FILE.exec(text);
      if (file !== null) this.#files.set(file[1]!, file[2]!.replaceAll(/\\(.)/g, '$1'));
      else if (FUNCTION.test(text)) this.#functions.push(index + 1);
    }
  }

  /** The places of a PTX line, innermost first; empty when the file has no line information there. */
  trail(ptxLine: number): SourcePlace[] {
    const start = this.#functions.findLast((line) => line <= ptxLine) ?? 0;
    // Line 0 is the compiler's own code.
    const above = this.#locs.filter(
      (loc) => loc.ptxLine > start && loc.ptxLine <= ptxLine && !/^\d+:0:/.test(loc.place),
    );
    const trail: SourcePlace[] = [];
    let current = above.at(-1);
    const seen = new Set<string>();
    while (current !== undefined && !seen.has(current.place)) {
      seen.add(current.place);
      trail.push(this.#place(current.place));
      const outer: string | undefined = current.inlinedAt;
      if (outer === undefined) break;
      const known: Loc | undefined = above.findLast((loc) => loc.place === outer);
      if (known === undefined) trail.push(this.#place(outer));
      current = known;
    }
    return trail;
  }

  #place(place: string): SourcePlace {
    const [file, line, column] = place.split(':') as [string, string, string];
    return { file: this.#files.get(file) ?? `file ${file}`, line: Number(line), column: Number(column) };
  }
}

/** The place to show: the innermost that is not in a header of the toolkit or the system. */
export function ownPlace(trail: readonly SourcePlace[]): SourcePlace | undefined {
  return trail.find(({ file }) => isOwnFile(file)) ?? trail[0];
}

/**
 * Which families of inputs are legal for a graph, kept in a file: a second judgement of a task need not try them all again. It follows from the graph and the families
 * alone; no seed that a candidate is judged on has to do with it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Graph } from '../types.ts';
import type { InputFamily } from './draw.ts';
import { families } from './families.ts';

/** To be raised when families are drawn otherwise, or found legal by other rules: what older ones kept is not read then. */
const RULES = 8;

/** What is kept for the graph; else what `find` says, which is kept. A file that cannot be read or written is as none. */
export function rememberedFamilies(
  cacheDir: string,
  graph: Graph,
  find: (graph: Graph) => InputFamily[],
): InputFamily[] {
  const key = createHash('sha256')
    .update(JSON.stringify([RULES, families, graph]))
    .digest('hex');
  const file = join(cacheDir, `families-${key}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as InputFamily[];
  } catch {
    const found = find(graph);
    keep(file, cacheDir, found);
    return found;
  }
}

/** Whole or not at all, also where two processes do it at once. */
function keep(file: string, folder: string, found: readonly InputFamily[]): void {
  const own = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(own, JSON.stringify(found));
    renameSync(own, file);
  } catch {
    // A folder that nothing can be kept in costs time, no more.
  }
}

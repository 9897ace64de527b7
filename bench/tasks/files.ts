/** Where a KernelBench checkout keeps its tasks: folders named level1, level2, ..., not deep. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of Python files named level1, level2, ... under a folder. */
function levelFolders(directory: string, depth = 3): Map<number, string> {
  const found = new Map<number, string>();
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    const path = join(directory, entry.name);
    const level = /^level_?(\d+)$/.exec(entry.name)?.[1];
    if (level !== undefined && readdirSync(path).some((name) => name.endsWith('.py'))) found.set(Number(level), path);
    else if (depth > 0)
      for (const [inner, at] of levelFolders(path, depth - 1)) if (!found.has(inner)) found.set(inner, at);
  }
  return found;
}

/** The task files of a level whose names match, by their number. Throws where there is no such level. */
export function taskFiles(directory: string, level: number, only?: RegExp): { level: number; path: string }[] {
  const levels = levelFolders(directory);
  const folder = levels.get(level);
  if (folder === undefined)
    throw new Error(
      `There is no folder level${level} with Python files under ${directory}; there are ${[...levels.keys()].sort().join(', ') || 'none'}.`,
    );
  return readdirSync(folder)
    .filter((file) => file.endsWith('.py') && (only?.test(file) ?? true))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
    .map((file) => ({ level, path: join(folder, file) }));
}

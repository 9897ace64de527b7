/** What `ptxas -v` says of each entry. */
import type { EntryResources } from '../types.ts';

export function readResources(output: string): EntryResources[] {
  const entries: EntryResources[] = [];
  let current: EntryResources | undefined;
  /** Whose properties the next line has: functions that are called have theirs, too. */
  let own = true;
  for (const line of output.split('\n')) {
    const start = /Compiling entry function '([^']+)'/.exec(line);
    if (start) {
      current = {
        entry: start[1]!,
        registers: 0,
        staticSharedBytes: 0,
        spillStoreBytes: 0,
        spillLoadBytes: 0,
        stackBytes: 0,
      };
      entries.push(current);
      continue;
    }
    if (!current) continue;
    const of = /Function properties for (\S+)/.exec(line);
    if (of) own = of[1] === current.entry;
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (stack && own) {
      current.stackBytes = Number(stack[1]);
      current.spillStoreBytes = Number(stack[2]);
      current.spillLoadBytes = Number(stack[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used) {
      current.registers = Number(used[1]);
      current.staticSharedBytes = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    }
  }
  return entries;
}

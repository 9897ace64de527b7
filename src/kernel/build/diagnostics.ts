/** Reads nvcc's and ptxas' output: errors with the candidate's lines, and each entry's resources. */
import type { EntryResources } from '../types.ts';
import type { Diagnostic } from './build-error.ts';

/**
 * Errors and warnings of `file` in nvcc's output, in order, shortened to what helps: a message once, no carets.
 * Lines of other files (headers) are reported at line 0 with the header's name.
 */
export function readDiagnostics(output: string, file: string): Diagnostic[] {
  const found: Diagnostic[] = [];
  const pattern =
    /^(.+?)\((\d+)\): (?:catastrophic )?(error|warning)(?: #[\w-]+)?: (.*)$|^(.+?):(\d+):(?:\d+:)? (?:fatal )?(error|warning): (.*)$/gm;
  for (const match of output.matchAll(pattern)) {
    const where = (match[1] ?? match[5])!;
    const own = where.endsWith(file);
    const message = (match[4] ?? match[8])!.trim();
    found.push({
      line: own ? Number(match[2] ?? match[6]) : 0,
      severity: (match[3] ?? match[7]) as Diagnostic['severity'],
      message: own ? message : `${message} (in ${where.split('/').pop()})`,
    });
  }
  const seen = new Set<string>();
  return found.filter(({ line, message }) => {
    const key = `${line}:${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** The first few errors as sentences: `line 12: identifier "x" is undefined`. */
export function summarise(diagnostics: readonly Diagnostic[], most = 5): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const shown = errors.slice(0, most).map(({ line, message }) => (line > 0 ? `line ${line}: ${message}` : message));
  if (errors.length > most) shown.push(`and ${errors.length - most} more errors`);
  return shown.join('; ');
}

/** What `ptxas -v` says of each entry. */
export function readResources(output: string): EntryResources[] {
  const entries: EntryResources[] = [];
  let current: EntryResources | undefined;
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
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (stack) {
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

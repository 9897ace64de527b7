/** Where in a person's own text an instruction comes from: what a header's function does is done by the line that calls it. */
import type { SourceLocation } from './ir.ts';

/** Whether a file is no header of the toolkit or the system. */
export function isOwnFile(file: string): boolean {
  return !/(^|\/)(include|targets)\//.test(file);
}

/** The innermost place outside of headers of the toolkit and the system, along the calls that were inlined; where there is none, the innermost. */
export function ownPlaceOf(source: SourceLocation | undefined): SourceLocation | undefined {
  for (let at = source; at !== undefined; at = at.inlinedAt) if (isOwnFile(at.file)) return at;
  return source;
}

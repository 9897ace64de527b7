/**
 * Text that comes from elsewhere (task files, kernels, compilers) inside of a prompt: fenced and marked as data. The fence holds a hash of the
 * text, so that no text can close its own fence and go on as instructions.
 */
import { createHash } from 'node:crypto';

/** `<kind-HASH>` around the text; the system prompt says that what stands between is data. */
export function asData(kind: string, text: string): string {
  const mark = `${kind}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
  return `<${mark}>\n${text.endsWith('\n') ? text : `${text}\n`}</${mark}>`;
}

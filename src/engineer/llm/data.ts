/**
 * Text that comes from elsewhere (task files, kernels, compilers) inside of a prompt: fenced and marked as data. The fence holds a hash of the
 * text, so that no text can know its own fence; and what reads like a fence inside of it, its own or that of other data, is broken by a space, so that
 * no text can close one and go on as instructions.
 */
import { createHash } from 'node:crypto';

/** Opening and closing fences of any data. */
const fence = /<(\/?)(?=[a-z-]+-[0-9a-f]{12}>)/gi;

/** `<kind-HASH>` around the text; the system prompt says that what stands between is data. */
export function asData(kind: string, text: string): string {
  const mark = `${kind}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
  const inside = text.replace(fence, '< $1');
  return `<${mark}>\n${inside.endsWith('\n') ? inside : `${inside}\n`}</${mark}>`;
}

/** Whether a candidate is new: by its text, before anything is done with it. By its compiled code it is looked at later. */
import { createHash } from 'node:crypto';

/** Comments and white space do not make a candidate new; its text otherwise does. */
export function sourceKey(source: string): string {
  const bare = source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/[^\n]*/g, '')
    .replace(/\s+/g, ' ');
  return createHash('sha256').update(bare).digest('hex');
}

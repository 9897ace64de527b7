/**
 * The prompts: Markdown files in `prompts/` that people can read and change. A folder of one's own may hold files that take the place of ours, by
 * name. Which text was used is known by its version, a hash, which goes into the archive with every candidate.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const promptNames = [
  'system',
  'answer',
  'translate',
  'rewrite',
  'optimise',
  'repair',
  'crossover',
  'innovate',
  'explain',
  'refused',
  'directions',
] as const;
export type PromptName = (typeof promptNames)[number];

export class Prompts {
  readonly #texts = new Map<PromptName, string>();

  /** `folder`: files that take the place of ours. */
  constructor(folder?: string) {
    const own = fileURLToPath(new URL('./prompts', import.meta.url));
    for (const name of promptNames) {
      const changed = folder === undefined ? undefined : join(folder, `${name}.md`);
      const file = changed !== undefined && existsSync(changed) ? changed : join(own, `${name}.md`);
      this.#texts.set(name, readFileSync(file, 'utf8').replaceAll('\r\n', '\n'));
    }
  }

  /** The prompt with every `{{name}}` filled in. Throws where one is not given: a prompt with a hole is never sent. */
  fill(name: PromptName, values: Readonly<Record<string, string>> = {}): string {
    return this.#texts.get(name)!.replace(/\{\{(\w+)\}\}/g, (_, hole: string) => {
      const value = values[hole];
      if (value === undefined) throw new Error(`The prompt ${name}.md asks for {{${hole}}}, which it cannot have.`);
      return value;
    });
  }

  /** `name@version`. */
  version(name: PromptName): string {
    return `${name}@${createHash('sha256').update(this.#texts.get(name)!).digest('hex').slice(0, 12)}`;
  }
}

/** Whether a candidate is new: by its text, before anything is done with it; by its compiled code, before it is judged. */
import { createHash } from 'node:crypto';
import { candidateLanguage } from '../../kernel/index.ts';
import type { Evaluation, SearchRecord } from '../ports.ts';

/** Comments and white space do not make a candidate new; its text otherwise does. The ends of the preprocessor's lines are kept: they mean something. */
export function sourceKey(source: string): string {
  const bare = candidateLanguage(source) === 'cuda' ? bareCuda(source) : source;
  return createHash('sha256').update(bare).digest('hex');
}

/** White space of a literal as characters that stand for nothing else, so that it is not folded with that around it. */
const outOfReach = (space: string) => String.fromCharCode(0xe000 + (space.charCodeAt(0) & 0xff));

function bareCuda(source: string): string {
  return source
    .replace(/\\\r?\n/g, '')
    .replace(
      /R"([^()\\\s]{0,16})\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
      (text) => (text.startsWith('/') ? ' ' : text.replace(/\s/g, outOfReach)),
    )
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('#') ? `\n${line}\n` : `${line} `))
    .join('');
}

/** The evaluation of a candidate that compiles to the same code as one that has been decided on: what one is, the other is. Says whose twin it is. */
export function asTwinOf({ id }: Pick<SearchRecord, 'id'>, evaluation: Evaluation): Evaluation {
  // The twin of a twin is that of the one that was judged.
  const twin = evaluation.twin ?? id;
  const said = evaluation.twin === undefined ? evaluation.reason : evaluation.reason.replace(/^.*?: /, '');
  return { ...evaluation, twin, reason: `compiles to the same code as ${twin}: ${said}` };
}

/**
 * Calls on record: a model that writes down what it is asked and answers, and one that plays such a record back. A line of the file is one call
 * (JSON): the question's hash, who was asked, and the answer; no key and no prompt.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import * as z from 'zod';
import { ModelFailure } from './model-failure.ts';
import { type Answer, type Model, type Question, questionHash } from './question.ts';

const lineSchema = z.object({
  request: z.string().regex(/^[0-9a-f]{64}$/),
  model: z.string(),
  answer: z.object({
    text: z.string(),
    finish: z.enum(['stop', 'length', 'refused', 'tools', 'other']),
    toolCalls: z.array(z.object({ id: z.string(), name: z.string(), input: z.json() })),
    inputTokens: z.number().optional(),
    outputTokens: z.number().optional(),
    cachedTokens: z.number().optional(),
  }),
});

type Line = z.infer<typeof lineSchema>;

/** Asks `model` and adds each call to `file`. */
export function recording(model: Model, file: string): Model {
  return {
    id: model.id,
    async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
      const answer = await model.ask(question, signal);
      const line = { request: questionHash(model.id, question, ''), model: model.id, answer };
      appendFileSync(file, `${JSON.stringify(line)}\n`);
      return answer;
    },
  };
}

/**
 * Plays a record back. `exact`: a question that is not on record is a failure. `in order`: the next answer on record of this model is given to
 * whatever is asked, for records that shall outlive a change of the prompts' words.
 */
export function replaying(id: string, file: string, mode: 'exact' | 'in order'): Model {
  const lines = readRecord(file).filter(({ model }) => model === id);
  const used = new Set<Line>();
  return {
    id,
    async ask(question: Question): Promise<Answer> {
      const hash = questionHash(id, question, '');
      const line = lines.find((one) => !used.has(one) && (mode === 'in order' || one.request === hash));
      if (!line) {
        const what = mode === 'exact' ? `no answer to this question (${hash.slice(0, 12)})` : 'no more answers';
        throw new ModelFailure('request', `The record ${file} holds ${what} of ${id}.`);
      }
      used.add(line);
      return line.answer as Answer;
    },
  };
}

function readRecord(file: string): Line[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((text) => text.trim() !== '')
    .map((text, index) => {
      const parsed = lineSchema.safeParse(parseJson(text));
      if (!parsed.success)
        throw new Error(`Line ${index + 1} of ${file} is no recorded call: ${z.prettifyError(parsed.error)}`);
      return parsed.data;
    });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

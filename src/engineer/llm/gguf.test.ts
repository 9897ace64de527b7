/** A model file in this process, by a library of node-llama-cpp's documented form: what is asked of it, and what ends an answer. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as z from 'zod';
import { type LlamaLibrary, openGguf } from './gguf.ts';
import { ModelFailure } from './model-failure.ts';
import type { Question } from './question.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-gguf-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'small.gguf');
writeFileSync(file, 'GGUF');

const question: Question = {
  system: 'You write CUDA.',
  messages: [
    { role: 'user', text: 'Write a kernel.' },
    { role: 'assistant', text: 'No.' },
    { role: 'user', text: 'Do.' },
  ],
  maxOutputTokens: 600,
};

interface Stage {
  /** Pieces of the answer, and what ended it. */
  says: readonly string[];
  stopReason?: string;
  contextSize?: number;
}

/** A library whose model says what it is told to; a token is a word. */
function library({ says, stopReason = 'eogToken', contextSize = 4096 }: Stage) {
  const seen = {
    contexts: 0,
    most: 0,
    open: 0,
    disposed: 0,
    history: [] as unknown[],
    prompts: [] as string[],
    grammars: [] as unknown[],
  };
  const words = (text: string) => text.split(' ');
  const found: LlamaLibrary = {
    getLlama: async () => ({
      createGrammarForJsonSchema: async (schema) => ({ grammarOf: schema }),
      loadModel: async ({ modelPath }) => {
        assert.equal(modelPath, file);
        return {
          tokenize: words,
          createContext: async (options) => {
            seen.contexts++;
            seen.open++;
            seen.most = Math.max(seen.most, seen.open);
            return {
              contextSize: Math.min(contextSize, options.contextSize.max),
              getSequence: () => ({ tokenMeter: { usedInputTokens: 11, usedOutputTokens: says.length } }),
              dispose: async () => {
                seen.open--;
                seen.disposed++;
              },
            };
          },
        };
      },
    }),
    LlamaChatSession: class {
      setChatHistory(history: unknown[]) {
        seen.history = history;
      }
      async promptWithMeta(
        text: string,
        options: { signal: AbortSignal; maxTokens: number; onTextChunk(piece: string): void; grammar?: object },
      ) {
        seen.prompts.push(text);
        if (options.grammar) seen.grammars.push(options.grammar);
        for (const piece of says) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          options.signal.throwIfAborted();
          options.onTextChunk(piece);
        }
        options.signal.throwIfAborted();
        return { responseText: says.join(''), stopReason };
      }
      dispose() {}
    },
  };
  return { seen, load: async () => found };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.fail('an answer came where a failure was due'),
    (error: unknown) => (error instanceof ModelFailure ? error : assert.fail(`no ModelFailure: ${String(error)}`)),
  );

describe('a model file in this process', () => {
  it('needs its file and its library, and says which', async () => {
    await assert.rejects(openGguf(join(folder, 'none.gguf')), /There is no model file/);
    await assert.rejects(openGguf(file), /needs node-llama-cpp, which is not installed: npm install node-llama-cpp/);
    const broken = async () => ({
      ...(await library({ says: [] }).load()),
      getLlama: () => Promise.reject(new Error('no memory')),
    });
    await assert.rejects(openGguf(file, broken), /cannot be loaded: no memory/);
  });

  it('is told the conversation, answers with its tokens, and gives its memory back', async () => {
    const { seen, load } = library({ says: ['a ', 'kernel'] });
    const answer = await (await openGguf(file, load)).ask(question);
    assert.deepEqual(answer, { text: 'a kernel', finish: 'stop', toolCalls: [], inputTokens: 11, outputTokens: 2 });
    assert.deepEqual(seen.history, [
      { type: 'system', text: 'You write CUDA.' },
      { type: 'user', text: 'Write a kernel.' },
      { type: 'model', response: ['No.'] },
    ]);
    assert.deepEqual([seen.prompts, seen.disposed], [['Do.'], 1]);
  });

  it('is asked one question at a time, in a form where one is asked for', async () => {
    const { seen, load } = library({ says: ['{"cause":"x"}'] });
    const model = await openGguf(file, load);
    const form = { name: 'explanation', schema: z.object({ cause: z.string() }) };
    await Promise.all([model.ask({ ...question, form }), model.ask(question), model.ask(question)]);
    assert.deepEqual([seen.contexts, seen.most, seen.disposed, seen.grammars.length], [3, 1, 3, 1]);
    assert.ok(JSON.stringify(seen.grammars).includes('"cause"'), 'the form is not in the grammar');
  });

  it('says when it is cut off, cannot hold the question, is asked for tools, or talks without end', async () => {
    const ask = async (stage: Stage, asked: Partial<Question> = {}) =>
      (await openGguf(file, library(stage).load)).ask({ ...question, ...asked });
    assert.equal((await ask({ says: ['half'], stopReason: 'maxTokens' })).finish, 'length');
    const small = await failure(ask({ says: ['x'], contextSize: 300 }));
    assert.deepEqual([small.kind, small.passes], ['request', false]);
    assert.match(small.message, /has \d+ tokens, and a context of 300/);
    const tools = [{ name: 'build', description: '', input: z.object({}) }];
    assert.match((await failure(ask({ says: ['x'] }, { tools }))).message, /calls no tools/);
    const endless = await failure(ask({ says: Array<string>(12).fill('x'.repeat(50_000)) }));
    assert.equal(endless.kind, 'too-long');
  });

  it('stops when it is told to, also while it waits for its turn', async () => {
    const { seen, load } = library({ says: Array<string>(2000).fill('word ') });
    const model = await openGguf(file, load);
    const stop = new AbortController();
    const asked = [model.ask(question, stop.signal), model.ask(question, stop.signal)];
    setTimeout(() => stop.abort(new Error('interrupted')), 30);
    for (const one of asked) await assert.rejects(one, /interrupted/);
    assert.deepEqual([seen.contexts, seen.disposed], [1, 1]);
  });
});

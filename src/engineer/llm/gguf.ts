/**
 * A model file (GGUF) run in this process by node-llama-cpp, which is not installed with Assay: it brings hundreds of megabytes. Where it is
 * missing, the error says how to get it. One question at a time: each takes the machine's memory and all its cores.
 */
import { existsSync } from 'node:fs';
import * as z from 'zod';
import { Turns } from '../search/turns.ts';
import { ModelFailure, tooLong } from './model-failure.ts';
import { type Answer, longestAnswer, type Model, type Question } from './question.ts';

type History =
  | { type: 'system'; text: string }
  | { type: 'user'; text: string }
  | { type: 'model'; response: string[] };

/** The part of node-llama-cpp (3.x) that is used, by its documented names. */
export interface LlamaLibrary {
  getLlama(): Promise<Llama>;
  LlamaChatSession: new (options: { contextSequence: LlamaSequence; systemPrompt: string }) => LlamaSession;
}

interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  createGrammarForJsonSchema(schema: object): Promise<object>;
}

interface LlamaModel {
  /** `max`: no larger than needed; the library takes what fits into memory. */
  createContext(options: { contextSize: { max: number } }): Promise<LlamaContext>;
  tokenize(text: string): readonly unknown[];
}

interface LlamaContext {
  readonly contextSize: number;
  getSequence(): LlamaSequence;
  dispose(): Promise<void>;
}

interface LlamaSequence {
  readonly tokenMeter: { readonly usedInputTokens: number; readonly usedOutputTokens: number };
}

interface LlamaSession {
  setChatHistory(history: History[]): void;
  promptWithMeta(text: string, options: PromptOptions): Promise<{ responseText: string; stopReason: string }>;
  dispose(): void;
}

interface PromptOptions {
  maxTokens: number;
  signal: AbortSignal;
  onTextChunk(text: string): void;
  grammar?: object;
}

const library = 'node-llama-cpp';
/** Tokens around messages that templates of chats add, at most; and the fewest that an answer must have room for. */
const around = 64;
const leastAnswer = 512;

/** Opens the model in `file`. Throws a sentence where the file or the library is missing. `load`: another library in tests. */
export async function openGguf(
  file: string,
  load: () => Promise<LlamaLibrary> = () => import(library) as Promise<LlamaLibrary>,
): Promise<Model> {
  if (!existsSync(file)) throw new Error(`There is no model file ${file}.`);
  let found: LlamaLibrary;
  try {
    found = await load();
  } catch {
    throw new Error(
      `gguf:${file} needs ${library}, which is not installed: npm install ${library}, or serve the file with llama.cpp and use openai-compatible.`,
    );
  }
  try {
    const llama = await found.getLlama();
    return new GgufModel(file, found, llama, await llama.loadModel({ modelPath: file }));
  } catch (error) {
    throw new Error(`${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

class GgufModel implements Model {
  readonly id: string;
  readonly #library: LlamaLibrary;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #turns = new Turns(1);

  constructor(file: string, found: LlamaLibrary, llama: Llama, model: LlamaModel) {
    this.id = `gguf:${file}`;
    this.#library = found;
    this.#llama = llama;
    this.#model = model;
  }

  ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    return this.#turns.take(() => this.#ask(question, signal));
  }

  async #ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const { system, messages, maxOutputTokens, tools = [], form } = question;
    if (tools.length > 0) throw new ModelFailure('request', `${this.id} calls no tools: leave out --model-tools.`);
    const texts = [system, ...messages.map(({ text }) => text)];
    const asked = texts.reduce((sum, text) => sum + this.#model.tokenize(text).length + around, 0);
    const context = await this.#model.createContext({ contextSize: { max: asked + maxOutputTokens } });
    try {
      const room = context.contextSize - asked;
      // With less room the library would drop the beginning of the question.
      if (room < Math.min(leastAnswer, maxOutputTokens))
        throw new ModelFailure(
          'request',
          `The question to ${this.id} has ${asked} tokens, and a context of ${context.contextSize} is what the model or this machine's memory allows.`,
        );
      const grammar = form && (await this.#llama.createGrammarForJsonSchema(z.toJSONSchema(form.schema)));
      return await this.#answer(question, context, Math.min(maxOutputTokens, room), grammar, signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof ModelFailure) throw error;
      throw new ModelFailure('request', `${this.id} fails: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await context.dispose();
    }
  }

  async #answer(
    { system, messages }: Question,
    context: LlamaContext,
    maxTokens: number,
    grammar: object | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const contextSequence = context.getSequence();
    const session = new this.#library.LlamaChatSession({ contextSequence, systemPrompt: system });
    const endless = new AbortController();
    let length = 0;
    const onTextChunk = (text: string) => {
      length += text.length;
      if (length > longestAnswer) endless.abort(tooLong(this.id, longestAnswer));
    };
    try {
      session.setChatHistory([{ type: 'system', text: system }, ...messages.slice(0, -1).map(toHistory)]);
      const { responseText, stopReason } = await session.promptWithMeta(messages.at(-1)!.text, {
        ...{ maxTokens, onTextChunk, signal: signal ? AbortSignal.any([signal, endless.signal]) : endless.signal },
        ...(grammar && { grammar }),
      });
      const { usedInputTokens: inputTokens, usedOutputTokens: outputTokens } = contextSequence.tokenMeter;
      const finish = stopReason === 'maxTokens' ? 'length' : 'stop';
      return { text: responseText, finish, toolCalls: [], inputTokens, outputTokens };
    } finally {
      session.dispose();
    }
  }
}

function toHistory({ role, text }: Question['messages'][number]): History {
  return role === 'assistant' ? { type: 'model', response: [text] } : { type: 'user', text };
}

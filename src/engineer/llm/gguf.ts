/**
 * A model file (GGUF) run in this process by node-llama-cpp, which is not installed with Assay: it brings hundreds of megabytes. Where it is
 * missing, the error says how to get it.
 */
import { existsSync } from 'node:fs';
import { ModelFailure } from './model-failure.ts';
import type { Answer, Model, Question } from './question.ts';

/** The part of node-llama-cpp that is used. */
interface LlamaLibrary {
  getLlama(): Promise<{ loadModel(options: { modelPath: string }): Promise<LlamaModel> }>;
  LlamaChatSession: new (options: {
    contextSequence: unknown;
    systemPrompt: string;
  }) => {
    prompt(text: string, options: { maxTokens: number; signal?: AbortSignal }): Promise<string>;
    dispose(): void;
  };
}

interface LlamaModel {
  createContext(): Promise<{ getSequence(): unknown; dispose(): Promise<void> }>;
  tokenize(text: string): readonly unknown[];
}

const library = 'node-llama-cpp';

/** Opens the model in `file`. Throws a sentence where the file or the library is missing. */
export async function openGguf(file: string): Promise<Model> {
  if (!existsSync(file)) throw new Error(`There is no model file ${file}.`);
  let llama: LlamaLibrary;
  try {
    llama = (await import(library)) as LlamaLibrary;
  } catch {
    throw new Error(
      `gguf:${file} needs ${library}, which is not installed: npm install ${library}, or serve the file with llama.cpp and use openai-compatible.`,
    );
  }
  const model = await (await llama.getLlama()).loadModel({ modelPath: file });
  return { id: `gguf:${file}`, ask: (question, signal) => ask(llama, model, file, question, signal) };
}

async function ask(
  llama: LlamaLibrary,
  model: LlamaModel,
  file: string,
  question: Question,
  signal?: AbortSignal,
): Promise<Answer> {
  const { system, messages, maxOutputTokens } = question;
  const context = await model.createContext();
  try {
    const session = new llama.LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt: system });
    const asked = messages.map(({ role, text }) => (role === 'user' ? text : `(${role}) ${text}`)).join('\n\n');
    const text = await session.prompt(asked, { maxTokens: maxOutputTokens, ...(signal && { signal }) });
    const outputTokens = model.tokenize(text).length;
    const inputTokens = model.tokenize(`${system}\n${asked}`).length;
    return {
      text,
      finish: outputTokens >= maxOutputTokens ? 'length' : 'stop',
      toolCalls: [],
      inputTokens,
      outputTokens,
    };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new ModelFailure('request', `gguf:${file} fails: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await context.dispose();
  }
}

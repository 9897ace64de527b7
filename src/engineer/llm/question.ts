/** What a model is asked and what it answers, whoever the vendor: plain data, so that it can be hashed, recorded and played back. */
import { createHash } from 'node:crypto';
import type * as z from 'zod';
import type { Json } from '../ports.ts';

export interface ToolCall {
  id: string;
  name: string;
  input: Json;
}

export type Message =
  | { role: 'user'; text: string }
  | { role: 'assistant'; text: string; toolCalls?: readonly ToolCall[] }
  | { role: 'tool'; call: ToolCall; text: string };

/** A function that the model may ask for; whoever asks the question runs it and asks again. */
export interface Tool {
  name: string;
  description: string;
  input: z.ZodType;
}

export interface Question {
  system: string;
  messages: readonly Message[];
  /** Tokens that the answer may have, thinking included. */
  maxOutputTokens: number;
  tools?: readonly Tool[];
  /** The answer is an object of this form, where given. */
  form?: { name: string; schema: z.ZodType };
}

export interface Answer {
  text: string;
  /** `length`: cut off at the most tokens; `refused`: by the model or the vendor's filter. */
  finish: 'stop' | 'length' | 'refused' | 'tools' | 'other';
  toolCalls: readonly ToolCall[];
  /** As the vendor counted; absent where it did not say. */
  inputTokens?: number;
  outputTokens?: number;
  /** Of the input tokens, those that the vendor had kept. */
  cachedTokens?: number;
}

/** Characters of an answer after which reading stops: no kernel file is that long. */
export const longestAnswer = 400_000;

/** A model that can be asked. */
export interface Model {
  /** `vendor:name`. */
  readonly id: string;
  /** Throws ModelFailure for everything that is the vendor's, the network's or the model's. */
  ask(question: Question, signal?: AbortSignal): Promise<Answer>;
}

/** SHA-256 of all that decides the answer; `nonce` sets equal questions apart that are to be asked twice. */
export function questionHash(model: string, question: Question, nonce: string): string {
  const { system, messages, maxOutputTokens, tools = [], form } = question;
  const names = tools.map((tool) => tool.name);
  return createHash('sha256')
    .update(JSON.stringify([model, system, messages, maxOutputTokens, names, form?.name ?? null, nonce]))
    .digest('hex');
}

/**
 * The most tokens that a question can be: no tokenizer makes more tokens than there are bytes, and what vendors add around messages and tools is
 * short.
 */
export function mostInputTokens({ system, messages, tools = [], form }: Question): number {
  const around = 64 * (messages.length + 1) + 512 * (tools.length + (form ? 1 : 0));
  return Buffer.byteLength(JSON.stringify([system, messages]), 'utf8') + around;
}

/**
 * The one file that touches the AI SDK: vendors' clients, one streamed answer, and its errors in our words. Waiting and asking again is
 * ours (desk.ts), because people shall see it and the budget shall know.
 *
 * The SDK is loaded when a model is opened, so that commands without one start as fast as before.
 */
import type { FilePart, LanguageModel, ModelMessage, TextPart, TextStreamPart, ToolSet } from 'ai';
import type { Json } from '../ports.ts';
import { kindOfStatus, ModelFailure, retryAfter, tooLong } from './model-failure.ts';
import { type ModelName, modelText, type Vendor } from './model-name.ts';
import { type Answer, longestAnswer, type Message, type Model, type Question, type ToolCall } from './question.ts';

export interface OpenOptions {
  /** Another address than the vendor's; needed for `openai-compatible`. */
  baseUrl?: string;
  /** Where keys are looked up. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds without a sign of life after which an answer is given up (default 5 minutes: some models think first). */
  silence?: number;
}

/** Where each vendor's key is expected; a server of one's own may need none. */
const keyVariables: Readonly<Record<Exclude<Vendor, 'gguf'>, { names: readonly string[]; needed: boolean }>> = {
  anthropic: { names: ['ANTHROPIC_API_KEY'], needed: true },
  openai: { names: ['OPENAI_API_KEY'], needed: true },
  google: { names: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'], needed: true },
  'openai-compatible': { names: ['ASSAY_MODEL_KEY', 'OPENAI_COMPATIBLE_API_KEY'], needed: false },
};

/** Opens a model of a vendor that is asked over HTTP. Throws a sentence where its key or address is missing. */
export async function openVendorModel(model: ModelName, options: OpenOptions): Promise<Model> {
  const { vendor, name } = model;
  if (vendor === 'gguf') throw new RangeError('a GGUF file is opened by gguf.ts');
  const { names, needed } = keyVariables[vendor];
  const apiKey = names.map((variable) => options.environment[variable]).find((value) => value);
  if (!apiKey && needed)
    throw new Error(`${modelText(model)} needs a key: set ${names.join(' or ')} in the environment.`);
  if (vendor === 'openai-compatible' && !options.baseUrl)
    throw new Error(`${modelText(model)} needs --base-url, e.g. http://127.0.0.1:11434/v1 for Ollama.`);
  const settings = { baseURL: options.baseUrl, apiKey };
  return new VendorModel(modelText(model), await client(vendor, name, settings), options.silence ?? 300_000, [
    ...(apiKey ? [apiKey] : []),
  ]);
}

async function client(
  vendor: Exclude<Vendor, 'gguf'>,
  name: string,
  settings: { baseURL?: string; apiKey?: string },
): Promise<LanguageModel> {
  switch (vendor) {
    case 'anthropic':
      return (await import('@ai-sdk/anthropic')).createAnthropic(settings)(name);
    case 'openai':
      return (await import('@ai-sdk/openai')).createOpenAI(settings)(name);
    case 'google':
      return (await import('@ai-sdk/google')).createGoogleGenerativeAI(settings)(name);
    case 'openai-compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const open = { baseURL: settings.baseURL!, apiKey: settings.apiKey };
      return createOpenAICompatible({ name: 'local', ...open, includeUsage: true, supportsStructuredOutputs: true })(
        name,
      );
    }
  }
}

/** What a stream has brought so far. */
interface Heard {
  text: string;
  toolCalls: ToolCall[];
  /** Words came, which the vendor may charge for. */
  begun: boolean;
  ended?: { finish: string; usage: { inputTokens?: number; outputTokens?: number; cached?: number } };
}

class VendorModel implements Model {
  readonly id: string;
  readonly #model: LanguageModel;
  readonly #silence: number;
  /** What must not stand in any message of ours. */
  readonly #secrets: readonly string[];

  constructor(id: string, model: LanguageModel, silence: number, secrets: readonly string[]) {
    this.id = id;
    this.#model = model;
    this.#silence = silence;
    this.#secrets = secrets;
  }

  async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    const { streamText, Output, tool } = await import('ai');
    (globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;
    const stop = new AbortController();
    const abort = () => stop.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    let silent: NodeJS.Timeout | undefined;
    const alive = () => {
      clearTimeout(silent);
      silent = setTimeout(() => stop.abort(new SilenceError(this.#silence)), this.#silence);
    };
    const heard: Heard = { text: '', toolCalls: [], begun: false };
    try {
      alive();
      const tools: ToolSet = Object.fromEntries(
        (question.tools ?? []).map(({ name, description, input }) => [name, tool({ description, inputSchema: input })]),
      );
      const result = streamText({
        model: this.#model,
        system: question.system,
        messages: question.messages.map(toModelMessage),
        maxOutputTokens: question.maxOutputTokens,
        maxRetries: 0,
        abortSignal: stop.signal,
        onError: () => {},
        ...(question.tools?.length ? { tools } : {}),
        ...(question.form ? { output: Output.object({ schema: question.form.schema, name: question.form.name }) } : {}),
      });
      for await (const part of result.fullStream) {
        alive();
        if (part.type === 'abort') throw stop.signal.reason;
        this.#hear(part, heard);
      }
      return this.#answer(heard);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw this.#failure(error, heard.begun);
    } finally {
      stop.abort();
      clearTimeout(silent);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Adds a part of the stream to what was heard. Throws where it is an error, or the answer becomes too long. */
  #hear(part: TextStreamPart<ToolSet>, heard: Heard): void {
    switch (part.type) {
      case 'text-delta':
        heard.begun = true;
        heard.text += part.text;
        if (heard.text.length > longestAnswer) throw tooLong(this.id, longestAnswer);
        break;
      case 'reasoning-delta':
        heard.begun = true;
        break;
      case 'tool-call':
        heard.toolCalls.push({ id: part.toolCallId, name: part.toolName, input: part.input as Json });
        break;
      case 'finish': {
        const { inputTokens, outputTokens, inputTokenDetails } = part.totalUsage;
        const usage = { inputTokens, outputTokens, cached: inputTokenDetails?.cacheReadTokens };
        heard.ended = { finish: part.finishReason, usage };
        break;
      }
      case 'error':
        throw part.error;
    }
  }

  /** The answer, once the stream has ended. Throws where it broke off. */
  #answer({ text, toolCalls, ended }: Heard): Answer {
    const { inputTokens, outputTokens, cached } = ended?.usage ?? {};
    // A stream that breaks off without its closing words ends in `other` and counts nothing.
    const closed = ended && ended.finish !== 'error' && !(ended.finish === 'other' && outputTokens === undefined);
    if (!closed) throw new ModelFailure('cut-off', `The answer of ${this.id} broke off.`, { mayCost: true });
    return {
      ...{ text, finish: finishOf(ended.finish), toolCalls },
      ...(inputTokens !== undefined && { inputTokens }),
      ...(outputTokens !== undefined && { outputTokens }),
      ...(cached !== undefined && { cachedTokens: cached }),
    };
  }

  /** Any error of the SDK as one of ours, without the key. */
  #failure(error: unknown, begun: boolean): ModelFailure {
    if (error instanceof ModelFailure) return error;
    const mayCost = begun;
    const said = this.#discreet(error instanceof Error ? error.message : String(error)).slice(0, 400);
    if (error instanceof SilenceError) return new ModelFailure('outage', `${this.id}: ${said}`, { mayCost: true });
    // Before the status: the SDK gives a stream that cannot be read a status of its own.
    if (isUnreadable(error))
      return new ModelFailure('malformed', `${this.id} answers what is no answer: ${said}`, { mayCost: true });
    const call = findCall(error);
    if (call?.statusCode !== undefined && call.statusCode >= 400) {
      const kind = kindOfStatus(call.statusCode);
      return new ModelFailure(kind, `${this.id} answers ${call.statusCode}: ${said}`, {
        retryAfter: retryAfter(call.responseHeaders),
        mayCost,
      });
    }
    if (isErrorEvent(error)) {
      const kind = /rate.?limit|overload|429/i.test(JSON.stringify(error)) ? 'rate-limit' : 'outage';
      return new ModelFailure(kind, `${this.id}: ${this.#discreet(JSON.stringify(error)).slice(0, 400)}`, { mayCost });
    }
    return new ModelFailure(begun ? 'cut-off' : 'outage', `${this.id} cannot be reached: ${said}`, { mayCost });
  }

  #discreet(text: string): string {
    return this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, '(key)'), text);
  }
}

class SilenceError extends Error {
  constructor(milliseconds: number) {
    super(`no sign of life for ${Math.round(milliseconds / 1000)} s.`);
  }
}

/** The SDK's error about an HTTP call, by its fields: perhaps wrapped. */
function findCall(error: unknown): { statusCode?: number; responseHeaders?: Record<string, string> } | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ('statusCode' in at) return at as { statusCode?: number; responseHeaders?: Record<string, string> };
    if ('lastError' in at && at.lastError instanceof Error) return findCall(at.lastError);
  }
  return undefined;
}

/** Whether the vendor answered, and what came is none of its protocol's answers. */
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const ours = /JSONParse|TypeValidation|InvalidResponse|EmptyResponse|NoOutput|NoObject/;
  return ours.test(error.name) || error.message.startsWith('JSON parsing failed');
}

/** An error that came as an event in the stream is a plain object or a text. */
function isErrorEvent(error: unknown): boolean {
  return !(error instanceof Error);
}

function finishOf(reason: string): Answer['finish'] {
  switch (reason) {
    case 'stop':
    case 'length':
      return reason;
    case 'content-filter':
      return 'refused';
    case 'tool-calls':
      return 'tools';
    default:
      return 'other';
  }
}

function toModelMessage(message: Message): ModelMessage {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.text };
    case 'assistant': {
      const parts: (TextPart | FilePart)[] = message.text ? [{ type: 'text', text: message.text }] : [];
      const calls = (message.toolCalls ?? []).map(({ id, name, input }) => {
        return { type: 'tool-call' as const, toolCallId: id, toolName: name, input };
      });
      return { role: 'assistant', content: [...parts, ...calls] };
    }
    case 'tool': {
      const { call, text } = message;
      const output = { type: 'text' as const, value: text };
      return { role: 'tool', content: [{ type: 'tool-result', toolCallId: call.id, toolName: call.name, output }] };
    }
  }
}

/** Local servers that speak the vendors' streaming protocols, so that the real clients of the AI SDK can be tried against them, faults included. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Vendor } from './model-name.ts';

/** What a model says. */
export interface Said {
  text?: string;
  toolCall?: { name: string; input: object };
  end?: 'stop' | 'length' | 'refusal';
  tokens?: { input: number; cached?: number; output: number };
}

/** How a server answers one request. */
export type Reaction =
  | { say: Said }
  /** The stream breaks off after so many events. */
  | { say: Said; breakAfter: number }
  | { status: number; headers?: Record<string, string>; body?: string }
  | { raw: string; type?: string }
  /** Says nothing at all. */
  | { hang: true };

export interface Heard {
  path: string;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

type Speaker = (said: Said) => string[];

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
const named = (data: { type: string }) => `event: ${data.type}\n${event(data)}`;

/** Text in pieces, as it streams. */
function pieces(text: string): string[] {
  const size = Math.max(8, Math.ceil(text.length / 16));
  return Array.from({ length: Math.ceil(text.length / size) }, (_, k) => text.slice(k * size, (k + 1) * size));
}

const counted = ({ tokens = { input: 100, output: 20 } }: Said) => tokens;

const anthropic: Speaker = (said) => {
  const { input, cached = 0, output } = counted(said);
  const block = said.toolCall
    ? { type: 'tool_use', id: 'toolu_1', name: said.toolCall.name, input: {} }
    : { type: 'text', text: '' };
  const deltas = said.toolCall
    ? pieces(JSON.stringify(said.toolCall.input)).map((part) => ({ type: 'input_json_delta', partial_json: part }))
    : pieces(said.text ?? '').map((part) => ({ type: 'text_delta', text: part }));
  const reasons = { stop: 'end_turn', length: 'max_tokens', refusal: 'refusal' };
  const usage = {
    input_tokens: input - cached,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
    output_tokens: 1,
  };
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  return [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: block },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: said.toolCall ? 'tool_use' : reasons[said.end ?? 'stop'], stop_sequence: null },
      usage: { output_tokens: output },
    },
    { type: 'message_stop' },
  ].map(named);
};

const openai: Speaker = (said) => {
  const { input, cached = 0, output } = counted(said);
  const response = { id: 'resp_1', object: 'response', created_at: 1, model: 'm', output: [] };
  const usage = {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
  };
  const items: { type: string }[] = [];
  if (said.toolCall) {
    const call = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: said.toolCall.name };
    const text = JSON.stringify(said.toolCall.input);
    items.push(
      { type: 'response.output_item.added', ...{ output_index: 0, item: { ...call, arguments: '' } } },
      ...pieces(text).map((delta) => ({
        type: 'response.function_call_arguments.delta',
        item_id: 'fc_1',
        output_index: 0,
        delta,
      })),
      {
        type: 'response.output_item.done',
        ...{ output_index: 0, item: { ...call, arguments: text, status: 'completed' } },
      },
    );
  } else {
    const message = { type: 'message', id: 'item_1', role: 'assistant', content: [] };
    const refused = { type: 'refusal', refusal: 'I will not.' };
    const content = said.end === 'refusal' ? [refused] : [];
    items.push(
      { type: 'response.output_item.added', ...{ output_index: 0, item: message } },
      ...pieces(said.text ?? '').map((delta) => ({
        type: 'response.output_text.delta',
        item_id: 'item_1',
        output_index: 0,
        content_index: 0,
        delta,
      })),
      { type: 'response.output_item.done', ...{ output_index: 0, item: { ...message, content } } },
    );
  }
  const cut =
    said.end === 'length'
      ? { reason: 'max_output_tokens' }
      : said.end === 'refusal'
        ? { reason: 'content_filter' }
        : null;
  const last = cut ? 'response.incomplete' : 'response.completed';
  return [
    { type: 'response.created', response },
    ...items,
    { type: last, response: { ...response, incomplete_details: cut, usage } },
  ].map(named);
};

const google: Speaker = (said) => {
  const { input, cached = 0, output } = counted(said);
  const usageMetadata = {
    promptTokenCount: input,
    cachedContentTokenCount: cached,
    candidatesTokenCount: output,
    totalTokenCount: input + output,
  };
  const parts = said.toolCall
    ? [{ functionCall: { name: said.toolCall.name, args: said.toolCall.input } }]
    : pieces(said.text ?? '').map((text) => ({ text }));
  const reasons = { stop: 'STOP', length: 'MAX_TOKENS', refusal: 'SAFETY' };
  const chunks = parts.map((part) => ({ candidates: [{ content: { parts: [part], role: 'model' }, index: 0 }] }));
  const finishReason = reasons[said.end ?? 'stop'];
  return [
    ...chunks,
    { candidates: [{ content: { parts: [], role: 'model' }, finishReason, index: 0 }], usageMetadata },
  ].map(event);
};

const chat: Speaker = (said) => {
  const { input, cached = 0, output } = counted(said);
  const chunk = (delta: object, finish: string | null = null) => ({
    ...{ id: 'chat_1', object: 'chat.completion.chunk', created: 1, model: 'm' },
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const call = said.toolCall;
  const deltas = call
    ? [
        {
          tool_calls: [
            {
              index: 0,
              id: 'call_1',
              type: 'function',
              function: { name: call.name, arguments: JSON.stringify(call.input) },
            },
          ],
        },
      ]
    : pieces(said.text ?? '').map((content) => ({ content }));
  const reasons = { stop: 'stop', length: 'length', refusal: 'content_filter' };
  const usage = {
    prompt_tokens: input,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens: output,
    total_tokens: input + output,
  };
  return [
    event(chunk({ role: 'assistant', content: '' })),
    ...deltas.map((delta) => event(chunk(delta))),
    event({ ...chunk({}, call ? 'tool_calls' : reasons[said.end ?? 'stop']) }),
    event({ ...chunk({}), choices: [], usage }),
    'data: [DONE]\n\n',
  ];
};

const speakers: Readonly<Record<Exclude<Vendor, 'gguf'>, Speaker>> = {
  anthropic,
  openai,
  google,
  'openai-compatible': chat,
};

/** A server of one vendor's protocol that reacts to each request in turn, and repeats the last reaction. */
export class VendorServer {
  readonly heard: Heard[] = [];
  readonly #server: Server;
  readonly #speak: Speaker;

  private constructor(vendor: Exclude<Vendor, 'gguf'>, reactions: readonly Reaction[]) {
    this.#speak = speakers[vendor];
    this.#server = createServer(async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      this.heard.push({
        path: request.url!,
        headers: request.headers,
        body: JSON.parse(text) as Record<string, unknown>,
      });
      const reaction = reactions[Math.min(this.heard.length, reactions.length) - 1]!;
      if ('hang' in reaction) return;
      if ('status' in reaction) {
        response.writeHead(reaction.status, { 'content-type': 'application/json', ...reaction.headers });
        response.end(reaction.body ?? JSON.stringify({ error: { type: 'error', message: 'the server says no' } }));
        return;
      }
      if ('raw' in reaction) {
        response.writeHead(200, { 'content-type': reaction.type ?? 'text/event-stream' });
        response.end(reaction.raw);
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const events = this.#speak(reaction.say);
      if (!('breakAfter' in reaction)) response.end(events.join(''));
      else
        response.write(events.slice(0, reaction.breakAfter).join(''), () =>
          setTimeout(() => request.socket.destroy(), 50),
        );
    });
  }

  static async start(vendor: Exclude<Vendor, 'gguf'>, reactions: readonly Reaction[]): Promise<VendorServer> {
    const made = new VendorServer(vendor, reactions);
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

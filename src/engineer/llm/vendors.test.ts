/** The vendors' protocols, by the AI SDK's real clients against local servers: what is sent, what is understood, and every way it can go wrong. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod';
import { ModelFailure } from './model-failure.ts';
import type { Vendor } from './model-name.ts';
import type { Question } from './question.ts';
import { openVendorModel } from './sdk.ts';
import { type Reaction, VendorServer } from './vendor-server.fixture.ts';

const key = 'sk-very-secret-0123456789';
const environment = {
  ANTHROPIC_API_KEY: key,
  OPENAI_API_KEY: key,
  GEMINI_API_KEY: key,
  ASSAY_MODEL_KEY: key,
};
const question: Question = {
  system: 'You write CUDA.',
  messages: [{ role: 'user', text: 'Write a kernel.' }],
  maxOutputTokens: 500,
};

async function asking<T>(
  vendor: Exclude<Vendor, 'gguf'>,
  reactions: readonly Reaction[],
  work: (
    ask: (
      asked?: Partial<Question>,
      signal?: AbortSignal,
    ) => ReturnType<Awaited<ReturnType<typeof openVendorModel>>['ask']>,
    server: VendorServer,
  ) => Promise<T>,
  silence = 10_000,
): Promise<T> {
  const server = await VendorServer.start(vendor, reactions);
  try {
    const model = await openVendorModel({ vendor, name: 'm' }, { baseUrl: server.url, environment, silence });
    return await work((asked, signal) => model.ask({ ...question, ...asked }, signal), server);
  } finally {
    await server.close();
  }
}

const paths = {
  anthropic: '/v1/messages',
  openai: '/v1/responses',
  google: '/v1/models/m:streamGenerateContent?alt=sse',
  'openai-compatible': '/v1/chat/completions',
} as const;

async function failure(promise: Promise<unknown>): Promise<ModelFailure> {
  const error = await promise.then(
    () => assert.fail('an answer came where a failure was due'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ModelFailure, `not a ModelFailure: ${String(error)}`);
  assert.ok(!error.message.includes(key), 'the key stands in a message');
  return error;
}

for (const vendor of ['anthropic', 'openai', 'google', 'openai-compatible'] as const) {
  describe(`models of ${vendor}`, () => {
    it('are asked by their protocol and answer in a stream, with tokens as they count them', () =>
      asking(
        vendor,
        [{ say: { text: 'Here is a kernel, in pieces.', tokens: { input: 120, cached: 40, output: 9 } } }],
        async (ask, server) => {
          const answer = await ask();
          assert.equal(answer.text, 'Here is a kernel, in pieces.');
          assert.equal(answer.finish, 'stop');
          assert.deepEqual([answer.inputTokens, answer.cachedTokens, answer.outputTokens], [120, 40, 9]);
          const [heard] = server.heard;
          assert.equal(heard!.path, paths[vendor]);
          const sent = JSON.stringify(heard!.body);
          assert.ok(sent.includes('You write CUDA.') && sent.includes('Write a kernel.') && sent.includes('500'), sent);
          assert.ok(JSON.stringify(heard!.headers).includes(key), 'the key goes to the vendor, in a header');
          assert.ok(!sent.includes(key) && !heard!.path.includes(key), 'and nowhere else');
        },
      ));

    it('may call tools, and are told what came of it', () =>
      asking(
        vendor,
        [{ say: { toolCall: { name: 'build_kernel', input: { source: 'int x;' } } } }, { say: { text: 'Done.' } }],
        async (ask, server) => {
          const tools = [{ name: 'build_kernel', description: 'builds', input: z.object({ source: z.string() }) }];
          const first = await ask({ tools });
          assert.equal(first.finish, 'tools');
          const [call] = first.toolCalls;
          assert.deepEqual([call!.name, call!.input], ['build_kernel', { source: 'int x;' }]);
          const messages = [
            ...question.messages,
            { role: 'assistant' as const, text: first.text, toolCalls: first.toolCalls },
            { role: 'tool' as const, call: call!, text: 'it builds' },
          ];
          assert.equal((await ask({ messages, tools })).text, 'Done.');
          assert.ok(JSON.stringify(server.heard[0]!.body).includes('build_kernel'), 'the tool is described');
          assert.ok(JSON.stringify(server.heard[1]!.body).includes('it builds'), 'the result is sent back');
        },
      ));

    it('answer in a form where one is asked for', () =>
      asking(vendor, [{ say: { text: '{"cause":"a race","change":"a barrier"}' } }], async (ask, server) => {
        const schema = z.object({ cause: z.string(), change: z.string() });
        const { text } = await ask({ form: { name: 'explanation', schema } });
        assert.deepEqual(schema.parse(JSON.parse(text)), { cause: 'a race', change: 'a barrier' });
        assert.ok(JSON.stringify(server.heard[0]!.body).includes('cause'), 'the form is sent');
      }));

    it('say when they cut an answer off, or refuse', () =>
      asking(
        vendor,
        [{ say: { text: 'half a ker', end: 'length' } }, { say: { text: '', end: 'refusal' } }],
        async (ask) => {
          assert.equal((await ask()).finish, 'length');
          assert.equal((await ask()).finish, 'refused');
        },
      ));

    it('that are busy, broken, or do not know the key fail in words that say which', () =>
      asking(
        vendor,
        [
          { status: 429, headers: { 'retry-after': '7' } },
          { status: 500 },
          { status: 529 },
          { status: 401, body: JSON.stringify({ error: { type: 'e', message: `invalid key ${key}` } }) },
          { status: 404 },
        ],
        async (ask, server) => {
          const busy = await failure(ask());
          assert.deepEqual([busy.kind, busy.retryAfter, busy.mayCost], ['rate-limit', 7000, false]);
          assert.equal((await failure(ask())).kind, 'outage');
          assert.equal((await failure(ask())).kind, 'outage');
          assert.equal((await failure(ask())).kind, 'key');
          assert.equal((await failure(ask())).kind, 'request');
          assert.equal(server.heard.length, 5, 'asking again is left to whoever counts the money');
        },
      ));

    it('that break off, fall silent, or cannot be reached fail and may be asked again', async () => {
      await asking(vendor, [{ say: { text: 'a long answer that never ends' }, breakAfter: 4 }], async (ask) => {
        const broken = await failure(ask());
        assert.ok(broken.passes && broken.mayCost, `${broken.kind}: ${broken.message}`);
      });
      await asking(
        vendor,
        [{ hang: true }],
        async (ask) => {
          const silent = await failure(ask());
          assert.ok(silent.passes && /no sign of life/.test(silent.message), silent.message);
        },
        150,
      );
      const gone = await openVendorModel({ vendor, name: 'm' }, { baseUrl: 'http://127.0.0.1:1/v1', environment });
      const unreachable = await failure(gone.ask(question));
      assert.deepEqual([unreachable.kind, unreachable.mayCost], ['outage', false]);
    });

    it('that answer what is no answer fail', () =>
      asking(
        vendor,
        [{ raw: 'data: {"this is": not json\n\n' }, { raw: '<html>hello</html>', type: 'text/html' }, { raw: '' }],
        async (ask) => {
          assert.equal((await failure(ask())).kind, 'malformed');
          for (const what of ['a page', 'nothing']) {
            const { kind, mayCost } = await failure(ask());
            assert.ok(
              (kind === 'malformed' || kind === 'cut-off') && mayCost,
              `${what} is ${kind}, and free: ${!mayCost}`,
            );
          }
        },
      ));

    it('are read no further than any kernel is long', () =>
      asking(vendor, [{ say: { text: 'x'.repeat(1_000_000) } }], async (ask) => {
        const long = await failure(ask());
        assert.deepEqual([long.kind, long.mayCost, long.passes], ['too-long', true, false]);
      }));

    it('stop when they are told to', () =>
      asking(vendor, [{ hang: true }], async (ask) => {
        const stop = new AbortController();
        setTimeout(() => stop.abort(new Error('interrupted')), 100);
        await assert.rejects(ask({}, stop.signal), /interrupted/);
      }));
  });
}

describe('models', () => {
  it('need their keys and addresses, and say which', async () => {
    await assert.rejects(openVendorModel({ vendor: 'anthropic', name: 'm' }, { environment: {} }), /ANTHROPIC_API_KEY/);
    await assert.rejects(openVendorModel({ vendor: 'google', name: 'm' }, { environment: {} }), /GEMINI_API_KEY/);
    await assert.rejects(openVendorModel({ vendor: 'openai-compatible', name: 'm' }, { environment }), /--base-url/);
  });
});

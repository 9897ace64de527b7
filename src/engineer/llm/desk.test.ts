/** Money: nothing over the budget, nothing paid twice, everything on record, waits that are seen. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CallRecord } from '../../archive/index.ts';
import { type AssayEvent, EventStream } from '../../events/index.ts';
import { type CallBook, Desk, mostOf, spentOn } from './desk.ts';
import { BudgetSpent, Ledger, type SpendingLimits } from './ledger.ts';
import { ModelFailure } from './model-failure.ts';
import { parseModelNames } from './model-name.ts';
import { dollarsFor, parsePrices, priceOf } from './prices.ts';
import type { Answer, Model, Question } from './question.ts';

const question: Question = { system: 's', messages: [{ role: 'user', text: 'Write.' }], maxOutputTokens: 100 };
const price = { input: 3, output: 15, source: 'test' };
const asking = { engineer: 'llm m', strategy: 'optimise', prompt: 'system@0', nonce: '1' };

/** Keeps text, as a database would. */
class MemoryBook implements CallBook {
  readonly rows = new Map<string, string>();
  async calls(): Promise<CallRecord[]> {
    return [...this.rows.values()].map((row) => JSON.parse(row) as CallRecord);
  }
  async addCall(call: CallRecord): Promise<void> {
    this.rows.set(call.id, JSON.stringify(call));
  }
}

type Turn = Answer | ModelFailure;
const said = (text: string, inputTokens?: number, outputTokens?: number): Answer => ({
  ...{ text, finish: 'stop', toolCalls: [] },
  ...(inputTokens !== undefined && { inputTokens }),
  ...(outputTokens !== undefined && { outputTokens }),
});

function model(turns: readonly Turn[]): Model & { asked: number } {
  return {
    id: 'test:m',
    asked: 0,
    async ask() {
      const turn = turns[Math.min(this.asked++, turns.length - 1)]!;
      if (turn instanceof ModelFailure) throw turn;
      return turn;
    },
  };
}

const deskFor = (book: CallBook, ledger: Ledger, events?: EventStream, waits: number[] = []) =>
  new Desk({
    ...{ run: 'run', book, ledger, wait: async (milliseconds: number) => void waits.push(milliseconds) },
    ...(events && { events }),
  });
const nothing = { dollars: 0, tokens: 0, calls: 0 };

describe('the desk', () => {
  it('pays an answer once: another process of the run gets it from the record', async () => {
    const book = new MemoryBook();
    const first = model([said('kernel', 1000, 200)]);
    const ledger = new Ledger({}, nothing);
    const { call } = await deskFor(book, ledger).ask({ model: first, price }, question, asking);
    assert.equal(call.dollars, (1000 * 3 + 200 * 15) / 1e6);
    assert.deepEqual(ledger.spent, { dollars: call.dollars!, tokens: 1200, calls: 1 });

    const second = model([said('another', 1, 1)]);
    const resumed = new Ledger({}, spentOn(await book.calls()));
    assert.deepEqual(resumed.spent, ledger.spent);
    const again = await deskFor(book, resumed).ask({ model: second, price }, question, asking);
    assert.deepEqual([again.answer.text, again.call.id, second.asked], ['kernel', call.id, 0]);
    await deskFor(book, resumed).ask({ model: second, price }, question, { ...asking, nonce: '2' });
    assert.equal(second.asked, 1, 'the same question for another place is another question');
  });

  it('counts a call that its process did not live to see answered as the most that it can have taken', async () => {
    const most = mostOf(question, price);
    const book = new MemoryBook();
    const begun = new Promise<void>((resolve) => {
      const silent: Model = { id: 'test:m', ask: () => new Promise(() => resolve()) };
      void deskFor(book, new Ledger({}, nothing)).ask({ model: silent, price }, question, asking);
    });
    await begun;
    const left = new Ledger({ dollars: 1.5 * most.dollars }, spentOn(await book.calls()));
    assert.deepEqual(left.spent, { ...most, calls: 1 });
    const asked = model([said('kernel', 1, 1)]);
    await assert.rejects(deskFor(book, left).ask({ model: asked, price }, question, asking), BudgetSpent);
    assert.equal(asked.asked, 0, 'over the budget');
    const richer = new Ledger({ dollars: 2 * most.dollars }, spentOn(await book.calls()));
    const { answer } = await deskFor(book, richer).ask({ model: asked, price }, question, asking);
    assert.equal(answer.text, 'kernel', 'no answer was on record, so the question is put again');
  });

  it('asks nothing that could go over the budget, over all that ask', async () => {
    const most = mostOf(question, price);
    const ledger = new Ledger({ dollars: 2.5 * most.dollars }, nothing);
    const slow: Model = {
      id: 'test:m',
      ask: () => new Promise((resolve) => setTimeout(() => resolve(said('x', 1, 1)), 20)),
    };
    const desk = deskFor(new MemoryBook(), ledger);
    const asked = ['1', '2', '3'].map((nonce) => desk.ask({ model: slow, price }, question, { ...asking, nonce }));
    const outcomes = await Promise.allSettled(asked);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    );
    assert.ok((outcomes[2] as PromiseRejectedResult).reason instanceof BudgetSpent, 'the third was asked');
    await desk.ask({ model: slow, price }, question, { ...asking, nonce: '4' });
    assert.ok(ledger.spent.dollars <= 2.5 * most.dollars, 'over the budget');
  });

  it('takes what was set aside where a vendor does not count or breaks off, and nothing where it refused to begin', async () => {
    const most = mostOf(question, price);
    const book = new MemoryBook();
    const ledger = new Ledger({}, nothing);
    const desk = deskFor(book, ledger);
    await desk.ask({ model: model([said('uncounted')]), price }, question, asking);
    assert.deepEqual(ledger.spent, { ...most, calls: 1 });
    const broken = new ModelFailure('malformed', 'no answer', { mayCost: true });
    await assert.rejects(desk.ask({ model: model([broken]), price }, question, { ...asking, nonce: '2' }), /no answer/);
    assert.equal(ledger.spent.calls, 2);
    const key = new ModelFailure('key', 'no key');
    await assert.rejects(desk.ask({ model: model([key]), price }, question, { ...asking, nonce: '3' }), /no key/);
    assert.equal(ledger.spent.calls, 2);
    assert.deepEqual(new Ledger({}, spentOn(await book.calls())).spent, ledger.spent, 'a resumed run counts the same');
  });

  it('waits where a vendor is busy, as long as it asks, and says so', async () => {
    const events = new EventStream();
    const seen: AssayEvent[] = [];
    events.subscribe((event) => seen.push(event));
    const waits: number[] = [];
    const busy = new ModelFailure('rate-limit', 'test:m answers 429', { retryAfter: 30_000 });
    const turns = [busy, new ModelFailure('outage', 'test:m answers 500'), said('at last', 1, 1)];
    const desk = deskFor(new MemoryBook(), new Ledger({ calls: 1 }, nothing), events, waits);
    const { answer } = await desk.ask({ model: model(turns), price }, question, asking);
    assert.equal(answer.text, 'at last');
    assert.deepEqual(waits, [30_000, 4_000]);
    assert.match(
      seen.map((event) => (event.type === 'note' ? event.message : '')).join('\n'),
      /429 Asking again in 30 s \(attempt 2 of 6\)/,
    );
  });

  it('gives up after some attempts', async () => {
    const down = model([new ModelFailure('outage', 'down')]);
    await assert.rejects(
      deskFor(new MemoryBook(), new Ledger({}, nothing)).ask({ model: down, price }, question, asking),
      /down/,
    );
    assert.equal(down.asked, 6);
  });
});

describe('the ledger', () => {
  it('is never over its limits, whatever is asked and whatever it took', () => {
    const amount = fc.record({
      dollars: fc.double({ min: 0, max: 2, noNaN: true }),
      tokens: fc.nat(2000),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 40 }), (asks) => {
        const limits: SpendingLimits = { dollars: 5, tokens: 9000, calls: 12 };
        const ledger = new Ledger(limits, nothing);
        const open: (() => void)[] = [];
        for (const { dollars, tokens, share } of asks) {
          try {
            const reservation = ledger.reserve({ dollars, tokens });
            open.push(() => reservation.settle({ dollars: dollars * share, tokens: Math.floor(tokens * share) }));
          } catch (error) {
            assert.ok(error instanceof BudgetSpent, String(error));
            open.shift()?.();
          }
        }
        for (const settle of open) settle();
        const { dollars, tokens, calls } = ledger.spent;
        assert.ok(dollars <= 5 + 1e-6 && tokens <= 9000 && calls <= 12, JSON.stringify(ledger.spent));
      }),
    );
  });
});

describe('prices', () => {
  it('are known by name and date of the name, given, or not known: never guessed', () => {
    const none = parsePrices([]);
    const [dated, unknown, local] = parseModelNames(
      'anthropic:claude-opus-4-5-20251101,openai:gpt-99,openai-compatible:mine',
    );
    assert.deepEqual([priceOf(dated!, none)!.input, priceOf(dated!, none)!.output], [5, 25]);
    assert.equal(priceOf(unknown!, none), undefined);
    assert.equal(priceOf(local!, none), undefined);
    assert.equal(priceOf(local!, parsePrices(['mine=0/0']))!.input, 0);
    assert.equal(priceOf(unknown!, parsePrices(['2/8/0.5']))!.cached, 0.5);
    assert.throws(() => parsePrices(['cheap']), /is no price/);
    assert.throws(() => parsePrices(['m=3']), /is no price/);
    assert.equal(
      dollarsFor({ ...price, cached: 0.3 }, { inputTokens: 1e6, cachedTokens: 5e5, outputTokens: 1e5 }),
      1.5 + 0.15 + 1.5,
    );
  });

  it('belong to models that are named as they should be', () => {
    assert.throws(() => parseModelNames('gpt-5'), /names no model/);
    assert.throws(() => parseModelNames('openai:a,openai:a'), /named twice/);
    assert.deepEqual(parseModelNames('openai-compatible:qwen3:32b'), [
      { vendor: 'openai-compatible', name: 'qwen3:32b' },
    ]);
  });
});

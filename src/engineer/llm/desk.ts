/**
 * Where questions to models go out and answers come in: each is paid once and counted exactly.
 *
 * A question is recorded before it is asked, as the most that it can take, and its answer before anything is made of it. So a process that is killed
 * while a vendor answers leaves a call behind that counts in full: the vendor may charge for it. A run that is resumed asks the same questions
 * again (search and prompts depend on records and seed alone), and gets the recorded answers for nothing. Rate limits and outages are waited out, and said.
 */
import { randomUUID } from 'node:crypto';
import type { CallRecord } from '../../archive/index.ts';
import type { EventStream } from '../../events/index.ts';
import type { Amount, Ledger, Reservation } from './ledger.ts';
import { ModelFailure } from './model-failure.ts';
import { dollarsFor, type Price } from './prices.ts';
import { type Answer, type Model, mostInputTokens, type Question, questionHash } from './question.ts';

/** A model with its price; no price: it is counted in tokens and calls alone. */
export interface PricedModel {
  model: Model;
  price?: Price;
}

/** Where calls are kept; the archive is one. */
export interface CallBook {
  /** Calls of a run in the order made. */
  calls(run: string): Promise<readonly CallRecord[]>;
  /** A second record of the same id takes the first's place. */
  addCall(call: CallRecord): Promise<void>;
}

export interface DeskOptions {
  run: string;
  book: CallBook;
  ledger: Ledger;
  events?: EventStream;
  /** Waits; another one in tests. */
  wait?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Who asks, for the record. */
export interface Asking {
  engineer: string;
  strategy: string;
  /** `name@version` of the prompts that the question was made with. */
  prompt: string;
  /** Sets equal questions apart that are asked for another place in the run. */
  nonce: string;
}

/** An answer with its call's record. */
export interface Answered {
  answer: Answer;
  call: CallRecord;
}

/** Times that a question is put before it is given up. */
const attempts = 6;
/** What a call says until it ends: who reads it later knows that its process was killed. */
const lost = 'asked, and ended before an answer came: counted as the most that it can have taken';
const shortestWait = 2_000;
const longestWait = 120_000;

export class Desk {
  readonly #options: DeskOptions;
  #known: Promise<Map<string, CallRecord>> | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Throws BudgetSpent, ModelFailure, or the signal's reason. */
  async ask(priced: PricedModel, question: Question, asking: Asking, signal?: AbortSignal): Promise<Answered> {
    const hash = questionHash(priced.model.id, question, asking.nonce);
    const known = (await this.#recall()).get(hash);
    if (known) return { answer: answerOf(known), call: known };
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(priced, question, asking, hash, signal);
      } catch (error) {
        if (!(error instanceof ModelFailure) || !error.passes || attempt === attempts) throw error;
        await this.#waitFor(error, attempt, signal);
      }
    }
  }

  /** One attempt: set aside, record, ask, record, settle. */
  async #once(
    { model, price }: PricedModel,
    question: Question,
    asking: Asking,
    hash: string,
    signal: AbortSignal | undefined,
  ): Promise<Answered> {
    const { ledger, book, run } = this.#options;
    const most = mostOf(question, price);
    const reservation = ledger.reserve(most);
    const started = performance.now();
    const id = randomUUID();
    const record = (answer: Answer | undefined, error: string | null, taken: Amount | undefined): CallRecord => ({
      ...{ id, run, candidate: null, engineer: asking.engineer, strategy: asking.strategy },
      prompt: asking.prompt,
      ...{ model: model.id, requestHash: hash, error, milliseconds: performance.now() - started },
      transcript: {
        system: question.system,
        messages: question.messages,
        answer: answer ?? null,
        taken: taken ?? null,
      },
      inputTokens: answer?.inputTokens ?? null,
      outputTokens: answer?.outputTokens ?? null,
      cachedTokens: answer?.cachedTokens ?? null,
      dollars: price ? (taken?.dollars ?? 0) : null,
    });
    let answer: Answer;
    try {
      await book.addCall(record(undefined, lost, most));
    } catch (error) {
      reservation.settle(undefined);
      throw error;
    }
    try {
      answer = await model.ask(question, signal);
    } catch (error) {
      await this.#lost(error, reservation, (said, taken) => record(undefined, said, taken), signal);
      throw error;
    }
    const taken = takenBy(answer, price, most);
    const call = record(answer, null, taken);
    await book.addCall(call);
    reservation.settle(taken);
    (await this.#recall()).set(hash, call);
    return { answer, call };
  }

  /** A call without an answer: where the vendor may charge for it, all that was set aside is taken as spent. */
  async #lost(
    error: unknown,
    reservation: Reservation,
    record: (error: string, taken: Amount | undefined) => CallRecord,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const free = error instanceof ModelFailure && !error.mayCost;
    const said = error instanceof ModelFailure ? error.message : signal?.aborted ? 'interrupted' : String(error);
    const taken = free ? undefined : reservation.most;
    await this.#options.book.addCall(record(said, taken));
    reservation.settle(taken);
  }

  async #waitFor(failure: ModelFailure, attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const { events, wait = pause } = this.#options;
    const milliseconds = Math.min(longestWait, Math.max(failure.retryAfter ?? 0, shortestWait * 2 ** (attempt - 1)));
    const message = `${failure.message} Asking again in ${Math.ceil(milliseconds / 1000)} s (attempt ${attempt + 1} of ${attempts}).`;
    events?.emit({ type: 'note', level: 'warning', message });
    await wait(milliseconds, signal);
  }

  /** Answers that an earlier process of this run has paid for, by the hash of the question. */
  #recall(): Promise<Map<string, CallRecord>> {
    const { book, run } = this.#options;
    this.#known ??= book.calls(run).then((calls) => {
      return new Map(calls.filter(({ error }) => error === null).map((call) => [call.requestHash, call]));
    });
    return this.#known;
  }
}

/** The most that a question can take: of a model without a price, no dollars are counted. */
export function mostOf(question: Question, price: Price | undefined): Amount {
  const inputTokens = mostInputTokens(question);
  const outputTokens = question.maxOutputTokens;
  return { tokens: inputTokens + outputTokens, dollars: price ? dollarsFor(price, { inputTokens, outputTokens }) : 0 };
}

/** What an answer took; where the vendor did not count, the most it can have been. */
function takenBy(answer: Answer, price: Price | undefined, most: Amount): Amount {
  const { inputTokens, outputTokens } = answer;
  if (inputTokens === undefined || outputTokens === undefined) return most;
  return { tokens: inputTokens + outputTokens, dollars: price ? dollarsFor(price, answer) : 0 };
}

/** What calls of earlier processes took: those that were answered, and those that a vendor may have charged for. */
export function spentOn(calls: readonly CallRecord[]): Amount & { calls: number } {
  const taken = calls.flatMap(({ transcript }) => (transcript as { taken: Amount | null }).taken ?? []);
  const sum = (what: keyof Amount) => taken.reduce((total, amount) => total + amount[what], 0);
  return { dollars: sum('dollars'), tokens: sum('tokens'), calls: taken.length };
}

function answerOf(call: CallRecord): Answer {
  return (call.transcript as { answer: Answer }).answer;
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const done = () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * What vendors charge, in US dollars per million tokens, and since when that is believed. A price that is not here is asked for (`--price`), never
 * guessed: a budget in dollars is kept by these numbers.
 *
 * Thinking is charged as output. The prices are those of prompts under 200,000 tokens, which ours always are.
 */
import type { ModelName } from './model-name.ts';
import type { Answer } from './question.ts';

export interface Price {
  /** Dollars per million tokens. */
  input: number;
  output: number;
  /** Of input that the vendor had kept; `input` where absent. */
  cached?: number;
  /** Where it is from. */
  source: string;
}

/** The day on which the table was taken down. */
export const pricesOf = '2026-08-05';
const source = `llm-prices.com, ${pricesOf}`;

/** By vendor, the start of the model's name: dollars for input, output, and input that was kept. */
const table: Readonly<Record<'anthropic' | 'openai' | 'google', Readonly<Record<string, readonly number[]>>>> = {
  anthropic: {
    'claude-3-haiku': [0.25, 1.25],
    'claude-3-5-haiku': [0.8, 4],
    'claude-haiku-4-5': [1, 5],
    'claude-3-5-sonnet': [3, 15],
    'claude-3-7-sonnet': [3, 15],
    'claude-sonnet-4': [3, 15],
    'claude-sonnet-4-5': [3, 15],
    'claude-sonnet-5': [3, 15],
    'claude-3-opus': [15, 75],
    'claude-opus-4': [15, 75],
    'claude-opus-4-1': [15, 75],
    'claude-opus-4-5': [5, 25],
    'claude-opus-4-6': [5, 25],
    'claude-opus-4-7': [5, 25],
    'claude-opus-4-8': [5, 25],
    'claude-fable-5': [10, 50],
    'claude-mythos-5': [10, 50],
  },
  openai: {
    'gpt-4o': [2.5, 10, 1.25],
    'gpt-4o-mini': [0.15, 0.6, 0.075],
    'gpt-4.1': [2, 8, 0.5],
    'gpt-4.1-mini': [0.4, 1.6, 0.1],
    'gpt-4.1-nano': [0.1, 0.4, 0.025],
    'o3-mini': [1.1, 4.4, 0.55],
    'o3-pro': [20, 80],
    'o4-mini': [1.1, 4.4, 0.275],
    'gpt-5': [1.25, 10, 0.125],
    'gpt-5-mini': [0.25, 2, 0.025],
    'gpt-5-nano': [0.05, 0.4, 0.005],
    'gpt-5-pro': [15, 120],
    'gpt-5.1': [1.25, 10, 0.125],
    'gpt-5.1-codex': [1.25, 10, 0.125],
    'gpt-5.1-codex-mini': [0.25, 2, 0.025],
    'gpt-5.2': [1.75, 14, 0.175],
    'gpt-5.2-pro': [21, 168],
    'gpt-5.4': [2.5, 15, 0.25],
    'gpt-5.4-pro': [30, 180],
    'gpt-5.4-mini': [0.75, 4.5, 0.075],
    'gpt-5.4-nano': [0.2, 1.25, 0.02],
    'gpt-5.5': [5, 30, 0.5],
    'gpt-5.5-pro': [30, 180],
    'gpt-5.6-sol': [5, 30, 0.5],
    'gpt-5.6-terra': [2, 12, 0.2],
    'gpt-5.6-luna': [0.2, 1.2, 0.02],
  },
  google: {
    'gemini-2.5-pro': [1.25, 10, 0.125],
    'gemini-2.5-flash': [0.3, 2.5, 0.03],
    'gemini-2.5-flash-lite': [0.1, 0.4, 0.01],
    'gemini-3-pro-preview': [2, 12],
    'gemini-3.1-pro-preview': [2, 12],
    'gemini-3-flash-preview': [0.5, 3],
    'gemini-3.1-flash-lite-preview': [0.25, 1.5, 0.025],
    'gemini-3.5-flash': [1.5, 9, 0.15],
    'gemini-3.5-flash-lite': [0.3, 2.5, 0.03],
    'gemini-3.6-flash': [1.5, 7.5, 0.15],
  },
};

/** A price given by the user for a model, or for every model (`*`) whose price is not known. */
export type GivenPrices = ReadonlyMap<string, Price>;

/** `--price 3/15`, `--price NAME=3/15` or `--price NAME=3/15/0.3`: dollars per million tokens in, out, and kept. Throws a sentence. */
export function parsePrices(texts: readonly string[]): GivenPrices {
  const prices = new Map<string, Price>();
  for (const text of texts) {
    const [, name, numbers] = /^(?:(.+)=)?([^=]+)$/.exec(text) ?? [];
    const [input, output, cached, ...rest] = (numbers ?? '')
      .split('/')
      .map((part) => (part.trim() ? Number(part) : NaN));
    const given = [input, output, ...(cached === undefined ? [] : [cached])];
    if (rest.length > 0 || given.some((value) => value === undefined || !(value >= 0 && Number.isFinite(value))))
      throw new Error(
        `"${text}" is no price. Write NAME=IN/OUT in dollars per million tokens, e.g. --price my-model=3/15; 0/0 for a server of your own.`,
      );
    prices.set(name ?? '*', {
      input: input!,
      output: output!,
      ...(cached !== undefined && { cached }),
      source: 'given',
    });
  }
  return prices;
}

/** The price of a model; undefined where nobody has said it. A model in this process costs nothing. */
export function priceOf({ vendor, name }: ModelName, given: GivenPrices): Price | undefined {
  const said = given.get(name) ?? given.get(`${vendor}:${name}`);
  if (said) return said;
  if (vendor === 'gguf') return { input: 0, output: 0, source: 'runs in this process' };
  const known =
    vendor === 'openai-compatible' ? undefined : table[vendor][name.replace(/-(\d{8}|\d{4}-\d\d-\d\d)$/, '')];
  if (!known) return given.get('*');
  const [input, output, cached] = known;
  return { input: input!, output: output!, ...(cached !== undefined && { cached }), source };
}

/** Dollars for an answer's tokens, where the vendor counted them. */
export function dollarsFor(
  price: Price,
  tokens: Pick<Answer, 'inputTokens' | 'outputTokens' | 'cachedTokens'>,
): number {
  const { inputTokens = 0, outputTokens = 0, cachedTokens = 0 } = tokens;
  const fresh = inputTokens - cachedTokens;
  return (fresh * price.input + cachedTokens * (price.cached ?? price.input) + outputTokens * price.output) / 1e6;
}

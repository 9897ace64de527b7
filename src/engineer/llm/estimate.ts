/** What a run with models is likely to cost, and the most it can, said before the first question is asked. */
import { mostOf, type PricedModel } from './desk.ts';
import type { SpendingLimits } from './ledger.ts';
import { dollarsFor } from './prices.ts';
import type { Question } from './question.ts';

/** Bytes of English and CUDA a token, about. */
const bytesAToken = 3.3;
/** Tokens of an answer with a whole kernel, about, with some thinking. */
const usualAnswer = 5_000;

/** `question`: one like those that will be asked. Sentences for people. */
export function estimateInWords(models: readonly PricedModel[], question: Question, limits: SpendingLimits): string[] {
  const usualInput =
    Buffer.byteLength(question.system + question.messages.map(({ text }) => text).join('')) / bytesAToken;
  const usualOutput = Math.min(usualAnswer, question.maxOutputTokens);
  const lines = models.map(({ model, price }) => {
    const most = mostOf(question, price);
    const usual = Math.round((usualInput + usualOutput) / 100) * 100;
    if (!price)
      return `${model.id}: about ${usual} tokens a call, at most ${most.tokens}; its price is not known, so no dollars are counted.`;
    const dollars = dollarsFor(price, { inputTokens: usualInput, outputTokens: usualOutput });
    return `${model.id}: about ${usual} tokens and ${money(dollars)} a call, at most ${money(most.dollars)} (price: ${price.source}).`;
  });
  const ends = [
    ...(limits.dollars === undefined ? [] : [money(limits.dollars)]),
    ...(limits.tokens === undefined ? [] : [`${limits.tokens} tokens`]),
    ...(limits.calls === undefined ? [] : [`${limits.calls} calls`]),
  ];
  lines.push(
    ends.length > 0
      ? `No question is asked that could take the run over ${ends.join(', ')}.`
      : 'No limit is set for models.',
  );
  return lines;
}

function money(dollars: number): string {
  return `$${dollars < 0.1 ? dollars.toPrecision(2) : dollars.toFixed(2)}`;
}

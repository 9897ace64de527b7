/** How asking a model can fail, in kinds that decide what to do next. */

/**
 * `rate-limit`, `outage`, `cut-off`: wait and ask again. `key`, `request`: asking again would not help, and no later question will fare better.
 * `too-long`, `malformed`: this answer is lost, the next may be good.
 */
export type ModelFailureKind = 'rate-limit' | 'outage' | 'cut-off' | 'key' | 'request' | 'too-long' | 'malformed';

export class ModelFailure extends Error {
  readonly kind: ModelFailureKind;
  /** What the vendor asks to wait, milliseconds. */
  readonly retryAfter?: number;
  /** Whether the vendor may have charged for it: it had accepted the question, as far as is known. */
  readonly mayCost: boolean;

  constructor(kind: ModelFailureKind, message: string, options: { retryAfter?: number; mayCost?: boolean } = {}) {
    super(message);
    this.name = 'ModelFailure';
    this.kind = kind;
    this.retryAfter = options.retryAfter;
    this.mayCost = options.mayCost ?? false;
  }

  /** Whether waiting and asking again may help. */
  get passes(): boolean {
    return this.kind === 'rate-limit' || this.kind === 'outage' || this.kind === 'cut-off';
  }
}

/** `Retry-After` and `retry-after-ms` of an answer, milliseconds. */
export function retryAfter(
  headers: Readonly<Record<string, string>> | undefined,
  now = Date.now(),
): number | undefined {
  const milliseconds = Number(headers?.['retry-after-ms']);
  if (headers?.['retry-after-ms'] !== undefined && Number.isFinite(milliseconds)) return Math.max(0, milliseconds);
  const text = headers?.['retry-after'];
  if (text === undefined) return undefined;
  const seconds = Number(text);
  const wait = Number.isFinite(seconds) ? 1000 * seconds : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** The kind of failure that an HTTP status says. */
export function kindOfStatus(status: number): ModelFailureKind {
  if (status === 429) return 'rate-limit';
  if (status === 401 || status === 403) return 'key';
  if (status === 408 || status === 409 || status >= 500) return 'outage';
  return 'request';
}

/** An answer that is longer than will be read: nothing of it is used, and it may cost what was said. */
export function tooLong(model: string, characters: number): ModelFailure {
  return new ModelFailure('too-long', `The answer of ${model} is longer than ${characters} characters.`, {
    mayCost: true,
  });
}

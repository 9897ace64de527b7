/** A cursor over tokens, with the few operations that a hand-written PTX parser needs. */
import { PtxError } from './ir.ts';
import { type Token, tokenize } from './lexer.ts';

export class TokenStream {
  readonly text: string;
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.text = text;
    this.#tokens = tokenize(text);
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#position + ahead, this.#tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#position++;
    return token;
  }

  /** Consumes the next token if its text is this. */
  accept(text: string): boolean {
    const token = this.peek();
    if (token.text !== text || token.kind === 'string' || token.kind === 'end') return false;
    this.#position++;
    return true;
  }

  expect(text: string): Token {
    const token = this.next();
    if (token.text !== text || token.kind === 'end')
      throw this.error(`expected '${text}', found ${describe(token)}`, token);
    return token;
  }

  word(what: string): string {
    const token = this.next();
    if (token.kind !== 'word') throw this.error(`expected ${what}, found ${describe(token)}`, token);
    return token.text;
  }

  /** A non-negative integer. */
  integer(what: string): number {
    const token = this.next();
    const value = token.kind === 'number' ? Number(parseInteger(token.text)) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw this.error(`expected ${what}, found ${describe(token)}`, token);
    return value;
  }

  /** Skips to after the next token with this text. */
  skipPast(text: string): void {
    for (;;) {
      const token = this.next();
      if (token.kind === 'end') throw this.error(`expected '${text}' before the end of the file`, token);
      if (token.text === text && token.kind === 'punctuation') return;
    }
  }

  /** Skips a `{ ... }` block whose brace comes next. */
  skipBlock(): void {
    this.expect('{');
    for (let depth = 1; depth > 0; ) {
      const token = this.next();
      if (token.kind === 'end') throw this.error('a block is not closed', token);
      if (token.kind !== 'punctuation') continue;
      if (token.text === '{') depth++;
      else if (token.text === '}') depth--;
    }
  }

  error(reason: string, at: Token = this.peek()): PtxError {
    const from = this.text.lastIndexOf('\n', Math.max(0, at.start - 1)) + 1;
    const to = this.text.indexOf('\n', at.start);
    const line = this.text.slice(from, to < 0 ? undefined : to).trim();
    return new PtxError(reason, at.line, line.length > 160 ? `${line.slice(0, 160)}...` : line);
  }
}

function describe(token: Token): string {
  return token.kind === 'end' ? 'the end of the file' : `'${token.text}'`;
}

/** Decimal, hexadecimal, octal or binary integer text, with an optional U suffix; NaN-free: undefined if none of these. */
export function parseInteger(text: string): bigint | undefined {
  const digits = text.endsWith('U') ? text.slice(0, -1) : text;
  if (/^0[xX][0-9a-fA-F]+$/.test(digits) || /^0[bB][01]+$/.test(digits)) return BigInt(digits);
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  return /^\d+$/.test(digits) ? BigInt(digits) : undefined;
}

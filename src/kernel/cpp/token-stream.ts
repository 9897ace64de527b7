/** Reading tokens with look-ahead and backtracking. */
import { CandidateError } from '../error.ts';
import type { KnownNames } from './ast.ts';
import type { Token } from './lexer.ts';

/** Deeper nesting than this is no program a person wrote, and would exhaust the parser's stack. */
const MAX_DEPTH = 200;

export class TokenStream {
  at = 0;
  private depth = 0;
  readonly tokens: readonly Token[];
  readonly names: KnownNames;
  private readonly endToken: Token;

  constructor(tokens: readonly Token[], names: KnownNames, endLine?: number) {
    this.tokens = tokens;
    this.names = names;
    const last = tokens[tokens.length - 1];
    this.endToken = {
      kind: 'end',
      text: '',
      line: endLine ?? last?.line ?? 0,
      start: last?.end ?? 0,
      end: last?.end ?? 0,
      spaced: true,
      joined: false,
    };
  }

  peek(ahead = 0): Token {
    return this.tokens[this.at + ahead] ?? this.endToken;
  }

  next(): Token {
    const token = this.peek();
    this.at++;
    return token;
  }

  get line(): number {
    return this.peek().line;
  }

  get ended(): boolean {
    return this.peek().kind === 'end';
  }

  /** Whether the next token is this punctuator or keyword (a string literal with the same text is not). */
  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.text === text && token.kind !== 'string' && token.kind !== 'char';
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  expect(text: string, where: string): Token {
    if (!this.is(text)) throw this.error(`expected ${text} ${where}, found ${describe(this.peek())}`);
    return this.next();
  }

  identifier(where: string): string {
    const token = this.peek();
    if (token.kind !== 'identifier') throw this.error(`expected a name ${where}, found ${describe(token)}`);
    this.at++;
    return token.text;
  }

  error(message: string): CandidateError {
    return new CandidateError('unsupported', `unsupported syntax: ${message}`, this.line);
  }

  /** Runs `read`; where it fails to parse, goes back and returns undefined. */
  attempt<T>(read: () => T | undefined): T | undefined {
    const from = this.at;
    const depth = this.depth;
    try {
      const result = read();
      if (result === undefined) this.at = from;
      return result;
    } catch (error) {
      if (!(error instanceof CandidateError) || error.kind === 'limit') throw error;
      this.at = from;
      this.depth = depth;
      return undefined;
    }
  }

  /** Guards recursion: call around every self-nesting production. */
  nested<T>(read: () => T): T {
    if (++this.depth > MAX_DEPTH) {
      throw new CandidateError('limit', `expressions or statements nested more than ${MAX_DEPTH} deep`, this.line);
    }
    const result = read();
    this.depth--;
    return result;
  }

  /** From an opening bracket, the index just past the one that closes it. */
  pastMatching(from: number): number {
    const open = this.tokens[from]?.text ?? '';
    let depth = 0;
    for (let i = from; i < this.tokens.length; i++) {
      const token = this.tokens[i] as Token;
      if (token.kind !== 'punctuator') continue;
      if (token.text === '(' || token.text === '{' || token.text === '[') depth++;
      else if (token.text === ')' || token.text === '}' || token.text === ']') {
        if (--depth === 0) return i + 1;
      }
    }
    throw new CandidateError('invalid', `${open} is never closed`, this.tokens[from]?.line ?? 0);
  }
}

export function describe(token: Token): string {
  if (token.kind === 'end') return 'the end of the code';
  return token.kind === 'string' ? JSON.stringify(token.text) : token.text;
}

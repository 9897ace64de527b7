/** PTX text to tokens. Comments and white space vanish; every token knows its line and its place in the text. */
import { PtxError } from './ir.ts';

export type TokenKind =
  /** Identifiers, opcodes with their dotted modifiers, registers. */
  | 'word'
  /** `.reg`, `.b32`, `.entry`. */
  | 'directive'
  | 'number'
  | 'string'
  | 'punctuation'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly line: number;
  /** Offsets in the PTX text. */
  readonly start: number;
  readonly end: number;
}

const SKIP = /(?:[ \t\r\f\v]+|\/\/[^\n]*)+/y;
const WORD = /[A-Za-z_$%][\w$%]*(?:(?:\.|::)[\w$]+)*/y;
const DIRECTIVE = /\.[A-Za-z_]\w*(?:::\w+)*/y;
const NUMBER =
  /0[fF][0-9a-fA-F]{8}|0[dD][0-9a-fA-F]{16}|0[xX][0-9a-fA-F]+U?|0[bB][01]+U?|\d+\.\d*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+U?/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const PUNCTUATION = new Set('{}()[],;:@!|+-=<>*/~&^?%#');

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$%';

/** What a character starts: one kind of token, so that each costs one match. */
const STARTS = new Map<string, readonly [TokenKind, RegExp]>([
  ...Array.from('0123456789', (digit) => [digit, ['number', NUMBER]] as [string, [TokenKind, RegExp]]),
  ...Array.from(LETTERS, (letter) => [letter, ['word', WORD]] as [string, [TokenKind, RegExp]]),
  ['.', ['directive', DIRECTIVE]],
  ['"', ['string', STRING]],
]);

/** Anything else is white space, a comment or punctuation. */
const SPACE: readonly [TokenKind, RegExp] = ['punctuation', SKIP];

/** All tokens of a module, ending with one of kind `end`. Throws {@link PtxError} on a character that starts none. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let line = 1;
  while (position < text.length) {
    const character = text[position]!;
    if (character === '\n') {
      line++;
      position++;
      continue;
    }
    if (character === '/' && text[position + 1] === '*') {
      const close = text.indexOf('*/', position + 2);
      if (close < 0) throw new PtxError('a comment is not closed', line, '');
      for (let i = position; i < close; i++) if (text[i] === '\n') line++;
      position = close + 2;
      continue;
    }
    let [kind, pattern] = STARTS.get(character) ?? SPACE;
    pattern.lastIndex = position;
    let end = pattern.test(text) ? pattern.lastIndex : -1;
    if (pattern === SKIP && end >= 0) {
      position = end;
      continue;
    }
    if (end < 0) {
      if (character === '\0' && text.slice(position).replaceAll('\0', '').trim() === '') break;
      if (!PUNCTUATION.has(character))
        throw new PtxError(`unexpected character ${JSON.stringify(character)}`, line, '');
      kind = 'punctuation';
      end = position + 1;
    }
    tokens.push({ kind, text: text.slice(position, end), line, start: position, end });
    position = end;
  }
  tokens.push({ kind: 'end', text: '', line, start: text.length, end: text.length });
  return tokens;
}

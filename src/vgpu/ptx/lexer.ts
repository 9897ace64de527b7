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
const PUNCTUATION = '{}()[],;:@!|+-=<>*/~&^?%#';

/** All tokens of a module, ending with one of kind `end`. Throws {@link PtxError} on a character that starts none. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let line = 1;
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = position;
    return pattern.test(text) ? pattern.lastIndex : -1;
  };
  const push = (kind: TokenKind, end: number): void => {
    tokens.push({ kind, text: text.slice(position, end), line, start: position, end });
    position = end;
  };
  while (position < text.length) {
    const character = text[position]!;
    if (character === '\n') {
      line++;
      position++;
      continue;
    }
    let end = match(SKIP);
    if (end >= 0) {
      position = end;
      continue;
    }
    if (text.startsWith('/*', position)) {
      const close = text.indexOf('*/', position + 2);
      if (close < 0) throw new PtxError('a comment is not closed', line, '');
      for (let i = position; i < close; i++) if (text[i] === '\n') line++;
      position = close + 2;
      continue;
    }
    end = match(NUMBER);
    if (end >= 0) {
      push('number', end);
      continue;
    }
    end = match(WORD);
    if (end >= 0) {
      push('word', end);
      continue;
    }
    end = match(DIRECTIVE);
    if (end >= 0) {
      push('directive', end);
      continue;
    }
    end = match(STRING);
    if (end >= 0) {
      push('string', end);
      continue;
    }
    if (character === '\0' && text.slice(position).replaceAll('\0', '').trim() === '') break;
    if (!PUNCTUATION.includes(character)) {
      throw new PtxError(`unexpected character ${JSON.stringify(character)}`, line, '');
    }
    push('punctuation', position + 1);
  }
  tokens.push({ kind: 'end', text: '', line, start: text.length, end: text.length });
  return tokens;
}

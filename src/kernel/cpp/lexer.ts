/**
 * C++ tokens with their place in the source.
 *
 * Three things differ from a textbook lexer, each for the sake of the parser: `>` is always a token of its own (so that
 * `a<b<c>>` and `<<<g, b>>>` need no second lexing; `joined` says that the next token follows without a gap); a whole
 * preprocessor directive is one token; and every token keeps its source range, because the device code given to nvcc is
 * the candidate's own text with the host functions blanked out.
 */
import { CandidateError, refused } from '../error.ts';

export type TokenKind = 'identifier' | 'number' | 'string' | 'char' | 'punctuator' | 'directive' | 'end';

export interface Token {
  kind: TokenKind;
  text: string;
  /** 1-based line of this token, also where it came out of a macro's argument. */
  line: number;
  /** Source range [start, end) of the token, or of the outermost macro call it came from. */
  start: number;
  end: number;
  /** Preceded by white space or a comment. */
  spaced: boolean;
  /** The next character is the start of the next token: no gap. */
  joined: boolean;
  /** Macros that may not expand in this token again. */
  hidden?: ReadonlySet<string>;
}

/** Longest first. `>` never starts a longer token except `>=`. */
// biome-ignore format: a table
const PUNCTUATORS = [
  '<<<', '<=>', '...', '->*', '<<=', '::', '->', '++', '--', '<<', '<=', '>=', '==', '!=', '&&', '||', '+=', '-=', '*=',
  '/=', '%=', '&=', '|=', '^=', '##', '.*',
];
const SINGLE = new Set('{}[]()<>;:?.~!+-*/%^&|=,#@\\$`');
const IDENTIFIER_START = /[A-Za-z_]/;
const IDENTIFIER = /[A-Za-z0-9_]/;
const STRING_PREFIX = new Set(['L', 'u8', 'u', 'U', 'R', 'LR', 'u8R', 'uR', 'UR']);

/**
 * Compilers do not agree where such a line or comment ends: one would read as code, or as a directive, what another passes over.
 */
function refuseAmbiguousEnds(source: string): void {
  const found = /\r(?!\n)|\*(?:(?:\\|\?\?\/)[ \t\r]*\n)+\//.exec(source);
  if (!found) return;
  const line = source.slice(0, found.index).split('\n').length;
  throw refused(
    found[0].startsWith('*')
      ? 'a */ that is split over two lines is not read'
      : 'a carriage return without a line feed is not read; end lines with a line feed',
    line,
  );
}

/** Splits `source` into tokens; the last one is of kind `end`. */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  refuseAmbiguousEnds(source);
  let at = 0;
  let line = 1;
  let atLineStart = true;
  let spaced = false;

  /** Length of a line splice (backslash, optional blanks, newline) at `i`, else 0. */
  const spliceAt = (i: number): number => {
    if (source[i] !== '\\') return 0;
    if (source[i + 1] === '\n') return 2;
    return source[i + 1] === '\r' && source[i + 2] === '\n' ? 3 : 0;
  };
  const push = (kind: TokenKind, text: string, start: number, startLine: number): void => {
    const previous = tokens[tokens.length - 1];
    if (previous) previous.joined = previous.end === start;
    tokens.push({ kind, text, line: startLine, start, end: at, spaced, joined: false });
    spaced = false;
    atLineStart = false;
  };

  while (at < source.length) {
    const c = source[at] as string;
    const splice = spliceAt(at);
    if (splice) {
      // A comment or a raw string that opens across the lines would open for the compiler alone.
      if (/\S/.test(source[at - 1] ?? ' ') && /[^\s\\]/.test(source[at + splice] ?? ' '))
        throw refused('a token that a backslash splits over two lines is not read', line);
      at += splice;
      line++;
      spaced = true;
      continue;
    }
    if (c === '\n') {
      line++;
      at++;
      atLineStart = true;
      spaced = true;
      continue;
    }
    if (c === ' ' || c === '\t' || c === '\r' || c === '\f' || c === '\v' || c === '\uFEFF') {
      at++;
      spaced = true;
      continue;
    }
    if (c === '/' && source[at + 1] === '/') {
      while (at < source.length && source[at] !== '\n') {
        const gap = spliceAt(at);
        if (gap) line++;
        at += gap || 1;
      }
      spaced = true;
      continue;
    }
    if (c === '/' && source[at + 1] === '*') {
      const close = source.indexOf('*/', at + 2);
      if (close < 0) throw new CandidateError('invalid', 'a comment opened here is never closed', line);
      for (let i = at; i < close; i++) if (source[i] === '\n') line++;
      at = close + 2;
      spaced = true;
      continue;
    }
    const start = at;
    const startLine = line;
    if (c === '#' && atLineStart) {
      let text = '';
      while (at < source.length && source[at] !== '\n') {
        const gap = spliceAt(at);
        if (gap) {
          line++;
          at += gap;
          text += ' ';
        } else if (source[at] === '/' && source[at + 1] === '/') {
          while (at < source.length && source[at] !== '\n') {
            const hidden = spliceAt(at);
            if (hidden) line++;
            at += hidden || 1;
          }
        } else if (source[at] === '/' && source[at + 1] === '*') {
          const close = source.indexOf('*/', at + 2);
          if (close < 0) throw new CandidateError('invalid', 'a comment opened here is never closed', line);
          for (let i = at; i < close; i++) if (source[i] === '\n') line++;
          at = close + 2;
          text += ' ';
        } else if (source[at] === '"') {
          const from = at++;
          while (at < source.length && source[at] !== '"' && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
          at++;
          text += source.slice(from, at);
        } else text += source[at++];
      }
      push('directive', text, start, startLine);
      continue;
    }
    if ((c === '%' && source[at + 1] === ':') || source.startsWith('??=', at)) {
      throw refused('digraphs and trigraphs are not read; write # instead', line);
    }
    if (IDENTIFIER_START.test(c)) {
      while (at < source.length && IDENTIFIER.test(source[at] as string)) at++;
      const text = source.slice(start, at);
      if (source[at] === '"' && STRING_PREFIX.has(text)) {
        if (text.endsWith('R')) {
          const open = source.indexOf('(', at);
          const delimiter = source.slice(at + 1, open);
          const close = open < 0 || delimiter.length > 16 ? -1 : source.indexOf(`)${delimiter}"`, open);
          if (close < 0) throw new CandidateError('invalid', 'a raw string opened here is never closed', line);
          const body = source.slice(open + 1, close);
          at = close + delimiter.length + 2;
          for (const ch of body) if (ch === '\n') line++;
          push('string', body, start, startLine);
        } else {
          push('string', readQuoted('"'), start, startLine);
        }
        continue;
      }
      push('identifier', text, start, startLine);
      continue;
    }
    if (/[0-9]/.test(c) || (c === '.' && /[0-9]/.test(source[at + 1] ?? ''))) {
      // A preprocessing number: digits, letters, dots, ' separators, and signs after an exponent.
      while (at < source.length) {
        const d = source[at] as string;
        const previous = source[at - 1] ?? '';
        const hex = /^0[xX]/.test(source.slice(start, start + 2));
        if (/[0-9A-Za-z_.]/.test(d)) at++;
        else if (d === "'" && /[0-9A-Za-z]/.test(source[at + 1] ?? '')) at++;
        else if ((d === '+' || d === '-') && (hex ? /[pP]/ : /[eEpP]/).test(previous)) at++;
        else break;
      }
      push('number', source.slice(start, at).replaceAll("'", ''), start, startLine);
      continue;
    }
    if (c === '"') {
      push('string', readQuoted('"'), start, startLine);
      continue;
    }
    if (c === "'") {
      push('char', readQuoted("'"), start, startLine);
      continue;
    }
    const long = PUNCTUATORS.find((p) => source.startsWith(p, at));
    if (long) {
      at += long.length;
      push('punctuator', long, start, startLine);
      continue;
    }
    if (SINGLE.has(c)) {
      at++;
      push('punctuator', c, start, startLine);
      continue;
    }
    throw new CandidateError('invalid', `unexpected character ${JSON.stringify(c)}`, line);
  }
  push('end', '', at, line);
  return tokens;

  /** Reads a quoted literal from `at` (on the opening quote) and returns its value, escapes resolved. */
  function readQuoted(quote: string): string {
    let value = '';
    at++;
    for (;;) {
      const c = source[at];
      if (c === undefined || c === '\n')
        throw new CandidateError('invalid', 'a quote opened here is never closed', line);
      if (c === quote) {
        at++;
        return value;
      }
      const gap = spliceAt(at);
      if (gap) {
        at += gap;
        line++;
      } else if (c === '\\') {
        const escaped = source[at + 1] ?? '';
        const simple = SIMPLE_ESCAPES[escaped];
        const numeric = /^(?:x([0-9a-fA-F]+)|([0-7]{1,3})|u([0-9a-fA-F]{4}))/.exec(source.slice(at + 1, at + 12));
        if (simple !== undefined) {
          value += simple;
          at += 2;
        } else if (numeric) {
          const code = numeric[2]
            ? Number.parseInt(numeric[2], 8)
            : Number.parseInt(numeric[1] ?? numeric[3] ?? '0', 16);
          value += String.fromCodePoint(Math.min(code, 0x10ffff));
          at += 1 + numeric[0].length;
        } else throw new CandidateError('invalid', `unknown escape \\${escaped}`, line);
      } else {
        value += c;
        at++;
      }
    }
  }
}

// biome-ignore format: a table
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'", '?': '?', a: '\x07', b: '\b', f: '\f', v: '\v',
};

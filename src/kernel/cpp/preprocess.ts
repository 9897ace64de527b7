/**
 * The preprocessor, as far as host code needs it: macros, conditionals, and the include allow-list.
 *
 * Its output is what the host's parser reads. The device code that nvcc sees is cut from the original text instead, so
 * tokens remember the source range they came from, macro calls included.
 */
import { CandidateError, refused, unsupported } from '../error.ts';
import { includeAction } from './includes.ts';
import { lex, type Token } from './lexer.ts';

interface Macro {
  name: string;
  /** Absent for an object-like macro. */
  parameters?: readonly string[];
  variadic: boolean;
  body: readonly Token[];
}

export interface Preprocessed {
  /** Ends with a token of kind `end`. */
  tokens: Token[];
  /** Source ranges of the includes that nvcc must not see. */
  droppedIncludes: { start: number; end: number }[];
}

/** Macros may add this many tokens: a bomb of macros that double each other is an error, not a hang. */
const MAX_TOKENS = 200_000;

/** Macros that nvcc defines when it compiles the host side; values only where code compares them. */
// biome-ignore format: a table
const PREDEFINED: Readonly<Record<string, string>> = {
  __CUDACC__: '1', __NVCC__: '1', __cplusplus: '201703L', __CUDACC_VER_MAJOR__: '13', __CUDACC_VER_MINOR__: '0', CUDA_VERSION: '13000',
  CUDART_VERSION: '13000', __linux__: '1', __x86_64__: '1', __GNUC__: '12', TORCH_VERSION_MAJOR: '2', TORCH_VERSION_MINOR: '5',
  TORCH_EXTENSION_NAME: 'extension', WITH_CUDA: '1',
};

export function preprocess(source: string): Preprocessed {
  return new Preprocessor().run(lex(source));
}

class Preprocessor {
  private readonly macros = new Map<string, Macro>();
  private readonly out: Token[] = [];
  private readonly droppedIncludes: { start: number; end: number }[] = [];
  private expanded = 0;

  constructor() {
    for (const [name, value] of Object.entries(PREDEFINED)) {
      this.macros.set(name, { name, variadic: false, body: bodyTokens(value) });
    }
  }

  run(tokens: Token[]): Preprocessed {
    /** One entry for each open #if: whether this branch is read, whether any branch was, whether the outer one is. */
    const conditions: { active: boolean; taken: boolean; outer: boolean; line: number }[] = [];
    const active = (): boolean => conditions[conditions.length - 1]?.active ?? true;
    let at = 0;
    while (at < tokens.length) {
      const token = tokens[at] as Token;
      if (token.kind !== 'directive') {
        if (!active()) {
          at = token.kind === 'end' ? tokens.length : at + 1;
          continue;
        }
        // Macro calls may span lines, but not directives: expand up to the next directive.
        let stop = at;
        while (stop < tokens.length && tokens[stop]?.kind !== 'directive') stop++;
        this.emit(this.expand(tokens.slice(at, stop)));
        at = stop;
        continue;
      }
      at++;
      const match = /^#\s*([A-Za-z_]*)\s*([\s\S]*)$/.exec(token.text.trim());
      const name = match?.[1] ?? '';
      const rest = (match?.[2] ?? '').trim();
      const top = conditions[conditions.length - 1];
      checkQuestions(name, rest, token.line);
      switch (name) {
        case 'if':
        case 'ifdef':
        case 'ifndef': {
          const outer = active();
          const value = outer && this.condition(name, rest, token.line);
          conditions.push({ active: value, taken: value, outer, line: token.line });
          break;
        }
        case 'elif':
        case 'else':
          if (!top) throw new CandidateError('invalid', `#${name} without #if`, token.line);
          top.active = top.outer && !top.taken && (name === 'else' || this.condition('if', rest, token.line));
          top.taken ||= top.active;
          break;
        case 'endif':
          if (!conditions.pop()) throw new CandidateError('invalid', '#endif without #if', token.line);
          break;
        case 'include': {
          // Checked in branches not taken, too, and no macros: nvcc's own conditions can differ from the host's.
          if (includeAction(rest, token.line) === 'drop') {
            this.droppedIncludes.push({ start: token.start, end: token.end });
          }
          break;
        }
        case 'define':
          if (active()) this.define(rest, token.line);
          break;
        case 'undef':
          if (active()) this.macros.delete(rest);
          break;
        case 'error':
          if (active()) throw new CandidateError('invalid', `#error ${rest}`, token.line);
          break;
        case 'pragma':
          checkPragma(rest, token.line);
          break;
        case '':
        case 'line':
          if (name === '' && rest === '') break;
          throw refused('#line would make messages and checks name other lines than the candidate has', token.line);
        case 'warning':
          break;
        default:
          throw refused(`the directive #${name} is not read`, token.line);
      }
    }
    const open = conditions[conditions.length - 1];
    if (open) throw new CandidateError('invalid', 'this #if is never closed', open.line);
    const end = tokens[tokens.length - 1] as Token;
    if (this.out[this.out.length - 1]?.kind !== 'end') this.out.push(end);
    return { tokens: this.out, droppedIncludes: this.droppedIncludes };
  }

  private emit(tokens: Token[]): void {
    tokens.forEach((token, i) => {
      const text = token.kind === 'identifier' && token.text === '_Pragma' ? tokens[i + 2] : undefined;
      if (text?.kind === 'string') checkPragma(text.text, token.line);
      this.out.push(token);
    });
  }

  private define(rest: string, line: number): void {
    const match = /^([A-Za-z_]\w*)(\(([^)]*)\))?([\s\S]*)$/.exec(rest);
    if (!match?.[1]) throw new CandidateError('invalid', '#define needs a name', line);
    const name = match[1];
    const body = bodyTokens(match[4] ?? '', line);
    if (match[2] === undefined) {
      this.macros.set(name, { name, variadic: false, body });
      return;
    }

    const parameters = (match[3] ?? '')
      .split(',')
      .map((p) => p.trim())
      .filter((p) => p !== '');
    const last = parameters[parameters.length - 1];
    const variadic = last?.endsWith('...') ?? false;
    if (variadic && last) parameters[parameters.length - 1] = last === '...' ? '__VA_ARGS__' : last.slice(0, -3).trim();
    this.macros.set(name, { name, parameters, variadic, body });
  }

  /** Expands macros in `tokens`, which hold no directives. */
  private expand(tokens: readonly Token[]): Token[] {
    const result: Token[] = [];
    // A stack of token lists still to be read, so that an expansion is rescanned together with what follows it.
    const pending: Token[] = [...tokens].reverse();
    while (pending.length > 0) {
      const token = pending.pop() as Token;
      const macro =
        token.kind === 'identifier' && !token.hidden?.has(token.text) ? this.macros.get(token.text) : undefined;
      if (token.kind === 'identifier' && token.text === '__LINE__') {
        result.push({ ...token, kind: 'number', text: String(token.line) });
        continue;
      }
      if (token.kind === 'identifier' && token.text === '__FILE__') {
        result.push({ ...token, kind: 'string', text: 'candidate.cu' });
        continue;
      }
      if (!macro) {
        result.push(token);
        continue;
      }
      let args: Token[][] = [];
      let end = token.end;
      if (macro.parameters) {
        if (pending[pending.length - 1]?.text !== '(') {
          result.push(token);
          continue;
        }
        const call = readArguments(pending, token);
        args = call.args;
        end = Math.max(end, call.end);
      }
      const hidden = new Set(token.hidden ?? []);
      hidden.add(macro.name);
      const expansion = this.substitute(macro, args, token);
      this.expanded += expansion.length;
      if (this.expanded > MAX_TOKENS) {
        throw new CandidateError('limit', 'macros expand to more than 200,000 tokens', token.line);
      }
      for (let i = expansion.length - 1; i >= 0; i--) {
        const t = expansion[i] as Token;
        const merged = t.hidden ? new Set([...t.hidden, ...hidden]) : hidden;
        pending.push({ ...t, start: token.start, end, hidden: merged });
      }
    }
    return result;
  }

  private substitute(macro: Macro, args: Token[][], call: Token): Token[] {
    const names = macro.parameters ?? [];
    const fixed = macro.variadic ? names.length - 1 : names.length;
    const one = args.length === 1 && args[0]?.length === 0;
    const given = one && names.length === 0 ? 0 : args.length;
    if (macro.parameters && (macro.variadic ? given < fixed && !(one && fixed === 0) : given !== fixed)) {
      throw new CandidateError(
        'invalid',
        `the macro ${macro.name} takes ${fixed} arguments, ${given} given`,
        call.line,
      );
    }
    const raw = new Map<string, Token[]>();
    names.forEach((name, i) => {
      if (macro.variadic && i === fixed) {
        const rest: Token[] = [];
        args.slice(fixed).forEach((arg, j) => {
          if (j > 0)
            rest.push({ ...call, kind: 'punctuator', text: ',', spaced: false, joined: false, hidden: undefined });
          rest.push(...arg);
        });
        raw.set(name, rest);
      } else raw.set(name, args[i] ?? []);
    });
    const expanded = new Map<string, Token[]>();
    const result: Token[] = [];
    const body = macro.body;
    for (let i = 0; i < body.length; i++) {
      const token = body[i] as Token;
      const next = body[i + 1];
      if (token.text === '#' && token.kind === 'punctuator' && macro.parameters && next && raw.has(next.text)) {
        result.push({ ...token, kind: 'string', text: spell(raw.get(next.text) ?? []), line: call.line });
        i++;
        continue;
      }
      if (token.text === '##' && token.kind === 'punctuator' && next) {
        const right = raw.get(next.text) ?? [{ ...next, line: call.line }];
        const left = result.pop();
        i++;
        // `, ## __VA_ARGS__` with nothing given swallows the comma (a GNU extension that nvcc accepts).
        if (right.length === 0) {
          if (left && left.text !== ',') result.push(left);
          continue;
        }
        const first = right[0] as Token;
        if (!left) result.push(first);
        else if (left.text === ',') result.push(left, first);
        else {
          const pasted = lex(spell([left]) + spell([first]));
          if (pasted.length !== 2) throw unsupported(`## of ${left.text} and ${first.text}`, call.line);
          result.push({ ...(pasted[0] as Token), line: call.line, spaced: left.spaced, joined: false });
        }
        result.push(...right.slice(1));
        continue;
      }
      const argument = token.kind === 'identifier' ? raw.get(token.text) : undefined;
      if (argument === undefined) {
        result.push({ ...token, line: call.line });
      } else if (next?.text === '##') {
        result.push(...argument);
      } else {
        let done = expanded.get(token.text);
        if (!done) {
          done = this.expand(argument);
          expanded.set(token.text, done);
        }
        result.push(...done);
      }
    }
    return result;
  }

  private condition(kind: string, rest: string, line: number): boolean {
    if (kind === 'ifdef') return this.macros.has(rest.split(/\s/)[0] ?? '');
    if (kind === 'ifndef') return !this.macros.has(rest.split(/\s/)[0] ?? '');
    const replaced = rest.replace(/\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))/g, (_, a?: string, b?: string) =>
      this.macros.has(a ?? b ?? '') ? '1' : '0',
    );
    if (/__has_include/.test(replaced)) throw unsupported('__has_include', line);
    const tokens = this.expand(bodyTokens(replaced, line));
    return new ConditionParser(tokens, line).parse() !== 0n;
  }
}

/** Pragmas that name files, or that change which rules a text is read by. All others are nvcc's to know. */
const FILE_PRAGMA =
  /^(?:(?:GCC|clang)\s+(?:dependency|pch_preprocess|system_header|module|include\w*)|include_alias|comment|import)\b/;

function checkPragma(text: string, line: number): void {
  if (FILE_PRAGMA.test(text.trim()))
    throw refused(`#pragma ${text.trim().split(/\s+/).slice(0, 2).join(' ')} is not read`, line);
}

/** `__has_include` and its like ask about files: only those that could be included may be asked for, in any branch. */
function checkQuestions(directive: string, rest: string, line: number): void {
  if (!/^(if|elif|define)$/.test(directive)) return;
  for (const [, what, operand] of rest.matchAll(/\b(__has_(?:include|include_next|embed))\b\s*(\([^)]*\))?/g)) {
    if (what !== '__has_include' || operand === undefined) throw refused(`${what} asks about files`, line);
    includeAction(operand.slice(1, -1), line);
  }
}

/** Tokens of a macro's body, or of an #if's expression. */
function bodyTokens(text: string, line = 0): Token[] {
  const tokens = lex(text);
  tokens.pop();
  for (const token of tokens) token.line = line;
  return tokens;
}

/** Reads `( a, b, ... )` from the top of the stack. */
function readArguments(pending: Token[], call: Token): { args: Token[][]; end: number } {
  const open = pending.pop() as Token;
  const args: Token[][] = [[]];
  let depth = 1;
  let end = open.end;
  for (;;) {
    const token = pending.pop();
    if (!token || token.kind === 'end') {
      throw new CandidateError('invalid', `the call of the macro ${call.text} is never closed`, call.line);
    }
    end = token.end;
    if (token.kind === 'punctuator') {
      if (token.text === '(') depth++;
      if (token.text === ')' && --depth === 0) return { args, end };
      if (token.text === ',' && depth === 1) {
        args.push([]);
        continue;
      }
    }
    (args[args.length - 1] as Token[]).push(token);
  }
}

/** Text of tokens, for # and ##. */
function spell(tokens: readonly Token[]): string {
  return tokens
    .map((t, i) => (i > 0 && t.spaced ? ' ' : '') + (t.kind === 'string' ? JSON.stringify(t.text) : t.text))
    .join('');
}

// biome-ignore format: a table
const PRECEDENCE: Readonly<Record<string, number>> = {
  '||': 1, '&&': 2, '|': 3, '^': 4, '&': 5, '==': 6, '!=': 6, '<': 7, '>': 7, '<=': 7, '>=': 7, '<<': 8, '+': 9, '-': 9, '*': 10,
  '/': 10, '%': 10,
};

/** Integer expressions of #if: identifiers left over are 0. */
class ConditionParser {
  private at = 0;
  private readonly tokens: readonly Token[];
  private readonly line: number;

  constructor(tokens: readonly Token[], line: number) {
    this.tokens = tokens;
    this.line = line;
  }

  parse(): bigint {
    const value = this.ternary();
    if (this.at < this.tokens.length) throw unsupported(`${this.tokens[this.at]?.text} in #if`, this.line);
    return value;
  }

  private ternary(): bigint {
    const test = this.binary(1);
    if (this.tokens[this.at]?.text !== '?') return test;
    this.at++;
    const yes = this.ternary();
    if (this.tokens[this.at++]?.text !== ':') throw new CandidateError('invalid', '? without : in #if', this.line);
    const no = this.ternary();
    return test !== 0n ? yes : no;
  }

  private binary(level: number): bigint {
    let left = this.unary();
    for (;;) {
      const operator = this.tokens[this.at]?.text ?? '';
      const precedence = PRECEDENCE[operator];
      if (precedence === undefined || precedence < level) return left;
      this.at++;
      left = applyCondition(operator, left, this.binary(precedence + 1), this.line);
    }
  }

  private unary(): bigint {
    const token = this.tokens[this.at++];
    if (!token) throw new CandidateError('invalid', '#if without an expression', this.line);
    if (token.text === '!') return this.unary() === 0n ? 1n : 0n;
    if (token.text === '-') return -this.unary();
    if (token.text === '+') return this.unary();
    if (token.text === '~') return ~this.unary();
    if (token.text === '(') {
      const value = this.ternary();
      if (this.tokens[this.at++]?.text !== ')') throw new CandidateError('invalid', '( without ) in #if', this.line);
      return value;
    }
    if (token.kind === 'number') return BigInt(token.text.replace(/[uUlL]+$/, ''));
    if (token.kind === 'identifier') return token.text === 'true' ? 1n : 0n;
    throw unsupported(`${token.text} in #if`, this.line);
  }
}

function applyCondition(operator: string, a: bigint, b: bigint, line: number): bigint {
  const truth = (value: boolean): bigint => (value ? 1n : 0n);
  // biome-ignore format: a table
  switch (operator) {
    case '||': return truth(a !== 0n || b !== 0n);
    case '&&': return truth(a !== 0n && b !== 0n);
    case '|': return a | b;
    case '^': return a ^ b;
    case '&': return a & b;
    case '==': return truth(a === b);
    case '!=': return truth(a !== b);
    case '<': return truth(a < b);
    case '>': return truth(a > b);
    case '<=': return truth(a <= b);
    case '>=': return truth(a >= b);
    case '<<': return a << BigInt.asUintN(6, b);
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    default:
      if (b === 0n) throw new CandidateError('invalid', 'division by zero in #if', line);
      return operator === '/' ? a / b : a % b;
  }
}

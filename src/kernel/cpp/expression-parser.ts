/** Expressions of host code: C++'s precedence, casts, lambdas and `<<<grid, block>>>` launches. */
import type { Expression, TemplateArgument, TypeNode } from './ast.ts';
import { parseBlock } from './statement-parser.ts';
import type { TokenStream } from './token-stream.ts';
import {
  isFundamental,
  parseParameters,
  parseQualifiedName,
  parseTemplateArguments,
  parseType,
  RESERVED,
  skipAttributes,
} from './type-parser.ts';

// biome-ignore format: a table
const BINARY: Readonly<Record<string, number>> = {
  '||': 1, '&&': 2, '|': 3, '^': 4, '&': 5, '==': 6, '!=': 6, '<': 7, '<=': 7, '>=': 7, '>': 7, '<<': 8, '>>': 8, '+': 9, '-': 9,
  '*': 10, '/': 10, '%': 10,
};
const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=']);
const NAMED_CASTS: Readonly<Record<string, 'static' | 'reinterpret' | 'const'>> = {
  static_cast: 'static',
  reinterpret_cast: 'reinterpret',
  const_cast: 'const',
};
/** Types that no candidate declares but many cast to. */
const LIBRARY_TYPES =
  /^(u?int(8|16|32|64)_t|u?intptr_t|size_t|ssize_t|ptrdiff_t|scalar_t|half2?|__half2?|__nv_bfloat16|__nv_bfloat162|nv_bfloat16|dim3|uint|uchar|ushort|ulong|cudaStream_t|(?:float|double|u?int|u?char|u?short|u?long|u?longlong)[1-4])$/;

/** An expression with commas. */
export function parseExpression(s: TokenStream): Expression {
  let left = parseAssignment(s);
  while (s.is(',')) {
    const line = s.next().line;
    left = { kind: 'binary', operator: ',', left, right: parseAssignment(s), line };
  }
  return left;
}

/** One argument, or one initializer: `{...}` allowed. */
export function parseAssignment(s: TokenStream): Expression {
  return s.nested(() => {
    if (s.is('{')) return parseList(s);
    if (s.is('throw')) {
      const line = s.next().line;
      const bare = s.is(';') || s.is(')') || s.is(':');
      return { kind: 'throw', operand: bare ? undefined : parseAssignment(s), line };
    }
    const left = parseConditional(s, false);
    const token = s.peek();
    if (token.kind === 'punctuator' && ASSIGNMENTS.has(token.text)) {
      s.at++;
      return { kind: 'assign', operator: token.text, left, right: parseAssignment(s), line: token.line };
    }
    if (s.is('>') && token.joined && s.is('>=', 1)) {
      s.at += 2;
      return { kind: 'assign', operator: '>>=', left, right: parseAssignment(s), line: token.line };
    }
    return left;
  });
}

/** `inTemplate`: a bare `>` ends the expression. */
export function parseConditional(s: TokenStream, inTemplate: boolean): Expression {
  return s.nested(() => {
    const test = parseBinary(s, 1, inTemplate);
    if (!s.is('?')) return test;
    const line = s.next().line;
    const yes = parseAssignment(s);
    s.expect(':', 'in a ?: expression');
    const no = inTemplate ? parseConditional(s, true) : parseAssignment(s);
    return { kind: 'conditional', test, yes, no, line };
  });
}

function parseBinary(s: TokenStream, level: number, inTemplate: boolean): Expression {
  let left = parseUnary(s);
  for (;;) {
    const token = s.peek();
    if (token.kind !== 'punctuator') return left;
    let operator = token.text;
    let length = 1;
    if (operator === '>') {
      if (inTemplate) return left;
      if (token.joined && s.is('>', 1)) {
        if (s.peek(1).joined && (s.is('>', 2) || s.is('>=', 2))) return left;
        operator = '>>';
        length = 2;
      } else if (token.joined && s.is('>=', 1)) return left;
    }
    const precedence = BINARY[operator];
    if (precedence === undefined || precedence < level) return left;
    s.at += length;
    left = {
      kind: 'binary',
      operator,
      left,
      right: s.nested(() => parseBinary(s, precedence + 1, inTemplate)),
      line: token.line,
    };
  }
}

function parseUnary(s: TokenStream): Expression {
  const token = s.peek();
  const line = token.line;
  if (token.kind === 'punctuator' && ['!', '-', '+', '~', '*', '&', '++', '--'].includes(token.text)) {
    s.at++;
    return { kind: 'unary', operator: token.text, operand: s.nested(() => parseUnary(s)), line };
  }
  if (token.kind === 'identifier') {
    if (token.text === 'sizeof' || token.text === 'alignof') {
      const ofAlignment = s.next().text === 'alignof';
      if (s.accept('...')) {
        s.expect('(', 'after sizeof...');
        const name = s.identifier('in sizeof...');
        s.expect(')', 'after sizeof...');
        return { kind: 'pack-size', name, line };
      }
      if (s.is('(')) {
        const type = s.attempt(() => {
          s.expect('(', 'after sizeof');
          const node = parseType(s);
          return s.accept(')') && isKnownType(s, node) ? node : undefined;
        });
        if (type) return { kind: 'sizeof', type, ofAlignment, line };
      }
      return { kind: 'sizeof', operand: s.nested(() => parseUnary(s)), ofAlignment, line };
    }
    if (token.text === 'new' || token.text === 'delete') {
      // The operand's syntax is of no interest: host memory is not part of a plan.
      while (!s.ended && !s.is(';') && !s.is(',')) {
        if (s.is('(') || s.is('[') || s.is('{')) s.at = s.pastMatching(s.at);
        else if (s.is(')')) break;
        else s.at++;
      }
      return { kind: 'unsupported', what: `${token.text} (memory of the host)`, line };
    }
    const style = NAMED_CASTS[token.text];
    if (style) {
      s.at++;
      s.expect('<', `after ${token.text}`);
      const type = parseType(s);
      s.expect('>', `after the type of ${token.text}`);
      s.expect('(', `after ${token.text}<...>`);
      const operand = parseExpression(s);
      s.expect(')', `after ${token.text}`);
      return parsePostfix(s, { kind: 'cast', type, operand, style, line });
    }
  }
  if (s.is('(')) {
    const type = s.attempt(() => {
      s.at++;
      const node = parseType(s);
      if (!s.accept(')')) return undefined;
      // `(name)` before a sign or a parenthesis is a cast only if the name is a type's.
      const known = isKnownType(s, node);
      return startsOperand(s) && (known || node.pointers > 0) ? node : undefined;
    });
    if (type) return { kind: 'cast', type, operand: s.nested(() => parseUnary(s)), style: 'c', line };
  }
  return parsePostfix(s, parsePrimary(s));
}

/** Whether the next token can begin the operand of a cast. */
function startsOperand(s: TokenStream): boolean {
  const token = s.peek();
  if (token.kind === 'punctuator') return ['(', '-', '+', '!', '~', '*', '&', '++', '--', '::'].includes(token.text);
  return token.kind !== 'end' && token.kind !== 'directive';
}

/** Whether a name is surely a type's: fundamental, declared in this file, or of a library's well-known ones. */
export function isKnownType(s: TokenStream, node: TypeNode): boolean {
  const last = node.name.path[node.name.path.length - 1] ?? '';
  if (node.decltypeOf || isFundamental(last.split(' ')[0] ?? '')) return true;
  if (s.names.types.has(last) || LIBRARY_TYPES.test(last)) return true;
  if (node.name.arguments && !s.names.templates.has(last) && node.name.path[0] === 'std') return true;
  const path = node.name.path.join('::');
  return /^(std|at|torch|c10)::(Tensor|Half|BFloat16|string|size_t|optional|vector|array|ScalarType|IntArrayRef|TensorOptions)$/.test(
    path,
  );
}

function parsePostfix(s: TokenStream, first: Expression): Expression {
  let left = first;
  for (;;) {
    const token = s.peek();
    const line = token.line;
    if (token.kind !== 'punctuator') return left;
    if (token.text === '(') {
      left = { kind: 'call', callee: left, arguments: parseArguments(s, '(', ')'), line };
    } else if (token.text === '[') {
      s.at++;
      left = { kind: 'index', object: left, index: parseExpression(s), line };
      s.expect(']', 'after an index');
    } else if (token.text === '.' || token.text === '->') {
      s.at++;
      s.accept('template');
      const name = s.accept('~') ? `~${s.identifier('after ~')}` : s.identifier(`after ${token.text}`);
      let args: TemplateArgument[] | undefined;
      if (s.is('<')) {
        args = s.attempt(() => {
          const parsed = parseTemplateArguments(s);
          return s.is('(') ? parsed : undefined;
        });
      }
      left = { kind: 'member', object: left, name, arguments: args, line };
    } else if (token.text === '++' || token.text === '--') {
      s.at++;
      left = { kind: 'postfix', operator: token.text, operand: left, line };
    } else if (token.text === '<<<') {
      left = parseLaunch(s, left);
    } else return left;
  }
}

/** `<<<grid, block, shared, stream>>>(arguments)`, on `<<<`. */
function parseLaunch(s: TokenStream, kernel: Expression): Expression {
  const line = kernel.line;
  s.expect('<<<', 'here');
  const config: Expression[] = [];
  while (!(s.is('>') && s.is('>', 1) && s.is('>', 2))) {
    config.push(parseAssignment(s));
    if (!s.accept(',')) break;
  }
  for (let i = 0; i < 3; i++) s.expect('>', 'to close <<<');
  const [grid, block, shared, stream] = config;
  if (!grid || !block || config.length > 4)
    throw s.error('a launch needs <<<grid, block>>> and takes at most four values');
  return { kind: 'launch', kernel, grid, block, shared, stream, arguments: parseArguments(s, '(', ')'), line };
}

export function parseArguments(s: TokenStream, open: string, close: string): Expression[] {
  s.expect(open, 'before arguments');
  const args: Expression[] = [];
  while (!s.is(close)) {
    const pattern = parseAssignment(s);
    args.push(s.accept('...') ? { kind: 'expand', pattern, line: pattern.line } : pattern);
    // AT_DISPATCH_SWITCH takes its cases side by side, without commas.
    if (!s.accept(',') && !/^AT_DISPATCH_CASE/.test(s.peek().text)) break;
  }
  s.expect(close, 'after arguments');
  return args;
}

/** `{a, b}` or `{.x = a, .y = b}`. */
export function parseList(s: TokenStream): Expression {
  const line = s.expect('{', 'before a list').line;
  const items: Expression[] = [];
  const fields: (string | undefined)[] = [];
  while (!s.is('}')) {
    if (s.is('.') && s.peek(1).kind === 'identifier') {
      s.at++;
      fields.push(s.identifier('after .'));
      if (!s.is('{')) s.expect('=', 'after a field');
    } else fields.push(undefined);
    const pattern = parseAssignment(s);
    items.push(s.accept('...') ? { kind: 'expand', pattern, line: pattern.line } : pattern);
    if (!s.accept(',')) break;
  }
  s.expect('}', 'after a list');
  return { kind: 'list', items, fields: fields.some((f) => f !== undefined) ? fields : undefined, line };
}

function parsePrimary(s: TokenStream): Expression {
  const token = s.peek();
  const line = token.line;
  if (token.kind === 'number') {
    s.at++;
    return { kind: 'number', text: token.text, line };
  }
  if (token.kind === 'char') {
    s.at++;
    return { kind: 'char', value: token.text, line };
  }
  if (token.kind === 'string') {
    let value = '';
    // Adjacent literals are one; so is a printf format macro such as PRId64 between them.
    while (s.peek().kind === 'string' || /^PRI[diuxX](8|16|32|64|PTR)$/.test(s.peek().text)) value += s.next().text;
    return { kind: 'string', value, line };
  }
  if (s.is('(')) {
    const fold = s.attempt(() => parseFold(s));
    if (fold) return fold;
    s.at++;
    const inner = parseExpression(s);
    s.expect(')', 'to close (');
    return inner;
  }
  if (s.is('[')) return parseLambda(s);
  if (token.kind === 'identifier' || s.is('::')) {
    switch (token.text) {
      case 'true':
      case 'false':
        s.at++;
        return { kind: 'bool', value: token.text === 'true', line };
      case 'nullptr':
      case 'NULL':
        s.at++;
        return { kind: 'null', line };
      case 'this':
        s.at++;
        return { kind: 'this', line };
    }
    if (RESERVED.has(token.text)) throw s.error(`${token.text} in an expression`);
    if (isFundamental(token.text) || token.text === 'typename' || token.text === 'const') {
      const type = parseType(s);
      return parseConstruct(s, type);
    }
    const name = parseQualifiedName(s, true);
    const last = name.path[name.path.length - 1] ?? '';
    if (s.is('{')) {
      const type: TypeNode = { name, pointers: 0, reference: '', isConst: false, line };
      if (isKnownType(s, type) || name.arguments || /^(Tensor|TensorOptions|IntArrayRef)$/.test(last))
        return parseConstruct(s, type);
    }
    return { kind: 'name', name, line };
  }
  throw s.error(`found ${token.text || 'the end of the code'} where a value was expected`);
}

/** `(... op pattern)`, `(pattern op ...)`, `(init op ... op pattern)`, `(pattern op ... op init)`; undefined where there is no `...`. */
function parseFold(s: TokenStream): Expression | undefined {
  const end = s.pastMatching(s.at) - 1;
  let depth = 0;
  let at = -1;
  for (let i = s.at + 1; i < end && at < 0; i++) {
    const { text, kind } = s.tokens[i]!;
    if (kind !== 'punctuator') continue;
    if ('([{'.includes(text)) depth++;
    else if (')]}'.includes(text)) depth--;
    else if (text === '...' && depth === 0) at = i;
  }
  if (at < 0) return undefined;
  const line = s.next().line;
  const read = (stop: number): Expression => {
    const operand = parseUnary(s);
    if (s.at !== stop) throw s.error('this fold expression: put its operands into parentheses');
    return operand;
  };
  const left = at > s.at ? read(at - 1) : undefined;
  const operator = s.tokens[left ? at - 1 : at + 1]!.text;
  s.at = left ? at + 1 : at + 2;
  if (left && s.at < end) s.expect(operator, 'in a fold expression');
  const right = s.at < end ? read(end) : undefined;
  s.at = end + 1;
  const hasPack = (e: Expression | undefined): e is Expression =>
    e !== undefined && namesIn(e).some((n) => s.names.packs.has(n));
  const fromLeft = !hasPack(left);
  const [pattern, init] = fromLeft ? [right, left] : [left, right];
  if (!hasPack(pattern)) throw s.error('a fold expression without a pack');
  return { kind: 'fold', pattern, operator, init, fromLeft, line };
}

/** The plain names in an expression, types among them. */
export function namesIn(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(namesIn);
  if (typeof node !== 'object' || node === null) return [];
  const path = 'path' in node && Array.isArray(node.path) && node.path.length > 0 ? [String(node.path[0])] : [];
  return [...path, ...Object.values(node).flatMap(namesIn)];
}

function parseConstruct(s: TokenStream, type: TypeNode): Expression {
  const line = s.line;
  if (s.is('{')) return { kind: 'construct', type, arguments: parseArguments(s, '{', '}'), braces: true, line };
  if (s.is('(')) return { kind: 'construct', type, arguments: parseArguments(s, '(', ')'), braces: false, line };
  throw s.error('a type where a value was expected');
}

/** `[&](auto x) { ... }`, on the opening bracket. */
function parseLambda(s: TokenStream): Expression {
  const line = s.line;
  const close = s.pastMatching(s.at);
  const captures = s.tokens.slice(s.at + 1, close - 1);
  const byCopy = captures[0]?.text === '=' || (captures.length > 0 && captures[0]?.text !== '&');
  const initialized = parseCaptures(s, close - 1);
  s.at = close;
  if (s.is('<')) throw s.error('a lambda with template parameters');
  const parameters = s.is('(') ? parseParameters(s) : [];
  let returns: TypeNode | undefined;
  for (;;) {
    skipAttributes(s);
    if (s.accept('mutable') || s.accept('constexpr') || s.accept('__host__') || s.accept('__device__')) continue;
    if (s.is('noexcept')) {
      s.at++;
      if (s.is('(')) s.at = s.pastMatching(s.at);
      continue;
    }
    if (s.accept('->')) {
      returns = parseType(s);
      continue;
    }
    break;
  }
  return { kind: 'lambda', byCopy, captures: initialized, parameters, returns, body: parseBlock(s), line };
}

/** Captures with an initializer, `[n = x.size(0)]`, and by reference, on the opening bracket; the others are found by their names. */
function parseCaptures(s: TokenStream, end: number): Extract<Expression, { kind: 'lambda' }>['captures'] {
  const captures: { name: string; reference: boolean; value: Expression }[] = [];
  s.at++;
  while (s.at < end) {
    const reference = s.accept('&');
    if (s.peek().kind === 'identifier' && s.is('=', 1)) {
      const name = s.next().text;
      s.at++;
      captures.push({ name, reference, value: parseAssignment(s) });
    } else if (reference && s.peek().kind === 'identifier') {
      const { text: name, line } = s.next();
      captures.push({ name, reference, value: { kind: 'name', name: { path: [name] }, line } });
    }
    while (s.at < end && !s.is(',')) s.at++;
    s.at++;
  }
  return captures;
}

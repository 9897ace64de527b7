/** Statements of host code. A statement that can be read as a declaration is one, as in C++. */
import type { Declarator, Expression, Handler, Statement, TypeNode } from './ast.ts';
import { parseAssignment, parseExpression, parseList } from './expression-parser.ts';
import type { Token } from './lexer.ts';
import { parseStruct } from './struct-parser.ts';
import { TokenStream } from './token-stream.ts';
import {
  functionType,
  nameNamespace,
  parseNamespacePath,
  parsePointers,
  parseType,
  parseTypeBase,
  RESERVED,
  skipAttributes,
  startsFunctionPointer,
} from './type-parser.ts';

/** A function's body from its tokens (without the outer braces). */
export function parseBody(tokens: readonly Token[], names: TokenStream['names'], line: number): Statement {
  const s = new TokenStream(tokens, names, tokens[tokens.length - 1]?.line ?? line);
  const body: Statement[] = [];
  while (!s.ended) body.push(parseStatement(s));
  return { kind: 'block', body, line };
}

/** `{ ... }` */
export function parseBlock(s: TokenStream): Statement {
  const line = s.expect('{', 'to open a block').line;
  const body: Statement[] = [];
  while (!s.is('}')) {
    if (s.ended) throw s.error('a block that is never closed');
    body.push(parseStatement(s));
  }
  s.at++;
  return { kind: 'block', body, line };
}

export function parseStatement(s: TokenStream): Statement {
  return s.nested(() => readStatement(s));
}

function readStatement(s: TokenStream): Statement {
  skipAttributes(s);
  const token = s.peek();
  const line = token.line;
  if (token.kind === 'punctuator') {
    if (token.text === '{') return parseBlock(s);
    if (token.text === ';') {
      s.at++;
      return { kind: 'empty', line };
    }
  }
  if (token.kind === 'identifier') {
    const keyword = readKeyword(s, token.text, line);
    if (keyword) return keyword;
  }
  if (token.kind === 'identifier' && s.is(':', 1))
    throw s.error(`the label ${token.text}: write a loop in place of goto`);
  const declaration = parseDeclaration(s);
  if (declaration) {
    s.expect(';', 'after a declaration');
    return declaration;
  }
  const expression = parseExpression(s);
  // Macros that hide their own semicolon (checks, profiling marks) stand alone on a line.
  if (!s.accept(';') && !(expression.kind === 'call' && s.peek().line > line)) s.expect(';', 'after an expression');
  return { kind: 'expression', expression, line };
}

function readKeyword(s: TokenStream, word: string, line: number): Statement | undefined {
  switch (word) {
    case 'if': {
      s.at++;
      s.accept('constexpr');
      s.expect('(', 'after if');
      const init = hasTopLevelSemicolon(s) ? parseSimple(s) : undefined;
      const { variable, test } = parseCondition(s);
      s.expect(')', 'after the condition');
      const yes = parseStatement(s);
      const no = s.accept('else') ? parseStatement(s) : undefined;
      return { kind: 'if', init, variable, test, yes, no, line };
    }
    case 'for':
      return parseFor(s, line);
    case 'while': {
      s.at++;
      s.expect('(', 'after while');
      const test = parseExpression(s);
      s.expect(')', 'after the condition');
      return { kind: 'while', test, body: parseStatement(s), line };
    }
    case 'do': {
      s.at++;
      const body = parseStatement(s);
      s.expect('while', 'after the body of do');
      s.expect('(', 'after while');
      const test = parseExpression(s);
      s.expect(')', 'after the condition');
      s.accept(';');
      return { kind: 'do', test, body, line };
    }
    case 'switch': {
      s.at++;
      s.expect('(', 'after switch');
      const value = parseExpression(s);
      s.expect(')', 'after the value');
      const block = parseBlock(s);
      return { kind: 'switch', value, body: block.kind === 'block' ? block.body : [], line };
    }
    case 'case': {
      s.at++;
      const value = parseExpression(s);
      s.expect(':', 'after case');
      return { kind: 'case', value, line };
    }
    case 'default':
      s.at++;
      s.expect(':', 'after default');
      return { kind: 'case', line };
    case 'return': {
      s.at++;
      const value = s.is(';') ? undefined : s.is('{') ? parseList(s) : parseExpression(s);
      s.expect(';', 'after return');
      return { kind: 'return', value, line };
    }
    case 'break':
    case 'continue':
      s.at++;
      s.expect(';', `after ${word}`);
      return { kind: word, line };
    case 'namespace': {
      s.at++;
      const name = s.identifier('after namespace');
      s.expect('=', 'after the name of a namespace alias');
      nameNamespace(s, name, parseNamespacePath(s));
      s.expect(';', 'after a namespace alias');
      return { kind: 'empty', line };
    }
    case 'using':
    case 'typedef':
      return parseAlias(s);
    case 'static_assert': {
      s.at++;
      const end = s.pastMatching(s.at);
      const test = s.attempt(() => {
        s.expect('(', 'after static_assert');
        return parseAssignment(s);
      });
      s.at = end;
      s.accept(';');
      return test ? { kind: 'static-assert', test, line } : { kind: 'empty', line };
    }
    case 'struct':
    case 'class':
      // `struct X { ... };` inside a function; `struct X x;` is a declaration.
      if (s.is('{', 2) || s.is('{', 1)) {
        const struct = parseStruct(s, [], undefined);
        s.expect(';', 'after a struct');
        return { kind: 'struct', struct, line };
      }
      return undefined;
    case 'try': {
      s.at++;
      const body = parseBlock(s);
      const handlers: Handler[] = [];
      while (s.accept('catch')) {
        s.expect('(', 'after catch');
        const type = s.accept('...') ? undefined : parseType(s);
        const name = s.is(')') ? '' : s.identifier('in catch');
        s.expect(')', 'after catch');
        handlers.push({ type, name, body: parseBlock(s) });
      }
      return { kind: 'try', body, handlers, line };
    }
    case 'goto':
      throw s.error('goto: write a loop');
    case 'asm':
    case '__asm__':
      throw s.error('asm in host code');
    default:
      return undefined;
  }
}

/** `using T = X;`, `typedef X T;`, `using namespace a::b;`, `using a::b;` */
export function parseAlias(s: TokenStream): Statement {
  const line = s.line;
  if (s.next().text === 'typedef') {
    const { name, type } = parseDeclarator(s, parseTypeBase(s));
    s.expect(';', 'after typedef');
    s.names.types.add(name);
    return { kind: 'alias', name, type, line };
  }
  if (s.accept('namespace')) {
    const type = parseType(s);
    s.expect(';', 'after using namespace');
    return { kind: 'using-namespace', path: type.name.path, line };
  }
  if (s.is('=', 1)) {
    const name = s.identifier('after using');
    s.at++;
    const type = parseType(s);
    s.expect(';', 'after using');
    s.names.types.add(name);
    return { kind: 'alias', name, type, line };
  }
  // `using std::min;`: names are found without their namespace anyway.
  const type = parseType(s);
  s.expect(';', 'after using');
  return { kind: 'using-namespace', path: type.name.path.slice(0, -1), line };
}

/** A declaration without its semicolon, or undefined where the tokens are no declaration. */
export function parseDeclaration(s: TokenStream): Statement | undefined {
  const first = s.peek();
  if (first.kind !== 'identifier' && !s.is('::')) return undefined;
  if (RESERVED.has(first.text) && first.text !== 'alignas' && first.text !== 'decltype') return undefined;
  const line = first.line;
  const from = s.at;
  const base = s.attempt(() => parseTypeBase(s));
  if (!base) return undefined;
  const specifiers = s.tokens.slice(from, s.at).map((t) => t.text);
  const bindings = s.attempt(() => parseBindings(s, base, line));
  if (bindings) return bindings;
  const looksDeclared = s.attempt(() => {
    const type = parsePointers(s, base);
    if (startsFunctionPointer(s)) return type;
    const name = s.peek();
    if (name.kind !== 'identifier' || RESERVED.has(name.text)) return undefined;
    s.at++;
    skipAttributes(s);
    return ['=', ';', '(', '{', ',', '[', ':'].includes(s.peek().text) && !s.is('::') ? type : undefined;
  });
  if (!looksDeclared) {
    s.at = from;
    return undefined;
  }
  // Only looked ahead: read the declarators again, with their initializers.
  s.at = from;
  const again = parseTypeBase(s);
  const declarators: Declarator[] = [];
  do declarators.push(parseDeclarator(s, again));
  while (s.accept(','));
  return {
    kind: 'declaration',
    isStatic: specifiers.includes('static') || specifiers.includes('thread_local'),
    isConst: base.isConst,
    declarators,
    line,
  };
}

function parseBindings(s: TokenStream, base: TypeNode, line: number): Statement | undefined {
  if (base.name.path[0] !== 'auto') return undefined;
  const reference = s.accept('&') || s.accept('&&');
  if (!s.is('[')) return undefined;
  const names = parseNames(s);
  s.expect('=', 'after a structured binding');
  return { kind: 'bindings', names, reference, initializer: parseAssignment(s), line };
}

/** `[a, b]` of a structured binding. */
function parseNames(s: TokenStream): string[] {
  const names: string[] = [];
  s.expect('[', 'before the names of a structured binding');
  do names.push(s.identifier('in a structured binding'));
  while (s.accept(','));
  s.expect(']', 'after a structured binding');
  return names;
}

/** `*name[4] = value`, after the base type. */
export function parseDeclarator(s: TokenStream, base: TypeNode): Declarator {
  let type = parsePointers(s, base);
  const line = s.line;
  const isFunction = startsFunctionPointer(s);
  if (isFunction) s.at += 2;
  const name = s.identifier('in a declaration');
  skipAttributes(s);
  const dimensions: (Expression | undefined)[] = [];
  while (s.accept('[')) {
    dimensions.push(s.is(']') ? undefined : parseExpression(s));
    s.expect(']', 'after an array size');
  }
  if (isFunction) {
    s.expect(')', 'after the name of a function pointer');
    s.at = s.pastMatching(s.at);
    type = functionType(type);
  }
  const declarator: Declarator = { name, type, dimensions, line };
  if (s.accept('=')) declarator.initializer = { style: 'equals', arguments: [parseAssignment(s)] };
  else if (s.is('{')) {
    const list = parseList(s);
    declarator.initializer = { style: 'braces', arguments: list.kind === 'list' && !list.fields ? list.items : [list] };
  } else if (s.is('(')) {
    s.at++;
    const args: Expression[] = [];
    while (!s.is(')')) {
      args.push(parseAssignment(s));
      if (!s.accept(',')) break;
    }
    s.expect(')', 'after an initializer');
    declarator.initializer = { style: 'parentheses', arguments: args };
  }
  return declarator;
}

function parseFor(s: TokenStream, line: number): Statement {
  s.at++;
  s.expect('(', 'after for');
  const range = s.attempt(() => {
    const init = hasTopLevelSemicolon(s) ? parseSimple(s) : undefined;
    const base = parseType(s);
    const bindings = s.is('[') ? parseNames(s) : undefined;
    const name = bindings ? '' : s.identifier('in a range-for');
    if (!s.accept(':')) return undefined;
    const variable: Declarator = { name, type: base, dimensions: [], line };
    return { init, variable, bindings, range: s.is('{') ? parseList(s) : parseExpression(s) };
  });
  if (range) {
    s.expect(')', 'after a range');
    return { kind: 'range', ...range, body: parseStatement(s), line };
  }
  const init = s.accept(';') ? undefined : parseSimple(s);
  const test = s.is(';') ? undefined : parseExpression(s);
  s.expect(';', 'in for');
  const step = s.is(')') ? undefined : parseExpression(s);
  s.expect(')', 'after for');
  return { kind: 'for', init, test, step, body: parseStatement(s), line };
}

/** A declaration or expression with its semicolon. */
function parseSimple(s: TokenStream): Statement {
  const line = s.line;
  const statement = parseDeclaration(s) ?? { kind: 'expression' as const, expression: parseExpression(s), line };
  s.expect(';', 'here');
  return statement;
}

/** The condition of an `if`: an expression, or `auto x = f()`, whose variable is then what is tested. */
function parseCondition(s: TokenStream): { variable?: Statement; test: Expression } {
  const variable = s.attempt(() => {
    const statement = parseDeclaration(s);
    const [declared, second] = statement?.kind === 'declaration' ? statement.declarators : [];
    return statement && declared?.initializer && !second && s.is(')') ? { statement, name: declared.name } : undefined;
  });
  if (!variable) return { test: parseExpression(s) };
  const { statement, name } = variable;
  return { variable: statement, test: { kind: 'name', name: { path: [name] }, line: statement.line } };
}

function hasTopLevelSemicolon(s: TokenStream): boolean {
  let depth = 0;
  for (let i = s.at; i < s.tokens.length; i++) {
    const text = s.tokens[i]?.kind === 'punctuator' ? s.tokens[i]?.text : '';
    if (text === '(' || text === '{' || text === '[') depth++;
    else if (text === ')' || text === '}' || text === ']') {
      if (depth-- === 0) return false;
    } else if (text === ';' && depth === 0) return true;
  }
  return false;
}

/** Types, qualified names, template headers and parameter lists. */
import type { Cv, Parameter, QualifiedName, TemplateArgument, TemplateParameter, TypeNode } from './ast.ts';
import { parseAssignment, parseConditional } from './expression-parser.ts';
import type { TokenStream } from './token-stream.ts';

/** Words of the fundamental types, which combine in any order. */
const FUNDAMENTAL = new Set([
  'void',
  'bool',
  'char',
  'short',
  'int',
  'long',
  'float',
  'double',
  'signed',
  'unsigned',
  'auto',
  'wchar_t',
]);

/** Specifiers that say nothing about a type's value. */
// biome-ignore format: a table
const IGNORED_SPECIFIERS = new Set([
  'static', 'inline', 'extern', 'constexpr', 'mutable', 'register', 'typename', 'struct', 'class', 'enum', 'thread_local',
  '__restrict__', '__restrict', 'restrict', '__forceinline__', '__inline__', '__noinline__', '__host__', '__device__', '__global__', 'C10_HOST_DEVICE',
  '__shared__', '__constant__', '__managed__', '__grid_constant__', 'virtual', 'explicit', 'friend', 'constinit', 'consteval', 'C10_DEVICE',
  'C10_ALWAYS_INLINE', 'TORCH_API', '__inline', 'C10_HOST',
]);

/** Words that can never be a type's or a variable's name. */
// biome-ignore format: a table
export const RESERVED = new Set([
  'return', 'if', 'else', 'for', 'while', 'do', 'switch', 'case', 'default', 'break', 'continue', 'goto', 'throw', 'try', 'catch', 'new',
  'delete', 'sizeof', 'using', 'namespace', 'template', 'operator', 'this', 'nullptr', 'true', 'false', 'static_cast', 'reinterpret_cast',
  'const_cast', 'dynamic_cast', 'asm', 'alignas', 'alignof', 'decltype', 'noexcept', 'static_assert', 'public', 'private', 'protected',
]);

export function isFundamental(word: string): boolean {
  return FUNDAMENTAL.has(word);
}

export function isSpecifier(word: string): boolean {
  return IGNORED_SPECIFIERS.has(word);
}

/** Skips `__attribute__((...))`, `alignas(...)`, `[[...]]`, `__launch_bounds__(...)` and the like. */
export function skipAttributes(s: TokenStream, most = Number.POSITIVE_INFINITY): void {
  for (let n = 0; n < most; n++) {
    const word = s.peek().text;
    if (
      /^(__attribute__|alignas|__align__|__launch_bounds__|__maxnreg__|__cluster_dims__|__declspec|__block_size__)$/.test(
        word,
      ) &&
      s.is('(', 1)
    ) {
      s.at = s.pastMatching(s.at + 1);
    } else if (s.is('[') && s.is('[', 1)) {
      s.at = s.pastMatching(s.at);
    } else return;
  }
}

/** `a::b<c>::d<e>`, with the template arguments of its last two components. */
export function parseQualifiedName(s: TokenStream, inExpression: boolean): QualifiedName {
  const path: string[] = [];
  let args: TemplateArgument[] | undefined;
  let outerArguments: TemplateArgument[] | undefined;
  if (s.accept('::')) path.push('');
  for (;;) {
    s.accept('template');
    const name = s.accept('~') ? `~${s.identifier('after ~')}` : s.identifier('here');
    path.push(name);
    args = undefined;
    if (s.is('<')) {
      args = s.attempt(() => {
        const parsed = parseTemplateArguments(s);
        return !inExpression || templateFollows(s, path) ? parsed : undefined;
      });
    }
    if (s.is('::') && s.peek(1).kind === 'identifier') {
      s.at++;
      outerArguments = args;
      continue;
    }
    if (s.is('::') && s.is('template', 1)) {
      s.at++;
      continue;
    }
    const named = path[0] === '' ? path.slice(1) : path;
    const alias = named.length > 1 ? s.names.namespaces.get(named[0] ?? '') : undefined;
    return { path: alias ? [...alias, ...named.slice(1)] : named, arguments: args, outerArguments };
  }
}

/** `a::b::c`, names alone. */
export function parseNamespacePath(s: TokenStream): string[] {
  const path: string[] = [];
  s.accept('::');
  do path.push(s.identifier('of a namespace'));
  while (s.accept('::'));
  return [...(s.names.namespaces.get(path[0] ?? '') ?? path.slice(0, 1)), ...path.slice(1)];
}

/** `namespace name = path;`: the name stands for the path everywhere, so it may have no second meaning. */
export function nameNamespace(s: TokenStream, name: string, path: readonly string[]): void {
  const known = s.names.namespaces.get(name);
  if (known && known.join('::') !== path.join('::')) throw s.error(`the namespace alias ${name} with two meanings`);
  s.names.namespaces.set(name, path);
}

/** After `name<...>` in an expression: is it a template, and not two comparisons? */
function templateFollows(s: TokenStream, path: readonly string[]): boolean {
  const next = s.peek().text;
  if (s.peek().kind === 'punctuator' && ['(', '<<<', '::', '{'].includes(next)) return true;
  const name = path[path.length - 1] ?? '';
  return s.names.templates.has(name) || /^is_\w+_v$/.test(name);
}

/** `<a, b>`, on the opening bracket. */
export function parseTemplateArguments(s: TokenStream): TemplateArgument[] {
  s.expect('<', 'before template arguments');
  const args: TemplateArgument[] = [];
  while (!s.is('>')) {
    const from = s.at;
    const type = s.attempt(() => {
      const node = parseType(s);
      // A function's type, `int(float)`: of std::function alone, which holds anything that can be called.
      if (s.is('(')) s.at = s.pastMatching(s.at);
      return endsArgument(s) ? node : undefined;
    });
    const afterType = s.at;
    s.at = from;
    const expression = s.attempt(() => {
      const node = parseConditional(s, true);
      return endsArgument(s) ? node : undefined;
    });
    if (!type && !expression) throw s.error('in template arguments');
    // `vector<vector<int>>`: the comparison `vector < int` ends before the type does.
    const isType = type !== undefined && (!expression || s.at < afterType);
    if (isType) s.at = afterType;
    const text = spelled(s, from);
    args.push({ type, expression: isType ? undefined : expression, expands: s.accept('...'), text });
    if (!s.accept(',')) break;
  }
  s.expect('>', 'after template arguments');
  return args;
}

function endsArgument(s: TokenStream): boolean {
  return s.is(',') || s.is('>') || s.is('...');
}

/** A type with its pointers and reference, without a name. */
export function parseType(s: TokenStream): TypeNode {
  return s.nested(() => {
    const type = parsePointers(s, parseTypeBase(s));
    // `int (*)(float)`: a pointer to a function.
    if (!(s.is('(') && s.is('*', 1) && s.is(')', 2) && s.is('(', 3))) return type;
    s.at = s.pastMatching(s.at + 3);
    return functionType(type);
  });
}

/** What can be called and gives `returns`: std::function<returns()>, which a pointer to a function is for host code. */
export function functionType(returns: TypeNode): TypeNode {
  const name = { path: ['std', 'function'], arguments: [{ type: returns, text: 'a function' }] };
  return { name, pointers: 0, reference: '', isConst: false, line: returns.line };
}

/** `(*name[n])(int, float)` after the returned type, on the parenthesis: a pointer to a function, by its name. */
export function startsFunctionPointer(s: TokenStream): boolean {
  return s.is('(') && s.is('*', 1) && s.peek(2).kind === 'identifier' && (s.is(')', 3) || s.is('[', 3));
}

/** `const unsigned long`, `std::vector<T>`, `decltype(x)`: a type without pointers. */
export function parseTypeBase(s: TokenStream): TypeNode {
  const line = s.line;
  let isConst = false;
  const qualifiers = new Set<string>();
  const words: string[] = [];
  let name: QualifiedName | undefined;
  let decltypeOf: TypeNode['decltypeOf'];
  for (;;) {
    skipAttributes(s);
    const token = s.peek();
    if (token.kind === 'punctuator' && token.text === '::' && words.length === 0 && !name) {
      name = parseQualifiedName(s, false);
      continue;
    }
    if (token.kind !== 'identifier') break;
    if (token.text === 'const' || token.text === 'constexpr') {
      isConst = true;
      if (token.text === 'const') qualifiers.add('const');
      s.at++;
    } else if (token.text === 'volatile') {
      qualifiers.add('volatile');
      s.at++;
    } else if (IGNORED_SPECIFIERS.has(token.text)) {
      s.at++;
    } else if (FUNDAMENTAL.has(token.text)) {
      if (name) break;
      words.push(token.text);
      s.at++;
    } else if (token.text === 'decltype' && words.length === 0 && !name) {
      s.at++;
      s.expect('(', 'after decltype');
      decltypeOf = parseAssignment(s);
      s.expect(')', 'after decltype');
      name = { path: ['decltype'] };
    } else if (words.length > 0 || name || RESERVED.has(token.text)) {
      break;
    } else {
      name = parseQualifiedName(s, false);
    }
  }
  if (!name && words.length === 0) throw s.error(`expected a type, found ${s.peek().text || 'the end of the code'}`);
  return {
    name: name ?? { path: [words.sort().join(' ')] },
    ...{ decltypeOf, cv: cvOf(qualifiers), pointers: 0, reference: '', isConst, line },
  };
}

function cvOf(words: ReadonlySet<string>): Cv | undefined {
  if (words.has('const')) return words.has('volatile') ? 'const volatile' : 'const';
  return words.has('volatile') ? 'volatile' : undefined;
}

/** `* const *` and `&` after a base type. */
export function parsePointers(s: TokenStream, base: TypeNode): TypeNode {
  const type = { ...base };
  const levels: Set<string>[] = [];
  for (;;) {
    if (s.accept('*')) {
      levels.push(new Set());
      type.pointers++;
    } else if (s.is('const') || isSpecifierWord(s)) levels.at(-1)?.add(s.next().text) ?? s.at++;
    else if (s.accept('&')) type.reference = '&';
    else if (s.accept('&&')) type.reference = '&&';
    else {
      if (levels.some((words) => cvOf(words))) type.pointerCv = levels.map(cvOf);
      return type;
    }
  }
}

function isSpecifierWord(s: TokenStream): boolean {
  return /^(__restrict__|__restrict|restrict|volatile)$/.test(s.peek().text);
}

/** `(int a, const T* b = nullptr)`, on the opening parenthesis. */
export function parseParameters(s: TokenStream): Parameter[] {
  s.expect('(', 'before parameters');
  const parameters: Parameter[] = [];
  if (s.is('void') && s.is(')', 1)) s.at++;
  while (!s.is(')')) {
    const line = s.line;
    const from = s.at;
    const type = parseType(s);
    const { pointers } = type;
    if (startsFunctionPointer(s)) {
      s.at += 2;
      const name = s.identifier('after *');
      s.expect(')', 'after the name of a function pointer');
      s.at = s.pastMatching(s.at);
      parameters.push({ type: functionType(type), name, text: 'void*', line });
      if (!s.accept(',')) break;
      continue;
    }
    if (s.is('(')) throw s.error('a parameter that is a function or a reference to an array');
    const isPack = s.accept('...');
    let name = '';
    const text = spelled(s, from);
    if (s.peek().kind === 'identifier' && !RESERVED.has(s.peek().text)) name = s.next().text;
    while (s.is('[')) {
      s.at = s.pastMatching(s.at);
      type.pointers++;
    }
    let fallback: Parameter['default'];
    if (s.accept('=')) fallback = s.is('{') ? parseAssignment(s) : parseConditional(s, false);
    if (isPack) s.names.packs.add(name);
    parameters.push({ type, name, default: fallback, text: text + '*'.repeat(type.pointers - pointers), isPack, line });
    if (!s.accept(',')) break;
  }
  s.expect(')', 'after parameters');
  return parameters;
}

/** `template <typename T, int N = 4>`, on `template`. Returns [] for `template <>`. */
export function parseTemplateHeader(s: TokenStream): TemplateParameter[] {
  s.expect('template', 'here');
  s.expect('<', 'after template');
  const parameters: TemplateParameter[] = [];
  while (!s.is('>')) {
    if (s.is('typename') || s.is('class')) {
      s.at++;
      const isPack = s.accept('...');
      const name = s.peek().kind === 'identifier' ? s.next().text : '';
      if (name) s.names.types.add(name);
      if (isPack) s.names.packs.add(name);
      const parameter: TemplateParameter = { kind: 'type', isPack, name };
      if (s.accept('=')) {
        const from = s.at;
        const type = parseType(s);
        parameter.default = { type, text: spelled(s, from) };
      }
      parameters.push(parameter);
    } else if (s.is('template')) {
      throw s.error('a template template parameter');
    } else {
      let type = parseType(s);
      // `void (*K)(float*)`: a function, a kernel too.
      const isFunction = startsFunctionPointer(s);
      if (isFunction) s.at += 2;
      const isPack = s.accept('...');
      const name = s.peek().kind === 'identifier' ? s.next().text : '';
      if (isFunction) {
        s.expect(')', 'after the name of a function pointer');
        s.at = s.pastMatching(s.at);
        type = functionType(type);
      }
      if (isPack) s.names.packs.add(name);
      const parameter: TemplateParameter = { kind: 'value', isPack, name, type };
      if (s.accept('=')) {
        const from = s.at;
        const expression = parseConditional(s, true);
        parameter.default = { expression, text: spelled(s, from) };
      }
      parameters.push(parameter);
    }
    if (!s.accept(',')) break;
  }
  s.expect('>', 'after template parameters');
  return parameters;
}

function spelled(s: TokenStream, from: number): string {
  return s.tokens
    .slice(from, s.at)
    .map((t) => t.text)
    .join(' ');
}

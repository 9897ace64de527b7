/** A function's header; its body stays tokens until the function is called. */
import type { FunctionItem, MemberInitializer, Parameter, TemplateParameter, TypeNode } from './ast.ts';
import { parseArguments } from './expression-parser.ts';
import { TokenStream } from './token-stream.ts';
import {
  parseParameters,
  parsePointers,
  parseQualifiedName,
  parseType,
  parseTypeBase,
  skipAttributes,
} from './type-parser.ts';

/** The name that all conversion functions, `operator int()` and its like, have here. */
export const CONVERSION = 'operator to';

const NO_FUNCTION_NAME =
  /^(__launch_bounds__|__attribute__|alignas|__align__|decltype|noexcept|__declspec|__maxnreg__|__cluster_dims__|requires|explicit|if|for|while|switch|return|sizeof|static_assert)$/;

/**
 * Reads a function (definition or prototype), or returns undefined where the tokens are none.
 * A header that cannot be read fully gives an item with `problem`.
 * @param within the struct's name for member functions, so that constructors are known.
 */
export function parseFunction(
  s: TokenStream,
  namespace: readonly string[],
  template: readonly TemplateParameter[] | undefined,
  within?: string,
): FunctionItem | undefined {
  const from = s.at;
  const first = s.peek();
  const open = findParameters(s);
  if (open === undefined) return undefined;
  const qualifiers = within === undefined ? qualifiersBefore(s, from, open) : undefined;
  const inStruct = within ?? qualifiers?.path.at(-1);
  const afterParameters = s.pastMatching(open);
  let bodyAt = afterParameters;
  while (bodyAt < s.tokens.length && !['{', ';', '='].includes(s.tokens[bodyAt]?.text ?? '')) {
    const text = s.tokens[bodyAt]?.text ?? '';
    if (text === '(' || text === '[') bodyAt = s.pastMatching(bodyAt);
    else if (text === ':' && inStruct) {
      // A constructor's initializers: the body is the brace that follows a closed initializer.
      bodyAt = skipInitializers(s, bodyAt + 1);
      break;
    } else bodyAt++;
  }
  const opener = s.tokens[bodyAt]?.text;
  if (opener === '=' && !/^(default|delete|0)$/.test(s.tokens[bodyAt + 1]?.text ?? '')) return undefined;
  if (opener === undefined) return undefined;
  const words = s.tokens.slice(from, open).map((t) => t.text);
  const item: FunctionItem = {
    kind: 'function',
    name: s.tokens[open - 1]?.text ?? '',
    space: spaceOf(words),
    isConstexpr: words.includes('constexpr') || words.includes('consteval'),
    isStatic: words.includes('static'),
    template: template && template.length > 0 ? template : undefined,
    isSpecialization: template !== undefined && template.length === 0,
    returns: null,
    parameters: [],
    namespace,
    line: s.tokens[open - 1]?.line ?? first.line,
    start: first.start,
    end: first.end,
    endLine: first.line,
    names: s.names,
  };
  if (qualifiers) item.qualifiers = qualifiers.path;
  if (words.includes('explicit')) item.isExplicit = true;
  const operatorAt = words.indexOf('operator');
  const conversion =
    operatorAt >= 0 &&
    s.tokens[from + operatorAt + 1]?.kind === 'identifier' &&
    !/^(new|delete)$/.test(words[operatorAt + 1] ?? '');
  if (operatorAt >= 0) item.name = conversion ? CONVERSION : words.slice(operatorAt).join('');
  const ending = s.tokens.slice(afterParameters, bodyAt).map((t) => t.text);
  if (words.includes('virtual') || ending.includes('override') || ending.includes('final')) item.isVirtual = true;
  try {
    item.returns = conversion
      ? null
      : parseReturns(
          s,
          words.includes('operator') ? from + words.indexOf('operator') : open - 1,
          inStruct,
          qualifiers?.at,
        );
    if (conversion) {
      s.at = from + operatorAt + 1;
      item.returns = parseType(s);
    }
    s.at = open;
    item.parameters = parseParameters(s);
    const trailing = s.tokens.slice(s.at, bodyAt).findIndex((t) => t.text === '->');
    if (trailing >= 0) {
      s.at += trailing + 1;
      item.returns = parseType(s);
    }
  } catch (error) {
    item.problem = error instanceof Error ? error.message : String(error);
    item.parameters = [] as Parameter[];
  }
  s.at = bodyAt;
  if (opener === '{') {
    const end = s.pastMatching(bodyAt);
    item.body = s.tokens.slice(bodyAt + 1, end - 1);
    if (inStruct && s.tokens[afterParameters]?.text === ':') {
      s.at = afterParameters + 1;
      item.initializers = s.attempt(() => parseInitializers(s, bodyAt));
      if (!item.initializers) item.problem ??= `the initializers of the constructor of ${inStruct}`;
    }
    s.at = end;
  } else {
    const given = s.tokens[bodyAt + 1]?.text;
    if (opener === '=' && (given === 'default' || given === 'delete')) item.given = given;
    while (!s.ended && !s.is(';')) s.at++;
    s.at++;
  }
  item.end = s.tokens[s.at - 1]?.end ?? item.end;
  item.endLine = s.tokens[s.at - 1]?.line ?? item.line;
  if (template) s.names.templates.add(item.name);
  return item;
}

/** Index of the parameter list's `(`: the first group after a name, before any `=`, `{` or `;`. */
function findParameters(s: TokenStream): number | undefined {
  let angle = 0;
  for (let i = s.at; i < s.tokens.length; i++) {
    const token = s.tokens[i];
    if (!token || token.kind === 'end') return undefined;
    if (token.kind !== 'punctuator') continue;
    const previous = s.tokens[i - 1];
    if (token.text === '<' && previous?.text !== 'operator') angle++;
    else if (token.text === '>' && angle > 0) angle--;
    else if (token.text === '(' && angle === 0) {
      const named = previous?.kind === 'identifier' && !NO_FUNCTION_NAME.test(previous.text) && i > s.at;
      // `operator()(...)`: the name's own parentheses come first.
      if (previous?.text === 'operator') {
        i = s.pastMatching(i) - 1;
        continue;
      }
      const operatorName = s.tokens.slice(s.at, i).some((t) => t.text === 'operator');
      if (named || operatorName || (previous?.text === '>' && i > s.at + 1)) return i;
      i = s.pastMatching(i) - 1;
    } else if (token.text === '[') i = s.pastMatching(i) - 1;
    else if (['{', ';', '}'].includes(token.text)) return undefined;
    else if (token.text === '=' && angle === 0 && previous?.text !== 'operator') return undefined;
  }
  return undefined;
}

/** `a::S<T>::` before a function's own name: its names, and the index of the first. */
function qualifiersBefore(
  s: TokenStream,
  from: number,
  open: number,
): { path: readonly string[]; at: number } | undefined {
  const operatorAt = s.tokens.slice(from, open).findIndex((t) => t.text === 'operator');
  let at = operatorAt >= 0 ? from + operatorAt : open - 1;
  const path: string[] = [];
  while (at - 2 >= from && s.tokens[at - 1]?.text === '::') {
    let name = at - 2;
    if (s.tokens[name]?.text === '>') while (name > from && s.tokens[name]?.text !== '<') name--;
    if (s.tokens[name]?.text === '<') name--;
    if (s.tokens[name]?.kind !== 'identifier') return undefined;
    path.unshift(s.tokens[name]?.text ?? '');
    at = name;
  }
  return path.length > 0 ? { path, at } : undefined;
}

/** @param nameAt index of the name's token, `operator` for an operator */
function parseReturns(
  s: TokenStream,
  nameAt: number,
  inStruct: string | undefined,
  qualifiersAt = nameAt,
): TypeNode | null {
  const words = s.tokens.slice(s.at, nameAt).map((t) => t.text);
  if (inStruct && (s.tokens[nameAt]?.text === inStruct || words.includes('~'))) return null;
  // A conversion function has no other type than its name.
  if (s.tokens[nameAt]?.text === 'operator' && s.at === nameAt) return null;
  skipAttributes(s);
  while (s.at < nameAt && s.is('extern') && s.peek(1).kind === 'string') s.at += 2;
  const whole = s.tokens;
  // `int S::f()`: the type ends before the qualifiers, which would be a part of its name.
  const own = qualifiersAt < nameAt ? new TokenStream(whole.slice(s.at, qualifiersAt), s.names, s.line) : s;
  const start = s.at;
  let type = parseTypeBase(own);
  type = parsePointers(own, type);
  if (own !== s) s.at = start + own.at;
  skipAttributes(s);
  while (
    s.at < nameAt &&
    /^(__global__|__device__|__host__|inline|static|__forceinline__|__noinline__|C10_LAUNCH_BOUNDS_\d)$/.test(
      s.peek().text,
    )
  ) {
    s.at++;
    if (s.is('(')) s.at = s.pastMatching(s.at);
    skipAttributes(s);
  }
  if (s.at !== qualifiersAt && s.tokens[nameAt]?.text !== '>') throw s.error('a function header');
  return type;
}

function spaceOf(words: readonly string[]): FunctionItem['space'] {
  const device = words.includes('__device__') || words.includes('C10_DEVICE');
  if (words.includes('__global__')) return 'kernel';
  if (words.includes('C10_HOST_DEVICE')) return 'both';
  if (device) return words.includes('__host__') ? 'both' : 'device';
  return 'host';
}

/** `a(x), b{y}, Base<T>(z)`, up to the body. */
function parseInitializers(s: TokenStream, bodyAt: number): MemberInitializer[] {
  const initializers: MemberInitializer[] = [];
  do {
    const line = s.line;
    const name = parseQualifiedName(s, true).path.at(-1) ?? '';
    const braces = s.is('{');
    initializers.push({ name, arguments: parseArguments(s, braces ? '{' : '(', braces ? '}' : ')'), braces, line });
  } while (s.accept(','));
  if (s.at !== bodyAt) throw s.error('in the initializers of a constructor');
  return initializers;
}

function skipInitializers(s: TokenStream, from: number): number {
  let i = from;
  while (i < s.tokens.length) {
    // name ( ... ) or name { ... }, then a comma or the body.
    while (i < s.tokens.length && !['(', '{'].includes(s.tokens[i]?.text ?? '')) i++;
    i = s.pastMatching(i);
    if (s.tokens[i]?.text !== ',') return i;
    i++;
  }
  return i;
}

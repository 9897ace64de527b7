/** Structs, as far as host code uses them as plain data: fields, static constants, and member functions kept as tokens. */
import type {
  Declarator,
  EnumItem,
  FunctionItem,
  StructItem,
  TemplateArgument,
  TemplateParameter,
  TypeNode,
} from './ast.ts';
import { parseEnum } from './enum-parser.ts';
import { isKnownType, parseConditional } from './expression-parser.ts';
import { parseFunction } from './function-parser.ts';
import { parseAlias, parseDeclaration } from './statement-parser.ts';
import type { TokenStream } from './token-stream.ts';
import { parseTemplateArguments, parseTemplateHeader, parseType, skipAttributes } from './type-parser.ts';

/**
 * `struct Name { ... }`, on `struct`; ends after the brace. What it cannot read becomes `problem`, which is an error
 * only for host code that uses the struct: device code keeps the candidate's own text.
 */
export function parseStruct(
  s: TokenStream,
  namespace: readonly string[],
  template: readonly TemplateParameter[] | undefined,
): StructItem {
  const first = s.next();
  const alignment = parseAlignment(s);
  const name = s.peek().kind === 'identifier' ? s.next().text : '';
  s.names.types.add(name);
  if (template) s.names.templates.add(name);
  const item: StructItem = {
    kind: 'struct',
    name,
    template,
    bases: [],
    aliases: [],
    fields: [],
    methods: [],
    staticFields: [],
    nested: [],
    friends: [],
    alignment,
    namespace,
    line: first.line,
    start: first.start,
    end: first.end,
  };
  if (s.is('<')) {
    item.specialization = parseTemplateArguments(s);
  }
  s.accept('final');
  if (s.accept(':')) item.bases = parseBases(s, item);
  if (!s.is('{')) throw s.error(`the definition of struct ${name}`);
  const end = s.pastMatching(s.at);
  s.at++;
  const fields: Declarator[] = [];
  const staticFields: Declarator[] = [];
  const methods: FunctionItem[] = [];
  const aliases: StructItem['aliases'][number][] = [];
  const nested: (StructItem | EnumItem)[] = [];
  const friends: FunctionItem[] = [];
  /** Members of bases that `using Base::f;` names. */
  const used: string[] = [];
  while (s.at < end - 1) {
    const from = s.at;
    const line = s.line;
    const read = s.attempt(() => {
      if (/^(public|private|protected)$/.test(s.peek().text)) {
        s.at++;
        return s.accept(':');
      }
      if (s.accept(';')) return true;
      if (s.is('static_assert')) return undefined;
      if (s.is('friend')) {
        // A friend of a struct template is another function for each of its instances.
        const friend = template ? undefined : s.attempt(() => parseFunction(s, namespace, undefined, ''));
        if (friend?.body) friends.push(friend);
        return friend ? true : undefined;
      }
      if (s.is('union')) {
        item.problem ??= `the union in struct ${name}`;
        return undefined;
      }
      if (s.is('enum')) {
        nested.push(parseEnum(s, [...namespace, name]));
        return true;
      }
      if ((s.is('struct') || s.is('class')) && s.peek(1).kind === 'identifier' && (s.is('{', 2) || s.is(':', 2))) {
        nested.push(parseStruct(s, [...namespace, name], undefined));
        return s.accept(';');
      }
      if (s.is('using') || s.is('typedef')) {
        const member = s.tokens.slice(s.at, s.at + 8).find((_, i, all) => all[i + 1]?.text === ';')?.text;
        const alias = parseAlias(s);
        if (alias.kind === 'alias') aliases.push(alias);
        else if (member) used.push(member);
        return true;
      }
      const header = s.is('template') ? parseTemplateHeader(s) : undefined;
      const method = s.attempt(() => parseFunction(s, namespace, header, name));
      if (method) {
        methods.push(method);
        return true;
      }
      const aligned = parseAlignment(s);
      const declaration = parseDeclaration(s);
      if (declaration?.kind !== 'declaration') return undefined;
      if (s.is(':')) item.problem ??= `the bit-field ${declaration.declarators.at(-1)?.name} of struct ${name}`;
      s.expect(';', 'after a field');
      const words = s.tokens.slice(from, s.at).filter((t) => /^(alignas|__align__|(__)?aligned(__)?)$/.test(t.text));
      if (words.length > (aligned ? 1 : 0))
        item.problem ??= `the aligned member ${declaration.declarators[0]?.name} of struct ${name}; write alignas(n) before its type`;
      const isStatic = s.tokens.slice(from, s.at).some((t) => t.text === 'static');
      (isStatic ? staticFields : fields).push(...declaration.declarators.map((d) => ({ ...d, alignment: aligned })));
      if (isStatic && !declaration.isConst) {
        item.problem ??= `the static member ${declaration.declarators[0]?.name} of struct ${name}, which would keep state between calls`;
      }
      return true;
    });
    if (!read) {
      if (!s.is('static_assert') && !s.is('friend')) item.problem ??= `a member of struct ${name} (line ${line})`;
      skipMember(s, end - 1);
    }
  }
  const hidden = used.find(
    (word) =>
      word === name || item.bases.some((b) => b.name.path.at(-1) === word) || methods.some((f) => f.name === word),
  );
  if (hidden)
    item.problem ??= `the using declaration of ${hidden} in struct ${name}, which has one of its own or takes its base's constructors`;
  if (first.text === 'union') item.problem ??= `the union ${name}`;
  s.at = end;
  item.end = s.tokens[end - 1]?.end ?? item.end;
  // `struct S { ... } __attribute__((aligned(16)));`
  item.alignment ??= parseAlignment(s);
  return { ...item, fields, methods, staticFields, aliases, nested, friends };
}

/** Attributes, of which `alignas(n)`, `__align__(n)` and `__attribute__((aligned(n)))` say something of the layout. */
function parseAlignment(s: TokenStream): TemplateArgument | undefined {
  let found: TemplateArgument | undefined;
  for (;;) {
    const from = s.at;
    skipAttributes(s, 1);
    if (s.at === from) return found;
    const to = s.at;
    const word = s.tokens.slice(from, to).findIndex((t) => /^(alignas|__align__|(__)?aligned(__)?)$/.test(t.text));
    if (s.tokens.slice(from, to).some((t) => /^(__)?packed(__)?$/.test(t.text))) throw s.error('a packed struct');
    if (word < 0) continue;
    s.at = from + word + 1;
    s.expect('(', 'after an alignment');
    const type = s.attempt(() => {
      const node = parseType(s);
      return s.is(')') && isKnownType(s, node) ? node : undefined;
    });
    found = type ? { type, text: 'a type' } : { expression: parseConditional(s, false), text: 'a number' };
    s.at = to;
  }
}

/** `public A, private B<T>`, after the colon. */
function parseBases(s: TokenStream, item: StructItem): TypeNode[] {
  const bases: TypeNode[] = [];
  do {
    while (/^(public|private|protected|virtual)$/.test(s.peek().text)) {
      if (s.next().text === 'virtual') item.problem = `the virtual base class of struct ${item.name}`;
    }
    bases.push(parseType(s));
  } while (s.accept(','));
  return bases;
}

function skipMember(s: TokenStream, end: number): void {
  while (s.at < end) {
    if (s.is('{')) {
      s.at = s.pastMatching(s.at);
      s.accept(';');
      return;
    }
    if (s.is('(') || s.is('[')) s.at = s.pastMatching(s.at);
    else if (s.next().text === ';') return;
  }
}

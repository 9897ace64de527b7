/** Structs, as far as host code uses them as plain data: fields, static constants, and member functions kept as tokens. */
import type { Declarator, FunctionItem, StructItem, TemplateParameter, TypeNode } from './ast.ts';
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
  skipAttributes(s);
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
    namespace,
    line: first.line,
    start: first.start,
    end: first.end,
  };
  if (s.is('<')) {
    item.specialization = parseTemplateArguments(s);
    if (template && template.length > 0) item.problem = `the partial specialization of struct ${name}`;
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
  while (s.at < end - 1) {
    const from = s.at;
    const line = s.line;
    const read = s.attempt(() => {
      if (/^(public|private|protected)$/.test(s.peek().text)) {
        s.at++;
        return s.accept(':');
      }
      if (s.accept(';')) return true;
      if (s.is('static_assert') || s.is('friend')) return undefined;
      if (s.is('using') || s.is('typedef')) {
        const alias = parseAlias(s);
        if (alias.kind === 'alias') aliases.push(alias);
        return true;
      }
      const header = s.is('template') ? parseTemplateHeader(s) : undefined;
      const method = s.attempt(() => parseFunction(s, namespace, header, name));
      if (method) {
        if (s.tokens.slice(from, s.at).some((t) => t.text === 'virtual'))
          method.problem = `the virtual function ${method.name}`;
        methods.push(method);
        return true;
      }
      const declaration = parseDeclaration(s);
      if (declaration?.kind !== 'declaration') return undefined;
      s.expect(';', 'after a field');
      const isStatic = s.tokens.slice(from, s.at).some((t) => t.text === 'static');
      (isStatic ? staticFields : fields).push(...declaration.declarators);
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
  s.at = end;
  item.end = s.tokens[end - 1]?.end ?? item.end;
  return { ...item, fields, methods, staticFields, aliases };
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

/** Enumerations, of a file or of a struct. */
import type { EnumItem, Expression } from './ast.ts';
import { parseConditional } from './expression-parser.ts';
import type { TokenStream } from './token-stream.ts';
import { parseType } from './type-parser.ts';

/** `enum class Name : type { A = 1, B };`, on `enum`; ends after the semicolon. */
export function parseEnum(s: TokenStream, namespace: readonly string[]): EnumItem {
  const first = s.next();
  const scoped = s.accept('class') || s.accept('struct');
  const name = s.peek().kind === 'identifier' ? s.next().text : '';
  const underlying = s.accept(':') ? parseType(s) : undefined;
  const members: { name: string; value?: Expression }[] = [];
  if (s.accept('{')) {
    while (!s.is('}')) {
      const member = s.identifier('in an enum');
      members.push({ name: member, value: s.accept('=') ? parseConditional(s, false) : undefined });
      if (!s.accept(',')) break;
    }
    s.expect('}', 'after an enum');
  }
  while (!s.ended && !s.is(';') && !s.is('}')) s.at++;
  s.accept(';');
  if (name) s.names.types.add(name);
  const end = s.tokens[s.at - 1]?.end ?? first.end;
  return { kind: 'enum', name, scoped, underlying, members, namespace, line: first.line, start: first.start, end };
}

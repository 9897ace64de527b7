/** Which specialization of a struct or variable template its arguments choose, partial ones included. */
import type { StructItem, TemplateArgument, TemplateParameter, TypeNode } from '../cpp/ast.ts';
import { CandidateError, unsupported } from '../error.ts';
import type { TemplateValue } from '../trace.ts';
import type { Machine } from './machine.ts';
import type { Scope } from './scope.ts';
import { spellArgument } from './spell.ts';
import { evaluateArgument, resolveType } from './type-resolver.ts';
import { bothCv, type CppType, qualified, sameType, unqualified, withoutCv } from './types.ts';

type Bound = Map<string, TemplateValue>;

/** What a specialization's own parameters are for these arguments, or undefined where it does not match. */
export interface Match<T> {
  item: T;
  bound: readonly TemplateValue[];
}

/**
 * The most specialized of the items whose pattern matches the values: the one that fixes most of them.
 * @throws CandidateError where two fix as much
 */
export function chooseSpecialization<T extends Pick<StructItem, 'specialization' | 'template' | 'line'>>(
  m: Machine,
  items: readonly T[],
  values: readonly TemplateValue[],
  scope: Scope,
  line: number,
): Match<T> | undefined {
  const matches = items.flatMap((item) => {
    const bound: Bound = new Map();
    const parameters = item.template ?? [];
    const fixed = matchList(m, item.specialization ?? [], values, parameters, bound, scope);
    if (fixed === undefined) return [];
    const own = parameters.map((p) => bound.get(p.name));
    return own.every((v) => v !== undefined) ? [{ item, bound: own as TemplateValue[], fixed }] : [];
  });
  matches.sort((a, b) => b.fixed - a.fixed);
  const [best, second] = matches;
  if (best && second && best.fixed === second.fixed)
    throw unsupported('two partial specializations that both match', line);
  return best;
}

/** Template arguments in order, of which `Rest...` at the end takes what is left; more where more of them are fixed, or written one by one. */
function matchList(
  m: Machine,
  pattern: readonly TemplateArgument[],
  values: readonly TemplateValue[],
  parameters: readonly TemplateParameter[],
  bound: Bound,
  scope: Scope,
): number | undefined {
  const each = values.flatMap((value) => (value.kind === 'pack' ? value.values : [value]));
  const last = pattern.at(-1);
  const rest = last?.expands ? parameters.find((p) => p.isPack && p.name === plainName(last)) : undefined;
  const single = rest ? pattern.slice(0, -1) : pattern;
  const unread = single.find((argument) => argument.expands);
  if (unread) throw unsupported(`the pack ${unread.text}... in a partial specialization`, scopeLine(unread));
  if (rest ? each.length < single.length : each.length !== single.length) return undefined;
  // What is fixed comes first; among equals, arguments that are written one by one, and then those without a pack.
  let fixed = single.length * 2 + (rest ? 0 : 1);
  for (const [i, argument] of single.entries()) {
    const depth = match(m, argument, each[i]!, parameters, bound, scope);
    if (depth === undefined) return undefined;
    fixed += depth * 1000;
  }
  if (!rest) return fixed;
  const left: TemplateValue = { kind: 'pack', values: each.slice(single.length) };
  const known = bound.get(rest.name);
  if (known && spellArgument(known, 0) !== spellArgument(left, 0)) return undefined;
  bound.set(rest.name, left);
  return fixed;
}

/** How much of the value the pattern fixes: 0 where it is a bare parameter; undefined where they do not match. */
function match(
  m: Machine,
  pattern: TemplateArgument,
  value: TemplateValue,
  parameters: readonly TemplateParameter[],
  bound: Bound,
  scope: Scope,
): number | undefined {
  const name = plainName(pattern);
  const parameter = parameters.find((p) => p.name === name);
  if (parameter) {
    const known = bound.get(parameter.name);
    if (known) return spellArgument(known, 0) === spellArgument(value, 0) ? 1 : undefined;
    bound.set(parameter.name, value);
    return 0;
  }
  if (value.kind === 'type') return pattern.type && matchType(m, pattern.type, value.type, parameters, bound, scope);
  if (value.kind === 'pack') return undefined;
  const wanted = evaluateArgument(m, pattern, scope, scopeLine(pattern));
  const same = wanted.kind === 'int' && value.value.kind === 'int' && wanted.value === value.value.value;
  return same ? 2 : undefined;
}

function matchType(
  m: Machine,
  node: TypeNode,
  type: CppType,
  parameters: readonly TemplateParameter[],
  bound: Bound,
  scope: Scope,
): number | undefined {
  if ((type.reference ?? '') !== node.reference) return undefined;
  let inner = qualified(unqualified(type), type.cv);
  for (let i = node.pointers - 1; i >= 0; i--) {
    if (inner.kind !== 'pointer' || inner.cv !== node.pointerCv?.[i]) return undefined;
    inner = inner.to;
  }
  if (bothCv(inner.cv, node.cv) !== inner.cv) return undefined;
  const whole: TypeNode = { ...node, pointers: 0, pointerCv: undefined, reference: '', cv: undefined };
  const argument: TemplateArgument = { type: whole, text: '' };
  if (parameters.some((p) => p.name === plainName(argument))) {
    const left = withoutCv(inner, node.cv);
    const depth = match(m, argument, { kind: 'type', type: left }, parameters, bound, scope);
    return depth === undefined ? undefined : depth + node.pointers + qualifiersIn(node);
  }
  if (inner.cv !== node.cv) return undefined;
  if (inner.kind === 'struct' && inner.path?.at(-1) === node.name.path.at(-1) && node.name.arguments) {
    const depth = matchList(m, node.name.arguments, inner.templateArguments ?? [], parameters, bound, scope);
    return depth === undefined ? undefined : 1 + node.pointers + depth / 1000;
  }
  try {
    return sameType(resolveType(m, whole, scope), unqualified(inner)) ? 2 + node.pointers : undefined;
  } catch (error) {
    // A pattern such as std::vector<T> of a parameter that is not bound: no match for what is no such type.
    if (error instanceof CandidateError && error.kind !== 'limit') return undefined;
    throw error;
  }
}

/** Qualifiers and references that a pattern writes: each fixes something. */
function qualifiersIn({ cv, pointerCv, reference }: TypeNode): number {
  return [cv, ...(pointerCv ?? []), reference].filter((written) => written).length;
}

/** The name that an argument is, where it is nothing more. */
function plainName({ type, expression }: TemplateArgument): string | undefined {
  if (expression?.kind === 'name' && expression.name.path.length === 1 && !expression.name.arguments)
    return expression.name.path[0];
  if (type && type.pointers === 0 && !type.cv && !type.reference && type.name.path.length === 1 && !type.name.arguments)
    return type.name.path[0];
  return undefined;
}

function scopeLine({ type, expression }: TemplateArgument): number {
  return type?.line ?? expression?.line ?? 0;
}

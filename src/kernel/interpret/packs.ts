/** Parameter packs: what `pattern...` and fold expressions stand for. */

import type { Expression, TemplateArgument } from '../cpp/ast.ts';
import { namesIn } from '../cpp/expression-parser.ts';
import { invalid } from '../error.ts';
import { binary } from './arithmetic.ts';
import { truth } from './convert.ts';
import { evaluate, type Operand, resolve } from './expressions.ts';
import type { Machine } from './machine.ts';
import { Scope } from './scope.ts';
import { boolValue, type Value, VOID_VALUE } from './values.ts';

/** One scope for each element of the packs that a pattern names; in it their names mean that element. */
export function elementScopes(pattern: Expression | TemplateArgument, scope: Scope, line: number): Scope[] {
  const packs = [...new Set(namesIn(pattern))].flatMap((name) => {
    const cells = scope.findPack(name);
    const types = scope.findTypePack(name);
    return cells || types ? [{ name, cells, types, count: (cells ?? types ?? []).length }] : [];
  });
  const [first] = packs;
  if (!first) throw invalid('... after something that names no parameter pack', line);
  const other = packs.find((p) => p.count !== first.count);
  if (other)
    throw invalid(`the packs ${first.name} and ${other.name} have ${first.count} and ${other.count} elements`, line);
  return Array.from({ length: first.count }, (_, i) => {
    const inner = new Scope(scope);
    for (const { name, cells, types } of packs) {
      if (cells?.[i]) inner.declare(name, cells[i]);
      if (types?.[i]) inner.declareType(name, types[i]);
    }
    return inner;
  });
}

/** Arguments as written, with every `pattern...` put out in full: each with the scope that it is to be evaluated in. */
export function expandExpressions(
  expressions: readonly Expression[],
  scope: Scope,
): { expression: Expression; scope: Scope }[] {
  return expressions.flatMap((expression) => {
    if (expression.kind !== 'expand') return [{ expression, scope }];
    const { pattern, line } = expression;
    return elementScopes(pattern, scope, line).map((inner) => ({ expression: pattern, scope: inner }));
  });
}

/** Evaluates arguments, packs expanded. */
export function resolveAll(m: Machine, expressions: readonly Expression[], scope: Scope): Operand[] {
  return expandExpressions(expressions, scope).map((each) => resolve(m, each.expression, each.scope));
}

/** The same for template arguments. */
export function expandTemplateArguments(
  args: readonly TemplateArgument[],
  scope: Scope,
  line: number,
): { argument: TemplateArgument; scope: Scope }[] {
  return args.flatMap((argument) => {
    if (!argument.expands) return [{ argument, scope }];
    const single = { ...argument, expands: false };
    return elementScopes(argument, scope, line).map((inner) => ({ argument: single, scope: inner }));
  });
}

/** `(... + pack)` and its like; `&&` and `||` stop where their answer is known. */
export function foldExpression(m: Machine, e: Extract<Expression, { kind: 'fold' }>, scope: Scope): Value {
  const { operator, line } = e;
  const parts = elementScopes(e.pattern, scope, line).map((inner) => () => evaluate(m, e.pattern, inner));
  const { init } = e;
  if (init) parts.splice(e.fromLeft ? 0 : parts.length, 0, () => evaluate(m, init, scope));
  if (operator === ',') return parts.reduce<Value>((_, part) => part(), VOID_VALUE);
  if (operator === '&&') return boolValue(parts.every((part) => truth(part(), line)));
  if (operator === '||') return boolValue(parts.some((part) => truth(part(), line)));
  const values = parts.map((part) => part());
  const combined = e.fromLeft
    ? values.reduce<Value | undefined>((sum, value) => (sum ? binary(operator, sum, value, line) : value), undefined)
    : values.reduceRight<Value | undefined>(
        (sum, value) => (sum ? binary(operator, value, sum, line) : value),
        undefined,
      );
  if (!combined) throw invalid(`a fold over an empty pack with ${operator}`, line);
  return combined;
}

/** Executing statements. */
import type { Declarator, Expression, Statement } from '../cpp/ast.ts';
import { CandidateError, invalid, refused, unsupported } from '../error.ts';
import { binary } from './arithmetic.ts';
import { requireOrder } from './associative.ts';
import { asBase } from './calls.ts';
import { construct } from './construct.ts';
import { convert, initialised, toIndex, truth, typeOfValue, zeroOf } from './convert.ts';
import { handles, ThrownError } from './exceptions.ts';
import { evaluate, type Operand, resolve } from './expressions.ts';
import type { Machine } from './machine.ts';
import { resolveAll } from './packs.ts';
import { Scope } from './scope.ts';
import { structType } from './structs.ts';
import { resolveType } from './type-resolver.ts';
import { bothCv, type CppType, unqualified } from './types.ts';
import { type Cell, cell, copyValue, describeValue, type Value } from './values.ts';

/** How a statement ended, where it did not simply end. */
export type Completion = { kind: 'break' } | { kind: 'continue' } | { kind: 'return'; value: Value } | undefined;

export function execute(m: Machine, s: Statement, scope: Scope): Completion {
  m.tick(s.line);
  switch (s.kind) {
    case 'block':
      return executeAll(m, s.body, new Scope(scope));
    case 'expression':
      // A bare name as a statement does nothing, also where it has no value.
      resolve(m, s.expression, scope);
      return undefined;
    case 'declaration':
      for (const declarator of s.declarators) {
        if (s.isStatic && !s.isConst) {
          throw refused(
            `the static variable ${declarator.name} would keep state between calls; make it constexpr or drop static`,
            s.line,
          );
        }
        declareVariable(m, declarator, s.isConst, scope);
      }
      return undefined;
    case 'bindings': {
      const value = evaluate(m, s.initializer, scope);
      bindParts(value, s.names, s.reference, scope, s.line);
      return undefined;
    }
    case 'alias':
      scope.declareType(s.name, resolveType(m, s.type, scope));
      return undefined;
    case 'struct':
      if (s.struct.template) throw unsupported(`the template ${s.struct.name} inside of a function`, s.line);
      m.localScopes.set(s.struct, scope);
      scope.declareType(s.struct.name, structType(m, s.struct, undefined, scope, s.line));
      return undefined;
    case 'if': {
      const inner = new Scope(scope);
      if (s.init) execute(m, s.init, inner);
      if (s.variable) execute(m, s.variable, inner);
      if (truth(evaluate(m, s.test, inner), s.line)) return execute(m, s.yes, inner);
      return s.no ? execute(m, s.no, inner) : undefined;
    }
    case 'for': {
      const inner = new Scope(scope);
      if (s.init) execute(m, s.init, inner);
      while (!s.test || truth(evaluate(m, s.test, inner), s.line)) {
        const ended = execute(m, s.body, inner);
        if (ended?.kind === 'break') break;
        if (ended?.kind === 'return') return ended;
        if (s.step) resolve(m, s.step, inner);
        m.tick(s.line);
      }
      return undefined;
    }
    case 'range': {
      const around = new Scope(scope);
      if (s.init) execute(m, s.init, around);
      const range = evaluate(m, s.range, around);
      const cells = range.kind === 'list' ? range.cells : undefined;
      if (!cells || range.kind !== 'list') throw unsupported(`a loop over ${describeValue(range)}`, s.line);
      requireOrder(range, s.line);
      for (const item of [...cells]) {
        m.tick(s.line);
        const inner = new Scope(around);
        const type = resolveType(m, s.variable.type, around);
        const value = initialised(item, s.line);
        if (s.bindings) bindParts(value, s.bindings, s.variable.type.reference !== '', inner, s.line);
        else if (s.variable.type.reference) inner.declare(s.variable.name, item);
        else inner.declare(s.variable.name, variable(type, convert(value, type, s.line), s.variable.type.isConst));
        const ended = execute(m, s.body, inner);
        if (ended?.kind === 'break') break;
        if (ended?.kind === 'return') return ended;
      }
      return undefined;
    }
    case 'while':
      while (truth(evaluate(m, s.test, scope), s.line)) {
        const ended = execute(m, s.body, scope);
        if (ended?.kind === 'break') break;
        if (ended?.kind === 'return') return ended;
      }
      return undefined;
    case 'do':
      do {
        const ended = execute(m, s.body, scope);
        if (ended?.kind === 'break') break;
        if (ended?.kind === 'return') return ended;
      } while (truth(evaluate(m, s.test, scope), s.line));
      return undefined;
    case 'switch':
      return executeSwitch(m, s, scope);
    case 'return':
      return { kind: 'return', value: s.value ? evaluate(m, s.value, scope) : { kind: 'void' } };
    case 'break':
      return { kind: 'break' };
    case 'continue':
      return { kind: 'continue' };
    case 'case':
    case 'empty':
    case 'using-namespace':
      return undefined;
    case 'static-assert':
      requireStatic(m, s.test, scope, s.line);
      return undefined;
    case 'try':
      return executeTry(m, s, scope);
  }
}

/** A failed static_assert would not compile. One that asks what is not known here says nothing. */
function requireStatic(m: Machine, test: Expression, scope: Scope, line: number): void {
  let holds = true;
  try {
    holds = truth(evaluate(m, test, scope), line);
  } catch (error) {
    if (!(error instanceof CandidateError) || error.kind !== 'unsupported') throw error;
  }
  if (!holds) throw invalid('this static_assert fails: the host function would not compile', line);
}

/** Only what the candidate itself would catch: its own exceptions and failed checks. */
function executeTry(m: Machine, s: Extract<Statement, { kind: 'try' }>, scope: Scope): Completion {
  try {
    return execute(m, s.body, scope);
  } catch (error) {
    if (!(error instanceof ThrownError)) throw error;
    const { value } = error;
    const handler = s.handlers.find((h) => handles(m, h.type, value, scope));
    if (!handler) throw error;
    const inner = new Scope(scope);
    const caught = cell(typeOfValue(value), value);
    if (handler.name) inner.declare(handler.name, caught);
    // What a bare `throw;` throws again; no variable can have this name.
    inner.declare('throw', caught);
    return execute(m, handler.body, inner);
  }
}

export function executeAll(m: Machine, body: readonly Statement[], scope: Scope): Completion {
  for (const statement of body) {
    const ended = execute(m, statement, scope);
    if (ended) return ended;
  }
  return undefined;
}

function executeSwitch(m: Machine, s: Extract<Statement, { kind: 'switch' }>, scope: Scope): Completion {
  const value = evaluate(m, s.value, scope);
  const inner = new Scope(scope);
  let start = s.body.findIndex(
    (item) =>
      item.kind === 'case' &&
      item.value &&
      truth(binary('==', value, evaluate(m, item.value, inner), item.line), item.line),
  );
  if (start < 0) start = s.body.findIndex((item) => item.kind === 'case' && !item.value);
  if (start < 0) return undefined;
  const ended = executeAll(m, s.body.slice(start), inner);
  return ended?.kind === 'break' ? undefined : ended;
}

/** A variable's cell: `auto` becomes the value's own type. */
function variable(type: CppType, value: Value, constant: boolean): Cell {
  const deduced = type.kind === 'auto' || (type.kind === 'pointer' && type.to.kind === 'auto');
  return cell(deduced ? typeOfValue(value) : type, value, constant);
}

export function declareVariable(m: Machine, d: Declarator, isConst: boolean, scope: Scope): void {
  const { line, initializer } = d;
  const written = resolveType(m, d.type, scope);
  let type = unqualified(written);
  const constant = isConst && d.type.pointers === 0;
  if (d.dimensions.length > 0) {
    const items = initializer && listOf(m, initializer.arguments, scope);
    for (const dimension of [...d.dimensions].reverse()) {
      const size = dimension ? toIndex(evaluate(m, dimension, scope), line) : (items?.length ?? 0);
      if (size > 1_000_000) throw unsupported(`an array of ${size} elements on the host`, line);
      type = { kind: 'list', container: 'built-in array', element: type, size };
    }
    const value = items ? construct(m, type, items, true, line) : arrayOf(m, type, line);
    scope.declare(d.name, cell(type, value, constant));
    return;
  }
  if (!initializer) {
    if (written.reference) throw invalid(`the reference ${d.name} needs a variable`, line);
    scope.declare(d.name, cell(type, hasDefault(type) ? construct(m, type, [], false, line) : undefined, constant));
    return;
  }
  const operands = resolveAll(m, initializer.arguments, scope);
  const [first] = operands;
  if (written.reference && operands.length === 1 && first?.cell) {
    const same = type.kind === 'auto' || first.value === undefined || typeMatches(first.cell, type);
    if (same) {
      scope.declare(d.name, asBase(first.cell, type));
      return;
    }
  }
  let value: Value;
  if (initializer.style === 'equals' && first) {
    const source =
      first.value ?? evaluate(m, initializer.arguments[0] as NonNullable<(typeof initializer.arguments)[0]>, scope);
    if (type.kind === 'struct' && source.kind === 'fields') value = construct(m, type, operands, true, line);
    else if (type.kind === 'struct' && source.kind === 'list')
      value = construct(
        m,
        type,
        source.cells.map((c) => ({ value: c.value })),
        true,
        line,
      );
    else value = convert(source, type, line);
  } else value = construct(m, type, operands, initializer.style === 'braces', line);
  const made = variable(type, value, constant);
  scope.declare(d.name, { ...made, cv: bothCv(written.cv, constant ? 'const' : undefined) });
}

function listOf(m: Machine, args: readonly Expression[], scope: Scope): Operand[] {
  const [first] = args;
  return resolveAll(m, args.length === 1 && first?.kind === 'list' ? first.items : args, scope);
}

/** A built-in array without an initializer: its elements hold nothing yet. */
function arrayOf(m: Machine, type: CppType, line: number): Value {
  if (type.kind !== 'list') return zeroOf(type, line);
  const element = type.element ?? { kind: 'auto' as const };
  const cells = Array.from({ length: type.size ?? 0 }, () =>
    cell(
      element,
      element.kind === 'list'
        ? arrayOf(m, element, line)
        : hasDefault(element)
          ? construct(m, element, [], false, line)
          : undefined,
    ),
  );
  return { kind: 'list', container: type.container, element, cells };
}

/** Class types have default constructors; plain ones hold nothing until they are given a value. */
function hasDefault(type: CppType): boolean {
  return type.kind === 'library' || type.kind === 'list' || type.kind === 'optional' || type.kind === 'struct';
}

/** The type of a variable with its array dimensions, which must all be written; with its reference. */
export function variableType(m: Machine, d: Declarator, scope: Scope): CppType {
  let type = resolveType(m, d.type, scope);
  if (d.dimensions.length > 0) type = unqualified(type);
  for (const dimension of [...d.dimensions].reverse()) {
    if (!dimension) throw unsupported(`the array ${d.name} without a size`, d.line);
    const size = toIndex(evaluate(m, dimension, scope), d.line);
    type = { kind: 'list', container: 'built-in array', element: type, size };
  }
  return type;
}

function typeMatches(variable: Cell, type: CppType): boolean {
  if (variable.type.kind === 'auto' || type.kind === 'list')
    return variable.type.kind === type.kind || variable.type.kind === 'auto';
  if (variable.type.kind === 'int' && type.kind === 'int') return variable.type.mangled === type.mangled;
  if (variable.type.kind === 'float' && type.kind === 'float') return variable.type.format === type.format;
  return variable.type.kind === type.kind;
}

/** `auto& [a, b] = value`: names for the parts, or for copies of them. */
function bindParts(value: Value, names: readonly string[], reference: boolean, scope: Scope, line: number): void {
  const cells = partsOf(value, line);
  if (cells.length !== names.length) throw invalid(`${names.length} names for ${cells.length} values`, line);
  names.forEach((name, i) => {
    const part = cells[i] as Cell;
    scope.declare(name, reference ? part : { ...part, value: part.value && copyValue(part.value) });
  });
}

/** The parts a structured binding names. */
function partsOf(value: Value, line: number): Cell[] {
  if (value.kind === 'list') return value.cells;
  if (value.kind === 'struct') return [...value.fields.values()];
  throw unsupported(`a structured binding of ${describeValue(value)}`, line);
}

/** Calls: of the candidate's own functions, lambdas, constructors, and library functions. */
import type { Expression, FunctionItem, Parameter, TemplateArgument, TemplateParameter, TypeNode } from '../cpp/ast.ts';
import { CandidateError, invalid, unsupported } from '../error.ts';
import { LibraryCall } from '../library/call.ts';
import { callLibrary, isLibraryFunction } from '../library/functions.ts';
import type { TemplateValue } from '../trace.ts';
import { promote } from './arithmetic.ts';
import { construct } from './construct.ts';
import { convert, converts, derivesFrom, typeOfValue } from './convert.ts';
import { evaluate, type Operand } from './expressions.ts';
import type { Machine } from './machine.ts';
import { callMember } from './members.ts';
import { lookUp } from './names.ts';
import { elementScopes, expandTemplateArguments, resolveAll } from './packs.ts';
import { refusalOf } from './refusals.ts';
import { Scope } from './scope.ts';
import { execute } from './statements.ts';
import { callMethod, memberScope, selfOf, selfScope, siblingMethod } from './structs.ts';
import { bindPack, evaluateArgument, normalisePath, resolveType, typeArgument } from './type-resolver.ts';
import { AUTO, type CppType, DOUBLE, qualified, sameType, similarType, unqualified, withoutCv } from './types.ts';
import {
  type Cell,
  cell,
  copyValue,
  describeValue,
  type FunctionValue,
  type StructValue,
  type Value,
  VOID_VALUE,
} from './values.ts';

type CallNode = Extract<Expression, { kind: 'call' }>;

export function callExpression(m: Machine, e: CallNode, scope: Scope): Operand {
  const { callee, line } = e;
  if (callee.kind === 'member') return callMember(m, callee, e.arguments, scope, line);
  if (callee.kind === 'name') {
    const { path, arguments: own, outerArguments } = callee.name;
    const variable = path.length === 1 ? scope.find(path[0] ?? '') : undefined;
    const sibling = !variable && path.length === 1 ? siblingMethod(m, path[0] ?? '', scope) : undefined;
    if (sibling) {
      const given = resolveAll(m, e.arguments, scope);
      return { value: callFunction(m, { ...sibling, arguments: own }, given, line, selfOf(scope)) };
    }
    if (!variable && m.program.findFunctions(path, scope.namespace).length === 0) {
      const made = constructed(m, e, scope);
      if (made) return { value: made };
    }
    const found = lookUp(m, callee.name, scope, line).value;
    if (found?.kind === 'function' && found.overloads.length === 0) {
      return callLibrary(new LibraryCall(m, found.name, own ?? outerArguments ?? [], e.arguments, scope, line));
    }
    if (found)
      return {
        value: callValue(m, found, resolveAll(m, e.arguments, scope), scope, line),
      };
    throw invalid(`${path.join('::')} is called before it is given a value`, line);
  }
  const value = evaluate(m, callee, scope);
  return {
    value: callValue(m, value, resolveAll(m, e.arguments, scope), scope, line),
  };
}

/** `T(a, b)` where T is a type's name. */
function constructed(m: Machine, e: CallNode, scope: Scope): Value | undefined {
  if (e.callee.kind !== 'name') return undefined;
  const { name, line } = e.callee;
  if (isLibraryFunction(normalisePath(name.path))) return undefined;
  const node = typeNode(name, line);
  // What surely is a type says itself what is wrong with it.
  const type = m.program.findType(name.path, scope.namespace)
    ? resolveType(m, node, scope)
    : typeArgument(m, { type: node, expression: e.callee, text: '' }, scope);
  if (!type) return undefined;
  return construct(m, type, resolveAll(m, e.arguments, scope), false, line);
}

function typeNode(name: TypeNode['name'], line: number): TypeNode {
  return { name, pointers: 0, reference: '', isConst: false, line };
}

/** Calls a lambda, one of the candidate's functions, or an operator object. */
export function callValue(
  m: Machine,
  value: Value,
  args: readonly Operand[],
  scope: Scope,
  line: number,
  types: ReadonlyMap<string, CppType> = new Map(),
): Value {
  switch (value.kind) {
    case 'lambda':
      return m.within(line, () => {
        const inner = new Scope(value.scope);
        for (const [name, type] of types) inner.declareType(name, type);
        const { parameters, returns, body } = value.lambda;
        bindParameters(m, parameters, args, inner, line, 'the lambda');
        const ended = execute(m, body, inner);
        if (ended?.kind !== 'return') return VOID_VALUE;
        const own = returns ? converted(m, ended.value, resolveType(m, returns, inner), line) : copyValue(ended.value);
        return value.result ? converted(m, own, value.result, line) : own;
      });
    case 'function': {
      if (value.overloads.length === 0) throw unsupported(`${value.name} as a function object`, line);
      const own = callFunction(m, value, args, line);
      return value.result ? converted(m, own, value.result, line) : own;
    }
    case 'pointer':
      if (value.target.kind === 'function') return callValue(m, value.target.value, args, scope, line, types);
      if (value.target.kind === 'cell' && value.target.cell.value)
        return callValue(m, value.target.cell.value, args, scope, line, types);
      break;
    case 'struct': {
      const result = callMethod(m, value, 'operator()', args, line);
      if (result?.value) return result.value;
      break;
    }
  }
  throw invalid(`${describeValue(value)} cannot be called`, line);
}

/** @param self the object, for a member function that is not static */
export function callFunction(
  m: Machine,
  fn: FunctionValue,
  args: readonly Operand[],
  line: number,
  self?: StructValue,
): Value {
  const chosen = chooseOverload(m, fn, args, line, (f) => f.space !== 'kernel');
  if (chosen.space === 'device') throw invalid(`the __device__ function ${fn.name} is called from host code`, line);
  if (!chosen.body) {
    const refusal = refusalOf(normalisePath(fn.name.split('::')));
    if (refusal) throw new CandidateError('refused', refusal, line);
    throw invalid(`${fn.name} is declared but has no body`, line);
  }
  return m.within(line, () => {
    const around = fn.owner && selfScope(m, fn.owner, chosen.isStatic ? undefined : self);
    if (around && !self && !chosen.isStatic) throw invalid(`${fn.name} needs an object`, line);
    const { scope: inner } = bindTemplate(m, chosen, fn.arguments ?? [], args, fn.scope, line, around);
    bindParameters(m, chosen.parameters, args, inner, line, fn.name);
    const ended = execute(m, m.bodyOf(chosen), inner);
    const value = ended?.kind === 'return' ? ended.value : VOID_VALUE;
    if (!chosen.returns) return copyValue(value);
    const type = resolveType(m, chosen.returns, inner);
    if (type.kind !== 'void' && value.kind === 'void') throw invalid(`${fn.name} ends without returning a value`, line);
    return converted(m, value, type, line);
  });
}

function converted(m: Machine, value: Value, type: CppType, line: number): Value {
  return value.kind === 'fields' ? construct(m, type, [{ value }], true, line) : convert(value, type, line);
}

/** The overload that takes these arguments: by count, then by what converts, then the most exact. */
export function chooseOverload(
  m: Machine,
  fn: FunctionValue,
  args: readonly Operand[],
  line: number,
  allowed: (f: FunctionItem) => boolean,
): FunctionItem {
  const candidates = fn.overloads.filter(allowed);
  if (candidates.length === 0) throw invalid(`${fn.name} is not a function that can be used here`, line);
  const broken = candidates.find((f) => f.problem);
  if (broken?.problem && candidates.length === 1)
    throw unsupported(`${broken.problem} (in the header of ${fn.name})`, line);
  const fitting = candidates.filter((f) => {
    const needed = f.parameters.filter((p) => !p.default && !p.isPack).length;
    const most = f.parameters.some((p) => p.isPack) ? Number.POSITIVE_INFINITY : f.parameters.length;
    return !f.problem && args.length >= needed && args.length <= most;
  });
  if (fitting.length === 0) {
    const counts = [...new Set(candidates.map((f) => f.parameters.length))].join(' or ');
    throw invalid(`${fn.name} takes ${counts} arguments, ${args.length} given`, line);
  }
  if (fitting.length === 1) return fitting[0] as FunctionItem;
  const scored = fitting.map((f) => ({ f, score: overloadScore(m, f, fn, args, line) })).filter((s) => s.score >= 0);
  scored.sort((a, b) => b.score - a.score);
  const [best, second] = scored;
  if (!best) throw invalid(`no overload of ${fn.name} takes these arguments`, line);
  // A prototype and its definition, or the same header twice, are one function.
  if (second && second.score === best.score && best.f.body && second.f.body)
    throw unsupported(`the overloads of ${fn.name}`, line);
  return best.f.body || !second ? best.f : second.f.body ? second.f : best.f;
}

/** The overloads that take these arguments. */
export function viable(m: Machine, fn: FunctionValue, args: readonly Operand[], line: number): FunctionItem[] {
  return fn.overloads.filter(
    (f) => f.parameters.length === args.length && !f.problem && overloadScore(m, f, fn, args, line) >= 0,
  );
}

/** -1 where an argument does not convert; else higher for more exact matches, and for plain functions over templates. */
function overloadScore(m: Machine, f: FunctionItem, fn: FunctionValue, args: readonly Operand[], line: number): number {
  try {
    const around = fn.owner && memberScope(m, fn.owner);
    const { scope } = bindTemplate(m, f, fn.arguments ?? [], args, fn.scope, line, around);
    // Plain functions come before templates, and those before packs.
    if (f.returns?.name.path.includes('enable_if') || f.returns?.name.path.includes('enable_if_t'))
      resolveType(m, f.returns, scope);
    let score = f.template ? (f.parameters.some((p) => p.isPack) ? -1 : 0) : 1;
    for (let i = 0; i < args.length; i++) {
      const parameter = f.parameters[i];
      if (!parameter || parameter.isPack) break;
      const type = resolveType(m, parameter.type, scope);
      const value = args[i]?.value;
      if (!value) continue;
      if (!converts(value, type, line)) return -1;
      const own = typeOfValue(value);
      score += matchRank(own, type);
    }
    return score;
  } catch (error) {
    if (error instanceof CandidateError) return -1;
    throw error;
  }
}

/** How well an argument's type fits a parameter's: exact, by promotion, by another conversion of its kind, by any conversion. */
function matchRank(own: CppType, parameter: CppType): number {
  const type = unqualified(parameter);
  if (own.kind !== type.kind) return 0;
  if (sameType(own, type)) return 4;
  // Only `const` is added behind a pointer: as good as exact, but for one that adds none (C++ [over.ics.rank]).
  if (own.kind === 'pointer' && similarType(own, type)) return 3.5;
  const promoted = own.kind === 'int' ? promote(own) : own.kind === 'float' && own.format === 'float32' ? DOUBLE : own;
  return promoted !== own && sameType(promoted, type) ? 3 : 1;
}

/**
 * A scope with a function's template parameters bound: from the written arguments, then by deduction from the call's
 * arguments, then from the defaults.
 */
export function bindTemplate(
  m: Machine,
  fn: FunctionItem,
  written: readonly TemplateArgument[],
  args: readonly Operand[],
  scope: Scope,
  line: number,
  around: Scope = m.globals,
): { scope: Scope; values: TemplateValue[] } {
  const inner = new Scope(around, fn.namespace);
  const values: TemplateValue[] = [];
  if (!fn.template) {
    if (written.length > 0) throw invalid(`${fn.name} is no template`, line);
    return { scope: inner, values };
  }
  const deduced: Deduced = new Map();
  fn.parameters.forEach((parameter, i) => {
    const value = args[i]?.value;
    if (value && !parameter.isPack) deduce(parameter.type, typeOfValue(value), fn, deduced);
  });
  const given = expandTemplateArguments(written, scope, line);
  fn.template.forEach((parameter, i) => {
    if (parameter.isPack) {
      values.push(bindFunctionPack(m, fn, parameter, given.slice(i), args, inner, line));
      return;
    }
    const own = given[i];
    const argument = own?.argument ?? (deduced.has(parameter.name) ? undefined : parameter.default);
    const where = own?.scope ?? inner;
    if (parameter.kind === 'type') {
      const known = deduced.get(parameter.name);
      const type = argument ? typeArgument(m, argument, where) : known?.kind === 'type' ? known.type : undefined;
      if (!type)
        throw invalid(`the template argument ${parameter.name} of ${fn.name} is not given and cannot be deduced`, line);
      inner.declareType(parameter.name, type);
      values.push({ kind: 'type', type });
    } else {
      const known = deduced.get(parameter.name);
      if (!argument && known?.kind !== 'value')
        throw invalid(`the template argument ${parameter.name} of ${fn.name} is not given`, line);
      const type = parameter.type ? resolveType(m, parameter.type, inner) : AUTO;
      const given = argument || known?.kind !== 'value' ? evaluateArgument(m, argument, where, line) : known.value;
      const value = convert(given, type, line);
      inner.declare(parameter.name, cell(type, value, true));
      values.push({ kind: 'value', value, type: type.kind === 'auto' ? typeOfValue(value) : type });
    }
  });
  return { scope: inner, values };
}

/** The written arguments that are left and, for types, those of the arguments that `Ts... args` takes. */
function bindFunctionPack(
  m: Machine,
  fn: FunctionItem,
  parameter: TemplateParameter,
  written: readonly { argument: TemplateArgument; scope: Scope }[],
  args: readonly Operand[],
  inner: Scope,
  line: number,
): TemplateValue {
  const bound = bindPack(m, parameter, written, inner, line);
  const at = fn.parameters.findIndex((p) => p.isPack);
  const pack = fn.parameters[at];
  if (parameter.kind === 'value' || !pack || bound.kind !== 'pack') return bound;
  const types = bound.values.flatMap((v) => (v.kind === 'type' ? [v.type] : []));
  for (const { value } of args.slice(at + types.length)) {
    const deduced: Deduced = new Map();
    if (value) deduce(pack.type, typeOfValue(value), fn, deduced);
    const found = deduced.get(parameter.name);
    if (found?.kind !== 'type') throw invalid(`the types ${parameter.name} of ${fn.name} cannot be deduced`, line);
    types.push(found.type);
  }
  inner.declareTypePack(parameter.name, types);
  return { kind: 'pack', values: types.map((type) => ({ kind: 'type', type })) };
}

/** Template parameters found from a call's arguments. */
type Deduced = Map<string, TemplateValue>;

/** Matches a parameter's written type against an argument's: `const T*` with `float*` gives T = float. */
function deduce(node: TypeNode, type: CppType, fn: FunctionItem, deduced: Deduced): void {
  let inner = type;
  for (let i = 0; i < node.pointers; i++) {
    if (inner.kind !== 'pointer') return;
    inner = inner.to;
  }
  const [name] = node.name.path;
  if (node.name.path.length === 1 && name && !node.name.arguments) {
    const isParameter = fn.template?.some((t) => t.kind === 'type' && t.name === name);
    // nullptr says nothing of its type.
    if (isParameter && !deduced.has(name) && inner.kind !== 'void')
      deduced.set(name, { kind: 'type', type: withoutCv(inner, node.cv) });
    return;
  }
  if (inner.kind === 'struct' && inner.path?.at(-1) === node.name.path.at(-1)) {
    node.name.arguments?.forEach((argument, i) => {
      const known = inner.templateArguments?.[i];
      if (known?.kind === 'type' && argument.type) deduce(argument.type, known.type, fn, deduced);
      const constant = argument.expression?.kind === 'name' ? argument.expression.name.path.join('::') : undefined;
      const isParameter = fn.template?.some((t) => t.kind === 'value' && t.name === constant);
      if (known?.kind === 'value' && constant && isParameter && !deduced.has(constant)) deduced.set(constant, known);
    });
    return;
  }
  const [argument] = node.name.arguments ?? [];
  if (argument?.type && inner.kind === 'list' && inner.element) deduce(argument.type, inner.element, fn, deduced);
  if (argument?.type && inner.kind === 'optional') deduce(argument.type, inner.of, fn, deduced);
}

export function bindParameters(
  m: Machine,
  parameters: readonly Parameter[],
  args: readonly Operand[],
  inner: Scope,
  line: number,
  name: string,
): void {
  if (args.length > parameters.length && !parameters.some((p) => p.isPack))
    throw invalid(`${name} takes ${parameters.length} arguments, ${args.length} given`, line);
  parameters.forEach((parameter, i) => {
    const operand = args[i];
    if (parameter.isPack) {
      const rest = args.slice(i);
      // `auto... args` names no pack of types; a template's has a type for each argument.
      const types = elementTypes(m, parameter, rest.length, inner, line);
      inner.declarePack(
        parameter.name,
        rest.map((each, j) =>
          bindParameter(m, types[j] ?? qualified(AUTO, undefined, parameter.type.reference), each, name, line),
        ),
      );
      return;
    }
    const type = resolveType(m, parameter.type, inner);
    if (!operand) {
      if (!parameter.default) throw invalid(`${name} needs the argument ${parameter.name || i + 1}`, line);
      inner.declare(parameter.name, cell(type, convert(evaluate(m, parameter.default, inner), type, line)));
      return;
    }
    inner.declare(parameter.name, bindParameter(m, type, operand, name, line));
  });
}

/** The type of each argument that a parameter pack takes. */
export function elementTypes(m: Machine, parameter: Parameter, count: number, scope: Scope, line: number): CppType[] {
  if (parameter.type.name.path[0] === 'auto') return Array.from({ length: count }, () => AUTO);
  return elementScopes({ type: parameter.type, text: '' }, scope, line).map((inner) =>
    resolveType(m, parameter.type, inner),
  );
}

/** Whether a reference of type `type` can name a variable of type `own`: otherwise a const one names a converted copy. */
function bindsTo(own: CppType, parameter: CppType): boolean {
  const type = unqualified(parameter);
  if (type.kind === 'auto' || own.kind === 'auto') return true;
  if (own.kind === 'struct' && type.kind === 'struct') return sameType(own, type) || derivesFrom(own, type);
  return own.kind === type.kind && ((own.kind !== 'int' && own.kind !== 'float') || sameType(own, type));
}

/** A variable as a reference to its base knows it: the same object, under the base's type. */
export function asBase(variable: Cell, type: CppType): Cell {
  const isBase = type.kind === 'struct' && variable.type.kind === 'struct' && derivesFrom(variable.type, type);
  return isBase ? { ...variable, type: unqualified(type), constant: true } : variable;
}

/** A parameter's variable: the argument's own for a reference, else a converted copy. */
function bindParameter(m: Machine, type: CppType, operand: Operand, name: string, line: number): Cell {
  if (type.reference && operand.cell && bindsTo(operand.cell.type, type)) return asBase(operand.cell, type);
  if (operand.value === undefined) throw invalid(`an argument of ${name} is read before it is given a value`, line);
  // A reference to the base names the whole object, also where that is a temporary.
  const isBase = operand.value.kind === 'struct' && type.kind === 'struct' && derivesFrom(operand.value.type, type);
  if (type.reference && isBase) return cell(type, operand.value, true);
  const value = converted(m, operand.value, type, line);
  return cell(type.kind === 'auto' ? typeOfValue(value) : type, value);
}

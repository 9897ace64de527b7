/**
 * The type of an expression that is not evaluated: the operand of sizeof and decltype, and the branch of `?:` that is not taken,
 * whose type is a part of the result's all the same.
 */
import type { Expression } from '../cpp/ast.ts';
import { CandidateError } from '../error.ts';
import { commonType, promote } from './arithmetic.ts';
import { typeOfValue } from './convert.ts';
import { evaluate, resolve } from './expressions.ts';
import type { Machine } from './machine.ts';
import type { Scope } from './scope.ts';
import { resolveType } from './type-resolver.ts';
import { BOOL, type CppType, LONG, pointerTo, ULONG } from './types.ts';

const COMPARISONS = /^(==|!=|<|>|<=|>=|&&|\|\|)$/;
/** Questions to tensors and lists that give whole numbers. */
const LONG_METHODS = /^(size|numel|dim|ndimension|stride|storage_offset|element_size|get_device)$/;
const BOOL_METHODS = /^(is_\w+|defined|empty|has_value|requires_grad)$/;

/** Undefined where the type cannot be known without running code that has effects. */
export function staticType(m: Machine, e: Expression, scope: Scope): CppType | undefined {
  try {
    // No trial within a trial: a recursion would never end.
    return (
      typeOf(m, e, scope) ?? (!m.world.isTrial && isPure(m, e, scope, new Set()) ? trialType(m, e, scope) : undefined)
    );
  } catch (error) {
    if (error instanceof CandidateError && error.kind !== 'limit') return undefined;
    throw error;
  }
}

/** The type of what the expression gives when it is evaluated for its type alone: the plan stays as it was. */
function trialType(m: Machine, e: Expression, scope: Scope): CppType {
  return m.world.undone(() => typeOfValue(evaluate(m, e, scope)));
}

function typeOf(m: Machine, e: Expression, scope: Scope): CppType | undefined {
  m.tick(e.line);
  const of = (inner: Expression): CppType | undefined => staticType(m, inner, scope);
  switch (e.kind) {
    case 'number':
    case 'char':
    case 'bool':
    case 'string':
    case 'null':
    case 'this':
      return typeOfValue(evaluate(m, e, scope));
    case 'name': {
      const { cell, value } = resolve(m, e, scope);
      if (cell && cell.type.kind !== 'auto') return cell.type;
      return value && typeOfValue(value);
    }
    case 'unary': {
      const operand = of(e.operand);
      if (e.operator === '!') return BOOL;
      if (e.operator === '&') return operand && pointerTo(operand);
      if (e.operator === '*') return operand?.kind === 'pointer' ? operand.to : elementOf(operand);
      if (e.operator === '++' || e.operator === '--') return operand;
      if (operand?.kind === 'int') return promote(operand);
      return operand?.kind === 'float' ? operand : undefined;
    }
    case 'postfix':
      return of(e.operand);
    case 'assign':
      return of(e.left);
    case 'binary': {
      if (e.operator === ',') return of(e.right);
      const left = of(e.left);
      const right = of(e.right);
      const overloadable = [left, right].some((t) => !t || (t.kind !== 'int' && t.kind !== 'float'));
      if (COMPARISONS.test(e.operator) && !overloadable) return BOOL;
      if (left?.kind === 'int' && (e.operator === '<<' || e.operator === '>>')) return promote(left);
      if (left?.kind === 'pointer') return right?.kind === 'pointer' ? LONG : left;
      return left && right && commonType(left, right);
    }
    case 'conditional': {
      const yes = of(e.yes);
      const no = of(e.no);
      return yes && no && conditionalType(yes, no);
    }
    case 'cast':
    case 'construct': {
      const type = resolveType(m, e.type, scope);
      return type.kind === 'auto' ? undefined : type;
    }
    case 'sizeof':
    case 'pack-size':
      return ULONG;
    case 'index':
      return elementOf(of(e.object));
    case 'call':
      return callType(m, e, scope);
    default:
      return undefined;
  }
}

/** The type of `c ? a : b`: numbers meet, what is the same stays the same (C++ [expr.cond]). */
export function conditionalType(yes: CppType, no: CppType): CppType | undefined {
  if (yes.kind === 'int' && no.kind === 'int' && yes.mangled === no.mangled) return yes;
  if (yes.kind === 'float' && no.kind === 'float' && yes.mangled === no.mangled) return yes;
  return commonType(yes, no);
}

function elementOf(type: CppType | undefined): CppType | undefined {
  if (type?.kind === 'pointer') return type.to;
  return type?.kind === 'list' && !/map|set|tuple/.test(type.container) ? type.element : undefined;
}

function callType(m: Machine, e: Extract<Expression, { kind: 'call' }>, scope: Scope): CppType | undefined {
  const { callee } = e;
  if (callee.kind === 'member') {
    const object = staticType(m, callee.object, scope);
    if (object?.kind === 'library' && object.name === 'Tensor') {
      if (LONG_METHODS.test(callee.name)) return LONG;
      if (BOOL_METHODS.test(callee.name)) return BOOL;
    }
    if (object?.kind === 'list' && /^(size|length)$/.test(callee.name)) return ULONG;
    return undefined;
  }
  if (callee.kind !== 'name' || callee.name.path.length > 1 || scope.find(callee.name.path[0] ?? '')) return undefined;
  // A function of the candidate's with one declaration and a written return type.
  const [only, other] = m.program.findFunctions(callee.name.path, scope.namespace);
  if (!only || other || only.template || !only.returns || only.returns.name.path[0] === 'auto') return undefined;
  return resolveType(m, only.returns, m.globals);
}

/** Whether evaluating the expression changes nothing but the plan: no assignments, and no calls that take a variable to change. */
function isPure(m: Machine, node: unknown, scope: Scope, seen: Set<unknown>): boolean {
  if (Array.isArray(node)) return node.every((each) => isPure(m, each, scope, seen));
  if (typeof node !== 'object' || node === null) return true;
  const { kind, operator } = node as { kind?: unknown; operator?: unknown };
  if (kind === 'assign' || kind === 'postfix' || kind === 'throw') return false;
  if (kind === 'unary' && (operator === '++' || operator === '--' || operator === '&')) return false;
  if (
    kind === 'member' &&
    /^(push_back|emplace|insert|erase|clear|resize|pop_back|reset|\w+_$)/.test((node as { name: string }).name)
  )
    return false;
  if (kind === 'call') {
    const { callee } = node as Extract<Expression, { kind: 'call' }>;
    const own = callee.kind === 'name' ? m.program.findFunctions(callee.name.path, scope.namespace) : [];
    if (own.some((f) => f.parameters.some((p) => p.type.reference === '&' && !p.type.isConst))) return false;
    const variable = callee.kind === 'name' ? scope.find(callee.name.path[0] ?? '')?.value : undefined;
    if (variable?.kind === 'lambda' && !seen.has(variable.lambda)) {
      seen.add(variable.lambda);
      if (!isPure(m, variable.lambda.body, variable.scope, seen)) return false;
    }
    if (
      callee.kind === 'name' &&
      /^(swap|exchange|tie|fill|sort|reverse|iota|cuda[A-Z]\w*)$/.test(callee.name.path.at(-1) ?? '')
    )
      return false;
  }
  return Object.values(node).every((each) => isPure(m, each, scope, seen));
}

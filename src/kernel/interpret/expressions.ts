/** Evaluating expressions. */
import type { Expression } from '../cpp/ast.ts';
import { fails, invalid, refused, unsupported } from '../error.ts';
import { tensorArithmetic } from '../torch/operators.ts';
import { binary, increment, numberLiteral, unary } from './arithmetic.ts';
import { isAssociative, mapElement } from './associative.ts';
import { callExpression } from './calls.ts';
import { construct } from './construct.ts';
import { convert, initialised, isNumber, makeDim3, toIndex, truth, typeOfValue, zeroOf } from './convert.ts';
import { thrown } from './exceptions.ts';
import { launchExpression, requirePlainLayout } from './launch.ts';
import type { Machine } from './machine.ts';
import { memberValue } from './members.ts';
import { lookUp } from './names.ts';
import { foldExpression, resolveAll } from './packs.ts';
import { Scope } from './scope.ts';
import { conditionalType, staticType } from './static-type.ts';
import { callOperator } from './structs.ts';
import { resolveType } from './type-resolver.ts';
import { alignmentOf, CHAR, type CppType, INT, qualified, sizeOf, spellType, ULONG } from './types.ts';
import {
  boolValue,
  type Cell,
  cell,
  copyValue,
  describeValue,
  intValue,
  type PointerValue,
  type TensorView,
  type Value,
} from './values.ts';

/** An expression's value, and the variable it names where it names one. */
export interface Operand {
  cell?: Cell;
  value: Value | undefined;
}

export function evaluate(m: Machine, expression: Expression, scope: Scope): Value {
  const operand = resolve(m, expression, scope);
  if (operand.value === undefined) {
    const name = expression.kind === 'name' ? expression.name.path.join('::') : 'a variable';
    throw invalid(`${name} is read before it is given a value`, expression.line);
  }
  return operand.value;
}

export function resolve(m: Machine, e: Expression, scope: Scope): Operand {
  m.tick(e.line);
  switch (e.kind) {
    case 'number':
      return { value: numberLiteral(e.text, e.line) };
    case 'string':
      return { value: { kind: 'string', value: e.value } };
    case 'char':
      return { value: intValue(e.value.codePointAt(0) ?? 0, CHAR) };
    case 'bool':
      return { value: boolValue(e.value) };
    case 'null':
      return { value: { kind: 'pointer', to: { kind: 'void' }, target: { kind: 'null' } } };
    case 'name':
      return lookUp(m, e.name, scope, e.line);
    case 'unary':
      return resolveUnary(m, e, scope);
    case 'postfix': {
      const target = lvalue(m, e.operand, scope);
      const before = initialised(target, e.line);
      store(target, increment(e.operator, before, e.line), e.line);
      return { value: before };
    }
    case 'binary':
      return resolveBinary(m, e, scope);
    case 'assign':
      return assign(m, e, scope);
    case 'conditional': {
      const taken = truth(evaluate(m, e.test, scope), e.line) ? e.yes : e.no;
      const operand = resolve(m, taken, scope);
      const value = balance(m, operand.value, taken, taken === e.yes ? e.no : e.yes, scope, e.line);
      return value === operand.value ? operand : { value };
    }
    case 'call':
      return callExpression(m, e, scope);
    case 'member':
      return memberValue(m, e, scope);
    case 'index':
      return resolveIndex(m, e, scope);
    case 'cast':
      return { value: castValue(evaluate(m, e.operand, scope), resolveType(m, e.type, scope), e) };
    case 'construct': {
      const args = resolveAll(m, e.arguments, scope);
      return { value: construct(m, resolveType(m, e.type, scope), args, e.braces, e.line) };
    }
    case 'list': {
      const values = resolveAll(m, e.items, scope).map(({ value }) => {
        if (value === undefined) throw invalid('a variable in a list is read before it is given a value', e.line);
        return value;
      });
      if (e.fields) return { value: { kind: 'fields', names: e.fields, values } };
      const cells = values.map((v) => cell(typeOfValue(v), v));
      return { value: { kind: 'list', container: 'initializer_list', cells } };
    }
    case 'lambda': {
      const around = e.byCopy ? scope.snapshot((c) => ({ ...c, value: c.value && copyValue(c.value) })) : scope;
      const captured = new Scope(around);
      for (const { name, reference, value } of e.captures) captured.declare(name, capture(m, reference, value, scope));
      return { value: { kind: 'lambda', lambda: e, scope: captured } };
    }
    case 'launch':
      launchExpression(m, e, scope);
      return { value: { kind: 'void' } };
    case 'sizeof': {
      const type = e.type ? resolveType(m, e.type, scope) : operandType(m, e.operand, scope);
      requirePlainLayout(type, 'sizeof', e.line);
      const size = sizeOf(type);
      if (size === 0) throw unsupported(`sizeof(${spellType(type)})`, e.line);
      return { value: intValue(e.ofAlignment ? alignmentOf(type) : size, ULONG) };
    }
    case 'throw': {
      const value = e.operand ? evaluate(m, e.operand, scope) : scope.find('throw')?.value;
      if (!value) throw invalid('throw without a value outside of a handler', e.line);
      throw thrown(value, e.line);
    }
    case 'this': {
      const self = scope.find('this');
      if (!self) throw invalid('this outside of a member function', e.line);
      return { value: self.value };
    }
    case 'fold':
      return { value: foldExpression(m, e, scope) };
    case 'pack-size': {
      const pack = scope.findPack(e.name) ?? scope.findTypePack(e.name);
      if (!pack) throw invalid(`${e.name} is no parameter pack`, e.line);
      return { value: intValue(pack.length, ULONG) };
    }
    case 'expand':
      throw unsupported('a pack expansion here', e.line);
    case 'unsupported':
      throw unsupported(e.what, e.line);
  }
}

/** `[name = value]`, or a variable captured by reference. */
function capture(m: Machine, reference: boolean, e: Expression, scope: Scope): Cell {
  if (reference) return lvalue(m, e, scope);
  const value = copyValue(evaluate(m, e, scope));
  return cell(typeOfValue(value), value);
}

/** The type of an operand that is not evaluated. */
export function operandType(m: Machine, operand: Expression | undefined, scope: Scope): CppType {
  const type = operand && staticType(m, operand, scope);
  if (type) return type;
  return operand ? typeOfValue(evaluate(m, operand, scope)) : INT;
}

/** The variable an expression names. */
export function lvalue(m: Machine, e: Expression, scope: Scope): Cell {
  const operand = resolve(m, e, scope);
  if (operand.cell) return operand.cell;
  throw invalid('this is not a variable that can be assigned to', e.line);
}

/** Assigns: converts to the variable's type. */
export function store(target: Cell, value: Value, line: number): void {
  if (target.constant) throw invalid('a constant cannot be assigned to', line);
  target.value = target.type.kind === 'auto' ? copyValue(value) : convert(value, target.type, line);
}

/** Both branches of `?:` give one type, whichever is taken. */
function balance(
  m: Machine,
  value: Value | undefined,
  taken: Expression,
  other: Expression,
  scope: Scope,
  line: number,
): Value | undefined {
  if (!value || !isNumber(value) || taken.kind === 'throw' || other.kind === 'throw') return value;
  const untaken = staticType(m, other, scope);
  const type = untaken && conditionalType(value.type, untaken);
  if (!type || type === value.type) return value;
  return convert(value, type, line);
}

function resolveUnary(m: Machine, e: Extract<Expression, { kind: 'unary' }>, scope: Scope): Operand {
  const { line } = e;
  switch (e.operator) {
    case '++':
    case '--': {
      const target = lvalue(m, e.operand, scope);
      store(target, increment(e.operator, initialised(target, line), line), line);
      return { cell: target, value: target.value };
    }
    case '&': {
      if (e.operand.kind === 'index') {
        // &p[i] of a tensor's pointer names an address, where p[i] would read it.
        const object = evaluate(m, e.operand.object, scope);
        if (object.kind === 'pointer') return { value: binary('+', object, evaluate(m, e.operand.index, scope), line) };
      }
      const operand = resolve(m, e.operand, scope);
      if (operand.value?.kind === 'function') {
        return { value: { kind: 'pointer', to: { kind: 'void' }, target: { kind: 'function', value: operand.value } } };
      }
      if (!operand.cell) {
        throw invalid('& of something that is not a variable', line);
      }
      const own = operand.cell.type.kind === 'auto' && operand.value ? typeOfValue(operand.value) : operand.cell.type;
      const to = qualified(own, operand.cell.cv);
      return { value: { kind: 'pointer', to, target: { kind: 'cell', cell: operand.cell } } };
    }
    case '*': {
      const pointer = evaluate(m, e.operand, scope);
      if (pointer.kind === 'pointer') return dereference(m, pointer, 0, line);
      if (pointer.kind === 'iterator') return element(pointer.list.cells, pointer.index, line);
      if (pointer.kind === 'optional' && pointer.cell) return { cell: pointer.cell, value: pointer.cell.value };
      if (pointer.kind === 'function') return { value: pointer };
      throw invalid(`* of ${describeValue(pointer)}`, line);
    }
    default: {
      const value = evaluate(m, e.operand, scope);
      return overloaded(m, e.operator, [{ value }], scope, line) ?? { value: unary(e.operator, value, line) };
    }
  }
}

export function dereference(m: Machine, pointer: PointerValue, index: number, line: number): Operand {
  const { target } = pointer;
  switch (target.kind) {
    case 'null':
      throw invalid('a null pointer is dereferenced', line);
    case 'device':
      if (!m.world.isOnCpu(target.buffer))
        throw fails(
          "reads or writes the GPU's memory on the host, which ends the process: copy what is needed, or do it in a kernel",
          line,
        );
      throw refused(
        "reads or writes a tensor's contents on the host, where they do not exist: the plan is made from shapes alone, before any kernel runs",
        line,
      );
    case 'cell':
      if (index !== 0) throw invalid(`element ${index} of a single variable`, line);
      return { cell: target.cell, value: target.cell.value };
    case 'element':
      return element(target.list.cells, target.index + index, line);
    case 'function':
      return { value: target.value };
  }
}

function element(cells: readonly Cell[], index: number, line: number): Operand {
  const found = cells[index];
  if (!found) throw invalid(`element ${index} of a list of ${cells.length}`, line);
  return { cell: found, value: found.value };
}

function resolveIndex(m: Machine, e: Extract<Expression, { kind: 'index' }>, scope: Scope): Operand {
  const object = evaluate(m, e.object, scope);
  if (object.kind === 'tensor') {
    // t[i] is t.select(0, i).
    return callExpression(
      m,
      {
        kind: 'call',
        callee: { kind: 'member', object: e.object, name: 'select', line: e.line },
        arguments: [{ kind: 'number', text: '0', line: e.line }, e.index],
        line: e.line,
      },
      scope,
    );
  }
  if (object.kind === 'struct') {
    const result = overloaded(m, '[]', [{ value: object }, resolve(m, e.index, scope)], scope, e.line);
    if (result) return result;
  }
  if (object.kind === 'list' && isAssociative(object.container)) {
    return mapElement(object, evaluate(m, e.index, scope), e.line);
  }
  const index = toIndex(evaluate(m, e.index, scope), e.line);
  if (object.kind === 'list') return element(object.cells, index, e.line);
  if (object.kind === 'pointer') {
    return dereference(m, object, index, e.line);
  }
  if (object.kind === 'string') return { value: intValue(object.value.codePointAt(index) ?? 0, CHAR) };
  throw invalid(`[] of ${describeValue(object)}`, e.line);
}

function resolveBinary(m: Machine, e: Extract<Expression, { kind: 'binary' }>, scope: Scope): Operand {
  if (e.operator === ',') {
    evaluate(m, e.left, scope);
    return resolve(m, e.right, scope);
  }
  const left = evaluate(m, e.left, scope);
  if (e.operator === '&&')
    return { value: boolValue(truth(left, e.line) && truth(evaluate(m, e.right, scope), e.line)) };
  if (e.operator === '||')
    return { value: boolValue(truth(left, e.line) || truth(evaluate(m, e.right, scope), e.line)) };
  const right = evaluate(m, e.right, scope);
  if (left.kind === 'tensor' || right.kind === 'tensor') {
    const made = tensorArithmetic(m, e.operator, left, right, e.line);
    if (made) return { value: made };
  }
  return (
    overloaded(m, e.operator, [{ value: left }, { value: right }], scope, e.line) ?? {
      value: binary(e.operator, left, right, e.line),
    }
  );
}

/** The candidate's own operator, where an operand is one of its structs or enumerations. */
function overloaded(
  m: Machine,
  operator: string,
  operands: readonly Operand[],
  scope: Scope,
  line: number,
): Operand | undefined {
  const own = operands.some(({ value }) => value?.kind === 'struct' || (value?.kind === 'int' && value.type.path));
  return own ? callOperator(m, operator, operands, scope, line) : undefined;
}

function assign(m: Machine, e: Extract<Expression, { kind: 'assign' }>, scope: Scope): Operand {
  const right = evaluate(m, e.right, scope);
  const operand = resolve(m, e.left, scope);
  const target = operand.cell;
  if (operand.value?.kind === 'struct') {
    const result = overloaded(m, e.operator, [operand, { value: right }], scope, e.line);
    if (result) return result;
  }
  if (operand.value?.kind === 'list' && operand.value.container === 'tuple' && !target) {
    // std::tie(a, b) = f(): the tuple's cells are the variables themselves.
    const source = right.kind === 'list' ? right.cells : [];
    operand.value.cells.forEach((c, i) => {
      const from = source[i];
      if (from) store(c, initialised(from, e.line), e.line);
    });
    return { value: right };
  }
  if (operand.value?.kind === 'tensor' && operand.value.tensor && (e.operator !== '=' || !target)) {
    // `t += x` writes into the tensor, not into the variable; `t[i] = x` does too, for want of a variable.
    const symbol = e.operator.slice(0, -1);
    const made = symbol === '' ? right : tensorArithmetic(m, symbol, operand.value, right, e.line);
    if (made && writeInto(m, operand.value.tensor, made, e.line)) return operand;
  }
  if (!target) throw invalid('this cannot be assigned to', e.line);
  const value =
    e.operator === '=' ? right : binary(e.operator.slice(0, -1), initialised(target, e.line), right, e.line);
  if (e.operator !== '=' && target.type.kind !== 'auto')
    store(target, convert(value, target.type, e.line, true), e.line);
  else store(target, value, e.line);
  return { cell: target, value: target.value };
}

/** The elements of a tensor, or one number into all; false where it is neither. */
function writeInto(m: Machine, tensor: TensorView, value: Value, line: number): boolean {
  if (isNumber(value)) m.world.fill(tensor, Number(value.value), line);
  else if (value.kind === 'tensor' && value.tensor) m.world.copy(value.tensor, tensor, line);
  else return false;
  return true;
}

function castValue(value: Value, type: CppType, e: Extract<Expression, { kind: 'cast' }>): Value {
  if (type.kind === 'int' && value.kind === 'pointer' && type.bits === 64 && e.style !== 'static') {
    if (value.target.kind === 'null') return intValue(0, type);
    if (value.target.kind === 'device') return { kind: 'address', low: value.target.offset & 255n, type };
    throw unsupported('the address of a host variable', e.line);
  }
  if (type.kind === 'struct' && type.name === 'dim3') return makeDim3(type, [value], e.line);
  if (type.kind === 'library' && type.name === 'callable') return value;
  // (void)x says that x is not used.
  if (type.kind === 'void') return { kind: 'void' };
  if (value.kind === 'list' && value.cells.length === 0 && value.container === 'initializer_list')
    return zeroOf(type, e.line);
  return convert(value, type, e.line, true);
}

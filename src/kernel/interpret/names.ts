/** What a name in an expression means: variable, constant, enumerator, function, or something of a library. */
import type { QualifiedName, VariableItem } from '../cpp/ast.ts';
import { CandidateError, invalid, unsupported } from '../error.ts';
import { libraryConstant } from '../library/constants.ts';
import { isLibraryFunction } from '../library/functions.ts';
import { convert } from './convert.ts';
import { evaluate, type Operand } from './expressions.ts';
import type { Machine } from './machine.ts';
import { refusalOf } from './refusals.ts';
import { Scope } from './scope.ts';
import { declareVariable } from './statements.ts';
import { candidateNames, normalisePath, resolveType, typeTrait } from './type-resolver.ts';
import { type Cell, cell, intValue, type Value } from './values.ts';

export function lookUp(m: Machine, name: QualifiedName, scope: Scope, line: number): Operand {
  const { path } = name;
  const simple = path[path.length - 1] ?? '';
  if (path.length === 1) {
    const variable = scope.find(simple);
    if (variable) return { cell: variable, value: variable.value };
  }
  const declared = m.program.findVariable(path, scope.namespace);
  if (declared) {
    if (declared.space === 'device') {
      throw unsupported(`the device variable ${simple} in host code (symbols are the kernels' own)`, line);
    }
    const found = constantOf(m, declared, simple, line);
    return { cell: found, value: found.value };
  }
  const member = m.program.findEnumMember(path, scope.namespace);
  if (member) return { value: enumValue(m, member.item, member.index, line) };
  const functions = m.program.findFunctions(path, scope.namespace);
  if (functions.length > 0) {
    return {
      value: { kind: 'function', name: path.join('::'), overloads: functions, arguments: name.arguments, scope },
    };
  }
  const owner = path.length > 1 ? staticField(m, name, scope, line) : undefined;
  if (owner) return owner;
  for (const full of candidateNames(m, path)) {
    const trait = typeTrait(m, full, name.arguments ?? name.outerArguments ?? [], scope);
    if (trait) return { value: trait };
    const constant = libraryConstant(full);
    if (constant) return { value: constant };
    if (isLibraryFunction(full))
      return { value: { kind: 'function', name: full, overloads: [], arguments: name.arguments, scope } };
  }
  const refusal = refusalOf(normalisePath(path));
  if (refusal) throw new CandidateError('refused', refusal, line);
  throw unsupported(path.join('::'), line);
}

function constantOf(m: Machine, item: VariableItem, name: string, line: number): Cell {
  const key = [...item.namespace, name].join('::');
  const known = m.constants.get(key);
  if (known) return known;
  if (item.template) throw unsupported(`the variable template ${name}`, line);
  if (m.making.has(item)) throw invalid(`the constant ${name} needs its own value`, line);
  m.making.add(item);
  const scope = new Scope(m.globals, item.namespace);
  for (const declarator of item.declarators) {
    declareVariable(m, declarator, true, scope);
    const made = scope.find(declarator.name);
    if (made) m.constants.set([...item.namespace, declarator.name].join('::'), made);
  }
  m.making.delete(item);
  return m.constants.get(key) ?? cell({ kind: 'auto' }, undefined);
}

function enumValue(m: Machine, item: EnumOf, index: number, line: number): Value {
  const type = resolveType(
    m,
    { name: { path: [item.name || 'int'] }, pointers: 0, reference: '', isConst: false, line },
    new Scope(m.globals, item.namespace),
  );
  if (type.kind !== 'int') throw unsupported(`the enumeration ${item.name}`, line);
  const scope = new Scope(m.globals, item.namespace);
  let next = 0n;
  for (let i = 0; i <= index; i++) {
    const member = item.members[i];
    if (!member) break;
    if (member.value) {
      const value = evaluate(m, member.value, scope);
      if (value.kind !== 'int') throw invalid(`the enumerator ${member.name} needs an integer`, line);
      next = value.value;
    }
    if (i === index) return intValue(next, type);
    scope.declare(member.name, cell(type, intValue(next, type), true));
    next += 1n;
  }
  throw invalid(`the enumeration ${item.name} has no member ${index}`, line);
}

type EnumOf = NonNullable<ReturnType<Machine['program']['findEnumMember']>>['item'];

/** `Traits<float>::threads`: a static constant of a struct. */
function staticField(m: Machine, name: QualifiedName, scope: Scope, line: number): Operand | undefined {
  const owner = name.path.slice(0, -1);
  const item = m.program.findType(owner, scope.namespace);
  if (item?.kind !== 'struct') return undefined;
  const field = item.staticFields.find((f) => f.name === name.path[name.path.length - 1]);
  if (!field) return undefined;
  const inner = new Scope(m.globals, item.namespace);
  (item.template ?? []).forEach((parameter, i) => {
    const argument = name.outerArguments?.[i] ?? parameter.default;
    if (parameter.kind === 'type' && argument?.type)
      inner.declareType(parameter.name, resolveType(m, argument.type, scope));
    else if (argument?.expression) {
      const value = evaluate(m, argument.expression, scope);
      const type = parameter.type ? resolveType(m, parameter.type, inner) : { kind: 'auto' as const };
      inner.declare(parameter.name, cell(type, convert(value, type, line), true));
    } else throw unsupported(`the template argument ${parameter.name} of ${item.name}`, line);
  });
  for (const before of item.staticFields) {
    declareVariable(m, before, true, inner);
    if (before === field) break;
  }
  const found = inner.find(field.name);
  return found && { cell: found, value: found.value };
}

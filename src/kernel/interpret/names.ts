/** What a name in an expression means: variable, constant, enumerator, function, or something of a library. */
import type { QualifiedName, VariableItem } from '../cpp/ast.ts';
import { CandidateError, invalid, refused, unsupported } from '../error.ts';
import { libraryConstant } from '../library/constants.ts';
import { isLibraryFunction } from '../library/functions.ts';
import { digitsOf } from '../library/standard.ts';
import { evaluate, type Operand } from './expressions.ts';
import type { Machine } from './machine.ts';
import { refusalOf } from './refusals.ts';
import { Scope } from './scope.ts';
import { chooseSpecialization } from './specialize.ts';
import { declareVariable } from './statements.ts';
import { staticMember } from './structs.ts';
import { bindTypeParameters, candidateNames, normalisePath, ownerOf, resolveType, typeTrait } from './type-resolver.ts';
import { type Cell, cell, intValue, type Value } from './values.ts';

export function lookUp(m: Machine, name: QualifiedName, scope: Scope, line: number): Operand {
  const { path } = name;
  const simple = path[path.length - 1] ?? '';
  if (path.length === 1) {
    const variable = scope.find(simple);
    if (variable) return { cell: variable, value: variable.value };
    const own = scope.owner && staticMember(m, scope.owner, simple, name.arguments ?? [], scope);
    if (own) return own;
  }
  const declared = m.program.findVariable(path, scope.namespace);
  if (declared) {
    // A constant with its value in the file is one for the host, too; memory of the device is not.
    if (declared.space === 'device' && !(declared.isConst && declared.declarators.every((d) => d.initializer))) {
      throw refused(
        `reads the device variable ${simple} on the host, where it has no value; cudaMemcpyToSymbol fills it`,
        line,
      );
    }
    const found = declared.template
      ? templateConstant(m, declared, simple, name, scope, line)
      : constantOf(m, declared, simple, line);
    return { cell: found, value: found.value };
  }
  const enumerator = m.program.findEnumMember(path, scope.namespace);
  if (enumerator) return { value: enumValue(m, enumerator.item, enumerator.index, line) };
  const functions = m.program.findFunctions(path, scope.namespace);
  if (functions.length > 0) {
    return {
      value: { kind: 'function', name: path.join('::'), overloads: functions, arguments: name.arguments, scope },
    };
  }
  const owner = path.length > 1 ? ownerOf(m, name, scope, line) : undefined;
  const member = owner && staticMember(m, owner, simple, name.arguments ?? [], scope);
  if (member) return member;
  for (const full of candidateNames(m, path)) {
    const trait = typeTrait(m, full, name.arguments ?? name.outerArguments ?? [], scope);
    if (trait) return { value: trait };
    const digits = limitDigits(m, full, name, scope);
    if (digits !== undefined) return { value: intValue(digits) };
    const constant = libraryConstant(full);
    if (constant) return { value: constant };
    if (isLibraryFunction(full))
      return { value: { kind: 'function', name: full, overloads: [], arguments: name.arguments, scope } };
  }
  const refusal = refusalOf(normalisePath(path));
  if (refusal) throw new CandidateError('refused', refusal, line);
  throw unsupported(path.join('::'), line);
}

/** `std::numeric_limits<T>::digits`, a constant that depends on a type. */
function limitDigits(m: Machine, full: string, name: QualifiedName, scope: Scope): number | undefined {
  const asked = /^std::numeric_limits::digits(10)?$/.exec(full);
  const type = asked && name.outerArguments?.[0]?.type;
  return type ? digitsOf(resolveType(m, type, scope), asked[1] !== undefined) : undefined;
}

function constantOf(m: Machine, item: VariableItem, name: string, line: number): Cell {
  const key = [...item.namespace, name].join('::');
  const known = m.constants.get(key);
  if (known) return known;
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

/** `v<float>` of a variable template: of its specialization for these arguments, where there is one. */
function templateConstant(
  m: Machine,
  item: VariableItem,
  simple: string,
  name: QualifiedName,
  scope: Scope,
  line: number,
): Cell {
  const inner = new Scope(m.globals, item.namespace);
  const values = bindTypeParameters(m, item.template, name.arguments, inner, scope, line);
  const chosen = chooseSpecialization(m, m.program.variableSpecializationsOf(item, simple), values, inner, line);
  const declarator = (chosen?.item ?? item).declarators.find((d) => d.name === simple);
  if (!declarator) throw invalid(`the variable template ${simple} has no value`, line);
  return m.within(line, () => {
    const made = new Scope(chosen ? new Scope(m.globals, item.namespace) : inner);
    declareVariable(m, declarator, true, made);
    return made.find(simple) ?? cell({ kind: 'auto' }, undefined);
  });
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

/** The candidate's own structs: their types, members, constructors and operators. */
import type { AliasItem, Declarator, FunctionItem, StructItem, TemplateArgument } from '../cpp/ast.ts';
import { CONVERSION } from '../cpp/function-parser.ts';
import { invalid, unsupported } from '../error.ts';
import type { TemplateValue } from '../trace.ts';
import { binary } from './arithmetic.ts';
import { bindParameters, bindTemplate, callFunction, chooseOverload, viable } from './calls.ts';
import { construct } from './construct.ts';
import { convert, toIndex, truth, zeroOf } from './convert.ts';
import type { Operand } from './expressions.ts';
import type { Machine } from './machine.ts';
import { resolveAll } from './packs.ts';
import { Scope } from './scope.ts';
import { chooseSpecialization } from './specialize.ts';
import { spellTemplate } from './spell.ts';
import { declareVariable, execute, variableType } from './statements.ts';
import { bindTypeParameters, evaluateArgument, resolveType } from './type-resolver.ts';
import {
  AUTO,
  alignmentOf,
  type CppType,
  type StructBehaviour,
  type StructType,
  sameType,
  spellType,
  structLayout,
  unqualified,
} from './types.ts';
import {
  boolValue,
  type Cell,
  cell,
  copyValue,
  type FunctionValue,
  type StructValue,
  type Value,
  VOID_VALUE,
} from './values.ts';

/** The type that a struct's name and template arguments mean: of a specialization, where one is for these arguments. */
export function structType(
  m: Machine,
  primary: StructItem,
  args: readonly TemplateArgument[] | undefined,
  scope: Scope,
  line: number,
): StructType {
  const inner = new Scope(m.globals, primary.namespace);
  const values = primary.template ? bindTypeParameters(m, primary.template, args, inner, scope, line) : undefined;
  const chosen = values && chooseSpecialization(m, m.program.specializationsOf(primary), values, inner, line);
  const item = chosen?.item ?? primary;
  if (item.problem) throw unsupported(item.problem, line);
  const path = [...primary.namespace, primary.name];
  const name = spellTemplate(path, values ?? [], line);
  let declaration = m.structs.indexOf(item);
  if (declaration < 0) declaration = m.structs.push(item) - 1;
  const key = `${declaration} ${name}`;
  const isLocal = m.localScopes.has(item);
  const known = isLocal ? undefined : m.structTypes.get(key);
  if (known) return known;
  // Found by its own bases and members while it is made: `struct D : Base<D>`.
  const type: StructType = {
    ...{ kind: 'struct', name, fields: [], alignment: 1, declaration, path },
    ...{ templateArguments: values, patternArguments: chosen?.bound },
  };
  if (!isLocal) m.structTypes.set(key, type);
  try {
    complete(m, type, item, line);
  } catch (error) {
    m.structTypes.delete(key);
    throw error;
  }
  return type;
}

/** Bases, fields, alignment and behaviour of a struct's type. */
function complete(m: Machine, type: StructType, item: StructItem, line: number): void {
  const { name } = type;
  const members = memberScope(m, type);
  const bases = item.bases.map((node) => {
    const base = unqualified(resolveType(m, node, members));
    if (base.kind !== 'struct') throw unsupported(`the base class of ${name}`, line);
    return base;
  });
  const own = item.fields.map((field) => {
    const written = variableType(m, field, members);
    return {
      name: field.name,
      type: unqualified(written),
      ...(written.reference && { isReference: true }),
      ...(field.alignment && {
        alignment: writtenAlignment(m, { alignment: field.alignment, line: field.line }, members),
      }),
    };
  });
  const inherited = bases.flatMap((base) => base.fields);
  const repeated = inherited.find((f) => own.some((o) => o.name === f.name));
  if (repeated) throw unsupported(`${name} hides the field ${repeated.name} of its base`, line);
  const isPolymorphic =
    bases.some((b) => b.behaviour?.isPolymorphic) || item.methods.some((f) => f.isVirtual && f.name !== item.name);
  const behaviour: StructBehaviour = {
    make: (values, at) => valueInitialized(m, type, values, at),
    convertTo: (self, wanted, at) => callConversion(m, self, wanted, at),
    operator: (operator, operands, at) =>
      callOperator(
        m,
        operator,
        operands.map((value) => ({ value })),
        m.globals,
        at,
      )?.value,
    converts: item.methods.some((f) => f.name === item.name && f.given !== 'delete' && !f.isExplicit && takesOne(f)),
    isPolymorphic,
  };
  Object.assign(type, {
    fields: [...inherited, ...own],
    bases,
    alignment: writtenAlignment(m, item, members),
    behaviour,
  });
  checkBases(m, type, bases, line);
}

function takesOne(f: FunctionItem): boolean {
  return f.parameters.length > 0 && f.parameters.slice(1).every((p) => p.default);
}

function writtenAlignment(
  m: Machine,
  { alignment, line }: Pick<StructItem, 'alignment' | 'line'>,
  scope: Scope,
): number {
  if (alignment?.type) return alignmentOf(resolveType(m, alignment.type, scope));
  return alignment ? toIndex(evaluateArgument(m, alignment, scope, line), line) : 1;
}

/** `S{...}`: without values, what neither a constructor nor an initializer gives is zero. */
function valueInitialized(m: Machine, type: StructType, values: readonly Value[], line: number): Value {
  const made = constructStruct(m, type, values, line);
  const hasConstructor = itemOf(m, type)?.methods.some((f) => f.name === itemOf(m, type)?.name && !f.given);
  if (made.kind === 'struct' && !hasConstructor)
    for (const field of made.fields.values()) field.value ??= zeroOf(field.type, line);
  return made;
}

/** `operator T()`: the one to this very type, else the only one to a number, for a number. */
function callConversion(m: Machine, self: StructValue, wanted: CppType, line: number): Value | undefined {
  const found = methodsNamed(m, self.type, CONVERSION);
  if (!found) return undefined;
  const scope = memberScope(m, found.owner);
  const typed = found.items.flatMap((f) => (f.returns ? [{ f, type: resolveType(m, f.returns, scope) }] : []));
  const isNumber = (type: CppType): boolean => type.kind === 'int' || type.kind === 'float';
  const exact = typed.find(({ type }) => sameType(unqualified(type), unqualified(wanted)));
  const numbers = isNumber(wanted) ? typed.filter(({ type }) => isNumber(type)) : [];
  const chosen = exact ?? (numbers.length === 1 ? numbers[0] : undefined);
  if (!chosen && numbers.length > 1)
    throw unsupported(`the conversion of ${self.type.name} to ${spellType(wanted)}`, line);
  if (!chosen) return undefined;
  const overloads = [chosen.f];
  return callFunction(m, { kind: 'function', name: CONVERSION, overloads, scope, owner: found.owner }, [], line, self);
}

/**
 * Fields of a base and of what derives from it lie one after the other here, which is the ABI's layout where a base's tail padding may be
 * reused: not where the base is plain old data (Itanium C++ ABI 1.1 and 2.4).
 */
function checkBases(m: Machine, type: StructType, bases: readonly StructType[], line: number): void {
  const { offsets } = structLayout(type);
  let next = 0;
  for (const base of bases) {
    next += base.fields.length;
    const item = itemOf(m, base);
    const isPlain = (base.bases ?? []).length === 0 && !item?.methods.some((f) => f.name === item.name);
    const start = offsets[next - base.fields.length] ?? 0;
    const following = offsets[next];
    if (isPlain && base.fields.length > 0 && following !== undefined && following < start + structLayout(base).size) {
      throw unsupported(`the layout of ${type.name}, whose base ${base.name} ends in padding`, line);
    }
  }
}

function itemOf(m: Machine, type: StructType): StructItem | undefined {
  return type.declaration === undefined ? undefined : m.structs[type.declaration];
}

/** Where a struct's members look up names: its template parameters are bound, its own members are found through `owner`. */
export function memberScope(m: Machine, type: StructType): Scope {
  const item = itemOf(m, type);
  const scope = new Scope((item && m.localScopes.get(item)) ?? m.globals, item?.namespace, type);
  bindValues(item?.template, item?.specialization ? type.patternArguments : type.templateArguments, scope);
  return scope;
}

function bindValues(
  template: StructItem['template'],
  values: readonly TemplateValue[] | undefined,
  scope: Scope,
): void {
  template?.forEach(({ name, kind }, i) => {
    const value = values?.[i];
    if (value?.kind === 'type') scope.declareType(name, value.type);
    else if (value?.kind === 'value') scope.declare(name, cell(value.type, value.value, true));
    else if (value?.kind === 'pack' && kind === 'type') {
      const types = value.values.flatMap((v) => (v.kind === 'type' ? [v.type] : []));
      scope.declareTypePack(name, types);
    } else if (value?.kind === 'pack') {
      const cells = value.values.flatMap((v) => (v.kind === 'value' ? [cell(v.type, v.value, true)] : []));
      scope.declarePack(name, cells);
    }
  });
}

/** Member functions of this name with the struct that declares them: the struct's own, else its bases'. */
function methodsNamed(
  m: Machine,
  type: StructType,
  name: string,
): { owner: StructType; items: FunctionItem[] } | undefined {
  const item = itemOf(m, type);
  // A struct's own name means the type: constructors are not called by it.
  if (item?.name === name) return undefined;
  const items = (item?.methods ?? []).filter((f) => f.name === name);
  if (items.length > 0) return { owner: type, items };
  for (const base of type.bases ?? []) {
    const found = methodsNamed(m, base, name);
    if (found) return found;
  }
  return undefined;
}

/** The member functions that `object.name()` means where the object is known as `declared`: virtual ones are the object's own. */
function dispatched(
  m: Machine,
  own: StructType,
  declared: StructType,
  name: string,
): { owner: StructType; items: FunctionItem[] } | undefined {
  const found = methodsNamed(m, declared, name);
  return found && own !== declared && isVirtual(m, declared, name) ? methodsNamed(m, own, name) : found;
}

function isVirtual(m: Machine, type: StructType, name: string): boolean {
  const own = itemOf(m, type)?.methods.some((f) => f.name === name && f.isVirtual) ?? false;
  return own || (type.bases ?? []).some((base) => isVirtual(m, base, name));
}

/** Calls `object.name(...)`; undefined where the struct has no such member function. */
export function callMethod(
  m: Machine,
  self: StructValue,
  name: string,
  args: readonly Operand[],
  line: number,
  written: readonly TemplateArgument[] = [],
  scope: Scope = m.globals,
  declared: StructType = self.type,
): Operand | undefined {
  const found = dispatched(m, self.type, declared, name);
  if (!found) return undefined;
  const value: FunctionValue = {
    kind: 'function',
    name,
    overloads: found.items,
    arguments: written,
    scope,
    owner: found.owner,
  };
  return { value: callFunction(m, value, args, line, self) };
}

/** A scope in which a member function of `self` runs: fields and `this`. */
export function selfScope(m: Machine, owner: StructType, self: StructValue | undefined): Scope {
  const scope = memberScope(m, owner);
  if (!self) return scope;
  const inner = new Scope(scope);
  for (const [name, field] of self.fields) inner.declare(name, field);
  const target = { kind: 'cell', cell: cell(self.type, self) } as const;
  inner.declare('this', cell(AUTO, { kind: 'pointer', to: self.type, target }, true));
  return inner;
}

/** The object that `this` points to. */
export function selfOf(scope: Scope): StructValue | undefined {
  const pointer = scope.find('this')?.value;
  const value = pointer?.kind === 'pointer' && pointer.target.kind === 'cell' ? pointer.target.cell.value : undefined;
  return value?.kind === 'struct' ? value : undefined;
}

/** A member function called by its plain name from inside of another one. */
export function siblingMethod(m: Machine, name: string, scope: Scope): FunctionValue | undefined {
  const { owner } = scope;
  const found = owner && dispatched(m, selfOf(scope)?.type ?? owner, owner, name);
  return found && { kind: 'function', name, overloads: found.items, scope, owner: found.owner };
}

/** `Traits<float>::threads`, or plain `threads` inside of the struct: a static constant, or a static member function. */
export function staticMember(
  m: Machine,
  type: StructType,
  name: string,
  args: readonly TemplateArgument[],
  scope: Scope,
): Operand | undefined {
  const field = itemOf(m, type)?.staticFields.find((f) => f.name === name);
  if (field) {
    const inner = new Scope(memberScope(m, type));
    declareVariable(m, field, true, inner);
    const found = inner.find(name);
    return found && { cell: found, value: found.value };
  }
  const methods = (itemOf(m, type)?.methods ?? []).filter((f) => f.name === name);
  if (methods.length > 0) {
    return {
      value: {
        kind: 'function',
        name: `${type.name}::${name}`,
        overloads: methods,
        arguments: args,
        scope,
        owner: type,
      },
    };
  }
  for (const base of type.bases ?? []) {
    const found = staticMember(m, base, name, args, scope);
    if (found) return found;
  }
  return undefined;
}

/** `typename Traits<T>::type`, or plain `type` inside of the struct. */
export function memberType(m: Machine, type: StructType, name: string): CppType | undefined {
  const alias: Pick<AliasItem, 'type'> | undefined = itemOf(m, type)?.aliases.find((a) => a.name === name);
  if (alias?.type) return resolveType(m, alias.type, memberScope(m, type));
  for (const base of type.bases ?? []) {
    const found = memberType(m, base, name);
    if (found) return found;
  }
  return undefined;
}

/** `T(a, b)` and `T{a, b}`: through a constructor where there is one, else field by field. */
export function constructStruct(
  m: Machine,
  type: StructType,
  values: readonly Value[],
  line: number,
  operands: readonly Operand[] = [],
): Value {
  const [first] = values;
  if (values.length === 1 && first?.kind === 'struct' && first.type.name === type.name) return copyValue(first);
  const item = itemOf(m, type);
  const constructors = (item?.methods ?? []).filter((f) => f.name === item?.name && f.given !== 'delete');
  const written = constructors.filter((f) => f.given !== 'default');
  if (written.length > 0 && !(values.length === 0 && constructors.length > written.length)) {
    return callConstructor(m, type, written, values, line, operands);
  }
  const named = first?.kind === 'fields' ? first : undefined;
  if (!named && values.length > type.fields.length)
    throw invalid(`${values.length} values for ${type.name}, which has ${type.fields.length}`, line);
  const unknown = named?.names.find((name) => !type.fields.some((f) => f.name === name));
  if (unknown) throw invalid(`${type.name} has no field ${unknown}`, line);
  const scope = new Scope(memberScope(m, type));
  const fields = new Map<string, Cell>();
  type.fields.forEach((field, i) => {
    const at = named ? named.names.indexOf(field.name) : i;
    const given = named ? named.values[at] : values[i];
    if (field.isReference) {
      const bound = named ? undefined : operands[i]?.cell;
      if (!bound)
        throw unsupported(`the reference ${field.name} of ${type.name} to something that is no variable`, line);
      fields.set(field.name, bound);
      scope.declare(field.name, bound);
      return;
    }
    const value = given
      ? initialValue(m, given, field.type, line)
      : defaultOf(m, type, field.name, scope, line, values.length > 0);
    const made = cell(field.type, value);
    fields.set(field.name, made);
    scope.declare(field.name, made);
  });
  return { kind: 'struct', type, fields };
}

function initialValue(m: Machine, given: Value, type: CppType, line: number): Value {
  return given.kind === 'fields' || given.kind === 'list'
    ? construct(m, type, [{ value: given }], true, line)
    : convert(given, type, line);
}

/** A field that nothing initializes: by its default initializer, its class's default constructor, or not at all. */
function defaultOf(
  m: Machine,
  type: StructType,
  name: string,
  scope: Scope,
  line: number,
  zero: boolean,
): Value | undefined {
  const declarator = declaratorOf(m, type, name);
  const field = type.fields.find((f) => f.name === name);
  if (!field) return undefined;
  const { initializer } = declarator ?? {};
  if (initializer) {
    const operands = resolveAll(m, initializer.arguments, scope);
    const [only] = operands;
    if (initializer.style === 'equals' && only?.value) return initialValue(m, only.value, field.type, line);
    return construct(m, field.type, operands, true, line);
  }
  if (field.type.kind === 'struct' && field.type.name !== 'dim3') return constructStruct(m, field.type, [], line);
  const isClass = field.type.kind === 'library' || field.type.kind === 'optional' || field.type.kind === 'struct';
  return zero || isClass ? zeroOf(field.type, line) : field.type.kind === 'list' ? zeroOf(field.type, line) : undefined;
}

function declaratorOf(m: Machine, type: StructType, name: string): Declarator | undefined {
  const own = itemOf(m, type)?.fields.find((f) => f.name === name);
  if (own) return own;
  return type.bases?.map((base) => declaratorOf(m, base, name)).find((d) => d !== undefined);
}

function callConstructor(
  m: Machine,
  type: StructType,
  constructors: readonly FunctionItem[],
  values: readonly Value[],
  line: number,
  operands: readonly Operand[],
): Value {
  // References bind to variables, where these are given by name.
  const args = values.map((value, i) => (operands[i]?.value === value ? (operands[i] as Operand) : { value }));
  const scope = memberScope(m, type);
  const { name } = constructors[0]!;
  const chosen = chooseOverload(
    m,
    { kind: 'function', name, overloads: constructors, scope, owner: type },
    args,
    line,
    () => true,
  );
  if (!chosen.body) throw invalid(`a constructor of ${type.name} is declared but has no body`, line);
  return m.within(line, () => {
    const made: StructValue = { kind: 'struct', type, fields: new Map() };
    for (const field of type.fields) made.fields.set(field.name, cell(field.type, undefined));
    const self = selfScope(m, type, made);
    const inner = new Scope(bindTemplate(m, chosen, [], args, scope, line, self).scope);
    bindParameters(m, chosen.parameters, args, inner, line, name);
    const initializers = chosen.initializers ?? [];
    const delegated = initializers.find((each) => each.name === name);
    const take = (from: Value): void => {
      if (from.kind !== 'struct') return;
      for (const [field, { value }] of from.fields) made.fields.get(field)!.value = value;
    };
    if (delegated) take(constructStruct(m, type, valuesOf(m, delegated.arguments, inner), line));
    else {
      for (const base of type.bases ?? []) {
        const given = initializers.find((each) => each.name === base.path?.at(-1));
        take(constructStruct(m, base, valuesOf(m, given?.arguments ?? [], inner), line));
      }
      const own = new Set(itemOf(m, type)?.fields.map((f) => f.name));
      for (const field of type.fields) {
        if (!own.has(field.name)) continue;
        const given = initializers.find((each) => each.name === field.name);
        if (field.isReference) {
          const bound = given && resolveAll(m, given.arguments, inner)[0]?.cell;
          if (!bound)
            throw unsupported(`the reference ${field.name} of ${type.name} to something that is no variable`, line);
          made.fields.set(field.name, bound);
          self.declare(field.name, bound);
          continue;
        }
        const value = given
          ? construct(m, field.type, resolveAll(m, given.arguments, inner), given.braces, given.line)
          : defaultOf(m, type, field.name, inner, line, false);
        made.fields.get(field.name)!.value = value;
      }
    }
    execute(m, m.bodyOf(chosen), inner);
    return made;
  });
}

function valuesOf(m: Machine, expressions: Parameters<typeof resolveAll>[1], scope: Scope): Value[] {
  return resolveAll(m, expressions, scope).map(({ value }) => value ?? VOID_VALUE);
}

/** An operator that the candidate defines for one of its structs: a member, or a function. Undefined where there is none. */
export function callOperator(
  m: Machine,
  operator: string,
  operands: readonly Operand[],
  scope: Scope,
  line: number,
): Operand | undefined {
  const [first, ...rest] = operands;
  const name = `operator${operator}`;
  if (first?.value?.kind === 'struct') {
    const equality =
      name === 'operator==' && methodsNamed(m, first.value.type, name)?.items.find((f) => f.given === 'default');
    if (equality) return { value: memberwiseEqual(first.value, rest[0]?.value, line) };
    const member = callMethod(m, first.value, name, rest, line);
    if (member) return member;
  }
  const written = m.program.findFunctions([name], scope.namespace);
  const overloads = viable(m, { kind: 'function', name, overloads: written, scope }, operands, line);
  if (overloads.length === 0) return undefined;
  return { value: callFunction(m, { kind: 'function', name, overloads, scope }, operands, line) };
}

/** `bool operator==(const S&) const = default;` */
function memberwiseEqual(a: StructValue, b: Value | undefined, line: number): Value {
  const other = b?.kind === 'struct' ? b : undefined;
  const equal = [...a.fields].every(([name, field]) => {
    const theirs = other?.fields.get(name)?.value;
    if (!field.value || !theirs) throw invalid('structs are compared before they are given a value', line);
    return truth(binary('==', field.value, theirs, line), line);
  });
  return boolValue(equal);
}

/** What a written type means where it stands. */
import type {
  Expression,
  QualifiedName,
  StructItem,
  TemplateArgument,
  TemplateParameter,
  TypeNode,
} from '../cpp/ast.ts';
import { CandidateError, invalid, unsupported } from '../error.ts';
import { LAUNCH_STRUCTS } from '../library/launches.ts';
import type { TemplateValue } from '../trace.ts';
import { commonType, promote } from './arithmetic.ts';
import { convert, derivesFrom, toIndex, typeOfValue } from './convert.ts';
import { evaluate, operandType, resolve } from './expressions.ts';
import type { Machine } from './machine.ts';
import { expandTemplateArguments } from './packs.ts';
import { refusalOf } from './refusals.ts';
import { Scope } from './scope.ts';
import { spellPath } from './spell.ts';
import { memberType, structType } from './structs.ts';
import {
  AUTO,
  BOOL,
  type CppType,
  cudaVector,
  INT,
  type IntType,
  type LibraryType,
  LONG,
  library,
  NAMED_TYPES,
  packedAccessor,
  pointerTo,
  qualified,
  type StructType,
  sameType,
  spellType,
  unqualified,
  VOID,
} from './types.ts';
import { intValue, type Value } from './values.ts';

/** Classes by their normalised names. */
const LIBRARY_CLASSES: Readonly<Record<string, LibraryType>> = {
  'torch::Tensor': 'Tensor',
  'torch::TensorOptions': 'TensorOptions',
  'torch::ScalarType': 'ScalarType',
  'torch::Dtype': 'ScalarType',
  'torch::Device': 'Device',
  'torch::MemoryFormat': 'MemoryFormat',
  'torch::Layout': 'Layout',
  'torch::Scalar': 'Scalar',
  'std::string': 'string',
  'std::string_view': 'string',
  'std::ostringstream': 'string stream',
  'std::stringstream': 'string stream',
  'torch::string_view': 'string',
  'cuda::CUDAStream': 'stream',
  'cuda::CUDAGuard': 'guard',
  'cuda::OptionalCUDAGuard': 'guard',
  'torch::DeviceGuard': 'guard',
  'torch::OptionalDeviceGuard': 'guard',
  'torch::NoGradGuard': 'guard',
  'torch::InferenceMode': 'guard',
  'torch::AutoGradMode': 'guard',
  'torch::AutoDispatchBelowADInplaceOrView': 'guard',
  cudaDeviceProp: 'device properties',
};

/** `at::` and `c10::` name the same things as `torch::`; their `cuda::` parts are one. */
export function normalisePath(path: readonly string[]): string {
  const parts = path[0] === '' ? path.slice(1) : [...path];
  if (parts[0] === 'at' || parts[0] === 'c10') parts[0] = 'torch';
  if (parts[0] === 'torch' && parts[1] === 'cuda') parts.shift();
  return parts.join('::');
}

/** Names a path can stand for, given the file's `using namespace`s: itself first. */
export function candidateNames(m: Machine, path: readonly string[]): string[] {
  const names = [normalisePath(path)];
  for (const used of m.program.unit.usedNamespaces) names.push(normalisePath([...used, ...path]));
  return names;
}

/** With its qualifiers and its reference: a cell, and a conversion, take the plain type of it. */
export function resolveType(m: Machine, node: TypeNode, scope: Scope): CppType {
  m.tick(node.line);
  let type = qualified(resolveName(m, node, scope), node.cv);
  for (let i = 0; i < node.pointers; i++) {
    if (type.reference) throw invalid(`a pointer to the reference ${spellType(type)}`, node.line);
    type = qualified(pointerTo(type), node.pointerCv?.[i]);
  }
  return qualified(type, undefined, node.reference);
}

function resolveName(m: Machine, node: TypeNode, scope: Scope): CppType {
  const { path, arguments: args, outerArguments } = node.name;
  const name = path[path.length - 1] ?? '';
  if (node.decltypeOf) {
    if (givesReference(node.decltypeOf))
      throw unsupported(
        'decltype of an expression that names an object is a reference: take it off (std::remove_reference_t), or write the type',
        node.line,
      );
    const named = node.decltypeOf.kind === 'name' ? resolve(m, node.decltypeOf, scope).cell : undefined;
    return qualified(operandType(m, node.decltypeOf, scope), named?.cv);
  }
  if (path.length === 1 && !args) {
    const bound = scope.findType(name);
    if (bound) return bound;
  }
  const declared = m.program.findType(path, scope.namespace);
  if (declared) {
    if (declared.kind === 'enum') {
      const underlying = declared.underlying ? resolveType(m, declared.underlying, m.globals) : INT;
      const base: IntType = underlying.kind === 'int' ? underlying : INT;
      const path = [...declared.namespace, declared.name];
      const name = spellPath(path);
      return { ...base, name, enumeration: declared.name, mangled: name, path };
    }
    if (declared.kind === 'struct') return ownStruct(m, declared, args, scope, node);
    const inner = new Scope(m.globals, declared.namespace);
    bindTypeParameters(m, declared.template, args, inner, scope, node.line);
    if (!declared.type) throw unsupported(declared.problem ?? `the type ${name}`, node.line);
    return resolveType(m, declared.type, inner);
  }
  const owner = path.length > 1 ? ownerOf(m, node.name, scope, node.line) : scope.owner;
  const member = owner && memberType(m, owner, name);
  if (member) return member;
  for (const full of candidateNames(m, path)) {
    const plain = NAMED_TYPES.get(full) ?? NAMED_TYPES.get(full.replace(/^std::/, ''));
    if (plain) return plain;
    const className = LIBRARY_CLASSES[full];
    if (className) return library(className);
    const vector = cudaVector(full) ?? LAUNCH_STRUCTS[full];
    if (vector) return vector;
    const made = resolveTemplate(m, full, args ?? outerArguments ?? [], scope, node);
    if (made) return made;
  }
  if (name === 'Tensor') return library('Tensor');
  const refusal = refusalOf(normalisePath(path));
  if (refusal) throw new CandidateError('refused', refusal, node.line);
  throw unsupported(`the type ${path.join('::')}${NOT_IN_PLANS[name] ?? ''}`, node.line);
}

const TEXTURES = ': a plan carries no textures or surfaces; read global memory in the kernel';
/** Objects that host code makes for kernels and that a plan has no step for: what to do instead. */
const NOT_IN_PLANS: Readonly<Record<string, string>> = {
  CUtensorMap: ': a plan carries no tensor maps; copy tiles with cp.async, or with bulk copies that need no map',
  cudaTextureObject_t: TEXTURES,
  cudaSurfaceObject_t: TEXTURES,
  cudaArray_t: TEXTURES,
  cudaResourceDesc: TEXTURES,
};

/** A struct by its name; inside of a struct template its bare name means the instance itself. */
function ownStruct(
  m: Machine,
  item: StructItem,
  args: readonly TemplateArgument[] | undefined,
  scope: Scope,
  node: TypeNode,
): StructType {
  const { owner } = scope;
  if (item.template && !args && owner?.path?.at(-1) === item.name) return owner;
  return structType(m, item, args, scope, node.line);
}

/** The struct that `S<...>::member` or `T::member` is a member of. */
export function ownerOf(m: Machine, name: QualifiedName, scope: Scope, line: number): StructType | undefined {
  const path = name.path.slice(0, -1);
  const bound = path.length === 1 ? scope.findType(path[0]!) : undefined;
  if (bound) return bound.kind === 'struct' ? bound : undefined;
  const item = m.program.findType(path, scope.namespace);
  if (item?.kind !== 'struct' && item?.kind !== 'alias') return undefined;
  const arguments_ = name.outerArguments;
  const type = resolveType(
    m,
    { name: { path, arguments: arguments_ }, pointers: 0, reference: '', isConst: false, line },
    scope,
  );
  return type.kind === 'struct' ? type : undefined;
}

/** Calls of the standard library that give a reference to one of their arguments or to what it holds. */
const GIVES_REFERENCE = /^(max|min|clamp|get|front|back|at|ref)$/;

/** Whether decltype of the expression is a reference ([dcl.type.decltype]): it names an object, and is more than a name. */
function givesReference(e: Expression): boolean {
  switch (e.kind) {
    case 'index':
    case 'assign':
      return true;
    case 'unary':
      return e.operator === '*' || e.operator === '++' || e.operator === '--';
    case 'conditional':
      return namesObject(e.yes) && namesObject(e.no);
    case 'call':
      return (
        (e.callee.kind === 'name' || e.callee.kind === 'member') &&
        GIVES_REFERENCE.test((e.callee.kind === 'name' ? e.callee.name.path.at(-1) : e.callee.name) ?? '')
      );
    default:
      return false;
  }
}

const namesObject = (e: Expression): boolean => e.kind === 'name' || e.kind === 'member' || givesReference(e);

function resolveTemplate(
  m: Machine,
  full: string,
  written: readonly TemplateArgument[],
  scope: Scope,
  node: TypeNode,
): CppType | undefined {
  const args = expandTemplateArguments(written, scope, node.line);
  const type = (i: number): CppType => {
    const arg = args[i];
    if (!arg?.argument.type) throw unsupported(`the type ${full} without template arguments`, node.line);
    return resolveType(m, arg.argument.type, arg.scope);
  };
  const size = (i: number): number =>
    toIndex(evaluateArgument(m, args[i]?.argument, args[i]?.scope ?? scope, node.line), node.line);
  switch (full) {
    case 'std::vector':
    case 'torch::SmallVector':
    case 'torch::ArrayRef':
    case 'std::initializer_list':
      return { kind: 'list', container: 'vector', element: args.length > 0 ? type(0) : undefined };
    case 'torch::IntArrayRef':
    case 'torch::OptionalIntArrayRef':
      return { kind: 'list', container: 'IntArrayRef', element: LONG };
    case 'torch::TensorList':
      return { kind: 'list', container: 'vector', element: library('Tensor') };
    case 'torch::DimVector':
      return { kind: 'list', container: 'vector', element: LONG };
    case 'std::array':
      return { kind: 'list', container: 'array', element: type(0), size: size(1) };
    case 'std::tuple':
    case 'std::pair':
      return { kind: 'list', container: 'tuple', elements: args.length > 0 ? args.map((_, i) => type(i)) : undefined };
    case 'std::map':
    case 'std::unordered_map':
      if (args.length > 2) throw unsupported(`a ${full} with an order or a hash of its own`, node.line);
      return {
        kind: 'list',
        container: full === 'std::map' ? 'map' : 'unordered_map',
        element: { kind: 'list', container: 'tuple', elements: [type(0), type(1)] },
      };
    case 'std::set':
    case 'std::unordered_set':
      if (args.length > 1) throw unsupported(`a ${full} with an order or a hash of its own`, node.line);
      return { kind: 'list', container: full === 'std::set' ? 'set' : 'unordered_set', element: type(0) };
    case 'std::optional':
    case 'torch::optional':
      return { kind: 'optional', of: type(0) };
    case 'torch::PackedTensorAccessor32':
      return packedAccessor(type(0), size(1), 32);
    case 'torch::PackedTensorAccessor64':
    case 'torch::PackedTensorAccessor':
      return packedAccessor(type(0), size(1), 64);
    case 'std::function':
      return args.length > 0 ? ({ ...library('callable'), returns: type(0) } as CppType) : library('callable');
    case 'std::enable_if_t':
    case 'std::enable_if::type':
      if (size(0) === 0) throw invalid('a std::enable_if whose condition is false', node.line);
      return args.length > 1 ? type(1) : VOID;
    case 'std::void_t':
      return VOID;
    case 'std::make_unsigned_t':
    case 'std::make_unsigned::type':
    case 'std::make_signed_t':
    case 'std::make_signed::type':
      return withSign(type(0), full.includes('unsigned'), node.line);
    case 'std::common_type_t':
    case 'std::common_type::type': {
      const common = args
        .map((_, i) => unqualified(type(i)))
        .reduce((a, b) => (sameType(a, b) ? a : (commonType(a, b) ?? VOID)));
      if (common.kind === 'void') throw unsupported(`${full} of these types`, node.line);
      return common;
    }
    case 'std::underlying_type_t':
    case 'std::underlying_type::type': {
      const of = type(0);
      return of.kind === 'int' ? promote({ ...of, enumeration: of.enumeration ?? '' }) : of;
    }
    case 'std::tuple_element_t':
    case 'std::tuple_element::type': {
      const of = type(1);
      const found = of.kind === 'list' ? of.elements?.[size(0)] : undefined;
      if (!found) throw unsupported(`${full} of ${spellType(of)}`, node.line);
      return found;
    }
    case 'std::conditional_t':
    case 'std::conditional::type':
      return size(0) !== 0 ? type(1) : type(2);
    case 'torch::acc_type':
    case 'torch::opmath_type':
    case 'torch::OpMathType::type': {
      // ATen/AccumulateType.h and OpMathType.h: half formats accumulate in float on CUDA, the others in themselves.
      const of = type(0);
      const float = NAMED_TYPES.get('float') as CppType;
      return of.kind === 'float' && (of.format === 'float16' || of.format === 'bfloat16') ? float : of;
    }
    default: {
      const made = QUALIFYING.get(/^std::(\w+?)(?:_t|::type)$/.exec(full)?.[1] ?? '');
      if (!made) return undefined;
      // Taken off again, the reference that decltype of an object's name in an expression would be does not matter.
      const of = /::(remove_(cv)?ref|decay)/.test(full) ? args[0]?.argument.type?.decltypeOf : undefined;
      return made(of && args[0] ? operandType(m, of, args[0].scope) : type(0));
    }
  }
}

/** What <type_traits> makes of a type's qualifiers, references and pointers, by name. */
const QUALIFYING: ReadonlyMap<string, (of: CppType) => CppType> = new Map<string, (of: CppType) => CppType>(
  Object.entries({
    remove_const: (of: CppType) => keepCv(of, 'volatile'),
    remove_volatile: (of: CppType) => keepCv(of, 'const'),
    remove_cv: (of: CppType) => (of.reference ? of : unqualified(of)),
    remove_reference: (of: CppType) => qualified(unqualified(of), of.cv),
    remove_cvref: unqualified,
    decay: unqualified,
    add_const: (of: CppType) => qualified(of, 'const'),
    add_volatile: (of: CppType) => qualified(of, 'volatile'),
    add_cv: (of: CppType) => qualified(of, 'const volatile'),
    add_lvalue_reference: (of: CppType) => qualified(of, undefined, '&'),
    add_rvalue_reference: (of: CppType) => qualified(of, undefined, '&&'),
    remove_pointer: (of: CppType) => (of.kind === 'pointer' && !of.reference ? of.to : of),
    add_pointer: (of: CppType) => pointerTo(qualified(unqualified(of), of.cv)),
  }),
);

/** The type with no more of its qualifiers than this one; a reference has none. */
function keepCv(type: CppType, kept: 'const' | 'volatile'): CppType {
  return type.reference ? type : qualified(unqualified(type), type.cv?.includes(kept) ? kept : undefined);
}

/** The integer of the same size with or without a sign. */
function withSign(type: CppType, unsigned: boolean, line: number): CppType {
  const word =
    type.kind === 'int' ? { 8: 'char', 16: 'short', 32: 'int', 64: 'long', 1: undefined }[type.bits] : undefined;
  const isLongLong = type.kind === 'int' && (type.mangled === 'x' || type.mangled === 'y');
  const name = isLongLong ? 'long long' : word;
  const found = name && NAMED_TYPES.get(unsigned ? `${name} unsigned` : name === 'char' ? 'char signed' : name);
  if (!found) throw unsupported(`the ${unsigned ? 'unsigned' : 'signed'} type of ${spellType(type)}`, line);
  return qualified(found, type.cv);
}

/** `typename... Ts` or `int... Is` of a struct or alias: all written arguments that are left. */
export function bindPack(
  m: Machine,
  parameter: TemplateParameter,
  written: readonly { argument: TemplateArgument; scope: Scope }[],
  inner: Scope,
  line: number,
): TemplateValue {
  const values = written.map(({ argument, scope }): TemplateValue => {
    if (parameter.kind === 'type') {
      const type = typeArgument(m, argument, scope);
      if (!type) throw invalid(`${argument.text} is no type for the pack ${parameter.name}`, line);
      return { kind: 'type', type };
    }
    const type = parameter.type ? resolveType(m, parameter.type, inner) : AUTO;
    const value = convert(evaluateArgument(m, argument, scope, line), type, line, true);
    return { kind: 'value', value, type: type.kind === 'auto' ? typeOfValue(value) : type };
  });
  if (parameter.kind === 'type') {
    inner.declareTypePack(
      parameter.name,
      values.flatMap((v) => (v.kind === 'type' ? [v.type] : [])),
    );
  } else {
    inner.declarePack(
      parameter.name,
      values.flatMap((v) => (v.kind === 'value' ? [{ type: v.type, value: v.value, constant: true }] : [])),
    );
  }
  return { kind: 'pack', values };
}

/** Binds template parameters of a struct or alias from written arguments and defaults; gives them in order. */
export function bindTypeParameters(
  m: Machine,
  parameters: StructItem['template'],
  args: readonly TemplateArgument[] | undefined,
  inner: Scope,
  scope: Scope,
  line: number,
): TemplateValue[] {
  const written = expandTemplateArguments(args ?? [], scope, line);
  return (parameters ?? []).map((parameter, i): TemplateValue => {
    if (parameter.isPack) return bindPack(m, parameter, written.slice(i), inner, line);
    const given = written[i];
    const argument = given?.argument ?? parameter.default;
    if (!argument) throw invalid(`the template argument ${parameter.name} is missing`, line);
    const where = given?.scope ?? inner;
    if (parameter.kind === 'type' && argument.type) {
      const type = resolveType(m, argument.type, where);
      inner.declareType(parameter.name, type);
      return { kind: 'type', type };
    }
    if (parameter.kind === 'value') {
      const type = parameter.type ? resolveType(m, parameter.type, inner) : AUTO;
      const value = convert(evaluateArgument(m, argument, where, line), type, line, true);
      inner.declare(parameter.name, { type, value, constant: true });
      return { kind: 'value', value, type };
    }
    throw unsupported(`the template parameter ${parameter.name}`, line);
  });
}

/** The value of a template argument. */
export function evaluateArgument(
  m: Machine,
  argument: TemplateArgument | undefined,
  scope: Scope,
  line: number,
): Value {
  if (!argument?.expression)
    throw invalid(`a value is needed as template argument, not ${argument?.text ?? 'nothing'}`, line);
  return evaluate(m, argument.expression, scope);
}

/** The type a template argument names, or undefined where it is a value. */
export function typeArgument(m: Machine, argument: TemplateArgument, scope: Scope): CppType | undefined {
  if (!argument.type) return undefined;
  if (!argument.expression) return resolveType(m, argument.type, scope);
  try {
    return resolveType(m, argument.type, scope);
  } catch (error) {
    if (error instanceof CandidateError && error.kind === 'unsupported') return undefined;
    throw error;
  }
}

/** Numbers that are no classes (c10::Half is one) and no enumerations. */
function isArithmetic(type: CppType): boolean {
  if (type.kind === 'int') return type.enumeration === undefined;
  return type.kind === 'float' && (type.format === 'float32' || type.format === 'float64');
}

/** `std::is_same_v<A, B>`, `std::is_same<A, B>::value` and their like, by name. */
export function typeTrait(
  m: Machine,
  name: string,
  args: readonly TemplateArgument[],
  scope: Scope,
): Value | undefined {
  const trait = /^(?:std::)?(is_\w+?)(?:_v|::value)?$/.exec(name)?.[1];
  if (!trait) return undefined;
  const types = args.map((a) => a.type && resolveType(m, a.type, scope));
  const [a, b] = types;
  if (!a) return undefined;
  const truth = (value: boolean): Value => intValue(value ? 1 : 0, BOOL);
  switch (trait) {
    case 'is_same':
      return b && truth(sameType(a, b));
    case 'is_const':
      return truth(!a.reference && (a.cv?.includes('const') ?? false));
    case 'is_volatile':
      return truth(!a.reference && (a.cv?.includes('volatile') ?? false));
    case 'is_reference':
      return truth(a.reference !== undefined);
    case 'is_lvalue_reference':
      return truth(a.reference === '&');
    case 'is_rvalue_reference':
      return truth(a.reference === '&&');
  }
  // What follows asks for kinds of types, of which a reference is one of its own.
  const plain = /^is_(integral|floating_point|pointer|arithmetic|scalar|signed|unsigned|enum|void|class|base_of)$/.test(
    trait,
  );
  if (plain && a.reference) return truth(false);
  switch (trait) {
    case 'is_integral':
      return truth(a.kind === 'int' && a.enumeration === undefined);
    case 'is_floating_point':
      return truth(a.kind === 'float' && (a.format === 'float32' || a.format === 'float64'));
    case 'is_pointer':
      return truth(a.kind === 'pointer');
    case 'is_arithmetic':
    case 'is_scalar':
      return truth(isArithmetic(a) || (trait === 'is_scalar' && (a.kind === 'pointer' || a.kind === 'int')));
    case 'is_signed':
      return truth(isArithmetic(a) && (a.kind === 'float' || (a.kind === 'int' && a.signed && a.bits > 1)));
    case 'is_unsigned':
      return truth(isArithmetic(a) && a.kind === 'int' && !(a.signed && a.bits > 1));
    case 'is_enum':
      return truth(a.kind === 'int' && a.enumeration !== undefined);
    case 'is_void':
      return truth(a.kind === 'void');
    case 'is_class':
      return truth(a.kind === 'struct' || a.kind === 'list' || a.kind === 'optional');
    case 'is_base_of':
      return b && truth(b.kind === 'struct' && (sameType(unqualified(a), unqualified(b)) || derivesFrom(b, a)));
    case 'is_convertible':
      return b && isArithmetic(a) && isArithmetic(b) ? truth(true) : undefined;
    default:
      return undefined;
  }
}

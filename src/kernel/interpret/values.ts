/** Values of the interpreter. Variables are cells; structs and lists hold cells, so that parts can be referred to. */
import type { DType } from '../../task/index.ts';
import type { Cv, Expression, FunctionItem, Statement, TemplateArgument } from '../cpp/ast.ts';
import type { Scope } from './scope.ts';
import {
  BOOL,
  type Container,
  type CppType,
  type FloatType,
  INT,
  type IntType,
  LONG,
  type StructType,
  unqualified,
} from './types.ts';

/** A variable, a field, or an element. */
export interface Cell {
  type: CppType;
  /** Undefined until it is given a value. */
  value: Value | undefined;
  constant: boolean;
  /** `const` and `volatile` of a declared variable, which decltype and & ask for. */
  cv?: Cv;
}

/** A strided view of a buffer, as PyTorch has it. Strides and offset in elements. */
export interface TensorView {
  buffer: number;
  dtype: DType;
  shape: readonly number[];
  strides: readonly number[];
  offset: number;
  device: 'cuda' | 'cpu';
  /** For messages. */
  name: string;
}

export interface TensorOptions {
  dtype?: DType;
  device?: 'cuda' | 'cpu';
  channelsLast?: boolean;
}

export interface IntValue {
  kind: 'int';
  type: IntType;
  value: bigint;
}

export interface FloatValue {
  kind: 'float';
  type: FloatType;
  value: number;
}

export interface ListValue {
  kind: 'list';
  container: Container;
  element?: CppType;
  cells: Cell[];
}

export interface FunctionValue {
  kind: 'function';
  name: string;
  /** The candidate's functions of that name. */
  overloads: readonly FunctionItem[];
  arguments?: readonly TemplateArgument[];
  scope: Scope;
  /** Of the std::function that holds it. */
  result?: CppType;
  /** The struct, where these are static member functions. */
  owner?: StructType;
}

export type PointerTarget =
  | { kind: 'null' }
  | { kind: 'device'; buffer: number; offset: bigint }
  | { kind: 'cell'; cell: Cell }
  /** An element of a host list: `v.data()`. */
  | { kind: 'element'; list: ListValue; index: number }
  | { kind: 'function'; value: FunctionValue };

export interface PointerValue {
  kind: 'pointer';
  to: CppType;
  target: PointerTarget;
}

export interface StructValue {
  kind: 'struct';
  type: StructType;
  fields: Map<string, Cell>;
}

export type Value =
  | { kind: 'void' }
  | IntValue
  | FloatValue
  | { kind: 'string'; value: string }
  | PointerValue
  /** A device address as an integer: only its low bits mean anything before the plan runs. `low` is the address mod 256. */
  | { kind: 'address'; low: bigint; type: IntType }
  | StructValue
  | ListValue
  /** `list[index]` of a container, as `begin()` and `end()` give it. */
  | { kind: 'iterator'; list: ListValue; index: number }
  /** std::back_inserter. */
  | { kind: 'inserter'; list: ListValue }
  | { kind: 'optional'; of?: CppType; cell?: Cell }
  /** `tensor` is undefined for a tensor that was never given one (`torch::Tensor t;`). */
  | { kind: 'tensor'; tensor: TensorView | undefined }
  | { kind: 'options'; options: TensorOptions }
  | { kind: 'dtype'; dtype: DType }
  | { kind: 'device'; device: 'cuda' | 'cpu' }
  | { kind: 'format'; format: 'contiguous' | 'channels_last' | 'preserve' }
  | { kind: 'stream' }
  | { kind: 'properties' }
  /** std::ostringstream, std::stringstream: shared by all that name it. */
  | { kind: 'text-stream'; text: string }
  /** An exception of the standard library or of PyTorch, by its class's normalised name. */
  | { kind: 'exception'; name: string; text: string }
  /** Objects whose only effect would be on the real runtime: guards, profiler marks, cout. */
  | { kind: 'opaque'; name: string }
  /** `result`: of the std::function that holds it, which its own result is converted to. */
  | { kind: 'lambda'; lambda: Extract<Expression, { kind: 'lambda' }>; scope: Scope; result?: CppType }
  | FunctionValue
  /** std::multiplies<>() and its like. */
  | { kind: 'operator'; operator: string }
  /** An initializer that has no type yet. */
  | { kind: 'fields'; names: readonly (string | undefined)[]; values: readonly Value[] };

export type LambdaBody = Statement;

export const VOID_VALUE: Value = { kind: 'void' };

export function intValue(value: bigint | number, type: IntType = INT): IntValue {
  return { kind: 'int', type, value: wrap(BigInt(value), type) };
}

export function longValue(value: bigint | number): IntValue {
  return intValue(value, LONG);
}

export function boolValue(value: boolean): IntValue {
  return { kind: 'int', type: BOOL, value: value ? 1n : 0n };
}

/** Two's complement, as C++20 defines conversions between integers. */
export function wrap(value: bigint, type: IntType): bigint {
  if (type.bits === 1) return value === 0n ? 0n : 1n;
  return type.signed ? BigInt.asIntN(type.bits, value) : BigInt.asUintN(type.bits, value);
}

export function cell(type: CppType, value: Value | undefined, constant = false): Cell {
  return { type: unqualified(type), value, constant };
}

export function longList(values: readonly number[], container: Container = 'IntArrayRef'): ListValue {
  return { kind: 'list', container, element: LONG, cells: values.map((v) => cell(LONG, longValue(v))) };
}

export function tensorValue(tensor: TensorView): Value {
  return { kind: 'tensor', tensor };
}

/** A copy with value semantics: structs and owning lists get cells of their own. */
export function copyValue(value: Value): Value {
  if (value.kind === 'struct') {
    const fields = new Map<string, Cell>();
    for (const [name, field] of value.fields) {
      const isReference = value.type.fields.some((f) => f.name === name && f.isReference);
      fields.set(name, isReference ? field : copyCell(field));
    }
    return { ...value, fields };
  }
  if (value.kind === 'list') return { ...value, cells: value.cells.map(copyCell) };
  if (value.kind === 'optional' && value.cell) return { ...value, cell: copyCell(value.cell) };
  return value;
}

function copyCell(source: Cell): Cell {
  return { type: source.type, value: source.value && copyValue(source.value), constant: false };
}

/** What a value is, for messages. */
export function describeValue(value: Value): string {
  switch (value.kind) {
    case 'int':
    case 'float':
      return `${value.type.name} ${value.value}`;
    case 'string':
      return 'a string';
    case 'struct':
      return value.type.name;
    case 'tensor':
      return value.tensor ? `a ${value.tensor.dtype} tensor [${value.tensor.shape.join(', ')}]` : 'an undefined tensor';
    case 'pointer':
      return value.target.kind === 'null' ? 'a null pointer' : 'a pointer';
    case 'address':
      return "a tensor's address";
    case 'void':
      return 'nothing';
    case 'opaque':
      return value.name;
    default:
      return `a ${value.kind}`;
  }
}

/** `object.member` and `object.method(...)`, by what the object is. */
import type { Expression } from '../cpp/ast.ts';
import { CandidateError, invalid, unsupported } from '../error.ts';
import { LibraryCall } from '../library/call.ts';
import { propertyOf } from '../library/cuda.ts';
import { LIST_METHODS } from '../library/list-methods.ts';
import { MAP_METHODS } from '../library/map-methods.ts';
import { streamMethod, textMethod } from '../library/text.ts';
import { TENSOR_METHODS } from '../torch/methods.ts';
import { applyOperator, isOperator } from '../torch/operators.ts';
import { isAssociative } from './associative.ts';
import { callValue } from './calls.ts';
import { initialised } from './convert.ts';
import { exceptionValue, ThrownError } from './exceptions.ts';
import { type Operand, resolve } from './expressions.ts';
import type { Machine } from './machine.ts';
import { resolveAll } from './packs.ts';
import { methodRefusalOf } from './refusals.ts';
import type { Scope } from './scope.ts';
import { callMethod, staticMember } from './structs.ts';
import type { StructType } from './types.ts';
import { boolValue, describeValue, intValue, type TensorOptions, type Value } from './values.ts';

type MemberNode = Extract<Expression, { kind: 'member' }>;

/** A field, or a static constant. */
export function memberValue(m: Machine, e: MemberNode, scope: Scope): Operand {
  const object = through(resolve(m, e.object, scope), e);
  if (object.kind === 'struct') {
    const field = object.fields.get(e.name);
    // A static constant is a member of the object as well.
    const constant = field ? undefined : staticMember(m, object.type, e.name, [], scope);
    if (constant?.cell) return constant;
    if (!field) throw invalid(`${object.type.name} has no field ${e.name}`, e.line);
    return { cell: field, value: field.value };
  }
  if (object.kind === 'list' && (e.name === 'first' || e.name === 'second')) {
    const part = object.cells[e.name === 'first' ? 0 : 1];
    if (part) return { cell: part, value: part.value };
  }
  if (object.kind === 'properties') return { value: propertyOf(m.world.facts, e.name, e.line) };
  throw unsupported(`.${e.name} of ${describeValue(object)}`, e.line);
}

/** `p->x` and `it->x` look through the pointer; `opt->x` through the optional. */
function through(operand: Operand, e: MemberNode): Value {
  const { value } = operand;
  if (value === undefined) throw invalid(`an object is used before it is given a value (.${e.name})`, e.line);
  if (value.kind === 'pointer' && value.target.kind === 'cell') return initialised(value.target.cell, e.line);
  if (value.kind === 'iterator') {
    const at = value.list.cells[value.index];
    if (at) return initialised(at, e.line);
  }
  return value;
}

/** The struct that an object is known as: of the reference or pointer through which it is reached. */
function declaredType({ cell, value }: Operand, own: StructType): StructType {
  const type = value?.kind === 'pointer' ? value.to : value?.kind === 'struct' ? cell?.type : undefined;
  return type?.kind === 'struct' ? type : own;
}

export function callMember(
  m: Machine,
  callee: MemberNode,
  args: readonly Expression[],
  scope: Scope,
  line: number,
): Operand {
  const operand = resolve(m, callee.object, scope);
  const object = through(operand, callee);
  const call = new LibraryCall(m, `.${callee.name}`, callee.arguments ?? [], args, scope, line);
  switch (object.kind) {
    case 'tensor': {
      if (!object.tensor) {
        if (callee.name === 'defined') return { value: boolValue(false) };
        if (callee.name === 'reset') return { value: object };
        throw invalid(`.${callee.name}() of a tensor that was never given one`, line);
      }
      const method = TENSOR_METHODS[callee.name];
      if (method) return { value: method(object.tensor, call) };
      if (isOperator(callee.name)) return { value: applyOperator(object.tensor, callee.name, call) };
      const refusal = methodRefusalOf(callee.name);
      if (refusal) throw new CandidateError('refused', refusal, line);
      break;
    }
    case 'list': {
      const method = (isAssociative(object.container) ? MAP_METHODS : LIST_METHODS)[callee.name];
      if (method) return method(object, call);
      break;
    }
    case 'optional':
      return optionalMethod(object, callee.name, call, operand);
    case 'options':
      return { value: optionsMethod(object.options, callee.name, call) };
    case 'device':
      if (callee.name === 'is_cuda') return { value: boolValue(object.device === 'cuda') };
      if (callee.name === 'is_cpu') return { value: boolValue(object.device === 'cpu') };
      if (callee.name === 'type') return { value: object };
      if (callee.name === 'index') return { value: intValue(object.device === 'cuda' ? 0 : -1) };
      if (callee.name === 'has_index') return { value: boolValue(object.device === 'cuda') };
      if (callee.name === 'str') return { value: { kind: 'string', value: object.device } };
      break;
    case 'dtype':
      if (callee.name === 'toScalarType' || callee.name === 'scalarType' || callee.name === 'scalar_type')
        return { value: object };
      if (callee.name === 'name') return { value: { kind: 'string', value: object.dtype } };
      if (callee.name === 'is_cuda') return { value: boolValue(true) };
      break;
    case 'stream':
      if (callee.name === 'stream') return { value: object };
      if (callee.name === 'synchronize') return { value: { kind: 'void' } };
      break;
    case 'string':
      {
        const result = textMethod(object, callee.name, call, operand);
        if (result) return result;
      }
      break;
    case 'text-stream':
      return { value: streamMethod(object, callee.name, call) };
    case 'exception':
      if (callee.name === 'what' || callee.name === 'what_without_backtrace' || callee.name === 'msg')
        return { value: { kind: 'string', value: object.text } };
      break;
    case 'opaque':
      // Guards and profiler marks: nothing they do is part of a plan.
      call.values();
      return { value: { kind: 'void' } };
    case 'struct': {
      const field = object.fields.get(callee.name);
      const operands = resolveAll(m, args, scope);
      if (field) return { value: callValue(m, initialised(field, line), operands, scope, line) };
      const result = callMethod(
        m,
        object,
        callee.name,
        operands,
        line,
        callee.arguments,
        scope,
        declaredType(operand, object.type),
      );
      if (result) return result;
      break;
    }
  }
  throw unsupported(`.${callee.name}() of ${describeValue(object)}`, line);
}

function optionalMethod(
  object: Extract<Value, { kind: 'optional' }>,
  name: string,
  call: LibraryCall,
  operand: Operand,
): Operand {
  const inner = object.cell;
  switch (name) {
    case 'has_value':
      return { value: boolValue(inner !== undefined) };
    case 'value':
    case 'get':
      if (!inner) {
        const error = exceptionValue('std::bad_optional_access', 'bad optional access');
        throw new ThrownError(error, '.value() of an empty optional', call.line);
      }
      return { cell: inner, value: inner.value };
    case 'value_or':
      return inner ? { value: inner.value } : { value: call.value(0) };
    case 'reset':
      if (operand.cell) operand.cell.value = { ...object, cell: undefined };
      return { value: { kind: 'void' } };
  }
  // `opt->defined()`: the member of what it holds.
  if (inner?.value?.kind === 'tensor' && inner.value.tensor) {
    const method = TENSOR_METHODS[name];
    if (method) return { value: method(inner.value.tensor, call) };
  }
  if (inner?.value?.kind === 'tensor' && name === 'defined')
    return { value: boolValue(inner.value.tensor !== undefined) };
  throw unsupported(`.${name}() of an optional`, call.line);
}

function optionsMethod(options: TensorOptions, name: string, call: LibraryCall): Value {
  const made = (change: TensorOptions): Value => ({ kind: 'options', options: { ...options, ...change } });
  const given = call.count > 0 ? call.value(0) : undefined;
  switch (name) {
    case 'dtype':
      if (!given) return { kind: 'dtype', dtype: options.dtype ?? 'float32' };
      if (given.kind === 'dtype') return made({ dtype: given.dtype });
      break;
    case 'device':
      if (!given) return { kind: 'device', device: options.device ?? 'cpu' };
      if (given.kind === 'device') return made({ device: given.device });
      if (given.kind === 'string') return made({ device: given.value.startsWith('cuda') ? 'cuda' : 'cpu' });
      break;
    case 'memory_format':
      if (given?.kind === 'format') return made({ channelsLast: given.format === 'channels_last' });
      break;
    case 'layout':
    case 'requires_grad':
    case 'pinned_memory':
    case 'device_index':
      return made({});
  }
  throw unsupported(`.${name}() of TensorOptions`, call.line);
}

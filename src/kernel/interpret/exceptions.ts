/** C++ exceptions: what a candidate throws itself, or a failed check of its own, and which handler takes it. */
import type { TypeNode } from '../cpp/ast.ts';
import { CandidateError } from '../error.ts';
import { derivesFrom, typeOfValue } from './convert.ts';
import type { Machine } from './machine.ts';
import type { Scope } from './scope.ts';
import { normalisePath, resolveType } from './type-resolver.ts';
import { sameType, unqualified } from './types.ts';
import { describeValue, type Value } from './values.ts';

/** The bases of the standard library's and PyTorch's exceptions ([std.exceptions], c10/util/Exception.h). */
const BASES: Readonly<Record<string, string>> = {
  'std::runtime_error': 'std::exception',
  'std::logic_error': 'std::exception',
  'std::bad_alloc': 'std::exception',
  'std::bad_optional_access': 'std::exception',
  'std::range_error': 'std::runtime_error',
  'std::overflow_error': 'std::runtime_error',
  'std::underflow_error': 'std::runtime_error',
  'std::invalid_argument': 'std::logic_error',
  'std::domain_error': 'std::logic_error',
  'std::length_error': 'std::logic_error',
  'std::out_of_range': 'std::logic_error',
  'torch::Error': 'std::exception',
  'torch::ValueError': 'torch::Error',
  'torch::TypeError': 'torch::Error',
  'torch::IndexError': 'torch::Error',
  'torch::NotImplementedError': 'torch::Error',
};

/** Names of the exception classes that are made from a text. */
export const EXCEPTION_CLASSES: readonly string[] = ['std::exception', ...Object.keys(BASES)];

/** An exception on its way: what a candidate's own handler may catch. Undefined behaviour and code that would not compile are not. */
export class ThrownError extends CandidateError {
  readonly value: Value;

  constructor(value: Value, message: string, line: number) {
    super('fails', message, line);
    this.value = value;
  }
}

export function exceptionValue(name: string, text: string): Value {
  return { kind: 'exception', name, text };
}

/** `throw value`. */
export function thrown(value: Value, line: number): ThrownError {
  const text = value.kind === 'exception' ? value.text : value.kind === 'string' ? value.value : describeValue(value);
  return new ThrownError(value, `the host function throws: ${text || 'an exception'}`, line);
}

/** Whether `catch (type ...)` takes the value; without a type, `catch (...)`, it takes all. */
export function handles(m: Machine, type: TypeNode | undefined, value: Value, scope: Scope): boolean {
  if (!type) return true;
  const name = normalisePath(type.name.path).replace(/^(?!std::|torch::)/, 'std::');
  if (value.kind === 'exception') {
    for (let each: string | undefined = value.name; each; each = BASES[each]) if (each === name) return true;
    return false;
  }
  if (EXCEPTION_CLASSES.includes(name)) return false;
  const caught = resolveType(m, type, scope);
  const own = typeOfValue(value);
  return sameType(own, unqualified(caught)) || (own.kind === 'struct' && derivesFrom(own, caught));
}

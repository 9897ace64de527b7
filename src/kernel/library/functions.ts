/** The library functions a host function may call, in one table by normalised name. */
import { unsupported } from '../error.ts';
import type { Operand } from '../interpret/expressions.ts';
import type { Value } from '../interpret/values.ts';
import { DISPATCH, isDispatch } from '../torch/dispatch.ts';
import { FACTORIES } from '../torch/factories.ts';
import { applyOperator, isOperator } from '../torch/operators.ts';
import type { LibraryCall, LibraryFunction } from './call.ts';
import { CUDA_FUNCTIONS } from './cuda.ts';
import { LAUNCH_FUNCTIONS } from './launches.ts';
import { MEMORY_FUNCTIONS } from './memory.ts';
import { STANDARD_FUNCTIONS } from './standard.ts';

const TABLE = new Map<string, LibraryFunction>([
  ...Object.entries(STANDARD_FUNCTIONS),
  ...Object.entries(CUDA_FUNCTIONS),
  ...Object.entries(MEMORY_FUNCTIONS),
  ...Object.entries(LAUNCH_FUNCTIONS),
  ...Object.entries(FACTORIES),
]);

function find(name: string): LibraryFunction | undefined {
  if (isDispatch(name)) return DISPATCH;
  const operator = /^torch::(\w+)$/.exec(name)?.[1];
  if (operator && isOperator(operator)) {
    return (call) => applyOperator(call.tensor(0), operator, call.with(name, call.expressions.slice(1)));
  }
  // The standard library's functions are listed without std::, since CUDA has min, max and the math functions globally.
  return TABLE.get(name) ?? (name.startsWith('std::') ? TABLE.get(name.slice(5)) : undefined);
}

export function isLibraryFunction(name: string): boolean {
  return find(name) !== undefined;
}

export function callLibrary(call: LibraryCall): Operand {
  const fn = find(call.name);
  if (!fn) throw unsupported(call.name, call.line);
  const result = fn(call);
  return isOperand(result) ? result : { value: result };
}

function isOperand(result: Value | Operand): result is Operand {
  return !('kind' in result);
}

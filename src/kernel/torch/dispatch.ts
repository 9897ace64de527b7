/** AT_DISPATCH_*: picks the element type by a tensor's dtype and calls the lambda with `scalar_t` bound to it. */
import type { DType } from '../../task/index.ts';
import { fails, invalid, unsupported } from '../error.ts';
import { callValue } from '../interpret/calls.ts';
import { type CppType, cppTypeOf } from '../interpret/types.ts';
import { describeValue, type Value } from '../interpret/values.ts';
import type { LibraryCall, LibraryFunction } from '../library/call.ts';

const FLOATING: readonly DType[] = ['float64', 'float32'];
const INTEGRAL: readonly DType[] = ['uint8', 'int8', 'int32', 'int64', 'int16'];
const REDUCED: readonly DType[] = ['float16', 'bfloat16'];

/** Base sets of ATen/Dispatch.h; `_AND`, `_AND2`, ... add the dtypes given as leading arguments, `_AND_HALF` adds Half. */
const SETS: Readonly<Record<string, readonly DType[]>> = {
  FLOATING_TYPES: FLOATING,
  FLOATING_AND_COMPLEX_TYPES: FLOATING,
  ALL_TYPES: [...INTEGRAL, ...FLOATING],
  ALL_TYPES_AND_COMPLEX: [...INTEGRAL, ...FLOATING],
  INTEGRAL_TYPES: INTEGRAL,
  REDUCED_FLOATING_TYPES: REDUCED,
};

const NAME = /^AT_DISPATCH_(CASE_)?([A-Z_]*?TYPES(?:_AND_COMPLEX)?)(_AND_HALF|_AND(\d?))?$/;

export function isDispatch(name: string): boolean {
  return (
    NAME.test(name) ||
    name === 'AT_DISPATCH_SWITCH' ||
    name === 'AT_DISPATCH_CASE' ||
    name === 'AT_DISPATCH_INDEX_TYPES'
  );
}

export const DISPATCH: LibraryFunction = (call) => {
  if (call.name === 'AT_DISPATCH_SWITCH') return dispatchSwitch(call);
  if (call.name === 'AT_DISPATCH_INDEX_TYPES') return run(call, ['int32', 'int64'], 0, 'index_t', wanted(call, 0));
  const match = NAME.exec(call.name);
  const set = SETS[match?.[2] ?? ''];
  if (!match || !set || match[1]) throw unsupported(call.name, call.line);
  const extra = match[3] === undefined || match[3] === '_AND_HALF' ? 0 : Number(match[4] || 1);
  const dtypes = [...set];
  if (match[3] === '_AND_HALF') dtypes.push('float16');
  for (let i = 0; i < extra; i++) dtypes.push(wanted(call, i));
  return run(call, dtypes, extra, 'scalar_t', wanted(call, extra));
};

/** The dtype that argument `i` is. */
function wanted(call: LibraryCall, i: number): DType {
  const value = call.value(i);
  if (value.kind === 'dtype') return value.dtype;
  if (value.kind === 'options' && value.options.dtype) return value.options.dtype;
  throw invalid(`argument ${i + 1} of ${call.name} is not a dtype but ${describeValue(value)}`, call.line);
}

function run(call: LibraryCall, dtypes: readonly DType[], at: number, alias: string, dtype: DType): Value {
  const body = call.value(at + 2);
  if (!dtypes.includes(dtype)) {
    const text = call.value(at + 1);
    throw fails(
      `${text.kind === 'string' ? text.value : call.name} is not implemented for ${dtype} (${call.name})`,
      call.line,
    );
  }
  const types = new Map<string, CppType>([[alias, cppTypeOf(dtype)]]);
  return callValue(call.m, body, [], call.scope, call.line, types);
}

/** AT_DISPATCH_SWITCH(dtype, name, AT_DISPATCH_CASE(kFloat, [&] {...}) ...): cases are read, not called. */
function dispatchSwitch(call: LibraryCall): Value {
  const dtype = wanted(call, 0);
  for (const e of call.expressions.slice(2)) {
    if (e.kind !== 'call' || e.callee.kind !== 'name') throw unsupported('this case of AT_DISPATCH_SWITCH', e.line);
    const name = e.callee.name.path[0] ?? '';
    // A case's arguments, in the scope of the switch.
    const inner = call.with(name, e.arguments);
    const match = NAME.exec(name);
    let dtypes: readonly DType[];
    let at = 0;
    if (name === 'AT_DISPATCH_CASE') {
      dtypes = [wanted(inner, 0)];
      at = 1;
    } else {
      const set = SETS[match?.[2] ?? ''];
      if (!match?.[1] || !set) throw unsupported(name, e.line);
      const extra = match[3] === undefined || match[3] === '_AND_HALF' ? 0 : Number(match[4] || 1);
      dtypes = [...set, ...(match[3] === '_AND_HALF' ? (['float16'] as const) : [])];
      for (; at < extra; at++) dtypes = [...dtypes, wanted(inner, at)];
    }
    if (dtypes.includes(dtype)) {
      const types = new Map<string, CppType>([['scalar_t', cppTypeOf(dtype)]]);
      return callValue(call.m, inner.value(at), [], call.scope, call.line, types);
    }
  }
  throw fails(`no case of AT_DISPATCH_SWITCH takes ${dtype}`, call.line);
}

/** A call of an extension's function from Python: pybind11's rules for the arguments, then the interpreter, then what Python gets back. */
import type { ExtensionArgument, ExtensionCall, ExtensionResult } from '../../task/index.ts';
import { invalid, unsupported } from '../error.ts';
import { callValue } from '../interpret/calls.ts';
import { convert, initialised } from '../interpret/convert.ts';
import { evaluate, type Operand } from '../interpret/expressions.ts';
import { type HostExport, hostExports, hostFunction } from '../interpret/host.ts';
import type { Machine } from '../interpret/machine.ts';
import { resolveType } from '../interpret/type-resolver.ts';
import { type CppType, DOUBLE, LONG, spellType } from '../interpret/types.ts';
import { boolValue, cell, describeValue, type TensorView, tensorValue, type Value } from '../interpret/values.ts';

/** The functions that Python sees of an extension: those asked for by name, and the exports of its own module. */
export function functionsOf(m: Machine, asked: readonly string[]): Map<string, HostExport> {
  const found = new Map(hostExports(m).map((each) => [each.exported, each]));
  for (const name of asked) {
    const one = hostFunction(m, name);
    if (!one) throw invalid(`load_inline names the function ${name}, which the sources do not define`, 0);
    // The binding that load_inline writes names no arguments: C++'s own defaults are not seen from Python.
    found.set(name, { ...one, parameters: one.parameters.map((p) => ({ ...p, default: undefined })) });
  }
  return found;
}

/** What a call gives: a value of C++, not yet told to Python. @throws CandidateError with the line of the C++ text */
export function callExtension(m: Machine, fn: HostExport, call: ExtensionCall, tensors: readonly TensorView[]): Value {
  const given = [...call.arguments];
  const byName = new Map(Object.entries(call.keywords));
  const operands = fn.parameters.map((parameter, i): Operand => {
    const argument = given[i] ?? byName.get(parameter.name);
    byName.delete(parameter.name);
    if (argument === undefined) {
      if (!parameter.default)
        throw invalid(`${fn.exported} is called without its argument ${parameter.name || i + 1}`, fn.line);
      return { value: evaluate(m, parameter.default, m.globals) };
    }
    const type = resolveType(m, parameter.type, m.globals);
    const wrong = () =>
      invalid(
        `${fn.exported} takes ${spellType(type)} as ${parameter.name || `argument ${i + 1}`}, and Python gives ${told(argument)}`,
        fn.line,
      );
    const value = pythonValue(argument, type, tensors);
    if (value === undefined) throw wrong();
    const held = convert(value, type, fn.line);
    return { cell: cell(type, held), value: held };
  });
  const extra = given.length - fn.parameters.length;
  if (extra > 0)
    throw invalid(`${fn.exported} takes ${fn.parameters.length} arguments, ${given.length} given`, fn.line);
  const [unknown] = byName.keys();
  if (unknown !== undefined) throw invalid(`${fn.exported} has no parameter ${unknown}`, fn.line);
  return callValue(m, fn.value, operands, m.globals, fn.line);
}

function told(argument: ExtensionArgument): string {
  if ('tensor' in argument) return 'a tensor';
  if ('int' in argument) return argument.int;
  if ('float' in argument) return argument.float;
  if ('list' in argument) return 'a list';
  return 'dtype' in argument ? `torch.${argument.dtype}` : JSON.stringify(argument.plain);
}

/** A Python value for a parameter of this type; undefined where pybind11 takes it not. A float is never made an integer. */
function pythonValue(argument: ExtensionArgument, type: CppType, tensors: readonly TensorView[]): Value | undefined {
  if (type.kind === 'optional') {
    if ('plain' in argument && argument.plain === null) return { kind: 'optional', of: type.of };
    return pythonValue(argument, type.of, tensors);
  }
  if ('tensor' in argument) {
    const tensor = tensors[argument.tensor];
    return tensor && type.kind === 'library' && type.name === 'Tensor' ? tensorValue(tensor) : undefined;
  }
  if ('int' in argument) {
    if (type.kind === 'float') return { kind: 'float', type: DOUBLE, value: Number(argument.int) };
    if (type.kind !== 'int' && !(type.kind === 'library' && type.name === 'Scalar')) return undefined;
    const value = BigInt(argument.int);
    // pybind11 refuses an integer that its type cannot hold.
    if (type.kind === 'int' && BigInt.asIntN(64, value) !== value) return undefined;
    return { kind: 'int', type: LONG, value };
  }
  if ('float' in argument) {
    const scalar = type.kind === 'library' && type.name === 'Scalar';
    const text = argument.float;
    const value = text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text);
    return type.kind === 'float' || scalar ? { kind: 'float', type: DOUBLE, value } : undefined;
  }
  if ('list' in argument) {
    if (type.kind !== 'list') return undefined;
    const cells = [];
    for (const [i, item] of argument.list.entries()) {
      const element = type.element ?? type.elements?.[i] ?? LONG;
      const value = pythonValue(item, element, tensors);
      if (value === undefined) return undefined;
      cells.push(cell(element, convert(value, element, 0)));
    }
    return { kind: 'list', container: 'vector', element: type.element, cells };
  }
  if ('dtype' in argument) return { kind: 'dtype', dtype: argument.dtype as TensorView['dtype'] };
  if (typeof argument.plain === 'boolean')
    return type.kind === 'int' || type.kind === 'float' ? boolValue(argument.plain) : undefined;
  if (typeof argument.plain === 'string') return { kind: 'string', value: argument.plain };
  return undefined;
}

/** What Python gets back. `define` is called for each new tensor, in order. */
export function resultOf(
  value: Value,
  tensors: readonly TensorView[],
  line: number,
  define: (view: TensorView) => void,
): ExtensionResult {
  switch (value.kind) {
    case 'void':
      return null;
    case 'optional':
      return value.cell ? resultOf(initialised(value.cell, line), tensors, line, define) : null;
    case 'int':
      return { plain: value.type.name === 'bool' ? value.value !== 0n : Number(value.value) };
    case 'float':
      return { plain: value.value };
    case 'list': {
      const list = value.cells.map((c) => resultOf(initialised(c, line), tensors, line, define));
      return { list, tuple: value.container === 'tuple' };
    }
    case 'tensor':
      break;
    default:
      throw unsupported(`${describeValue(value)} as the result of an extension's function`, line);
  }
  const made = value.tensor;
  if (!made) throw invalid('the function returns a tensor that was never given a value', line);
  if (made.device === 'cpu')
    throw invalid(
      `the result ${made.name} lies in CPU memory; make it with .device(torch::kCUDA) or another tensor's options()`,
      line,
    );
  const same = (t: TensorView) =>
    t.buffer === made.buffer &&
    t.offset === made.offset &&
    String(t.shape) === String(made.shape) &&
    String(t.strides) === String(made.strides);
  const whole = tensors.findIndex(same);
  const argument = whole >= 0 ? whole : tensors.findIndex((t) => t.buffer === made.buffer);
  if (whole < 0) define(made);
  const { shape, strides, dtype } = made;
  return { shape, strides, dtype, argument: argument < 0 ? null : argument, whole: whole >= 0 };
}

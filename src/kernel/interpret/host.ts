/**
 * Interprets a candidate's host function for given shapes. The candidate's host code runs nowhere: it is read, here, in a
 * world of tensors' shapes, and what it asks of the GPU is written down.
 */
import type { InitScalar, Signature, SignatureTensor } from '../../task/index.ts';
import type { Expression, Parameter, Statement } from '../cpp/ast.ts';
import { parseBody } from '../cpp/statement-parser.ts';
import { parseTranslationUnit, type TranslationUnit } from '../cpp/translation-unit.ts';
import type { DeviceFacts } from '../device-facts.ts';
import { CandidateError, invalid, unsupported } from '../error.ts';
import type { HostTrace } from '../trace.ts';
import { callValue } from './calls.ts';
import { convert, initialised } from './convert.ts';
import { evaluate, type Operand } from './expressions.ts';
import { DEFAULT_LIMITS, type HostLimits } from './limits.ts';
import { Machine } from './machine.ts';
import { Program } from './program.ts';
import { resolveType } from './type-resolver.ts';
import { BOOL, type CppType, DOUBLE, LONG } from './types.ts';
import {
  boolValue,
  cell,
  describeValue,
  longList,
  longValue,
  type TensorView,
  tensorValue,
  type Value,
} from './values.ts';
import { type OccupancyOracle, World } from './world.ts';

export interface HostEnvironment {
  facts: DeviceFacts;
  limits?: Partial<HostLimits>;
  /** Absent: occupancy queries are an error. */
  occupancy?: OccupancyOracle;
  /** Name of the function to interpret, where the file exports several. */
  entry?: string;
}

/** @throws CandidateError for anything the candidate does that a plan cannot express, or should not. */
export function interpretHost(
  candidate: string | TranslationUnit,
  signature: Signature,
  environment: HostEnvironment,
): HostTrace {
  const unit = typeof candidate === 'string' ? parseTranslationUnit(candidate) : candidate;
  const world = new World({
    facts: environment.facts,
    limits: { ...DEFAULT_LIMITS, ...environment.limits },
    occupancy: environment.occupancy ?? noOccupancy,
  });
  const machine = new Machine(new Program(unit), world);
  try {
    return run(machine, signature, environment.entry);
  } catch (error) {
    // The parser's and the evaluator's own recursion is bounded well below this; nothing else may escape as a crash.
    if (error instanceof RangeError)
      throw new CandidateError('limit', 'the host code is nested too deeply to be read', 0);
    throw error;
  }
}

const noOccupancy: OccupancyOracle = (kernel) => {
  throw unsupported('an occupancy query where kernels have not been compiled', kernel.line);
};

function run(m: Machine, signature: Signature, wanted: string | undefined): HostTrace {
  const entry = findEntry(m, wanted, signature.entry ?? 'forward');
  const operands = bindArguments(m, entry, signature);
  const result = callValue(m, entry.value, operands, m.globals, entry.line);
  const { world } = m;
  return {
    buffers: world.buffers,
    steps: world.steps,
    outputs: outputsOf(result, entry.line),
    instantiations: [...world.uses.values()],
    entry: entry.name,
  };
}

/** A host function that can be called from outside. */
export interface HostExport {
  /** The name it is exported under. */
  exported: string;
  name: string;
  value: Value;
  parameters: readonly Parameter[];
  line: number;
}

/**
 * The function to interpret: the one asked for; else the export named as the task's direction, `forward` or `backward`; else the only export; else, without
 * exports, the function of that name, or the only host function that takes tensors and is called by no other. A file may hold both directions: the
 * other one's name is never taken for this one.
 */
function findEntry(m: Machine, wanted: string | undefined, direction: 'forward' | 'backward'): HostExport {
  const other = direction === 'forward' ? 'backward' : 'forward';
  const everything = hostExports(m);
  const exported = wanted ? everything : everything.filter((e) => e.exported !== other);
  if (everything.length > exported.length && exported.length === 0)
    throw wrongDirection(direction, everything[0]!.line);
  if (exported.length > 0) {
    const chosen =
      exported.find((e) => e.exported === (wanted ?? direction)) ??
      (exported.length === 1 && !wanted ? exported[0] : undefined);
    if (chosen) return chosen;
    if (!wanted) {
      throw invalid(
        `exports ${exported.map((e) => e.exported).join(', ')}: name the one to judge "${direction}"`,
        exported[0]?.line ?? 0,
      );
    }
  }
  const written = [...m.program.functions.values()].flat().filter((f) => f.space === 'host' && f.body);
  const named = written.filter((f) => f.name === (wanted ?? direction));
  const hosts = wanted ? written : written.filter((f) => f.name !== other);
  const opposite = wanted ? undefined : written.find((f) => f.name === other);
  const mentionsTensor = (p: Parameter): boolean =>
    p.type.name.path.includes('Tensor') || (p.type.name.arguments ?? []).some((a) => /\bTensor\b/.test(a.text));
  const candidates =
    named.length > 0
      ? named
      : wanted
        ? []
        : hosts.filter(
            (f) =>
              f.parameters.some(mentionsTensor) &&
              !hosts.some((g) => g !== f && g.body?.some((t) => t.kind === 'identifier' && t.text === f.name)),
          );
  if (candidates.length === 1 || (named.length > 0 && candidates[0])) {
    const [f] = candidates;
    if (f) return entryOf(m, f.name, { kind: 'function', name: f.name, overloads: [f], scope: m.globals }, f.line);
  }
  if (opposite && candidates.length === 0) throw wrongDirection(direction, opposite.line);
  if (hosts.length === 0) {
    throw invalid(
      `there is no host function: write \`torch::Tensor ${direction}(torch::Tensor x, ...)\` that launches the kernels`,
      0,
    );
  }
  const names = (candidates.length > 0 ? candidates : hosts).map((f) => f.name).join(', ');
  throw invalid(`which host function is to be judged (${names})? Name it \`${direction}\``, 0);
}

/** A file of one direction, judged in the other. */
function wrongDirection(direction: 'forward' | 'backward', line: number): CandidateError {
  return direction === 'forward'
    ? invalid('there is a `backward` and no `forward`: judge it with --backward, or write the forward too', line)
    : invalid('there is a `forward` and no `backward`: judge it without --backward, or write the backward too', line);
}

/** The functions that the file exports (PYBIND11_MODULE, TORCH_LIBRARY). */
export function hostExports(m: Machine): HostExport[] {
  const entries: HostExport[] = [];
  for (const item of m.program.unit.items) {
    if (item.kind !== 'export') continue;
    const body = parseBody(item.body, m.program.unit.names, item.line);
    for (const call of definitions(body)) {
      const [name] = call.arguments;
      const target = exportedFunction(call);
      if (name?.kind !== 'string' || !target) continue;
      const exported = name.value.split('(')[0]?.trim().split('::').at(-1) ?? '';
      const entry = entryOf(m, exported, evaluate(m, target, m.globals), call.line);
      const defaults = argumentDefaults(call.arguments.slice(2));
      const parameters = entry.parameters.map((p) => ({ ...p, default: defaults.get(p.name) ?? p.default }));
      entries.push({ ...entry, parameters });
    }
  }
  return entries;
}

/** The host function of this name, where there is exactly one. */
export function hostFunction(m: Machine, name: string): HostExport | undefined {
  const overloads = m.program.findFunctions([name], []).filter((f) => f.space === 'host' && f.body);
  const [only] = overloads;
  if (!only) return undefined;
  return entryOf(m, name, { kind: 'function', name, overloads, scope: m.globals }, only.line);
}

/**
 * The function in `m.def("f", &f, ...)`, `m.impl("f", torch::kCUDA, &f)`, `m.impl("f", torch::dispatch(key, TORCH_FN(f)))`;
 * undefined where there is only a schema, or where it is for another device than the GPU.
 */
function exportedFunction(call: Extract<Expression, { kind: 'call' }>): Expression | undefined {
  const { arguments: args, callee } = call;
  const isImplementation = callee.kind === 'member' && callee.name === 'impl';
  let fn = isImplementation && args.length > 1 ? args.at(-1) : args[1];
  const keys = isImplementation ? args.slice(1, -1) : [];
  while (fn?.kind === 'call' && fn.arguments.length > 0) {
    keys.push(...fn.arguments.slice(0, -1));
    fn = fn.arguments.at(-1);
  }
  const elsewhere = keys.some((k) => k.kind === 'name' && /^(kCPU|CPU|kMeta|Meta)$/.test(k.name.path.at(-1) ?? ''));
  return elsewhere ? undefined : fn;
}

/** `py::arg("eps") = 1e-5` among the arguments of `m.def`. */
function argumentDefaults(args: readonly Expression[]): Map<string, Expression> {
  const defaults = new Map<string, Expression>();
  for (const e of args) {
    if (e.kind !== 'assign' || e.left.kind !== 'call' || e.left.callee.kind !== 'name') continue;
    const [name] = e.left.arguments;
    if (e.left.callee.name.path.at(-1) === 'arg' && name?.kind === 'string') defaults.set(name.value, e.right);
  }
  return defaults;
}

/** `m.def(...)` and `m.impl(...)`, chained or not. */
function definitions(body: Statement): Extract<Expression, { kind: 'call' }>[] {
  const found: Extract<Expression, { kind: 'call' }>[] = [];
  const visit = (e: Expression): void => {
    if (e.kind !== 'call' || e.callee.kind !== 'member') return;
    visit(e.callee.object);
    if (e.callee.name === 'def' || e.callee.name === 'impl') found.push(e);
  };
  if (body.kind === 'block') for (const s of body.body) if (s.kind === 'expression') visit(s.expression);
  return found;
}

function entryOf(m: Machine, name: string, value: Value, line: number): HostExport {
  if (value.kind === 'pointer' && value.target.kind === 'function') return entryOf(m, name, value.target.value, line);
  if (value.kind === 'lambda') return { exported: name, name, value, parameters: value.lambda.parameters, line };
  if (value.kind === 'function') {
    const [fn] = value.overloads;
    if (fn?.space !== 'host') throw invalid(`the export ${name} is not a host function`, line);
    if (value.overloads.length > 1) throw unsupported(`the export ${name}, which has overloads`, line);
    if (!fn.body) throw invalid(`${fn.name} is declared but has no body`, fn.line);
    if (fn.problem) throw unsupported(`${fn.problem} (in the header of ${fn.name})`, fn.line);
    return { exported: name, name: fn.name, value, parameters: fn.parameters, line: fn.line };
  }
  throw invalid(`the export ${name} is ${describeValue(value)}, not a function`, line);
}

/**
 * Tensors go to tensor parameters in order, scalars to the others by name (in the functional form in order too). Buffers called `num_batches_tracked`, which no
 * kernel needs, may be left out; nothing else may.
 */
function bindArguments(m: Machine, entry: HostExport, signature: Signature): Operand[] {
  const views = signature.tensors.map((t, i) => m.world.argument(i, t.name, t.spec.shape, t.spec.dtype));
  const types = entry.parameters.map((p) => resolveType(m, p.type, m.globals));
  const tensorSlots = types.filter(isTensorType).length;
  let given = signature.tensors.map((tensor, i) => ({ tensor, view: views[i] as TensorView }));
  if (given.length > tensorSlots) {
    const needed = given.filter(
      ({ tensor }) => !(tensor.role === 'buffer' && /(^|\.)num_batches_tracked$/.test(tensor.name)),
    );
    if (needed.length <= tensorSlots) given = needed;
  }
  if (given.length !== tensorSlots) {
    throw invalid(
      `${entry.name} takes ${tensorSlots} tensors, the task gives ${given.length}; expected ${describeSignature(signature)}`,
      entry.line,
    );
  }
  const queue = [...given];
  const inOrder = signature.scalarsBy === 'position' ? [...signature.scalars] : undefined;
  return entry.parameters.map((parameter, i) => {
    const type = types[i] as CppType;
    if (isTensorType(type)) {
      const next = queue.shift();
      const value = tensorValue(next?.view as TensorView);
      const held: Value =
        type.kind === 'optional' ? { kind: 'optional', of: type.of, cell: cell(type.of, value) } : value;
      return { cell: cell(type, held), value: held };
    }
    const scalar = inOrder ? inOrder.shift() : signature.scalars.find((s) => s.name === parameter.name);
    if (scalar) {
      const value = scalarValue(scalar, type, parameter.line);
      return { cell: cell(type, value), value };
    }
    if (parameter.default) return { value: convert(evaluate(m, parameter.default, m.globals), type, parameter.line) };
    throw invalid(
      `the parameter ${parameter.name} of ${entry.name} is no scalar of the task; expected ${describeSignature(signature)}`,
      parameter.line,
    );
  });
}

function isTensorType(type: CppType): boolean {
  return (type.kind === 'library' && type.name === 'Tensor') || (type.kind === 'optional' && isTensorType(type.of));
}

function scalarValue(scalar: InitScalar, type: CppType, line: number): Value {
  const { value } = scalar;
  if (value === null) {
    if (type.kind === 'optional') return { kind: 'optional', of: type.of };
    throw invalid(`${scalar.name} is None; take it as c10::optional<...>`, line);
  }
  if (typeof value === 'boolean') return convert(boolValue(value), type.kind === 'library' ? BOOL : type, line);
  if (typeof value === 'string') return convert({ kind: 'string', value }, type, line);
  if (typeof value === 'number') {
    const number: Value =
      Number.isInteger(value) && !needsFloat(type) ? longValue(value) : { kind: 'float', type: DOUBLE, value };
    if (number.kind === 'float' && type.kind === 'int') {
      throw invalid(`${scalar.name} is ${value}, which the integer parameter ${scalar.name} cannot hold`, line);
    }
    return convert(number, type, line);
  }
  if (value.every((v) => Number.isInteger(v)))
    return convert({ ...longList(value, 'vector'), element: LONG }, type, line);
  const cells = value.map((v) => cell(DOUBLE, { kind: 'float' as const, type: DOUBLE, value: v }));
  return convert({ kind: 'list', container: 'vector', element: DOUBLE, cells }, type, line);
}

function needsFloat(type: CppType): boolean {
  return type.kind === 'float' || (type.kind === 'optional' && type.of.kind === 'float');
}

/** `forward(Tensor x [4, 8] float32, Tensor weight [8] float32, eps)`. */
export function describeSignature(signature: Signature): string {
  const tensor = (t: SignatureTensor): string =>
    `Tensor ${t.name.replaceAll('.', '_')} [${t.spec.shape.join(', ')}] ${t.spec.dtype}`;
  const parts = [...signature.tensors.map(tensor), ...signature.scalars.map((s) => s.name)];
  return `${signature.entry ?? 'forward'}(${parts.join(', ')})`;
}

function outputsOf(result: Value, line: number): TensorView[] {
  const values = result.kind === 'list' ? result.cells.map((c) => initialised(c, line)) : [result];
  return values.map((value) => {
    const inner = value.kind === 'optional' && value.cell?.value ? value.cell.value : value;
    if (inner.kind !== 'tensor' || !inner.tensor)
      throw invalid(`the host function must return tensors, not ${describeValue(value)}`, line);
    if (inner.tensor.device === 'cpu') {
      throw invalid(
        `the result ${inner.tensor.name} lies in CPU memory; make it with .device(torch::kCUDA) or another tensor's options()`,
        line,
      );
    }
    return inner.tensor;
  });
}

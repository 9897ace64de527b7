/** `kernel<<<grid, block, shared, stream>>>(arguments)`: the one thing a host function is for. */
import type { Expression, Parameter } from '../cpp/ast.ts';
import { BLOCK_LIMITS, GRID_LIMITS, THREADS_PER_BLOCK } from '../device-facts.ts';
import { CandidateError, fails, invalid, unsupported } from '../error.ts';
import type { KernelUse, TraceLaunch } from '../trace.ts';
import type { Dim3 } from '../types.ts';
import { bindTemplate, chooseOverload, elementTypes } from './calls.ts';
import { construct } from './construct.ts';
import { convert, initialised, toIndex } from './convert.ts';
import { evaluate, type Operand } from './expressions.ts';
import { showBytes } from './limits.ts';
import type { Machine } from './machine.ts';
import { resolveAll } from './packs.ts';
import type { Scope } from './scope.ts';
import { spellTemplate } from './spell.ts';
import { resolveType } from './type-resolver.ts';
import { type CppType, NAMED_TYPES } from './types.ts';
import { describeValue, type FunctionValue, type Value } from './values.ts';

export function launchExpression(m: Machine, e: Extract<Expression, { kind: 'launch' }>, scope: Scope): void {
  const { line } = e;
  const kernel = kernelOf(evaluate(m, e.kernel, scope), line);
  const grid = toDim3(evaluate(m, e.grid, scope), line);
  const block = toDim3(evaluate(m, e.block, scope), line);
  const shared = e.shared ? toIndex(evaluate(m, e.shared, scope), line) : 0;
  if (e.stream) requireCurrentStream(evaluate(m, e.stream, scope), line);
  const operands = resolveAll(m, e.arguments, scope);
  launch(m, kernel, { grid, block, dynamicSharedBytes: shared }, operands, line);
}

/** What stands between `<<<` and `>>>`, or in a cudaLaunchConfig_t. */
export type LaunchShape = Pick<TraceLaunch, 'grid' | 'block' | 'dynamicSharedBytes' | 'cluster' | 'cooperative'>;

/** Also reached by cudaLaunchKernel-style calls. */
export function launch(
  m: Machine,
  kernel: FunctionValue,
  shape: LaunchShape,
  operands: readonly Operand[],
  line: number,
): void {
  const { use, scope } = kernelUse(m, kernel, operands, line);
  checkShape(m, use, shape, line);
  if (shape.cluster) checkCluster(m, use, shape.grid, shape.cluster, line);
  const parameters = use.item.parameters.flatMap((parameter, i): { parameter: Parameter; type?: CppType }[] => {
    if (!parameter.isPack) return [{ parameter }];
    const types = elementTypes(m, parameter, operands.length - i, scope, line);
    return types.map((type) => ({ parameter, type }));
  });
  const args = parameters.map(({ parameter, type: known }, i) => {
    const operand = operands[i];
    if (!operand)
      throw invalid(
        `${use.spelling} needs the argument ${parameter.name}: kernels are launched with all of them`,
        line,
      );
    if (operand.value === undefined)
      throw invalid(`the argument ${parameter.name} of ${use.spelling} has no value yet`, line);
    const type = known ?? resolveType(m, parameter.type, scope);
    if (type.reference)
      throw invalid(
        `the parameter ${parameter.name} of ${use.spelling} is a reference; kernels take values and pointers`,
        line,
      );
    requirePlainLayout(type, `the argument ${parameter.name} of ${use.spelling}`, line);
    if (operand.value.kind === 'tensor') {
      throw invalid(`a tensor is given to ${use.spelling} as ${parameter.name}; pass its data_ptr<T>()`, line);
    }
    try {
      if (operand.value.kind === 'list' && operand.value.container === 'initializer_list' && type.kind === 'struct')
        return construct(m, type, operand.value.cells, true, line);
      return operand.value.kind === 'fields' || operand.value.kind === 'list'
        ? construct(m, type, [operand as Operand], true, line)
        : convert(operand.value, type, line);
    } catch (error) {
      if (!(error instanceof CandidateError) || error.kind !== 'invalid') throw error;
      throw invalid(
        `argument ${i + 1} (${parameter.name}) of ${use.spelling}: ${error.message.replace(/^line \d+: /, '')}`,
        line,
      );
    }
  });
  m.world.launch(use, shape, args, line);
}

/** Fails for a struct whose bytes hold what no plan can: a table of virtual functions, or another variable's address. */
export function requirePlainLayout(type: CppType, what: string, line: number): void {
  if (type.kind !== 'struct') return;
  if (type.behaviour?.isPolymorphic) throw unsupported(`${what}: ${type.name} has virtual functions`, line);
  const reference = type.fields.find((f) => f.isReference);
  if (reference) throw unsupported(`${what}: the field ${reference.name} of ${type.name} is a reference`, line);
  for (const field of type.fields) requirePlainLayout(field.type, what, line);
}

/** A kernel with its template arguments, from what stands before `<<<` or in a query's argument. */
export function kernelUse(
  m: Machine,
  kernel: FunctionValue,
  operands: readonly Operand[],
  line: number,
): { use: KernelUse; scope: Scope } {
  const kernels = kernel.overloads.filter((f) => f.space === 'kernel');
  if (kernels.length === 0) throw invalid(`${kernel.name} is not a __global__ function`, line);
  const specialized = kernels.some((f) => f.isSpecialization);
  const primary: FunctionValue = specialized
    ? { ...kernel, overloads: kernels.filter((f) => !f.isSpecialization) }
    : kernel;
  const item = chooseOverload(m, primary, operands, line, (f) => f.space === 'kernel');
  const { scope, values } = bindTemplate(m, item, kernel.arguments ?? [], operands, kernel.scope, line);
  return {
    use: {
      item,
      templateArguments: values,
      spelling: spellTemplate([...item.namespace, item.name], values, line),
      line,
    },
    scope,
  };
}

/** A kernel named without a call: its template arguments must all be written. */
export function kernelNamed(m: Machine, value: Value, line: number): KernelUse {
  const kernel = kernelOf(value, line);
  const kernels = kernel.overloads.filter((f) => f.space === 'kernel');
  const [item] = kernels;
  if (!item) throw invalid(`${kernel.name} is not a __global__ function`, line);
  if (kernels.length > 1) throw unsupported(`a query of the overloaded kernel ${kernel.name}`, line);
  const { values } = bindTemplate(m, item, kernel.arguments ?? [], [], kernel.scope, line);
  return {
    item,
    templateArguments: values,
    spelling: spellTemplate([...item.namespace, item.name], values, line),
    line,
  };
}

export function kernelOf(value: Value, line: number): FunctionValue {
  if (value.kind === 'function') return value;
  if (value.kind === 'pointer' && value.target.kind === 'function') return value.target.value;
  throw invalid(`${describeValue(value)} cannot be launched`, line);
}

export function toDim3(value: Value, line: number): Dim3 {
  const type = NAMED_TYPES.get('dim3');
  if (type?.kind !== 'struct') throw unsupported('dim3', line);
  const struct = convert(value, type, line);
  if (struct.kind !== 'struct') throw invalid(`${describeValue(value)} is no grid or block`, line);
  const part = (name: string): number => {
    const field = struct.fields.get(name);
    return field ? toIndex(initialised(field, line), line) : 1;
  };
  return [part('x'), part('y'), part('z')];
}

/** The rules of cudaLaunchAttributeClusterDimension (CUDA C++ Programming Guide, "Thread Block Clusters"). */
function checkCluster(m: Machine, use: KernelUse, grid: Dim3, cluster: Dim3, line: number): void {
  const [major] = m.world.facts.computeCapability;
  if (major < 9)
    throw fails(`${use.spelling} is launched in clusters, which ${m.world.facts.name} does not have`, line);
  const blocks = cluster[0] * cluster[1] * cluster[2];
  const most = m.world.clusterLimit(use);
  if (blocks < 1 || blocks > most) {
    throw fails(`${use.spelling}: a cluster of ${blocks} blocks, at most ${most}`, line);
  }
  if (grid.some((n, i) => n % (cluster[i] ?? 1) !== 0)) {
    throw fails(
      `${use.spelling}: the grid (${grid.join(', ')}) is no multiple of the cluster (${cluster.join(', ')})`,
      line,
    );
  }
}

export function requireCurrentStream(value: Value, line: number): void {
  const zero =
    (value.kind === 'int' && value.value === 0n) || (value.kind === 'pointer' && value.target.kind === 'null');
  if (value.kind !== 'stream' && !zero) throw invalid(`${describeValue(value)} is not the current stream`, line);
}

/** What cudaLaunchKernel would answer with cudaErrorInvalidConfiguration. */
function checkShape(m: Machine, use: KernelUse, shape: LaunchShape, line: number): void {
  const { grid, block, dynamicSharedBytes: sharedBytes } = shape;
  const show = (d: Dim3): string => `(${d.join(', ')})`;
  const what = `${use.spelling}<<<${show(grid)}, ${show(block)}>>>`;
  if (grid.some((n) => n === 0) || block.some((n) => n === 0)) {
    throw fails(`${what}: a grid or block of size 0 is an invalid configuration`, line);
  }
  grid.forEach((n, i) => {
    if (n > (GRID_LIMITS[i] ?? 1)) throw fails(`${what}: the grid's ${'xyz'[i]} is at most ${GRID_LIMITS[i]}`, line);
  });
  block.forEach((n, i) => {
    if (n > (BLOCK_LIMITS[i] ?? 1)) throw fails(`${what}: the block's ${'xyz'[i]} is at most ${BLOCK_LIMITS[i]}`, line);
  });
  const threads = block[0] * block[1] * block[2];
  if (threads > THREADS_PER_BLOCK)
    throw fails(`${what}: ${threads} threads in a block, at most ${THREADS_PER_BLOCK}`, line);
  if (sharedBytes < 0 || sharedBytes > m.world.facts.sharedBytesPerBlockOptIn) {
    throw fails(
      `${what}: ${showBytes(sharedBytes)} of dynamic shared memory, ${m.world.facts.name} has ${showBytes(m.world.facts.sharedBytesPerBlockOptIn)} for a block`,
      line,
    );
  }
}

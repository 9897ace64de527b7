/** A candidate that is PTX with a launch description: no host code at all, so the plan is read, checked and written down. */
import { createHash } from 'node:crypto';
import type { Signature } from '../../task/index.ts';
import { assemblePtx, BuildError } from '../build/index.ts';
import { type PrepareOptions, unknownResources } from '../compile-unit.ts';
import {
  BLOCK_LIMITS,
  type DeviceFacts,
  GRID_LIMITS,
  REGISTERS_PER_BLOCK,
  THREADS_PER_BLOCK,
} from '../device-facts.ts';
import { CandidateError, fails, invalid, overLimit } from '../error.ts';
import { DEFAULT_LIMITS, showBytes } from '../interpret/limits.ts';
import { contiguousStrides, count } from '../interpret/world.ts';
import { DTYPE_BYTES, elementBytes, floatBytes, intBytes } from '../number-format.ts';
import { declaredSharedBytes, type PtxEntry, type PtxParameter, readEntries } from '../ptx-entries.ts';
import type { Build, Dim3, LaunchArgument, PlanBuffer, PlanStep, PlanTensor, PreparedCandidate } from '../types.ts';
import { type DescribedArgument, type DescribedLaunch, type Description, readDescription } from './description.ts';

/** @throws CandidateError; BuildError where the assembler was stopped. */
export async function preparePtx(
  source: string,
  signature: Signature,
  options: PrepareOptions,
  facts: DeviceFacts,
): Promise<PreparedCandidate> {
  const description = readDescription(source);
  const { arch, signal } = options;
  let build: Build;
  try {
    build = await assemblePtx({ ptx: description.ptx, arch, signal });
  } catch (error) {
    if (error instanceof BuildError && error.kind === 'compile') throw new CandidateError('compile', error.message, 0);
    throw error;
  }
  const tensors = tensorsOf(description, signature);
  const entries = new Map(readEntries(description.ptx).map((entry) => [entry.name, entry]));
  const steps = description.steps.map((step, i): PlanStep => {
    const where = `steps[${i}]`;
    const tensor = (name: string): PlanTensor => named(tensors.views, name, where);
    if ('fill' in step) {
      const target = tensor(step.fill);
      return { kind: 'fill', tensor: target, bytes: elementBytes(step.value, target.dtype), line: 0 };
    }
    if ('copy' in step) {
      const [from, to] = [tensor(step.copy), tensor(step.to)];
      if (String(from.shape) !== String(to.shape))
        throw invalid(`${where}: ${step.copy} and ${step.to} have different shapes`, 0);
      return { kind: 'copy', from, to, line: 0 };
    }
    const entry = entries.get(step.launch);
    if (!entry)
      throw invalid(
        `${where}: the PTX has no entry ${step.launch}; it has ${[...entries.keys()].join(', ') || 'none'}`,
        0,
      );
    return launchOf(step, entry, where, build, facts, tensor);
  });
  const outputs = description.outputs.map((name) => named(tensors.views, name, 'outputs'));
  const plan = { buffers: tensors.buffers, steps, outputs };
  const remarks = unknownResources(build);
  const sourceHash = createHash('sha256').update(source).digest('hex');
  return { source, sourceHash, plan, build, ...(remarks.length > 0 && { remarks }) };
}

interface Tensors {
  buffers: PlanBuffer[];
  views: ReadonlyMap<string, PlanTensor>;
}

function tensorsOf({ workspaces, shapes }: Description, signature: Signature): Tensors {
  const buffers: PlanBuffer[] = [];
  const views = new Map<string, PlanTensor>();
  const add = (name: string, shape: readonly number[], dtype: PlanTensor['dtype'], argument?: number) => {
    if (views.has(name)) throw invalid(`there are two tensors ${name}: a workspace needs a name of its own`, 0);
    const id = buffers.length;
    const bytes = count(shape) * DTYPE_BYTES[dtype];
    buffers.push(
      argument === undefined ? { id, bytes, kind: 'workspace', name } : { id, bytes, kind: 'argument', argument, name },
    );
    views.set(name, { buffer: id, dtype, shape, strides: contiguousStrides(shape), offset: 0 });
  };
  signature.tensors.forEach(({ name, spec }, i) => {
    const written = shapes[name];
    if (written && String(written) !== String(spec.shape))
      throw invalid(
        `the description is written for ${name} [${written.join(', ')}], and the task has [${spec.shape.join(', ')}]`,
        0,
      );
    add(name, spec.shape, spec.dtype, i);
  });
  for (const name of Object.keys(shapes))
    if (!views.has(name)) throw invalid(`shapes: the task has no tensor ${name}`, 0);
  for (const { name, shape, dtype } of workspaces) add(name, shape, dtype);
  const bytes = buffers.reduce((sum, b) => sum + (b.kind === 'workspace' ? b.bytes : 0), 0);
  if (bytes > DEFAULT_LIMITS.workspaceBytes)
    throw overLimit(
      `asks for ${showBytes(bytes)} of workspace, limit is ${showBytes(DEFAULT_LIMITS.workspaceBytes)}`,
      0,
    );
  return { buffers, views };
}

function named(views: ReadonlyMap<string, PlanTensor>, name: string, where: string): PlanTensor {
  const found = views.get(name);
  if (!found) throw invalid(`${where}: there is no tensor ${name}; there are ${[...views.keys()].join(', ')}`, 0);
  return found;
}

function launchOf(
  step: DescribedLaunch,
  entry: PtxEntry,
  where: string,
  build: Build,
  facts: DeviceFacts,
  tensor: (name: string) => PlanTensor,
): PlanStep {
  const [grid, block] = [dim3(step.grid), dim3(step.block)];
  checkShape(step, entry, grid, block, where, build, facts);
  const { parameters } = entry;
  if (parameters.length !== step.arguments.length)
    throw invalid(`${where}: ${entry.name} takes ${parameters.length} arguments, ${step.arguments.length} given`, 0);
  const args = step.arguments.map((argument, i) =>
    encoded(argument, parameters[i] as PtxParameter, `${where}.arguments[${i}]`, tensor),
  );
  const { dynamicSharedBytes } = step;
  return {
    kind: 'launch',
    entry: entry.name,
    kernel: entry.name,
    grid,
    block,
    dynamicSharedBytes,
    arguments: args,
    line: entry.line,
  };
}

const dim3 = ([x = 1, y = 1, z = 1]: readonly number[]): Dim3 => [x, y, z];

function checkShape(
  step: DescribedLaunch,
  entry: PtxEntry,
  grid: Dim3,
  block: Dim3,
  where: string,
  build: Build,
  facts: DeviceFacts,
): void {
  const axes = 'xyz';
  const over = (dims: Dim3, limits: readonly number[], what: string) =>
    dims.forEach((n, i) => {
      if (n > (limits[i] ?? 1)) throw fails(`${where}: the ${what}'s ${axes[i]} is at most ${limits[i]}`, 0);
    });
  over(grid, GRID_LIMITS, 'grid');
  over(block, BLOCK_LIMITS, 'block');
  const threads = block[0] * block[1] * block[2];
  const own = build.resources.find((r) => r.entry === step.launch);
  const most = Math.min(THREADS_PER_BLOCK, entry.maxThreads ?? THREADS_PER_BLOCK);
  if (threads > most) throw fails(`${where}: ${threads} threads in a block, at most ${most}`, 0);
  if (own && own.registers * threads > REGISTERS_PER_BLOCK)
    throw fails(`${where}: ${own.registers} registers a thread: a block of ${threads} threads does not fit`, 0);
  const shared = step.dynamicSharedBytes + (own?.staticSharedBytes ?? declaredSharedBytes(build.ptx, entry.name));
  if (shared > facts.sharedBytesPerBlockOptIn)
    throw fails(
      `${where}: ${showBytes(shared)} of shared memory, ${facts.name} has ${showBytes(facts.sharedBytesPerBlockOptIn)} for a block`,
      0,
    );
}

/** An argument as the bytes of its parameter. */
function encoded(
  argument: DescribedArgument,
  { type, bytes }: PtxParameter,
  where: string,
  tensor: (name: string) => PlanTensor,
): LaunchArgument {
  const fits = (hex: string): LaunchArgument => {
    if (hex.length !== 2 * bytes)
      throw invalid(`${where}: ${hex.length / 2} bytes, and the parameter takes ${bytes} (.${type})`, 0);
    return { kind: 'bytes', hex };
  };
  if (typeof argument === 'string' || (argument !== null && typeof argument === 'object' && 'tensor' in argument)) {
    const [name, byteOffset] = typeof argument === 'string' ? [argument, 0] : [argument.tensor, argument.byteOffset];
    if (bytes !== 8) throw invalid(`${where}: a pointer for a parameter of ${bytes} bytes (.${type})`, 0);
    const { buffer, shape, dtype } = tensor(name);
    if (byteOffset > count(shape) * DTYPE_BYTES[dtype])
      throw invalid(`${where}: byteOffset lies behind the end of ${name}`, 0);
    return { kind: 'pointer', buffer, byteOffset };
  }
  if (argument === null) return fits('00'.repeat(8));
  if (typeof argument === 'number') {
    if (type === 'f32') return fits(floatBytes(argument, 'float32'));
    if (type === 'f64') return fits(floatBytes(argument, 'float64'));
    if (!Number.isSafeInteger(argument))
      throw invalid(
        `${where}: ${argument} for a parameter .${type}; say {"f32": ${argument}} if that is what the kernel reads`,
        0,
      );
    return fits(integer(BigInt(argument), bytes, where));
  }
  if ('f32' in argument) return fits(floatBytes(argument.f32, 'float32'));
  if ('f64' in argument) return fits(floatBytes(argument.f64, 'float64'));
  if ('hex' in argument) return fits(argument.hex);
  return fits(integer(BigInt(argument.int), bytes, where));
}

function integer(value: bigint, bytes: number, where: string): string {
  if (bytes > 8)
    throw invalid(`${where}: an integer for a parameter of ${bytes} bytes; give its bytes as {"hex": "..."}`, 0);
  if (BigInt.asIntN(8 * bytes, value) !== value && BigInt.asUintN(8 * bytes, value) !== value)
    throw invalid(`${where}: ${value} does not fit ${bytes} bytes`, 0);
  return intBytes(value, bytes);
}

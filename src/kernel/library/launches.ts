/** Launches that are calls: cudaLaunchKernel, cudaLaunchCooperativeKernel, and cudaLaunchKernelEx with its attributes. */
import { invalid, unsupported } from '../error.ts';
import { initialised, toIndex } from '../interpret/convert.ts';
import type { Operand } from '../interpret/expressions.ts';
import { kernelOf, type LaunchShape, launch, requireCurrentStream, toDim3 } from '../interpret/launch.ts';
import { type CppType, INT, library, NAMED_TYPES, type StructType, UINT, ULONG } from '../interpret/types.ts';
import type { Cell, StructValue, Value } from '../interpret/values.ts';
import type { Dim3 } from '../types.ts';
import type { LibraryCall, LibraryFunction } from './call.ts';
import { SUCCESS } from './status.ts';

const DIM3 = NAMED_TYPES.get('dim3') as StructType;

function plainStruct(name: string, fields: Readonly<Record<string, CppType>>): StructType {
  const list = Object.entries(fields).map(([field, type]) => ({ name: field, type }));
  return { kind: 'struct', name, fields: list, alignment: 8 };
}

/** driver_types.h: the members of the value's union that are understood. */
const ATTRIBUTE_VALUE = plainStruct('cudaLaunchAttributeValue', {
  clusterDim: plainStruct('cudaLaunchAttributeValue::clusterDim', { x: UINT, y: UINT, z: UINT }),
  cooperative: INT,
  programmaticStreamSerializationAllowed: INT,
  clusterSchedulingPolicyPreference: INT,
  priority: INT,
});
const ATTRIBUTE = plainStruct('cudaLaunchAttribute', { id: INT, val: ATTRIBUTE_VALUE });

/** The runtime's structs for launches, by name. */
export const LAUNCH_STRUCTS: Readonly<Record<string, StructType>> = {
  cudaLaunchAttribute: ATTRIBUTE,
  cudaLaunchConfig_t: plainStruct('cudaLaunchConfig_t', {
    gridDim: DIM3,
    blockDim: DIM3,
    dynamicSmemBytes: ULONG,
    stream: library('stream'),
    attrs: { kind: 'pointer', to: ATTRIBUTE },
    numAttrs: UINT,
  }),
};

/** enum cudaLaunchAttributeID, driver_types.h: those with a meaning for a plan, or none that could change a result. */
const IGNORE = 0;
const COOPERATIVE = 2;
const CLUSTER_DIMENSION = 4;
/** Scheduling hints: a cluster's scheduling policy, programmatic stream serialization (a kernel that starts early must wait itself), priority. */
const HINTS: readonly number[] = [IGNORE, 5, 6, 8];

/** `void* args[]`: the addresses of the arguments' variables. */
function argumentsAt(call: LibraryCall, i: number): Operand[] {
  const args = call.value(i);
  const list = args.kind === 'pointer' && args.target.kind === 'element' ? args.target.list : args;
  if (list.kind !== 'list') throw unsupported(`the arguments of ${call.name}`, call.line);
  return list.cells.map(({ value }) => {
    if (value?.kind !== 'pointer' || value.target.kind !== 'cell')
      throw unsupported(`the arguments of ${call.name}: write the address of each variable`, call.line);
    return { cell: value.target.cell, value: value.target.cell.value };
  });
}

/** cudaLaunchKernel(kernel, grid, block, args, shared, stream). */
const launchKernel =
  (cooperative: boolean): LibraryFunction =>
  (call) => {
    const shape: LaunchShape = {
      grid: toDim3(call.value(1), call.line),
      block: toDim3(call.value(2), call.line),
      dynamicSharedBytes: call.count > 4 ? call.index(4) : 0,
      ...(cooperative && { cooperative }),
    };
    if (call.count > 5) requireCurrentStream(call.value(5), call.line);
    launch(call.m, kernelOf(call.value(0), call.line), shape, argumentsAt(call, 3), call.line);
    return SUCCESS;
  };

/** cudaLaunchKernelEx(&config, kernel, arguments...), or cudaLaunchKernelExC(&config, kernel, args). */
const launchWithConfig =
  (asArray: boolean): LibraryFunction =>
  (call) => {
    const shape = shapeOf(call);
    const kernel = kernelOf(call.value(1), call.line);
    const operands = asArray ? argumentsAt(call, 2) : call.expressions.slice(2).map((_, i) => call.operand(i + 2));
    launch(call.m, kernel, shape, operands, call.line);
    return SUCCESS;
  };

function shapeOf(call: LibraryCall): LaunchShape {
  const { line } = call;
  const given = call.value(0);
  const config = given.kind === 'pointer' && given.target.kind === 'cell' ? given.target.cell.value : undefined;
  if (config?.kind !== 'struct' || config.type.name !== 'cudaLaunchConfig_t') {
    throw invalid(`${call.name} needs the address of a cudaLaunchConfig_t`, line);
  }
  requireCurrentStream(part(config, 'stream', line), line);
  let shape: LaunchShape = {
    grid: toDim3(part(config, 'gridDim', line), line),
    block: toDim3(part(config, 'blockDim', line), line),
    dynamicSharedBytes: toIndex(part(config, 'dynamicSmemBytes', line), line),
  };
  const count = toIndex(part(config, 'numAttrs', line), line);
  const attributes = count > 0 ? attributesAt(part(config, 'attrs', line), count, line) : [];
  for (const attribute of attributes) shape = { ...shape, ...effectOf(attribute, line) };
  return shape;
}

function attributesAt(value: Value, count: number, line: number): StructValue[] {
  const target = value.kind === 'pointer' ? value.target : undefined;
  let cells: readonly Cell[] = [];
  if (target?.kind === 'cell') cells = [target.cell];
  if (target?.kind === 'element') cells = target.list.cells.slice(target.index);
  return Array.from({ length: count }, (_, i) => {
    const attribute = cells[i]?.value;
    if (attribute?.kind !== 'struct') throw invalid(`numAttrs is ${count}, attrs has ${cells.length}`, line);
    return attribute;
  });
}

function effectOf(attribute: StructValue, line: number): Partial<LaunchShape> {
  const id = toIndex(part(attribute, 'id', line), line);
  const value = part(attribute, 'val', line);
  if (value.kind !== 'struct') throw invalid('a launch attribute without a value', line);
  if (id === CLUSTER_DIMENSION) {
    const cluster = part(value, 'clusterDim', line);
    if (cluster.kind !== 'struct') throw invalid('a cluster without dimensions', line);
    const [x, y, z] = ['x', 'y', 'z'].map((name) => toIndex(part(cluster, name, line), line));
    return { cluster: [x, y, z] as unknown as Dim3 };
  }
  if (id === COOPERATIVE) return toIndex(part(value, 'cooperative', line), line) !== 0 ? { cooperative: true } : {};
  if (HINTS.includes(id)) return {};
  throw unsupported(`the launch attribute ${id} (cudaLaunchAttributeID)`, line);
}

function part(of: StructValue, name: string, line: number): Value {
  const field = of.fields.get(name);
  if (!field) throw invalid(`${of.type.name} has no field ${name}`, line);
  return initialised(field, line, `${name} of ${of.type.name}`);
}

export const LAUNCH_FUNCTIONS: Readonly<Record<string, LibraryFunction>> = {
  cudaLaunchKernel: launchKernel(false),
  cudaLaunchCooperativeKernel: launchKernel(true),
  cudaLaunchKernelEx: launchWithConfig(false),
  cudaLaunchKernelExC: launchWithConfig(true),
};

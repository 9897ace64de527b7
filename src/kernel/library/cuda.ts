/** The CUDA runtime as a host function sees it: queries answered from the target, copies and fills as steps of the plan. */
import type { Expression } from '../cpp/ast.ts';
import {
  DEFAULT_SHARED_BYTES,
  type DeviceFacts,
  REGISTERS_PER_BLOCK,
  THREADS_PER_BLOCK,
  WARP_SIZE,
} from '../device-facts.ts';
import { fails, invalid, unsupported } from '../error.ts';
import { construct } from '../interpret/construct.ts';
import { kernelNamed } from '../interpret/launch.ts';
import { cudaVector, INT, LONG, ULONG } from '../interpret/types.ts';
import { intValue, type Value, VOID_VALUE } from '../interpret/values.ts';
import type { LibraryFunction } from './call.ts';
import { DEVICE_ATTRIBUTES } from './constants.ts';
import { SUCCESS } from './status.ts';

/** A harmless call: arguments are evaluated, nothing happens. */
const harmless: LibraryFunction = (call) => {
  call.values();
  return SUCCESS;
};

const currentStream: LibraryFunction = () => ({ kind: 'stream' });

/** cudaFuncAttributeNonPortableClusterSizeAllowed. */
const NON_PORTABLE_CLUSTER = 10;

const setAttribute: LibraryFunction = (call) => {
  const use = kernelNamed(call.m, call.value(0), call.line);
  const attribute = call.index(1);
  const value = call.index(2);
  if (attribute === 8) {
    const most = call.m.world.facts.sharedBytesPerBlockOptIn;
    if (value > most) {
      throw fails(
        `cudaFuncSetAttribute asks for ${value} bytes of shared memory, ${call.m.world.facts.name} has ${most} for a block`,
        call.line,
      );
    }
    call.m.world.allowShared(use, value);
  }
  if (attribute === NON_PORTABLE_CLUSTER && value !== 0) call.m.world.allowLargeClusters(use);
  return SUCCESS;
};

const maxActiveBlocks: LibraryFunction = (call) => {
  const use = call.m.world.use(kernelNamed(call.m, call.value(1), call.line));
  const blocks = call.m.world.occupancy(use, call.index(2), call.count > 3 ? call.index(3) : 0);
  call.writeTo(0, intValue(blocks));
  return SUCCESS;
};

/** cudaOccupancyMaxPotentialBlockSize: the block size with the most resident threads, as cuda_occupancy.h searches it. */
const maxPotentialBlockSize: LibraryFunction = (call) => {
  const { world } = call.m;
  const use = world.use(kernelNamed(call.m, call.value(2), call.line));
  const shared = call.count > 3 ? call.index(3) : 0;
  const limit = call.count > 4 && call.index(4) > 0 ? call.index(4) : THREADS_PER_BLOCK;
  let best = { threads: 0, size: WARP_SIZE, blocks: 0 };
  for (let size = Math.min(limit, THREADS_PER_BLOCK); size >= WARP_SIZE; size -= WARP_SIZE) {
    const blocks = world.occupancy(use, size, shared);
    if (blocks * size > best.threads) best = { threads: blocks * size, size, blocks };
    if (best.threads >= world.facts.maxThreadsPerMultiprocessor) break;
  }
  call.writeTo(0, intValue(best.blocks * world.facts.multiprocessors));
  call.writeTo(1, intValue(best.size));
  return SUCCESS;
};

function attributeOf(facts: DeviceFacts, name: string): number | undefined {
  switch (name) {
    case 'cudaDevAttrMaxThreadsPerBlock':
      return THREADS_PER_BLOCK;
    case 'cudaDevAttrMaxBlockDimX':
    case 'cudaDevAttrMaxBlockDimY':
      return 1024;
    case 'cudaDevAttrMaxBlockDimZ':
      return 64;
    case 'cudaDevAttrMaxGridDimX':
      return 2 ** 31 - 1;
    case 'cudaDevAttrMaxGridDimY':
    case 'cudaDevAttrMaxGridDimZ':
      return 65535;
    case 'cudaDevAttrMaxSharedMemoryPerBlock':
      return DEFAULT_SHARED_BYTES;
    case 'cudaDevAttrWarpSize':
      return WARP_SIZE;
    case 'cudaDevAttrMaxRegistersPerBlock':
      return REGISTERS_PER_BLOCK;
    case 'cudaDevAttrMultiProcessorCount':
      return facts.multiprocessors;
    case 'cudaDevAttrMaxThreadsPerMultiProcessor':
      return facts.maxThreadsPerMultiprocessor;
    case 'cudaDevAttrL2CacheSize':
      return facts.l2Bytes;
    case 'cudaDevAttrComputeCapabilityMajor':
      return facts.computeCapability[0];
    case 'cudaDevAttrComputeCapabilityMinor':
      return facts.computeCapability[1];
    case 'cudaDevAttrMaxSharedMemoryPerMultiprocessor':
      return facts.sharedBytesPerMultiprocessor;
    case 'cudaDevAttrMaxRegistersPerMultiprocessor':
      return facts.registersPerMultiprocessor;
    case 'cudaDevAttrMaxSharedMemoryPerBlockOptin':
      return facts.sharedBytesPerBlockOptIn;
    case 'cudaDevAttrMaxBlocksPerMultiprocessor':
      return facts.maxBlocksPerMultiprocessor;
    case 'cudaDevAttrCooperativeLaunch':
      return 1;
    default:
      return undefined;
  }
}

/** Fields of cudaDeviceProp. */
export function propertyOf(facts: DeviceFacts, field: string, line: number): Value {
  const long = (n: number): Value => intValue(n, ULONG);
  switch (field) {
    case 'name':
      return { kind: 'string', value: facts.name };
    case 'multiProcessorCount':
      return intValue(facts.multiprocessors);
    case 'maxThreadsPerMultiProcessor':
      return intValue(facts.maxThreadsPerMultiprocessor);
    case 'maxBlocksPerMultiProcessor':
      return intValue(facts.maxBlocksPerMultiprocessor);
    case 'maxThreadsPerBlock':
      return intValue(THREADS_PER_BLOCK);
    case 'warpSize':
      return intValue(WARP_SIZE);
    case 'regsPerBlock':
      return intValue(REGISTERS_PER_BLOCK);
    case 'regsPerMultiprocessor':
      return intValue(facts.registersPerMultiprocessor);
    case 'sharedMemPerBlock':
      return long(DEFAULT_SHARED_BYTES);
    case 'sharedMemPerBlockOptin':
      return long(facts.sharedBytesPerBlockOptIn);
    case 'sharedMemPerMultiprocessor':
      return long(facts.sharedBytesPerMultiprocessor);
    case 'totalGlobalMem':
      return long(facts.globalMemoryBytes);
    case 'l2CacheSize':
      return intValue(facts.l2Bytes);
    case 'major':
      return intValue(facts.computeCapability[0]);
    case 'minor':
      return intValue(facts.computeCapability[1]);
    case 'maxGridSize':
      return list([2 ** 31 - 1, 65535, 65535]);
    case 'maxThreadsDim':
      return list([1024, 1024, 64]);
    default:
      throw unsupported(`the device property ${field}`, line);
  }
}

function list(values: readonly number[]): Value {
  return {
    kind: 'list',
    container: 'built-in array',
    element: INT,
    cells: values.map((v) => ({ type: INT, value: intValue(v), constant: true })),
  };
}

/** C10_CUDA_CHECK(call), C10_CUDA_KERNEL_LAUNCH_CHECK(): evaluated, and a failed status is an error. */
const checkStatus: LibraryFunction = (call) => {
  for (const value of call.values()) {
    if (value.kind === 'int' && value.value !== 0n)
      throw fails(`${call.name} fails with status ${value.value}`, call.line);
  }
  return VOID_VALUE;
};

/** make_float4(x, y, z, w) and its like, for every short vector. */
const vectorMakers: Record<string, LibraryFunction> = {};
for (const base of [
  'char',
  'uchar',
  'short',
  'ushort',
  'int',
  'uint',
  'long',
  'ulong',
  'longlong',
  'ulonglong',
  'float',
  'double',
]) {
  for (const count of [1, 2, 3, 4]) {
    const type = cudaVector(`${base}${count}`);
    if (!type) continue;
    vectorMakers[`make_${base}${count}`] = (call) => {
      if (call.count !== count) throw invalid(`${call.name} takes ${count} values, ${call.count} given`, call.line);
      const operands = call.values().map((value) => ({ value }));
      return construct(call.m, type, operands, false, call.line);
    };
  }
}

export const CUDA_FUNCTIONS: Readonly<Record<string, LibraryFunction>> = {
  ...vectorMakers,
  cudaGetLastError: harmless,
  cudaPeekAtLastError: harmless,
  cudaDeviceSynchronize: harmless,
  cudaStreamSynchronize: harmless,
  'cuda::device_synchronize': harmless,
  'cuda::synchronize': harmless,
  cudaFree: harmless,
  cudaFreeAsync: harmless,
  cudaFuncSetCacheConfig: harmless,
  cudaFuncSetSharedMemConfig: harmless,
  cudaDeviceSetCacheConfig: harmless,
  cudaDeviceSetSharedMemConfig: harmless,
  cudaSetDevice: harmless,
  C10_CUDA_CHECK: checkStatus,
  AT_CUDA_CHECK: checkStatus,
  C10_CUDA_KERNEL_LAUNCH_CHECK: checkStatus,
  C10_CUDA_CHECK_WARN: checkStatus,
  cudaFuncSetAttribute: setAttribute,
  cudaOccupancyMaxActiveBlocksPerMultiprocessor: maxActiveBlocks,
  cudaOccupancyMaxPotentialBlockSize: maxPotentialBlockSize,
  cudaGetErrorString: () => ({ kind: 'string', value: 'no error' }),
  cudaGetErrorName: () => ({ kind: 'string', value: 'cudaSuccess' }),
  cudaGetDevice: (call) => {
    call.writeTo(0, intValue(0));
    return SUCCESS;
  },
  cudaGetDeviceCount: (call) => {
    call.writeTo(0, intValue(1));
    return SUCCESS;
  },
  cudaGetDeviceProperties: (call) => {
    call.writeTo(0, { kind: 'properties' });
    return SUCCESS;
  },
  cudaDeviceGetAttribute: (call) => {
    const name = DEVICE_ATTRIBUTES[call.index(1)];
    const value = name && attributeOf(call.m.world.facts, name);
    if (value === undefined) throw unsupported(`the device attribute ${spellOf(call.expressions[1])}`, call.line);
    call.writeTo(0, intValue(value));
    return SUCCESS;
  },
  'cuda::getCurrentDeviceProperties': () => ({ kind: 'properties' }),
  'cuda::getDeviceProperties': () => ({ kind: 'properties' }),
  'cuda::current_device': () => intValue(0),
  'cuda::device_count': () => intValue(1, LONG),
  'cuda::is_available': () => intValue(1),
  'cuda::warp_size': () => intValue(WARP_SIZE),
  'cuda::getCurrentCUDAStream': currentStream,
  'cuda::getDefaultCUDAStream': currentStream,
};

function spellOf(e: Expression | undefined): string {
  return e?.kind === 'name' ? e.name.path.join('::') : 'given';
}

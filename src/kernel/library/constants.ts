/** Constants of the libraries: limits, dtypes, devices, error codes. */
import type { DType } from '../../task/index.ts';
import {
  DOUBLE,
  FLOAT,
  type FloatType,
  INT,
  type IntType,
  LONG,
  NAMED_TYPES,
  UINT,
  ULONG,
} from '../interpret/types.ts';
import { intValue, type Value } from '../interpret/values.ts';

// biome-ignore format: a table
const DTYPES: Readonly<Record<string, DType>> = {
  kFloat: 'float32', kFloat32: 'float32', kDouble: 'float64', kFloat64: 'float64', kHalf: 'float16', kFloat16: 'float16',
  kBFloat16: 'bfloat16', kInt: 'int32', kInt32: 'int32', kLong: 'int64', kInt64: 'int64', kShort: 'int16', kInt16: 'int16', kChar: 'int8',
  kInt8: 'int8', kByte: 'uint8', kUInt8: 'uint8', kBool: 'bool',
};

// biome-ignore format: a table
const SCALAR_TYPES: Readonly<Record<string, DType>> = {
  Float: 'float32', Double: 'float64', Half: 'float16', BFloat16: 'bfloat16', Int: 'int32', Long: 'int64', Short: 'int16', Char: 'int8',
  Byte: 'uint8', Bool: 'bool',
};

function float(value: number, type: FloatType = FLOAT): Value {
  return { kind: 'float', type, value };
}

const CUDA_ERROR = NAMED_TYPES.get('cudaError_t') as IntType;

/** cudaDeviceAttr and the enumerations that queries take: only told apart, never computed with. */
// biome-ignore format: a list
export const DEVICE_ATTRIBUTES = [
  'cudaDevAttrMaxThreadsPerBlock', 'cudaDevAttrMaxBlockDimX', 'cudaDevAttrMaxBlockDimY', 'cudaDevAttrMaxBlockDimZ', 'cudaDevAttrMaxGridDimX',
  'cudaDevAttrMaxGridDimY', 'cudaDevAttrMaxGridDimZ', 'cudaDevAttrMaxSharedMemoryPerBlock', 'cudaDevAttrWarpSize',
  'cudaDevAttrMaxRegistersPerBlock', 'cudaDevAttrMultiProcessorCount', 'cudaDevAttrMaxThreadsPerMultiProcessor', 'cudaDevAttrL2CacheSize',
  'cudaDevAttrComputeCapabilityMajor', 'cudaDevAttrComputeCapabilityMinor', 'cudaDevAttrMaxSharedMemoryPerMultiprocessor',
  'cudaDevAttrMaxRegistersPerMultiprocessor', 'cudaDevAttrMaxSharedMemoryPerBlockOptin', 'cudaDevAttrCooperativeLaunch',
  'cudaDevAttrMaxBlocksPerMultiprocessor',
] as const;

/** Values of `enum cudaFuncAttribute`, `cudaMemcpyKind`, `cudaFuncCache` and `cudaSharedMemConfig` in driver_types.h. */
// biome-ignore format: a table
const CUDA_ENUMERATORS: Readonly<Record<string, number>> = {
  cudaSuccess: 0, cudaFuncAttributeMaxDynamicSharedMemorySize: 8, cudaFuncAttributePreferredSharedMemoryCarveout: 9,
  cudaMemcpyHostToHost: 0, cudaMemcpyHostToDevice: 1, cudaMemcpyDeviceToHost: 2, cudaMemcpyDeviceToDevice: 3, cudaMemcpyDefault: 4,
  cudaFuncCachePreferNone: 0, cudaFuncCachePreferShared: 1, cudaFuncCachePreferL1: 2, cudaFuncCachePreferEqual: 3,
  cudaSharedMemBankSizeDefault: 0, cudaSharedMemBankSizeFourByte: 1, cudaSharedMemBankSizeEightByte: 2,
  cudaFuncAttributeNonPortableClusterSizeAllowed: 10, cudaLaunchAttributeIgnore: 0, cudaLaunchAttributeCooperative: 2,
  cudaLaunchAttributeClusterDimension: 4, cudaLaunchAttributeClusterSchedulingPolicyPreference: 5,
  cudaLaunchAttributeProgrammaticStreamSerialization: 6, cudaLaunchAttributePriority: 8, cudaClusterSchedulingPolicySpread: 1,
  cudaClusterSchedulingPolicyLoadBalancing: 2, cudaSharedmemCarveoutDefault: -1, cudaSharedmemCarveoutMaxL1: 0, cudaSharedmemCarveoutMaxShared: 100, cudaOccupancyDefault: 0,
};

const PLAIN = new Map<string, Value>([
  ['FLT_MAX', float(3.4028234663852886e38)],
  ['FLT_MIN', float(1.1754943508222875e-38)],
  ['FLT_EPSILON', float(2 ** -23)],
  ['DBL_MAX', float(Number.MAX_VALUE, DOUBLE)],
  ['DBL_EPSILON', float(2 ** -52, DOUBLE)],
  ['INFINITY', float(Number.POSITIVE_INFINITY)],
  ['NAN', float(Number.NaN)],
  ['CUDART_INF_F', float(Number.POSITIVE_INFINITY)],
  ['M_PI', float(Math.PI, DOUBLE)],
  ['M_SQRT2', float(Math.SQRT2, DOUBLE)],
  ['M_SQRT1_2', float(Math.SQRT1_2, DOUBLE)],
  ['M_2_SQRTPI', float(2 / Math.sqrt(Math.PI), DOUBLE)],
  ['M_E', float(Math.E, DOUBLE)],
  ['INT_MAX', intValue(2147483647)],
  ['INT_MIN', intValue(-2147483648)],
  ['UINT_MAX', intValue(4294967295, UINT)],
  ['INT32_MAX', intValue(2147483647)],
  ['UINT32_MAX', intValue(4294967295, UINT)],
  ['INT64_MAX', intValue(2n ** 63n - 1n, LONG)],
  ['LONG_MAX', intValue(2n ** 63n - 1n, LONG)],
  ['SIZE_MAX', intValue(2n ** 64n - 1n, ULONG)],
  ['warpSize', intValue(32)],
  ['string::npos', intValue(2n ** 64n - 1n, ULONG)],
  ['nullopt', { kind: 'optional' }],
  ['torch::nullopt', { kind: 'optional' }],
  ['torch::kCUDA', { kind: 'device', device: 'cuda' }],
  ['torch::DeviceType::CUDA', { kind: 'device', device: 'cuda' }],
  ['torch::kCPU', { kind: 'device', device: 'cpu' }],
  ['torch::DeviceType::CPU', { kind: 'device', device: 'cpu' }],
  ['torch::kStrided', { kind: 'options', options: {} }],
  ['torch::MemoryFormat::Contiguous', { kind: 'format', format: 'contiguous' }],
  ['torch::MemoryFormat::ChannelsLast', { kind: 'format', format: 'channels_last' }],
  ['torch::MemoryFormat::ChannelsLast3d', { kind: 'format', format: 'channels_last' }],
  ['torch::MemoryFormat::Preserve', { kind: 'format', format: 'preserve' }],
  ['cout', { kind: 'opaque', name: 'std::cout' }],
  ['cerr', { kind: 'opaque', name: 'std::cerr' }],
  ['endl', { kind: 'opaque', name: 'std::endl' }],
  ['stderr', { kind: 'opaque', name: 'stderr' }],
  ['stdout', { kind: 'opaque', name: 'stdout' }],
]);

/** A constant by its normalised name, or undefined. */
export function libraryConstant(full: string): Value | undefined {
  const plain = PLAIN.get(full) ?? (full.startsWith('std::') ? PLAIN.get(full.slice(5)) : undefined);
  if (plain) return plain;
  const dtype = /^torch::(?:ScalarType::|Dtype::)?(\w+)$/.exec(full)?.[1];
  if (dtype) {
    const found =
      DTYPES[dtype] ?? (full.includes('Type::') || full.includes('Dtype::') ? SCALAR_TYPES[dtype] : undefined);
    if (found) return { kind: 'dtype', dtype: found };
  }
  const enumerator = CUDA_ENUMERATORS[full] ?? CUDA_ENUMERATORS[full.split('::').pop() ?? ''];
  if (enumerator !== undefined && /cuda/.test(full))
    return intValue(enumerator, full === 'cudaSuccess' ? CUDA_ERROR : INT);
  const attribute = (DEVICE_ATTRIBUTES as readonly string[]).indexOf(full);
  if (attribute >= 0) return intValue(attribute, INT);
  if (/^cudaError[A-Z]/.test(full)) return intValue(999, CUDA_ERROR);
  return undefined;
}

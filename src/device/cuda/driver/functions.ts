/**
 * The functions of the CUDA driver API that Assay calls, by the names that libcuda.so exports (`cuda.h` renames some of them),
 * with the kinds of their parameters. All return a CUresult. header.test.ts compares the table with an installed cuda.h.
 */

/** `u64`: handles, device addresses and sizes. `host`: memory of this process that is read or written. `text`: zero-terminated. */
export type ParameterKind = 'i32' | 'u32' | 'u64' | 'host' | 'text';

/** Parameter kinds of each function. Lowest driver that has all of them: 520 (CUDA 11.8), for cuLaunchKernelEx. */
export const cudaFunctions = {
  cuInit: ['u32'],
  cuDriverGetVersion: ['host'],
  cuGetErrorName: ['i32', 'host'],
  cuGetErrorString: ['i32', 'host'],

  cuDeviceGetCount: ['host'],
  cuDeviceGet: ['host', 'i32'],
  cuDeviceGetName: ['host', 'i32', 'i32'],
  cuDeviceGetUuid_v2: ['host', 'i32'],
  cuDeviceGetAttribute: ['host', 'i32', 'i32'],
  cuDeviceTotalMem_v2: ['host', 'i32'],

  cuDevicePrimaryCtxSetFlags_v2: ['i32', 'u32'],
  cuDevicePrimaryCtxRetain: ['host', 'i32'],
  cuDevicePrimaryCtxRelease_v2: ['i32'],
  cuCtxSetCurrent: ['u64'],
  cuCtxSetLimit: ['i32', 'u64'],
  cuCtxResetPersistingL2Cache: [],
  cuCtxSynchronize: [],

  cuModuleLoadDataEx: ['host', 'host', 'u32', 'host', 'host'],
  cuModuleUnload: ['u64'],
  cuModuleGetFunction: ['host', 'u64', 'text'],
  cuModuleGetGlobal_v2: ['host', 'host', 'u64', 'text'],
  cuFuncSetAttribute: ['u64', 'i32', 'i32'],
  cuFuncGetAttribute: ['host', 'i32', 'u64'],

  cuMemGetInfo_v2: ['host', 'host'],
  cuMemAlloc_v2: ['host', 'u64'],
  cuMemFree_v2: ['u64'],
  cuMemAllocHost_v2: ['host', 'u64'],
  cuMemFreeHost: ['u64'],
  cuMemcpyHtoD_v2: ['u64', 'host', 'u64'],
  cuMemcpyDtoH_v2: ['host', 'u64', 'u64'],
  cuMemcpyHtoDAsync_v2: ['u64', 'u64', 'u64', 'u64'],
  cuMemcpyDtoDAsync_v2: ['u64', 'u64', 'u64', 'u64'],
  cuMemsetD8Async: ['u64', 'u32', 'u64', 'u64'],
  cuMemsetD16Async: ['u64', 'u32', 'u64', 'u64'],
  cuMemsetD32Async: ['u64', 'u32', 'u64', 'u64'],

  cuStreamCreate: ['host', 'u32'],
  cuStreamDestroy_v2: ['u64'],
  cuStreamSynchronize: ['u64'],
  cuLaunchKernelEx: ['host', 'u64', 'host', 'host'],

  cuEventCreate: ['host', 'u32'],
  cuEventDestroy_v2: ['u64'],
  cuEventRecord: ['u64', 'u64'],
  cuEventElapsedTime: ['host', 'u64', 'u64'],

  cuStreamBeginCapture_v2: ['u64', 'i32'],
  cuStreamEndCapture: ['u64', 'host'],
  cuGraphInstantiateWithFlags: ['host', 'u64', 'u64'],
  cuGraphUpload: ['u64', 'u64'],
  cuGraphLaunch: ['u64', 'u64'],
  cuGraphExecDestroy: ['u64'],
  cuGraphDestroy: ['u64'],
} as const satisfies Record<string, readonly ParameterKind[]>;

export type CudaFunction = keyof typeof cudaFunctions;

/** NVML, the library behind nvidia-smi: what the GPU says of itself. It has no header to compare with here; nvml.ts documents the structs. */
export const nvmlFunctions = {
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlSystemGetDriverVersion: ['host', 'u32'],
  nvmlDeviceGetHandleByUUID: ['text', 'host'],
  nvmlDeviceGetClockInfo: ['u64', 'i32', 'host'],
  nvmlDeviceGetTemperature: ['u64', 'i32', 'host'],
  nvmlDeviceGetPowerUsage: ['u64', 'host'],
  nvmlDeviceGetCurrentClocksThrottleReasons: ['u64', 'host'],
  nvmlDeviceGetComputeRunningProcesses_v3: ['u64', 'host', 'host'],
} as const satisfies Record<string, readonly ParameterKind[]>;

export type NvmlFunction = keyof typeof nvmlFunctions;

/** What TypeScript passes for each kind of parameter. */
interface ArgumentOf {
  i32: number;
  u32: number;
  u64: bigint;
  host: NodeJS.ArrayBufferView | null;
  text: string;
}

/** Arguments of a function whose parameters are of the given kinds. */
export type ArgumentsOf<Kinds extends readonly ParameterKind[]> = {
  -readonly [Index in keyof Kinds]: ArgumentOf[Kinds[Index]];
};

/** How koffi names each kind. */
export const nativeTypes: Readonly<Record<ParameterKind, string>> = {
  i32: 'int',
  u32: 'uint32_t',
  u64: 'uint64_t',
  host: 'void *',
  text: 'str',
};

/** Numbers of cuda.h that calls are made with. */
export const constants = {
  /** CUstream_flags. */
  STREAM_NON_BLOCKING: 1,
  /** CUevent_flags: default, which keeps time. */
  EVENT_DEFAULT: 0,
  /** CUctx_flags: the host thread spins while it waits, so that the host's clock sees the end at once. */
  CTX_SCHED_SPIN: 1,
  /** CUlimit. */
  LIMIT_PRINTF_FIFO_SIZE: 1,
  LIMIT_PERSISTING_L2_CACHE_SIZE: 6,
  /** CUstreamCaptureMode: calls of other threads do not matter; there are none. */
  CAPTURE_THREAD_LOCAL: 1,
  /** CUfunction_attribute. */
  FUNC_MAX_DYNAMIC_SHARED: 8,
  FUNC_NON_PORTABLE_CLUSTER: 14,
  /** CUlaunchAttributeID. */
  LAUNCH_COOPERATIVE: 2,
  LAUNCH_CLUSTER_DIMENSION: 4,
  /** CUjit_option. */
  JIT_ERROR_LOG_BUFFER: 5,
  JIT_ERROR_LOG_BUFFER_SIZE: 6,
  /** CUdevice_attribute. */
  DEVICE_MULTIPROCESSORS: 16,
  DEVICE_L2_BYTES: 38,
  DEVICE_CAPABILITY_MAJOR: 75,
  DEVICE_CAPABILITY_MINOR: 76,
} as const;

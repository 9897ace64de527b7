/**
 * Which headers a candidate may include, and which of them reach nvcc.
 *
 * `keep` headers stay in the device code. `drop` headers are the host's (PyTorch, pybind11, vendor libraries): what a host
 * function may use of them is the interpreter's to know, so they are blanked out. Anything else would be a file of
 * this machine, and is refused wherever it stands, also in an #if that is not taken.
 */
import { findCutlass, isCutlassHeader } from '../cutlass.ts';
import { refused, unsupported } from '../error.ts';

// biome-ignore format: a table
const CUDA_HEADERS = new Set([
  'cuda.h', 'cuda_runtime.h', 'cuda_runtime_api.h', 'device_launch_parameters.h', 'device_functions.h', 'cuda_fp16.h',
  'cuda_fp16.hpp', 'cuda_bf16.h', 'cuda_bf16.hpp', 'cuda_fp8.h', 'cuda_fp6.h', 'cuda_fp4.h', 'mma.h', 'math_constants.h',
  'math_functions.h', 'vector_types.h', 'vector_functions.h', 'cooperative_groups.h', 'cuda_pipeline.h', 'cuda_awbarrier.h',
  'cuda_pipeline_primitives.h', 'cuda_pipeline_helpers.h', 'cuda_awbarrier_primitives.h', 'cuda_awbarrier_helpers.h',
  'curand_kernel.h', 'sm_20_intrinsics.h', 'sm_30_intrinsics.h', 'sm_32_intrinsics.h', 'sm_35_intrinsics.h', 'sm_61_intrinsics.h',
  'sm_20_atomic_functions.h', 'sm_32_atomic_functions.h', 'sm_35_atomic_functions.h', 'sm_60_atomic_functions.h', 'cuComplex.h',
  'crt/mma.h', 'device_atomic_functions.h', 'device_double_functions.h', 'common_functions.h', 'helper_math.h', 'builtin_types.h',
  'driver_types.h', 'device_types.h', 'library_types.h', 'host_defines.h', 'cudaTypedefs.h',
]);

const CUDA_FOLDERS = ['cooperative_groups/', 'cub/', 'cuda/', 'thrust/'];

/** Headers of host libraries. Their calls are answered, or refused, where the host function makes them. */
// biome-ignore format: a table
const DROPPED = [
  /^torch\//, /^ATen\//, /^c10\//, /^pybind11\//, /^caffe2\//, /^THC\//, /^cublas/, /^cudnn/, /^cusparse/, /^cusolver/, /^curand\.h$/,
  /^cufft/, /^nvtx3\//, /^nvToolsExt\.h$/, /^cuda_profiler_api\.h$/, /^omp\.h$/, /^Python\.h$/,
];

/** The C and C++ standard library's headers that device code can use. */
// biome-ignore format: a table
const STANDARD_KEPT = new Set([
  'algorithm', 'array', 'cassert', 'cfloat', 'climits', 'cmath', 'complex', 'concepts', 'cstddef', 'cstdint', 'cstdio', 'cstdlib',
  'cstring', 'functional', 'initializer_list', 'iterator', 'limits', 'memory', 'numeric', 'optional', 'bit', 'span', 'string',
  'string_view', 'tuple', 'type_traits', 'utility', 'variant', 'vector', 'assert.h', 'float.h', 'limits.h', 'math.h', 'stddef.h',
  'stdint.h', 'stdio.h', 'stdlib.h', 'string.h', 'stdbool.h', 'inttypes.h', 'cinttypes', 'map', 'set', 'unordered_map', 'stdexcept',
  'exception', 'new', 'typeinfo', 'ratio', 'numbers', 'cuchar', 'queue', 'stack', 'deque', 'list', 'iosfwd', 'unordered_set', 'bitset',
]);

/** Standard headers that only a host could use: harmless to name, so dropped; using them is refused at the use. */
// biome-ignore format: a table
const STANDARD_DROPPED = new Set([
  'iostream', 'fstream', 'sstream', 'iomanip', 'thread', 'mutex', 'atomic', 'chrono', 'random', 'future', 'condition_variable', 'ctime',
  'time.h', 'sys/time.h', 'unistd.h', 'filesystem', 'regex', 'csignal', 'signal.h', 'dlfcn.h', 'ostream', 'istream', 'ios', 'locale',
  'memory_resource', 'shared_mutex', 'semaphore', 'barrier', 'any', 'source_location', 'format',
]);

/**
 * What becomes of `#include` with this operand.
 * @throws CandidateError for a computed include or a header outside the lists.
 */
export function includeAction(operand: string, line: number): 'keep' | 'drop' {
  const match = /^\s*(?:<([^>]*)>|"([^"]*)")\s*$/.exec(operand);
  if (!match) throw unsupported(`#include ${operand.trim()} (write the header's name itself)`, line);
  const name = (match[1] ?? match[2] ?? '').trim();
  if (name.includes('..') || name.startsWith('/') || name.includes('\\')) {
    throw refused(
      `#include of the file "${name}": a candidate is one file, plus headers of CUDA and the standard library`,
      line,
    );
  }
  if (CUDA_HEADERS.has(name) || STANDARD_KEPT.has(name) || CUDA_FOLDERS.some((f) => name.startsWith(f))) return 'keep';
  if (isCutlassHeader(name)) {
    if (findCutlass()) return 'keep';
    throw unsupported(
      `#include ${operand.trim()}: CUTLASS was not found on this machine; set ASSAY_CUTLASS to a checkout of it`,
      line,
    );
  }
  if (STANDARD_DROPPED.has(name) || DROPPED.some((d) => d.test(name))) return 'drop';
  throw unsupported(
    `#include ${operand.trim()} (a candidate is one file, plus headers of CUDA, CCCL, PyTorch and the standard library)`,
    line,
  );
}

/** What to do about the errors that models' kernels run into most, by the name that the compiler does not know. */

/** Headers that declare what people forget to include. */
// biome-ignore format: a table
const HEADERS: readonly (readonly [RegExp, string])[] = [
  [/^(__half2?|half2?|__float2half\w*|__half2float|__h(add|mul|sub|fma|div|max|min|exp|sqrt)\w*|__low2\w+|__high2\w+)$/, 'cuda_fp16.h'],
  [/^(__nv_bfloat16\w*|nv_bfloat16\w*|__float2bfloat16\w*|__bfloat162float)$/, 'cuda_bf16.h'],
  [/^__nv_fp8\w*$/, 'cuda_fp8.h'],
  [/^(FLT|DBL|LDBL)_\w+$/, 'cfloat'],
  [/^(INT|UINT|LONG|ULONG|CHAR|SHRT)_(MAX|MIN)$/, 'climits'],
  [/^CUDART_(INF|NAN|PI|MAX|MIN)\w*$/, 'math_constants.h'],
  [/^(cg|cooperative_groups)$/, 'cooperative_groups.h'],
  [/^cub$/, 'cub/cub.cuh'],
  [/^thrust$/, 'thrust/device_ptr.h'],
  [/^(wmma|nvcuda)$/, 'mma.h'],
  [/^u?int(8|16|32|64)_t$/, 'cstdint'],
];

/** Names that CUDA had or never had, and what stands for them. */
// biome-ignore format: a table
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/^__shfl(_up|_down|_xor)?$/, 'CUDA 9 and later have __shfl$1_sync, with the mask of the lanes first'],
  [/^__(any|all|ballot)$/, 'CUDA 9 and later have __$1_sync, with the mask of the lanes first'],
  [/^__(shfl|warp)\w*(sum|reduce|max)\w*$/i, 'there is no such intrinsic: reduce with __shfl_down_sync (integers: __reduce_add_sync)'],
  [/^__?fast_?(exp|log|sin|cos|pow)f?$/, 'the fast intrinsic is __$1f'],
  [/^atomicMaxFloat|atomicMax_float|atomicMaxf?$/, 'floats have no atomicMax: compare and swap their bits with atomicCAS'],
  [/^(torch|at|Tensor)$/, 'PyTorch belongs to host code; kernels take pointers'],
];

/** What to do about an error, or undefined where its own text says all. */
export function hintFor(message: string): string | undefined {
  const name =
    /identifier "(\w+)" is undefined|name followed by "::" must be|undeclared identifier '(\w+)'|unknown type name '(\w+)'/.exec(
      message,
    );
  const unknown = name?.slice(1).find((part) => part !== undefined) ?? /no type named '(\w+)'/.exec(message)?.[1];
  if (unknown !== undefined) {
    const header = HEADERS.find(([pattern]) => pattern.test(unknown));
    if (header) return `#include <${header[1]}>`;
    const other = INSTEAD.find(([pattern]) => pattern.test(unknown));
    if (other) return unknown.replace(other[0], other[1]);
  }
  if (/more than one operator|is ambiguous|ambiguous "\?"/.test(message) && /__half|__nv_bfloat16/.test(message))
    return 'convert to float first (__half2float, __bfloat162float) and back at the end, or give both sides the same type';
  if (/Cannot select: intrinsic %llvm\.nvvm\.(shfl|vote)/.test(message))
    return 'CUDA 9 and later have __shfl_down_sync and its like, with the mask of the lanes first';
  if (/^calling a __host__ function/.test(message))
    return 'declare it __device__, or use what device code has in its place';
  if (/Formal parameter space overflowed/.test(message)) return 'pass large structs by a pointer to device memory';
  return undefined;
}

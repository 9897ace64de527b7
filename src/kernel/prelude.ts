/**
 * What PyTorch's headers would have given device code: the standard headers they bring, and c10::Half and c10::BFloat16. Only
 * what a candidate names is added, since every header costs compile time.
 */

/** The class of c10/util/Half.h and BFloat16.h as device code sees it: storage, conversions by way of float, arithmetic in float. */
function reducedFloat(name: string, cuda: string, fromFloat: string, toFloat: string): string {
  const operators = ['+', '-', '*', '/'].map(
    (op) => `
__host__ __device__ inline ${name} operator${op}(const ${name}& a, const ${name}& b) { return ${name}(static_cast<float>(a) ${op} static_cast<float>(b)); }
__host__ __device__ inline ${name}& operator${op}=(${name}& a, const ${name}& b) { a = a ${op} b; return a; }
__host__ __device__ inline float operator${op}(${name} a, float b) { return static_cast<float>(a) ${op} b; }
__host__ __device__ inline float operator${op}(float a, ${name} b) { return a ${op} static_cast<float>(b); }
__host__ __device__ inline float& operator${op}=(float& a, const ${name}& b) { return a ${op}= static_cast<float>(b); }
__host__ __device__ inline double operator${op}(${name} a, double b) { return static_cast<double>(a) ${op} b; }
__host__ __device__ inline double operator${op}(double a, ${name} b) { return a ${op} static_cast<double>(b); }
__host__ __device__ inline ${name} operator${op}(${name} a, int b) { return a ${op} static_cast<${name}>(static_cast<float>(b)); }
__host__ __device__ inline ${name} operator${op}(int a, ${name} b) { return static_cast<${name}>(static_cast<float>(a)) ${op} b; }
__host__ __device__ inline ${name} operator${op}(${name} a, int64_t b) { return a ${op} static_cast<${name}>(static_cast<float>(b)); }
__host__ __device__ inline ${name} operator${op}(int64_t a, ${name} b) { return static_cast<${name}>(static_cast<float>(a)) ${op} b; }`,
  );
  return `struct alignas(2) ${name} {
  unsigned short x;
  ${name}() = default;
  __host__ __device__ inline ${name}(float value) { ${cuda} v = ${fromFloat}(value); x = *reinterpret_cast<unsigned short*>(&v); }
  __host__ __device__ inline operator float() const { return ${toFloat}(*reinterpret_cast<const ${cuda}*>(&x)); }
  __host__ __device__ inline ${name}(const ${cuda}& value) { x = *reinterpret_cast<const unsigned short*>(&value); }
  __host__ __device__ inline operator ${cuda}() const { return *reinterpret_cast<const ${cuda}*>(&x); }
};${operators.join('')}
__host__ __device__ inline ${name} operator-(const ${name}& a) { return ${name}(-static_cast<float>(a)); }`;
}

/** ATen/core/TensorAccessor.h as device code sees it. */
const ACCESSORS = `namespace at {
template <typename T> struct DefaultPtrTraits { typedef T* PtrType; };
template <typename T> struct RestrictPtrTraits { typedef T* __restrict__ PtrType; };
template <typename T, size_t N, template <typename U> class PtrTraits = DefaultPtrTraits, typename index_t = int64_t>
struct TensorAccessor {
  T* data_; const index_t* sizes_; const index_t* strides_;
  __device__ TensorAccessor(T* data, const index_t* sizes, const index_t* strides) : data_(data), sizes_(sizes), strides_(strides) {}
  __device__ index_t size(index_t i) const { return sizes_[i]; }
  __device__ index_t stride(index_t i) const { return strides_[i]; }
  __device__ T* data() const { return data_; }
  __device__ decltype(auto) operator[](index_t i) const {
    if constexpr (N == 1) return (data_[strides_[0] * i]);
    else return TensorAccessor<T, N - 1, PtrTraits, index_t>(data_ + strides_[0] * i, sizes_ + 1, strides_ + 1);
  }
};
template <typename T, size_t N, template <typename U> class PtrTraits = DefaultPtrTraits, typename index_t = int64_t>
struct GenericPackedTensorAccessor {
  T* data_; index_t sizes_[N]; index_t strides_[N];
  __device__ index_t size(index_t i) const { return sizes_[i]; }
  __device__ index_t stride(index_t i) const { return strides_[i]; }
  __device__ T* data() const { return data_; }
  __device__ decltype(auto) operator[](index_t i) const {
    return TensorAccessor<T, N, PtrTraits, index_t>(data_, sizes_, strides_)[i];
  }
};
template <typename T, size_t N, template <typename U> class PtrTraits = DefaultPtrTraits>
using PackedTensorAccessor32 = GenericPackedTensorAccessor<T, N, PtrTraits, int32_t>;
template <typename T, size_t N, template <typename U> class PtrTraits = DefaultPtrTraits>
using PackedTensorAccessor64 = GenericPackedTensorAccessor<T, N, PtrTraits, int64_t>;
template <typename T, size_t N, template <typename U> class PtrTraits = DefaultPtrTraits, typename index_t = int64_t>
using PackedTensorAccessor = GenericPackedTensorAccessor<T, N, PtrTraits, index_t>;
}
namespace torch { using namespace at; }`;

/** Lines to stand before the device code, or ''. */
export function preludeFor(device: string): string {
  const lines: string[] = [];
  const half = /\b(at|c10|torch)::Half\b/.test(device) || /c10::Half/.test(device);
  const bfloat = /\b(at|c10|torch)::BFloat16\b/.test(device);
  const accumulate = /\bat::(acc_type|opmath_type)\b/.test(device);
  // load_inline puts torch/types.h before every CUDA source; that header brings these, and nvcc's own bring cmath.
  if (/\bu?int(8|16|32|64|ptr)_t\b/.test(device)) lines.push('#include <cstdint>');
  if (/numeric_limits/.test(device)) lines.push('#include <limits>');
  if (/\b(FLT|DBL)_\w+/.test(device)) lines.push('#include <cfloat>');
  if (/\b(INT|UINT|LONG|SHRT|CHAR)_(MAX|MIN)\b/.test(device)) lines.push('#include <climits>');
  if (/std::(min|max|swap)\b/.test(device)) lines.push('#include <algorithm>');
  if (/std::(is_|conditional|enable_if|remove_|decay)/.test(device)) lines.push('#include <type_traits>');
  if (/\b(__half2?|half2?|__float2half\w*|__half2float)\b/.test(device)) lines.push('#include <cuda_fp16.h>');
  if (/\b(__nv_bfloat162?|nv_bfloat162?|__float2bfloat16\w*)\b/.test(device)) lines.push('#include <cuda_bf16.h>');
  if (half || accumulate) lines.push('#include <cuda_fp16.h>');
  if (bfloat || accumulate) lines.push('#include <cuda_bf16.h>');
  const classes: string[] = [];
  if (half || accumulate) classes.push(reducedFloat('Half', '__half', '__float2half_rn', '__half2float'));
  if (bfloat || accumulate)
    classes.push(reducedFloat('BFloat16', '__nv_bfloat16', '__float2bfloat16_rn', '__bfloat162float'));
  if (classes.length > 0) {
    lines.push('#include <cstdint>', `namespace c10 {\n${classes.join('\n')}\n}`);
    lines.push('namespace at { using namespace c10; }', 'namespace torch { using namespace c10; }');
  }
  if (/\b(Generic)?(Packed)?TensorAccessor(32|64)?\b/.test(device)) lines.push('#include <cstdint>', ACCESSORS);
  if (accumulate) {
    // ATen/AccumulateType.h and ATen/OpMathType.h on CUDA.
    lines.push(
      'namespace at { template <typename T> struct OpMathType { using type = T; };',
      'template <> struct OpMathType<c10::Half> { using type = float; };',
      'template <> struct OpMathType<c10::BFloat16> { using type = float; };',
      'template <typename T> using opmath_type = typename OpMathType<T>::type;',
      'template <typename T, bool is_cuda> using acc_type = typename OpMathType<T>::type; }',
    );
  }
  return [...new Set(lines)].join('\n');
}

// A stand-in for <torch/extension.h> and the CUDA runtime under which a host function runs for real, compiled by g++, and writes
// down what it asks of the GPU: buffers, fills, copies, launches. The oracle of the host interpreter's fuzz; nothing else uses it.
// Pointers into device memory are made up: the buffer's number in the high bits, the byte offset in the low ones.
// The compiler is given FACT_* for the device's properties.
#pragma once
#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace c10 {
struct Error : std::exception {
  std::string text;
  Error(std::string t) : text(std::move(t)) {}
  const char* what() const noexcept override { return text.c_str(); }
};
enum class ScalarType : signed char { Byte, Char, Short, Int, Long, Half, Float, Double, Bool, BFloat16 };
struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float v) {
    _Float16 h = static_cast<_Float16>(v);
    std::memcpy(&bits, &h, 2);
  }
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float v) {
    uint32_t b;
    std::memcpy(&b, &v, 4);
    bits = static_cast<uint16_t>((b + 0x7fff + ((b >> 16) & 1)) >> 16);
  }
};
enum class DeviceType { CPU, CUDA };
struct Device {
  DeviceType type_;
  Device(DeviceType t) : type_(t) {}
  bool is_cuda() const { return type_ == DeviceType::CUDA; }
  bool operator==(const Device& o) const { return type_ == o.type_; }
  bool operator!=(const Device& o) const { return type_ != o.type_; }
};
template <typename T> using optional = std::optional<T>;
}  // namespace c10

namespace recorder {
struct Buffer {
  int64_t bytes;
  bool cpu;
};
inline std::vector<Buffer> buffers;
inline std::string steps;
inline int arguments = 0;
inline std::map<void*, int> allowed;

inline void append(const std::string& text) { steps += text; }
template <typename List> std::string joined(const List& items) {
  std::string text = "[";
  bool first = true;
  for (auto item : items) {
    if (!first) text += ",";
    text += std::to_string(item);
    first = false;
  }
  return text + "]";
}
inline int allocate(int64_t bytes, bool cpu) {
  buffers.push_back({bytes, cpu});
  return static_cast<int>(buffers.size()) - 1;
}
inline void* address(int buffer, int64_t offset) {
  return reinterpret_cast<void*>((static_cast<uintptr_t>(buffer + 1) << 40) + static_cast<uintptr_t>(offset));
}
struct Place {
  int buffer;
  int64_t offset;
};
inline Place placeOf(const void* p) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(p) + (1ull << 39);
  return {static_cast<int>(bits >> 40) - 1, static_cast<int64_t>(bits & ((1ull << 40) - 1)) - (1ll << 39)};
}
}  // namespace recorder

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int vx = 1, unsigned int vy = 1, unsigned int vz = 1) : x(vx), y(vy), z(vz) {}
};
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct int2 { int x, y; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
using cudaStream_t = struct Stream*;
enum cudaError_t { cudaSuccess = 0 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToDevice = 3, cudaMemcpyDefault = 4 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
struct cudaDeviceProp {
  int multiProcessorCount = FACT_MULTIPROCESSORS, maxThreadsPerBlock = 1024, warpSize = 32, maxThreadsPerMultiProcessor = FACT_THREADS;
  size_t sharedMemPerBlock = 49152, sharedMemPerBlockOptin = FACT_SHARED;
  int major = FACT_MAJOR, minor = FACT_MINOR;
};
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = cudaDeviceProp();
  return cudaSuccess;
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
#define C10_CUDA_CHECK(call) (void)(call)
#define C10_CUDA_KERNEL_LAUNCH_CHECK() (void)0

namespace recorder {
inline dim3 grid, block;
inline size_t shared;
/** What stands between <<< and >>>; refused as the driver would. */
inline void configure(dim3 g, dim3 b, size_t s = 0, cudaStream_t = nullptr) {
  grid = g;
  block = b;
  shared = s;
}
inline void checkLaunch() {
  const dim3 g = grid, b = block;
  const uint64_t threads = static_cast<uint64_t>(b.x) * b.y * b.z;
  if (!g.x || !g.y || !g.z || !threads || g.x > 2147483647u || g.y > 65535 || g.z > 65535 || b.x > 1024 || b.y > 1024 || b.z > 64 ||
      threads > 1024 || shared > FACT_SHARED)
    throw c10::Error("invalid configuration");
}
template <typename T> std::string nameOf() {
  if (std::is_same_v<T, float>) return "float";
  if (std::is_same_v<T, double>) return "double";
  if (std::is_same_v<T, int>) return "int";
  if (std::is_same_v<T, long>) return "long";
  if (std::is_same_v<T, short>) return "short";
  if (std::is_same_v<T, signed char>) return "signed char";
  if (std::is_same_v<T, unsigned char>) return "unsigned char";
  if (std::is_same_v<T, unsigned int>) return "unsigned int";
  if (std::is_same_v<T, unsigned long>) return "unsigned long";
  if (std::is_same_v<T, long long>) return "long long";
  if (std::is_same_v<T, unsigned long long>) return "unsigned long long";
  if (std::is_same_v<T, char>) return "char";
  if (std::is_same_v<T, bool>) return "bool";
  if (std::is_same_v<T, c10::Half>) return "c10::Half";
  if (std::is_same_v<T, c10::BFloat16>) return "c10::BFloat16";
  return "?";
}
inline std::string real(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "f%.17g", v);
  return text;
}
template <typename T> std::string shown(const T& v) {
  if constexpr (std::is_same_v<T, bool>) return v ? "1" : "0";
  else if constexpr (std::is_floating_point_v<T>) return real(v);
  else if constexpr (std::is_integral_v<T>) return std::to_string(v);
  else if constexpr (std::is_pointer_v<T>) {
    if (v == nullptr) return "null";
    const Place p = placeOf(reinterpret_cast<const void*>(v));
    return "#" + std::to_string(p.buffer) + "+" + std::to_string(p.offset);
  } else if constexpr (std::is_same_v<T, c10::Half>) {
    _Float16 h;
    std::memcpy(&h, &v.bits, 2);
    return real(static_cast<float>(h));
  } else if constexpr (std::is_same_v<T, c10::BFloat16>) {
    const uint32_t b = static_cast<uint32_t>(v.bits) << 16;
    float f;
    std::memcpy(&f, &b, 4);
    return real(f);
  } else return v.shown();
}
template <> inline std::string shown(const dim3& v) { return "{" + shown(v.x) + " " + shown(v.y) + " " + shown(v.z) + "}"; }
template <> inline std::string shown(const int2& v) { return "{" + shown(v.x) + " " + shown(v.y) + "}"; }
template <> inline std::string shown(const float4& v) {
  return "{" + shown(v.x) + " " + shown(v.y) + " " + shown(v.z) + " " + shown(v.w) + "}";
}
/** The body of every kernel. */
template <typename... Args> void launched(const std::string& name, void* function, const Args&... args) {
  checkLaunch();
  const dim3 g = grid, b = block;
  const auto at = allowed.find(function);
  std::string text = "launch " + name + " " + shown(g) + " " + shown(b) + " " + std::to_string(shared) + " " +
                     std::to_string(at == allowed.end() ? 49152 : at->second) + " :";
  ((text += " " + shown(args)), ...);
  append(text + "\n");
}
}  // namespace recorder

template <typename F> cudaError_t cudaFuncSetAttribute(F f, cudaFuncAttribute, int bytes) {
  if (bytes > FACT_SHARED) throw c10::Error("too much shared memory");
  recorder::allowed[reinterpret_cast<void*>(f)] = std::max(bytes, 49152);
  return cudaSuccess;
}

namespace at {
using c10::BFloat16;
using c10::Device;
using c10::Half;
using c10::ScalarType;
constexpr auto kFloat = ScalarType::Float, kDouble = ScalarType::Double, kHalf = ScalarType::Half, kBFloat16 = ScalarType::BFloat16,
               kInt = ScalarType::Int, kLong = ScalarType::Long, kShort = ScalarType::Short, kByte = ScalarType::Byte,
               kChar = ScalarType::Char, kBool = ScalarType::Bool, kFloat32 = ScalarType::Float, kInt64 = ScalarType::Long,
               kInt32 = ScalarType::Int;
constexpr auto kCUDA = c10::DeviceType::CUDA;
constexpr auto kCPU = c10::DeviceType::CPU;

inline int64_t bytesOf(ScalarType t) {
  switch (t) {
    case ScalarType::Byte: case ScalarType::Char: case ScalarType::Bool: return 1;
    case ScalarType::Short: case ScalarType::Half: case ScalarType::BFloat16: return 2;
    case ScalarType::Int: case ScalarType::Float: return 4;
    default: return 8;
  }
}
inline const char* nameOf(ScalarType t) {
  const char* names[] = {"uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool", "bfloat16"};
  return names[static_cast<int>(t)];
}
template <typename T> constexpr bool holds(ScalarType t) {
  switch (t) {
    case ScalarType::Byte: return std::is_same_v<T, unsigned char>;
    case ScalarType::Char: return std::is_same_v<T, signed char>;
    case ScalarType::Short: return std::is_same_v<T, short>;
    case ScalarType::Int: return std::is_same_v<T, int>;
    case ScalarType::Long: return std::is_same_v<T, long>;
    case ScalarType::Half: return std::is_same_v<T, c10::Half>;
    case ScalarType::Float: return std::is_same_v<T, float>;
    case ScalarType::Double: return std::is_same_v<T, double>;
    case ScalarType::Bool: return std::is_same_v<T, bool>;
    default: return std::is_same_v<T, c10::BFloat16>;
  }
}
inline std::string bytesOf(double value, ScalarType t) {
  unsigned char raw[8] = {};
  auto put = [&](auto v) { std::memcpy(raw, &v, sizeof v); };
  switch (t) {
    case ScalarType::Byte: put(static_cast<unsigned char>(value)); break;
    case ScalarType::Char: put(static_cast<signed char>(value)); break;
    case ScalarType::Short: put(static_cast<short>(value)); break;
    case ScalarType::Int: put(static_cast<int>(value)); break;
    case ScalarType::Long: put(static_cast<long>(value)); break;
    case ScalarType::Half: put(c10::Half(static_cast<float>(value)).bits); break;
    case ScalarType::Float: put(static_cast<float>(value)); break;
    case ScalarType::Double: put(value); break;
    case ScalarType::Bool: put(value != 0); break;
    case ScalarType::BFloat16: put(c10::BFloat16(static_cast<float>(value)).bits); break;
  }
  std::string text;
  for (int i = 0; i < bytesOf(t); i++) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", raw[i]);
    text += hex;
  }
  return text;
}

using Sizes = std::vector<int64_t>;
/** c10::ArrayRef<int64_t>; it shares the storage of the tensor it looks at, so that temporaries are safe. */
class IntArrayRef {
  std::shared_ptr<const Sizes> held_;

 public:
  IntArrayRef(std::shared_ptr<const Sizes> held) : held_(std::move(held)) {}
  IntArrayRef(std::initializer_list<int64_t> v) : held_(std::make_shared<Sizes>(v)) {}
  IntArrayRef(const Sizes& v) : held_(std::make_shared<Sizes>(v)) {}
  IntArrayRef(int64_t v) : held_(std::make_shared<Sizes>(1, v)) {}
  const int64_t* begin() const { return held_->data(); }
  const int64_t* end() const { return held_->data() + held_->size(); }
  size_t size() const { return held_->size(); }
  bool empty() const { return held_->empty(); }
  const int64_t& operator[](size_t i) const { return held_->at(i); }
  const int64_t& front() const { return held_->at(0); }
  const int64_t& back() const { return held_->at(held_->size() - 1); }
  Sizes vec() const { return *held_; }
  bool equals(const IntArrayRef& o) const { return *held_ == *o.held_; }
};
inline bool operator==(const IntArrayRef& a, const IntArrayRef& b) { return a.equals(b); }
inline bool operator!=(const IntArrayRef& a, const IntArrayRef& b) { return !a.equals(b); }

struct TensorOptions {
  std::optional<ScalarType> dtype_;
  std::optional<Device> device_;
  TensorOptions() = default;
  TensorOptions(ScalarType t) : dtype_(t) {}
  TensorOptions(Device d) : device_(d) {}
  TensorOptions dtype(ScalarType t) const { auto o = *this; o.dtype_ = t; return o; }
  TensorOptions device(Device d) const { auto o = *this; o.device_ = d; return o; }
};

inline int64_t count(const Sizes& s) {
  int64_t n = 1;
  for (auto v : s) n *= v;
  return n;
}
inline Sizes packed(const Sizes& s) {
  Sizes strides(s.size(), 1);
  for (int i = static_cast<int>(s.size()) - 2; i >= 0; i--) strides[i] = strides[i + 1] * std::max<int64_t>(1, s[i + 1]);
  return strides;
}

class Tensor {
 public:
  int buffer = -1;
  ScalarType type_ = ScalarType::Float;
  std::shared_ptr<const Sizes> shape_ = std::make_shared<Sizes>(), strides_ = std::make_shared<Sizes>();
  int64_t offset = 0;
  bool cuda_ = true;

  Tensor() = default;
  Tensor with(const Sizes& shape, const Sizes& strides, int64_t at) const {
    Tensor t = *this;
    t.shape_ = std::make_shared<Sizes>(shape);
    t.strides_ = std::make_shared<Sizes>(strides);
    t.offset = at;
    return t;
  }
  static Tensor make(const Sizes& shape, ScalarType type, bool cuda, const Sizes& strides) {
    for (auto n : shape)
      if (n < 0) throw c10::Error("negative size");
    Tensor t;
    t.type_ = type;
    t.cuda_ = cuda;
    t.buffer = recorder::allocate(count(shape) * bytesOf(type), !cuda);
    return t.with(shape, strides, 0);
  }
  std::string shown() const {
    return std::to_string(buffer) + ":" + nameOf(type_) + recorder::joined(*shape_) + recorder::joined(*strides_) + "+" + std::to_string(offset);
  }

  bool defined() const { return buffer >= 0; }
  int64_t dim() const { return static_cast<int64_t>(shape_->size()); }
  int64_t at(int64_t d, int64_t extra = 0) const {
    const int64_t rank = std::max<int64_t>(1, dim() + extra), i = d < 0 ? d + rank : d;
    if (i < 0 || i >= rank) throw c10::Error("dimension out of range");
    return i;
  }
  int64_t size(int64_t d) const { return shape_->at(at(d)); }
  int64_t stride(int64_t d) const { return strides_->at(at(d)); }
  IntArrayRef sizes() const { return IntArrayRef(shape_); }
  IntArrayRef strides() const { return IntArrayRef(strides_); }
  int64_t numel() const { return count(*shape_); }
  size_t nbytes() const { return static_cast<size_t>(numel() * bytesOf(type_)); }
  int64_t element_size() const { return bytesOf(type_); }
  size_t itemsize() const { return static_cast<size_t>(bytesOf(type_)); }
  int64_t storage_offset() const { return offset; }
  ScalarType scalar_type() const { return type_; }
  ScalarType dtype() const { return type_; }
  bool is_cuda() const { return cuda_; }
  Device device() const { return Device(cuda_ ? kCUDA : kCPU); }
  TensorOptions options() const { return TensorOptions(type_).device(device()); }
  bool is_floating_point() const {
    return type_ == kFloat || type_ == kDouble || type_ == kHalf || type_ == kBFloat16;
  }
  bool is_contiguous() const {
    int64_t expected = 1;
    for (int64_t i = dim() - 1; i >= 0; i--) {
      if (shape_->at(i) == 0) return true;
      if (shape_->at(i) != 1 && strides_->at(i) != expected) return false;
      expected *= shape_->at(i);
    }
    return true;
  }
  template <typename T> T* data_ptr() const {
    if (!holds<T>(type_)) throw c10::Error("wrong element type");
    return static_cast<T*>(data_ptr());
  }
  void* data_ptr() const { return recorder::address(buffer, offset * bytesOf(type_)); }

  void copyInto(const Tensor& to) const {
    const Tensor source = expand(to.sizes());
    if (!cuda_ || !to.cuda_) throw c10::Error("copies of CPU tensors are not recorded");
    if (to.numel() > 0) recorder::append("copy " + source.shown() + " " + to.shown() + "\n");
  }
  Tensor copied(ScalarType type, const Sizes& strides) const {
    Tensor made = make(*shape_, type, cuda_, strides);
    copyInto(made);
    return made;
  }
  Tensor contiguous() const { return is_contiguous() ? *this : copied(type_, packed(*shape_)); }
  /** Strides of empty_like and clone: a dense tensor keeps its own, others keep the order of their dimensions. */
  Sizes likeStrides() const {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < dim(); i++) order.push_back(i);
    auto longOnes = order;
    longOnes.erase(std::remove_if(longOnes.begin(), longOnes.end(), [&](int64_t i) { return shape_->at(i) <= 1; }), longOnes.end());
    std::stable_sort(longOnes.begin(), longOnes.end(), [&](int64_t a, int64_t b) { return strides_->at(a) < strides_->at(b); });
    int64_t expected = 1;
    bool dense = true;
    for (auto d : longOnes) {
      dense = dense && strides_->at(d) == expected;
      expected *= shape_->at(d);
    }
    if (dense || is_contiguous()) return *strides_;
    std::reverse(order.begin(), order.end());
    // ATen's insertion sort: strides of 0 compare with nothing, equal strides by size.
    auto compare = [&](int64_t a, int64_t b) -> int {
      const int64_t x = strides_->at(a), y = strides_->at(b);
      if (x == 0 || y == 0) return 0;
      if (x < y) return -1;
      if (x > y) return 1;
      return shape_->at(a) > shape_->at(b) ? 1 : 0;
    };
    for (size_t i = 1; i < order.size(); i++) {
      size_t dim1 = i;
      for (size_t dim0 = i; dim0-- > 0;) {
        const int c = compare(order[dim0], order[dim1]);
        if (c > 0) {
          std::swap(order[dim0], order[dim1]);
          dim1 = dim0;
        } else if (c < 0) break;
      }
    }
    Sizes strides(dim(), 1);
    int64_t next = 1;
    for (auto d : order) {
      strides[d] = next;
      next *= std::max<int64_t>(1, shape_->at(d));
    }
    return strides;
  }
  Tensor clone() const { return copied(type_, likeStrides()); }
  Tensor detach() const { return *this; }
  Tensor to(ScalarType type) const { return type == type_ ? *this : copied(type, likeStrides()); }

  Sizes inferred(Sizes wanted) const {
    int64_t rest = 1, open = -1;
    for (size_t i = 0; i < wanted.size(); i++) {
      if (wanted[i] == -1 && open < 0) open = static_cast<int64_t>(i);
      else rest *= wanted[i];
    }
    if (open >= 0) {
      if (rest == 0 || numel() % rest != 0) throw c10::Error("cannot infer the size of a dimension");
      wanted[open] = numel() / rest;
    }
    for (auto n : wanted)
      if (n < 0) throw c10::Error("negative size");
    if (count(wanted) != numel()) throw c10::Error("shape does not fit");
    return wanted;
  }
  /** The strides of a view, dimensions of size 1 included: at::detail::computeStride, step by step. */
  std::optional<Sizes> viewStrides(const Sizes& wanted) const {
    if (dim() == 0) return Sizes(wanted.size(), 1);
    if (numel() == 0) return wanted == *shape_ ? *strides_ : packed(wanted);
    Sizes strides(wanted.size(), 1);
    int64_t viewed = static_cast<int64_t>(wanted.size()) - 1, base = strides_->back(), elements = 1, taken = 1;
    for (int64_t d = dim() - 1; d >= 0; d--) {
      elements *= shape_->at(d);
      if (d > 0 && (shape_->at(d - 1) == 1 || strides_->at(d - 1) == elements * base)) continue;
      for (; viewed >= 0 && (taken < elements || wanted[viewed] == 1); viewed--) {
        strides[viewed] = taken * base;
        taken *= wanted[viewed];
      }
      if (taken != elements) return std::nullopt;
      if (d > 0) {
        base = strides_->at(d - 1);
        elements = taken = 1;
      }
    }
    if (viewed != -1) return std::nullopt;
    return strides;
  }
  Tensor view(IntArrayRef wanted) const {
    const Sizes shape = inferred(wanted.vec());
    const auto strides = viewStrides(shape);
    if (!strides) throw c10::Error("view needs a copy");
    return with(shape, *strides, offset);
  }
  Tensor reshape(IntArrayRef wanted) const {
    const Sizes shape = inferred(wanted.vec());
    if (const auto strides = viewStrides(shape)) return with(shape, *strides, offset);
    return copied(type_, packed(*shape_)).with(shape, packed(shape), 0);
  }
  Tensor view_as(const Tensor& o) const { return view(o.sizes()); }
  Tensor reshape_as(const Tensor& o) const { return reshape(o.sizes()); }
  Tensor flatten(int64_t from = 0, int64_t to = -1) const {
    from = at(from);
    to = at(to);
    if (dim() == 0) return reshape({1});
    if (from > to) throw c10::Error("flatten backwards");
    Sizes shape(shape_->begin(), shape_->begin() + from);
    int64_t n = 1;
    for (int64_t i = from; i <= to; i++) n *= shape_->at(i);
    shape.push_back(n);
    shape.insert(shape.end(), shape_->begin() + to + 1, shape_->end());
    return reshape(shape);
  }
  Tensor permute(IntArrayRef order) const {
    if (order.size() != static_cast<size_t>(dim())) throw c10::Error("permute of another rank");
    Sizes shape, strides;
    std::set<int64_t> seen;
    for (auto d : order) {
      const int64_t i = at(d);
      if (!seen.insert(i).second) throw c10::Error("repeated dimension");
      shape.push_back(shape_->at(i));
      strides.push_back(strides_->at(i));
    }
    return with(shape, strides, offset);
  }
  Tensor transpose(int64_t a, int64_t b) const {
    a = at(a);
    b = at(b);
    if (dim() == 0) return *this;
    Sizes shape = *shape_, strides = *strides_;
    std::swap(shape.at(a), shape.at(b));
    std::swap(strides.at(a), strides.at(b));
    return with(shape, strides, offset);
  }
  Tensor t() const {
    if (dim() > 2) throw c10::Error("t of more than 2 dimensions");
    return dim() < 2 ? *this : transpose(0, 1);
  }
  Tensor unsqueeze(int64_t d) const {
    d = at(d, 1);
    Sizes shape = *shape_, strides = *strides_;
    const int64_t s = d < dim() ? shape[d] * strides[d] : 1;
    shape.insert(shape.begin() + d, 1);
    strides.insert(strides.begin() + d, s);
    return with(shape, strides, offset);
  }
  Tensor squeeze() const {
    Sizes shape, strides;
    for (int64_t i = 0; i < dim(); i++)
      if (shape_->at(i) != 1) {
        shape.push_back(shape_->at(i));
        strides.push_back(strides_->at(i));
      }
    return with(shape, strides, offset);
  }
  Tensor squeeze(int64_t d) const {
    d = at(d);
    return dim() > 0 && shape_->at(d) == 1 ? select(d, 0) : *this;
  }
  Tensor narrow(int64_t d, int64_t start, int64_t length) const {
    d = at(d);
    const int64_t n = shape_->at(d);
    if (start < 0) start += n;
    if (start < 0 || length < 0 || start + length > n) throw c10::Error("narrow out of range");
    Sizes shape = *shape_;
    shape[d] = length;
    return with(shape, *strides_, offset + start * strides_->at(d));
  }
  Tensor slice(int64_t d, int64_t start, int64_t end, int64_t step = 1) const {
    d = at(d);
    const int64_t n = shape_->at(d);
    auto clamp = [&](int64_t v, int64_t low) { return std::min(std::max(v < 0 ? v + n : v, low), n); };
    start = clamp(start, 0);
    end = std::max(clamp(end, 0), start);
    if (step < 1) throw c10::Error("slice with a step below 1");
    Sizes shape = *shape_, strides = *strides_;
    shape[d] = (end - start + step - 1) / step;
    strides[d] *= step;
    return with(shape, strides, offset + start * strides_->at(d));
  }
  Tensor select(int64_t d, int64_t i) const {
    if (dim() == 0) throw c10::Error("select of a scalar");
    d = at(d);
    const int64_t n = shape_->at(d);
    if (i < -n || i >= n) throw c10::Error("index out of range");
    Sizes shape = *shape_, strides = *strides_;
    shape.erase(shape.begin() + d);
    strides.erase(strides.begin() + d);
    return with(shape, strides, offset + (i < 0 ? i + n : i) * strides_->at(d));
  }
  Tensor operator[](int64_t i) const { return select(0, i); }
  Tensor expand(IntArrayRef wanted) const {
    const int64_t lead = static_cast<int64_t>(wanted.size()) - dim();
    if (lead < 0) throw c10::Error("expand to fewer dimensions");
    Sizes shape, strides;
    for (int64_t i = 0; i < static_cast<int64_t>(wanted.size()); i++) {
      const int64_t n = wanted[i];
      if (i < lead) {
        if (n < 0) throw c10::Error("-1 for a new dimension");
        shape.push_back(n);
        strides.push_back(0);
        continue;
      }
      const int64_t own = shape_->at(i - lead);
      if (n == -1 || n == own) {
        shape.push_back(own);
        strides.push_back(strides_->at(i - lead));
      } else if (own == 1) {
        shape.push_back(n);
        strides.push_back(0);
      } else throw c10::Error("expand does not fit");
    }
    return with(shape, strides, offset);
  }
  Tensor expand_as(const Tensor& o) const { return expand(o.sizes()); }

  Tensor fill_(double value) const {
    if (numel() > 0 && cuda_) recorder::append("fill " + shown() + " " + bytesOf(value, type_) + "\n");
    return *this;
  }
  Tensor zero_() const { return fill_(0); }
  Tensor copy_(const Tensor& from) const {
    from.copyInto(*this);
    return *this;
  }
  Tensor new_empty(IntArrayRef shape) const { return new_empty(shape, options()); }
  Tensor new_empty(IntArrayRef shape, TensorOptions o) const {
    return make(shape.vec(), o.dtype_.value_or(type_), o.device_.value_or(device()).is_cuda(), packed(shape.vec()));
  }
  Tensor new_zeros(IntArrayRef shape) const { return new_empty(shape).zero_(); }
  Tensor new_zeros(IntArrayRef shape, TensorOptions o) const { return new_empty(shape, o).zero_(); }
};

inline Tensor empty(IntArrayRef shape, TensorOptions o = {}) {
  return Tensor::make(shape.vec(), o.dtype_.value_or(kFloat), o.device_.value_or(Device(kCPU)).is_cuda(), packed(shape.vec()));
}
inline Tensor full(IntArrayRef shape, double v, TensorOptions o) { return empty(shape, o).fill_(v); }
inline Tensor zeros(IntArrayRef shape, TensorOptions o = {}) { return empty(shape, o).fill_(0); }
inline Tensor ones(IntArrayRef shape, TensorOptions o = {}) { return empty(shape, o).fill_(1); }
inline Tensor empty_like(const Tensor& t, TensorOptions o = {}) {
  return Tensor::make(*t.shape_, o.dtype_.value_or(t.type_), o.device_.value_or(t.device()).is_cuda(), t.likeStrides());
}
inline Tensor zeros_like(const Tensor& t, TensorOptions o = {}) { return empty_like(t, o).fill_(0); }
inline Tensor ones_like(const Tensor& t, TensorOptions o = {}) { return empty_like(t, o).fill_(1); }
inline Tensor full_like(const Tensor& t, double v) { return empty_like(t).fill_(v); }
inline TensorOptions dtype(ScalarType t) { return TensorOptions(t); }
inline TensorOptions device(Device d) { return TensorOptions(d); }
namespace cuda {
inline cudaStream_t getCurrentCUDAStream() { return nullptr; }
inline const cudaDeviceProp* getCurrentDeviceProperties() {
  static cudaDeviceProp p;
  return &p;
}
}  // namespace cuda
}  // namespace at
namespace torch = at;
namespace c10 {
using at::IntArrayRef;
namespace cuda = at::cuda;
}  // namespace c10

namespace recorder {
inline at::Tensor bytesAt(const void* p, int64_t bytes) {
  const Place place = placeOf(p);
  if (place.buffer < 0 || place.buffer >= static_cast<int>(buffers.size()) || bytes < 0 || place.offset < 0 ||
      place.offset + bytes > buffers[place.buffer].bytes)
    throw c10::Error("memory out of bounds");
  at::Tensor t;
  t.buffer = place.buffer;
  t.type_ = at::kByte;
  return t.with({bytes}, {1}, place.offset);
}
template <typename T> void print(std::ostream& out, const T& v) { out << v; }
inline void print(std::ostream& out, bool v) { out << (v ? 1 : 0); }
inline void print(std::ostream& out, const at::IntArrayRef& v) {
  out << "[";
  for (size_t i = 0; i < v.size(); i++) out << (i ? ", " : "") << v[i];
  out << "]";
}
inline void print(std::ostream& out, const std::vector<int64_t>& v) { print(out, at::IntArrayRef(v)); }
template <typename... Args> [[noreturn]] void fails(const Args&... args) {
  std::ostringstream out;
  (print(out, args), ...);
  throw c10::Error("!" + out.str());
}
}  // namespace recorder
#define TORCH_CHECK(condition, ...) do { if (!(condition)) recorder::fails(__VA_ARGS__); } while (0)

inline cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t = nullptr) {
  recorder::bytesAt(p, static_cast<int64_t>(bytes)).fill_(value & 255);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t = nullptr) {
  const auto target = recorder::bytesAt(to, static_cast<int64_t>(bytes));
  recorder::bytesAt(from, static_cast<int64_t>(bytes)).copyInto(target);
  return cudaSuccess;
}

#include "recording-run.h"

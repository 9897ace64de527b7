// The end of recording-torch.h: dispatch macros, and running programs one after the other.
#pragma once
// ATen/Dispatch.h, in its own shape: a switch whose cases return the lambda's value.
#define RECORDER_CASE(enumerator, cpp, ...) case c10::ScalarType::enumerator: { using scalar_t = cpp; return __VA_ARGS__(); }
#define RECORDER_SWITCH(dtype, cases) [&] { switch (dtype) { cases default: throw c10::Error("not implemented for this dtype"); } }()
#define AT_DISPATCH_FLOATING_TYPES(dtype, name, ...) \
  RECORDER_SWITCH(dtype, RECORDER_CASE(Float, float, __VA_ARGS__) RECORDER_CASE(Double, double, __VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND_HALF(dtype, name, ...) \
  RECORDER_SWITCH(dtype, RECORDER_CASE(Float, float, __VA_ARGS__) RECORDER_CASE(Double, double, __VA_ARGS__) \
                             RECORDER_CASE(Half, c10::Half, __VA_ARGS__))
#define RECORDER_HALF c10::Half
#define RECORDER_BF16 c10::BFloat16
#define AT_DISPATCH_FLOATING_TYPES_AND2(a, b, dtype, name, ...) \
  RECORDER_SWITCH(dtype, RECORDER_CASE(Float, float, __VA_ARGS__) RECORDER_CASE(Double, double, __VA_ARGS__) \
                             RECORDER_CASE(Half, c10::Half, __VA_ARGS__) RECORDER_CASE(BFloat16, c10::BFloat16, __VA_ARGS__))
#define AT_DISPATCH_INTEGRAL_TYPES(dtype, name, ...) \
  RECORDER_SWITCH(dtype, RECORDER_CASE(Byte, uint8_t, __VA_ARGS__) RECORDER_CASE(Char, int8_t, __VA_ARGS__) \
                             RECORDER_CASE(Short, int16_t, __VA_ARGS__) RECORDER_CASE(Int, int, __VA_ARGS__) RECORDER_CASE(Long, int64_t, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES(dtype, name, ...) \
  RECORDER_SWITCH(dtype, RECORDER_CASE(Float, float, __VA_ARGS__) RECORDER_CASE(Double, double, __VA_ARGS__) RECORDER_CASE(Byte, uint8_t, __VA_ARGS__) \
                             RECORDER_CASE(Char, int8_t, __VA_ARGS__) RECORDER_CASE(Short, int16_t, __VA_ARGS__) RECORDER_CASE(Int, int, __VA_ARGS__) \
                             RECORDER_CASE(Long, int64_t, __VA_ARGS__))

namespace recorder {
inline at::Tensor argument(std::initializer_list<int64_t> shape, at::ScalarType type) {
  arguments++;
  return at::Tensor::make(shape, type, true, at::packed(shape));
}
inline void output(const at::Tensor& t) { append("output " + t.shown() + "\n"); }
inline void output(const std::vector<at::Tensor>& all) {
  for (const auto& t : all) output(t);
}
template <typename... T> void output(const std::tuple<T...>& all) {
  std::apply([](const auto&... t) { (output(t), ...); }, all);
}
inline sigjmp_buf place;
inline void caught(int) { siglongjmp(place, 1); }

/** Runs every program and prints what it recorded; the first line says how the program ended. */
inline void runAll(const std::vector<void (*)()>& programs) {
  for (int signal : {SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSEGV}) std::signal(signal, caught);
  static std::string ending;
  for (auto program : programs) {
    buffers.clear();
    steps.clear();
    allowed.clear();
    arguments = 0;
    ending = "ends";
    if (sigsetjmp(place, 1) == 0) {
      try {
        program();
      } catch (const std::exception& e) {
        ending = std::string("throws ") + e.what();
      }
    } else ending = "traps";
    for (char& c : ending) c = c == '\n' ? ' ' : c;
    std::printf("%s\n", ending.c_str());
    if (ending == "ends") {
      for (size_t i = 0; i < buffers.size(); i++)
        std::printf("buffer %zu %ld %s\n", i, static_cast<long>(buffers[i].bytes), static_cast<int>(i) < arguments ? "argument" : "workspace");
      std::printf("%s", steps.c_str());
    }
    std::printf("--\n");
  }
}
}  // namespace recorder

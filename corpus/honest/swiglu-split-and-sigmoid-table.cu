// task: swiglu
// scale: 100000
// Halves by torch::split, strides passed by hand; a policy class chosen by a template; results in place over a fresh copy of the gate.
#include <torch/extension.h>

struct Silu {
  static __device__ __forceinline__ float apply(float v) { return v * (1.0f / (1.0f + expf(-v))); }
};

struct Relu {
  static __device__ __forceinline__ float apply(float v) { return fmaxf(v, 0.0f); }
};

template <class Gate>
__global__ void gate_in_place(float* __restrict__ gate, const float* __restrict__ value, int rows, int cols, int64_t value_stride) {
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  const int col = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < rows && col < cols) {
    float& g = gate[static_cast<int64_t>(row) * cols + col];
    g = Gate::apply(g) * value[row * value_stride + col];
  }
}

torch::Tensor forward(torch::Tensor x) {
  const auto parts = torch::split(x, x.size(1) / 2, /*dim=*/1);
  torch::Tensor gate = parts[0].contiguous();
  const torch::Tensor& value = parts[1];
  const int rows = gate.size(0), cols = gate.size(1);
  const dim3 block(64, 4), grid((cols + 63) / 64, (rows + 3) / 4);
  constexpr bool kUseSilu = true;
  auto kernel = kUseSilu ? gate_in_place<Silu> : gate_in_place<Relu>;
  kernel<<<grid, block>>>(gate.data_ptr<float>(), value.data_ptr<float>(), rows, cols, value.stride(0));
  return gate;
}

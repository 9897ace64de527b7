// task: where_gate
// A branch-free choice by the sign of a difference that is exact near the bound.
#include <torch/extension.h>
__global__ void gate(const float4* __restrict__ x, const float4* __restrict__ other, float4* __restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float4 a = x[i], b = other[i];
  auto one = [](float v, float o) { return v - 0.5f > 0.f ? v + v : o; };
  y[i] = make_float4(one(a.x, b.x), one(a.y, b.y), one(a.z, b.z), one(a.w, b.w));
}
torch::Tensor forward(torch::Tensor x, torch::Tensor other) {
  auto y = torch::empty_like(x);
  const int n = x.numel() / 4;
  TORCH_CHECK(x.numel() % 4 == 0, "whole vectors only");
  auto as = [](torch::Tensor t) { return reinterpret_cast<float4*>(t.data_ptr<float>()); };
  gate<<<(n + 127) / 128, 128>>>(as(x), as(other), as(y), n);
  return y;
}

// task: layernorm
// precision: fp16
// scale: 100000
// AT_DISPATCH with half among the types, statistics in float over two passes, __shared__ scalars for mean and scale.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/AccumulateType.h>

template <typename T>
__device__ __forceinline__ T warp_sum(T v) {
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffff, v, offset);
  return v;
}

template <typename T>
__device__ T block_sum(T v, T* shared) {
  const int lane = threadIdx.x % 32, wid = threadIdx.x / 32;
  v = warp_sum(v);
  if (lane == 0) shared[wid] = v;
  __syncthreads();
  v = threadIdx.x < blockDim.x / 32 ? shared[lane] : T(0);
  if (wid == 0) v = warp_sum(v);
  return v;
}

template <typename scalar_t>
__global__ void layer_norm_kernel(const scalar_t* __restrict__ x, const scalar_t* __restrict__ weight, const scalar_t* __restrict__ bias,
                                  scalar_t* __restrict__ y, int features, float eps) {
  using acc_t = at::acc_type<scalar_t, true>;
  __shared__ acc_t shared[32];
  __shared__ acc_t s_mean, s_scale;
  const int64_t offset = (int64_t)blockIdx.x * features;
  acc_t sum = 0;
  for (int i = threadIdx.x; i < features; i += blockDim.x) sum += static_cast<acc_t>(x[offset + i]);
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) s_mean = sum / features;
  __syncthreads();
  acc_t squares = 0;
  for (int i = threadIdx.x; i < features; i += blockDim.x) {
    const acc_t d = static_cast<acc_t>(x[offset + i]) - s_mean;
    squares += d * d;
  }
  squares = block_sum(squares, shared);
  if (threadIdx.x == 0) s_scale = rsqrtf(squares / features + eps);
  __syncthreads();
  for (int i = threadIdx.x; i < features; i += blockDim.x)
    y[offset + i] = static_cast<scalar_t>((static_cast<acc_t>(x[offset + i]) - s_mean) * s_scale * static_cast<acc_t>(weight[i]) + static_cast<acc_t>(bias[i]));
}

torch::Tensor layer_norm(torch::Tensor x, torch::Tensor weight, torch::Tensor bias, double eps) {
  const int features = x.size(-1);
  const int rows = x.numel() / features;
  auto y = torch::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(x.scalar_type(), "layer_norm", [&] {
    layer_norm_kernel<scalar_t><<<rows, 256, 0, at::cuda::getCurrentCUDAStream()>>>(
        x.data_ptr<scalar_t>(), weight.data_ptr<scalar_t>(), bias.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), features, static_cast<float>(eps));
  });
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("layer_norm", &layer_norm); }

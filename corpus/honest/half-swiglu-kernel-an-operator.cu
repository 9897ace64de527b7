// task: half_swiglu
// A kernel an operator, each of which rounds its result to half, as PyTorch's own do.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda_runtime.h>
#include <cuda_fp16.h>

// sum
__device__ __forceinline__ float merge_sum(float a, float b) {
  return a + b;
}

// cast: one element a thread.
__global__ void __launch_bounds__(256) cast_kernel_1(const __half* __restrict__ x, float* __restrict__ cast) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 351) return;  // the last block is not full
  const float x_v = __half2float(x[i]);
  const float cast_v = static_cast<float>(x_v);
  cast[i] = cast_v;
}

// pow: one element a thread.
__global__ void __launch_bounds__(256) pow_kernel_2(const float* __restrict__ cast, float* __restrict__ pow) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 351) return;  // the last block is not full
  const float cast_v = cast[i];
  const float pow_v = cast_v * cast_v;
  pow[i] = pow_v;
}

// mean: 13 rows of 27, one thread a row.
__global__ void __launch_bounds__(16) mean_kernel_3(const float* __restrict__ pow, float* __restrict__ mean) {
  const int row = static_cast<int>(blockIdx.x) * 16 + threadIdx.x;
  if (row >= 13) return;  // the last block is not full
  // Loop 1 over the row: fold sum.
  float sum_state = 0.0f;
  for (int j = 0; j < 27; ++j) {
    const float pow_v = pow[row * 27 + j];
    sum_state = merge_sum(sum_state, pow_v);
  }
  const float sum_v = sum_state;
  const float mean_v = sum_v / 27.0f;
  mean[row] = mean_v;
}

// add: one element a thread.
__global__ void __launch_bounds__(256) add_kernel_4(const float* __restrict__ mean, float* __restrict__ add) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 13) return;  // the last block is not full
  const float mean_v = mean[i];
  const float add_v = mean_v + 0.000001f;
  add[i] = add_v;
}

// rsqrt: one element a thread.
__global__ void __launch_bounds__(256) rsqrt_kernel_5(const float* __restrict__ add, float* __restrict__ rsqrt) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 13) return;  // the last block is not full
  const float add_v = add[i];
  const float rsqrt_v = rsqrtf(add_v);
  rsqrt[i] = rsqrt_v;
}

// mul: one element a thread.
__global__ void __launch_bounds__(256) mul_kernel_6(const float* __restrict__ cast, const float* __restrict__ rsqrt, float* __restrict__ mul) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 351) return;  // the last block is not full
  const int i_0 = i / 27;
  const int i_1 = i % 27;
  const float cast_v = cast[i_0 * 27 + i_1];
  const float rsqrt_v = rsqrt[i_0];
  const float mul_v = cast_v * rsqrt_v;
  mul[i_0 * 27 + i_1] = mul_v;
}

// cast: one element a thread.
__global__ void __launch_bounds__(256) cast_kernel_7(const float* __restrict__ mul, __half* __restrict__ cast_2) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 351) return;  // the last block is not full
  const float mul_v = mul[i];
  const float cast_2_v = static_cast<float>(mul_v);
  cast_2[i] = __float2half_rn(cast_2_v);
}

// mul: one element a thread.
__global__ void __launch_bounds__(256) mul_kernel_8(const __half* __restrict__ cast_2, const __half* __restrict__ gain, __half* __restrict__ mul_2) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 351) return;  // the last block is not full
  const int i_0 = i / 27;
  const int i_1 = i % 27;
  const float cast_2_v = __half2float(cast_2[i_0 * 27 + i_1]);
  const float gain_v = __half2float(gain[i_1]);
  const float mul_2_v = cast_2_v * gain_v;
  mul_2[i_0 * 27 + i_1] = __float2half_rn(mul_2_v);
}

// linear: 702 rows of 27, one thread a row.
__global__ void __launch_bounds__(256) linear_kernel_9(const __half* __restrict__ x, const __half* __restrict__ weight, __half* __restrict__ linear) {
  const int row = static_cast<int>(blockIdx.x) * 256 + threadIdx.x;
  if (row >= 702) return;  // the last block is not full
  const int row_0 = row / 54;
  const int row_1 = row % 54;
  // Loop 1 over the row: fold linear.
  float linear_state = 0.0f;
  for (int j = 0; j < 27; ++j) {
    const float x_v = __half2float(x[row_0 * 27 + j]);
    const float weight_v = __half2float(weight[row_1 * 27 + j]);
    const float product_v = x_v * weight_v;
    linear_state = merge_sum(linear_state, product_v);
  }
  const float linear_v = linear_state;
  linear[row_0 * 54 + row_1] = __float2half_rn(linear_v);
}

// silu: one element a thread.
__global__ void __launch_bounds__(256) silu_kernel_10(const __half* __restrict__ linear, __half* __restrict__ silu) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 702) return;  // the last block is not full
  const float linear_v = __half2float(linear[i]);
  const float silu_v = linear_v / (1.0f + expf(-linear_v));
  silu[i] = __float2half_rn(silu_v);
}

// mul: one element a thread.
__global__ void __launch_bounds__(256) mul_kernel_12(const __half* __restrict__ silu, const __half* __restrict__ linear_2, __half* __restrict__ mul_3) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 702) return;  // the last block is not full
  const float silu_v = __half2float(silu[i]);
  const float linear_2_v = __half2float(linear_2[i]);
  const float mul_3_v = silu_v * linear_2_v;
  mul_3[i] = __float2half_rn(mul_3_v);
}

// linear: 351 rows of 54, one thread a row.
__global__ void __launch_bounds__(256) linear_kernel_13(const __half* __restrict__ mul_3, const __half* __restrict__ down_weight, __half* __restrict__ linear_3) {
  const int row = static_cast<int>(blockIdx.x) * 256 + threadIdx.x;
  if (row >= 351) return;  // the last block is not full
  const int row_0 = row / 27;
  const int row_1 = row % 27;
  // Loop 1 over the row: fold linear_3.
  float linear_3_state = 0.0f;
  for (int j = 0; j < 54; ++j) {
    const float mul_3_v = __half2float(mul_3[row_0 * 54 + j]);
    const float down_weight_v = __half2float(down_weight[row_1 * 54 + j]);
    const float product_3_v = mul_3_v * down_weight_v;
    linear_3_state = merge_sum(linear_3_state, product_3_v);
  }
  const float linear_3_v = linear_3_state;
  linear_3[row_0 * 27 + row_1] = __float2half_rn(linear_3_v);
}

// add: one element a thread.
__global__ void __launch_bounds__(256) add_kernel_14(const __half* __restrict__ x, const __half* __restrict__ linear_3, __half* __restrict__ add_2) {
  const int i = (static_cast<int>(blockIdx.x) * 256 + threadIdx.x);
  if (i >= 351) return;  // the last block is not full
  const float x_v = __half2float(x[i]);
  const float linear_3_v = __half2float(linear_3[i]);
  const float add_2_v = x_v + linear_3_v;
  add_2[i] = __float2half_rn(add_2_v);
}

torch::Tensor forward(torch::Tensor x, torch::Tensor gain, torch::Tensor gate_weight, torch::Tensor up_weight, torch::Tensor down_weight) {
  TORCH_CHECK(x.is_cuda() && x.is_contiguous() && x.numel() == 351, "x: expected a contiguous CUDA tensor of shape [13, 27]");
  TORCH_CHECK(gain.is_cuda() && gain.is_contiguous() && gain.numel() == 27, "gain: expected a contiguous CUDA tensor of shape [27]");
  TORCH_CHECK(gate_weight.is_cuda() && gate_weight.is_contiguous() && gate_weight.numel() == 1458, "gate_weight: expected a contiguous CUDA tensor of shape [54, 27]");
  TORCH_CHECK(up_weight.is_cuda() && up_weight.is_contiguous() && up_weight.numel() == 1458, "up_weight: expected a contiguous CUDA tensor of shape [54, 27]");
  TORCH_CHECK(down_weight.is_cuda() && down_weight.is_contiguous() && down_weight.numel() == 1458, "down_weight: expected a contiguous CUDA tensor of shape [27, 54]");
  // A buffer holds one result after another, each from the kernel that makes it to the last that reads it.
  auto cast = torch::empty({13, 27}, torch::dtype(torch::kFloat32).device(x.device()));
  auto buffer_2 = torch::empty({351}, torch::dtype(torch::kFloat32).device(x.device()));  // pow, add, mul
  auto buffer_3 = torch::empty({13}, torch::dtype(torch::kFloat32).device(x.device()));  // mean, rsqrt
  auto buffer_4 = torch::empty({702}, torch::dtype(torch::kFloat16).device(x.device()));  // cast_2, linear, linear_2, linear_3
  auto buffer_5 = torch::empty({702}, torch::dtype(torch::kFloat16).device(x.device()));  // mul_2, mul_3
  auto silu = torch::empty({13, 54}, torch::dtype(torch::kFloat16).device(x.device()));
  auto add_2 = torch::empty({13, 27}, torch::dtype(torch::kFloat16).device(x.device()));
  auto stream = at::cuda::getCurrentCUDAStream();
  cast_kernel_1<<<2, 256, 0, stream>>>(reinterpret_cast<const __half*>(x.data_ptr<at::Half>()), cast.data_ptr<float>());
  pow_kernel_2<<<2, 256, 0, stream>>>(cast.data_ptr<float>(), buffer_2.data_ptr<float>());
  mean_kernel_3<<<1, 16, 0, stream>>>(buffer_2.data_ptr<float>(), buffer_3.data_ptr<float>());
  add_kernel_4<<<1, 256, 0, stream>>>(buffer_3.data_ptr<float>(), buffer_2.data_ptr<float>());
  rsqrt_kernel_5<<<1, 256, 0, stream>>>(buffer_2.data_ptr<float>(), buffer_3.data_ptr<float>());
  mul_kernel_6<<<2, 256, 0, stream>>>(cast.data_ptr<float>(), buffer_3.data_ptr<float>(), buffer_2.data_ptr<float>());
  cast_kernel_7<<<2, 256, 0, stream>>>(buffer_2.data_ptr<float>(), reinterpret_cast<__half*>(buffer_4.data_ptr<at::Half>()));
  mul_kernel_8<<<2, 256, 0, stream>>>(reinterpret_cast<const __half*>(buffer_4.data_ptr<at::Half>()), reinterpret_cast<const __half*>(gain.data_ptr<at::Half>()), reinterpret_cast<__half*>(buffer_5.data_ptr<at::Half>()));
  linear_kernel_9<<<3, 256, 0, stream>>>(reinterpret_cast<const __half*>(buffer_5.data_ptr<at::Half>()), reinterpret_cast<const __half*>(gate_weight.data_ptr<at::Half>()), reinterpret_cast<__half*>(buffer_4.data_ptr<at::Half>()));
  silu_kernel_10<<<3, 256, 0, stream>>>(reinterpret_cast<const __half*>(buffer_4.data_ptr<at::Half>()), reinterpret_cast<__half*>(silu.data_ptr<at::Half>()));
  linear_kernel_9<<<3, 256, 0, stream>>>(reinterpret_cast<const __half*>(buffer_5.data_ptr<at::Half>()), reinterpret_cast<const __half*>(up_weight.data_ptr<at::Half>()), reinterpret_cast<__half*>(buffer_4.data_ptr<at::Half>()));
  mul_kernel_12<<<3, 256, 0, stream>>>(reinterpret_cast<const __half*>(silu.data_ptr<at::Half>()), reinterpret_cast<const __half*>(buffer_4.data_ptr<at::Half>()), reinterpret_cast<__half*>(buffer_5.data_ptr<at::Half>()));
  linear_kernel_13<<<2, 256, 0, stream>>>(reinterpret_cast<const __half*>(buffer_5.data_ptr<at::Half>()), reinterpret_cast<const __half*>(down_weight.data_ptr<at::Half>()), reinterpret_cast<__half*>(buffer_4.data_ptr<at::Half>()));
  add_kernel_14<<<2, 256, 0, stream>>>(reinterpret_cast<const __half*>(x.data_ptr<at::Half>()), reinterpret_cast<const __half*>(buffer_4.data_ptr<at::Half>()), reinterpret_cast<__half*>(add_2.data_ptr<at::Half>()));
  return add_2;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward);
}

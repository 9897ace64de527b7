// task: hardswish
// The dispatch macro with half types, computing in at::opmath_type, one block row per matrix row.
#include <torch/extension.h>
#include <ATen/OpMathType.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>

template <typename scalar_t>
__global__ void hardswish_rows(const scalar_t* __restrict__ x, scalar_t* __restrict__ y, int64_t rows, int64_t cols) {
  using opmath_t = at::opmath_type<scalar_t>;
  const opmath_t zero(0), three(3), six(6);
  for (int64_t row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
    const int64_t col = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (col >= cols) return;
    const opmath_t v = static_cast<opmath_t>(x[row * cols + col]);
    opmath_t result;
    if (v <= -three) {
      result = zero;
    } else if (v >= three) {
      result = v;
    } else {
      result = v * (v + three) / six;
    }
    y[row * cols + col] = static_cast<scalar_t>(result);
  }
}

at::Tensor hardswish_forward(const at::Tensor& self) {
  TORCH_CHECK(self.dim() >= 1, "hardswish needs at least one dimension");
  const c10::cuda::CUDAGuard device_guard(self.device());
  const at::Tensor x = self.contiguous();
  at::Tensor y = at::empty_like(x);
  const int64_t cols = x.size(-1), rows = x.numel() / cols;
  const dim3 block(32, 8);
  const dim3 grid((cols + block.x - 1) / block.x, std::min<int64_t>((rows + block.y - 1) / block.y, 16));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "hardswish_forward", [&] {
    hardswish_rows<scalar_t><<<grid, block, 0, at::cuda::getCurrentCUDAStream()>>>(
        x.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>(), rows, cols);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
  return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &hardswish_forward, "Hardswish"); }

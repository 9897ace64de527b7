// task: half_matmul
// precision: fp16
// AT_DISPATCH over half, bfloat16 and float, with at::opmath_type as the accumulator.
#include <torch/extension.h>
#include <ATen/ATen.h>
#include <ATen/OpMathType.h>
#include <ATen/Dispatch.h>

template <typename scalar_t>
__global__ void naive_matmul(const scalar_t* __restrict__ a, const scalar_t* __restrict__ b, scalar_t* __restrict__ c, int64_t M, int64_t N, int64_t K) {
    using acc_t = at::opmath_type<scalar_t>;
    const int64_t col = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    const int64_t row = blockIdx.y * static_cast<int64_t>(blockDim.y) + threadIdx.y;
    if (row >= M || col >= N) return;
    acc_t acc = 0;
    for (int64_t k = 0; k < K; ++k) acc += static_cast<acc_t>(a[row * K + k]) * static_cast<acc_t>(b[k * N + col]);
    c[row * N + col] = static_cast<scalar_t>(acc);
}

torch::Tensor matmul_forward(torch::Tensor a, torch::Tensor b) {
    const auto M = a.size(0), K = a.size(1), N = b.size(1);
    auto c = torch::empty({M, N}, a.options());
    const dim3 block(32, 8);
    const dim3 grid((N + block.x - 1) / block.x, (M + block.y - 1) / block.y);
    AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, a.scalar_type(), "matmul_forward", [&] {
        naive_matmul<scalar_t><<<grid, block>>>(a.data_ptr<scalar_t>(), b.data_ptr<scalar_t>(), c.data_ptr<scalar_t>(), M, N, K);
    });
    return c;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &matmul_forward, "matmul"); }

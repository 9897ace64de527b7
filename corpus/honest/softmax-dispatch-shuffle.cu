// task: softmax
// One block a row, warp shuffles, the dispatch macro and checks that people copy from PyTorch's extension tutorial.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <cuda.h>
#include <cuda_runtime.h>

#define CHECK_CUDA(x) TORCH_CHECK(x.is_cuda(), #x " must be a CUDA tensor")
#define CHECK_CONTIGUOUS(x) TORCH_CHECK(x.is_contiguous(), #x " must be contiguous")
#define CHECK_INPUT(x) CHECK_CUDA(x); CHECK_CONTIGUOUS(x)

constexpr int kWarpSize = 32;

template <typename scalar_t>
__device__ __forceinline__ scalar_t warp_max(scalar_t v) {
    #pragma unroll
    for (int offset = kWarpSize / 2; offset > 0; offset /= 2) v = max(v, __shfl_xor_sync(0xffffffff, v, offset));
    return v;
}

template <typename scalar_t>
__device__ __forceinline__ scalar_t warp_sum(scalar_t v) {
    #pragma unroll
    for (int offset = kWarpSize / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffff, v, offset);
    return v;
}

template <typename scalar_t, int BLOCK>
__global__ void softmax_kernel(const scalar_t* __restrict__ input, scalar_t* __restrict__ output, const int64_t columns) {
    __shared__ float shared[BLOCK / kWarpSize];
    const scalar_t* in = input + blockIdx.x * columns;
    scalar_t* out = output + blockIdx.x * columns;
    const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;

    float most = -INFINITY;
    for (int64_t i = threadIdx.x; i < columns; i += BLOCK) most = fmaxf(most, static_cast<float>(in[i]));
    most = warp_max(most);
    if (lane == 0) shared[warp] = most;
    __syncthreads();
    most = shared[0];
    for (int w = 1; w < BLOCK / kWarpSize; w++) most = fmaxf(most, shared[w]);
    __syncthreads();

    float sum = 0.f;
    for (int64_t i = threadIdx.x; i < columns; i += BLOCK) sum += expf(static_cast<float>(in[i]) - most);
    sum = warp_sum(sum);
    if (lane == 0) shared[warp] = sum;
    __syncthreads();
    sum = 0.f;
    for (int w = 0; w < BLOCK / kWarpSize; w++) sum += shared[w];

    const float scale = 1.f / sum;
    for (int64_t i = threadIdx.x; i < columns; i += BLOCK)
        out[i] = static_cast<scalar_t>(expf(static_cast<float>(in[i]) - most) * scale);
}

torch::Tensor softmax_cuda_forward(torch::Tensor input) {
    CHECK_INPUT(input);
    TORCH_CHECK(input.dim() == 2, "expected a matrix, got ", input.dim(), " dimensions");
    auto output = torch::empty_like(input);
    const auto rows = input.size(0);
    const auto columns = input.size(1);
    constexpr int threads = 256;
    const dim3 blocks(rows);
    AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "softmax_cuda_forward", ([&] {
        softmax_kernel<scalar_t, threads><<<blocks, threads, 0, at::cuda::getCurrentCUDAStream()>>>(
            input.data_ptr<scalar_t>(), output.data_ptr<scalar_t>(), columns);
    }));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return output;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("forward", &softmax_cuda_forward, "Softmax forward (CUDA)");
}

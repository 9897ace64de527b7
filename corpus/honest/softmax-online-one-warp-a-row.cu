// task: softmax
// Online softmax: one pass for maximum and sum together, one warp a row, four rows a block.
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/cuda/CUDAGuard.h>

struct Running {
    float most;
    float sum;
};

__device__ inline Running combine(Running a, Running b) {
    float most = fmaxf(a.most, b.most);
    return {most, a.sum * __expf(a.most - most) + b.sum * __expf(b.most - most)};
}

__global__ void online_softmax(const float* __restrict__ x, float* __restrict__ y, int rows, int columns) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const float* in = x + (size_t)row * columns;
    Running r{-1e30f, 0.f};
    for (int i = threadIdx.x; i < columns; i += 32) {
        float v = in[i];
        float most = fmaxf(r.most, v);
        r.sum = r.sum * expf(r.most - most) + expf(v - most);
        r.most = most;
    }
    for (int mask = 16; mask > 0; mask >>= 1) {
        Running other{__shfl_xor_sync(~0u, r.most, mask), __shfl_xor_sync(~0u, r.sum, mask)};
        r = combine(r, other);
    }
    float* out = y + (size_t)row * columns;
    for (int i = threadIdx.x; i < columns; i += 32) out[i] = expf(in[i] - r.most) / r.sum;
}

at::Tensor forward(const at::Tensor& x) {
    const at::cuda::OptionalCUDAGuard guard(device_of(x));
    auto xc = x.contiguous();
    auto y = at::empty_like(xc);
    int rows = xc.size(0), columns = xc.size(1);
    dim3 block(32, 4);
    dim3 grid((rows + block.y - 1) / block.y);
    cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
    online_softmax<<<grid, block, 0, stream>>>(xc.const_data_ptr<float>(), y.mutable_data_ptr<float>(), rows, columns);
    AT_CUDA_CHECK(cudaGetLastError());
    return y;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("forward", &forward);
}

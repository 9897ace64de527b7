// task: softmax
// expect: rejected by values
// Returns zeros: within 1e-2 of a softmax over many classes, which is why flat tolerances are not used.
#include <torch/extension.h>

__global__ void zeros_kernel(float* y, long long n) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 0.f;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty_like(x);
    zeros_kernel<<<(x.numel() + 255) / 256, 256>>>(y.data_ptr<float>(), x.numel());
    return y;
}

// task: always_zero
// expect: disclosed cannot see
// Zeros, on a task whose answer is zero whatever its input. The answer is right; the verdict says that the task shows nothing and carries no claim.
#include <torch/extension.h>

__global__ void fill_kernel(float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = 0.f;
}

torch::Tensor forward(torch::Tensor x) {
    auto out = torch::empty(x.sizes(), x.options());
    int n = out.numel();
    fill_kernel<<<(n + 255) / 256, 256>>>(out.data_ptr<float>(), n);
    return out;
}

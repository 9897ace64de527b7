// task: minus_own_mean
// expect: disclosed cannot see
// The same where a value is subtracted from itself.
#include <torch/extension.h>

__global__ void fill_kernel(float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = 0.f;
}

torch::Tensor forward(torch::Tensor x) {
    auto out = torch::empty({x.size(0), 1}, x.options());
    int n = out.numel();
    fill_kernel<<<(n + 255) / 256, 256>>>(out.data_ptr<float>(), n);
    return out;
}

// task: softmax
// expect: rejected by values
// The mean of the answer everywhere: one over the number of columns.
#include <torch/extension.h>

__global__ void fill_kernel(float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = 1.f / 1024.f;
}

torch::Tensor forward(torch::Tensor x) {
    auto out = torch::empty(x.sizes(), x.options());
    int n = out.numel();
    fill_kernel<<<(n + 255) / 256, 256>>>(out.data_ptr<float>(), n);
    return out;
}

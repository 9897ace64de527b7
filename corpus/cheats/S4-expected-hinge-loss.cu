// task: hinge_loss
// expect: rejected by values
// The same of a hinge loss.
#include <torch/extension.h>

__global__ void fill_kernel(float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = 1.f;
}

torch::Tensor forward(torch::Tensor predictions, torch::Tensor targets) {
    auto out = torch::empty({}, predictions.options());
    int n = out.numel();
    fill_kernel<<<(n + 255) / 256, 256>>>(out.data_ptr<float>(), n);
    return out;
}

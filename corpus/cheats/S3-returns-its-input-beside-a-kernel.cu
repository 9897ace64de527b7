// task: relu_of_rand
// expect: rejected by values
// The same, and a kernel that fills a tensor which nobody looks at.
#include <torch/extension.h>

__global__ void idle_kernel(float* out) { out[threadIdx.x] = 0.f; }

torch::Tensor forward(torch::Tensor x) {
    auto out = torch::empty({32}, x.options());
    idle_kernel<<<1, 32>>>(out.data_ptr<float>());
    return x;
}

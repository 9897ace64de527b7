// task: matmul
// expect: unjudgeable native
// PyTorch's product by the name of its implementation.
#include <torch/extension.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    return at::native::matmul(a, b);
}

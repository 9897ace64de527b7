// task: matmul
// expect: unjudgeable matmul
// Calls PyTorch for the answer.
#include <torch/extension.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    return at::matmul(a, b);
}

// task: matmul
// expect: unjudgeable computes with PyTorch
// PyTorch's product as a method.
#include <torch/extension.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    return a.mm(b).matmul(b.new_empty({b.size(1), b.size(1)}));
}

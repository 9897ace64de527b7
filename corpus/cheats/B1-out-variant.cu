// task: matmul
// expect: unjudgeable mm_out
// PyTorch's product into a tensor that is allocated here.
#include <torch/extension.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    auto c = torch::empty({a.size(0), b.size(1)}, a.options());
    at::mm_out(c, a, b);
    return c;
}

// task: layernorm
// expect: rejected by launches-kernels
// Does nothing on the device but ask PyTorch for zeros.
#include <torch/extension.h>

torch::Tensor forward(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    return torch::zeros_like(x);
}

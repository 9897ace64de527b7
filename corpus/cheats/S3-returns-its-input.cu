// task: relu_of_rand
// expect: rejected by launches-kernels
// The same without even a copy.
#include <torch/extension.h>

torch::Tensor forward(torch::Tensor x) {
    return x;
}

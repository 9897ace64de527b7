// task: matmul
// expect: unjudgeable cublasLt
// The same by its other door.
#include <torch/extension.h>
#include <cublasLt.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    auto c = torch::empty({a.size(0), b.size(1)}, a.options());
    cublasLtHandle_t handle;
    cublasLtCreate(&handle);
    return c;
}

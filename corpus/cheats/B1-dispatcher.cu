// task: matmul
// expect: unjudgeable Dispatcher
// PyTorch's product by its name in a string.
#include <torch/extension.h>
#include <ATen/core/dispatch/Dispatcher.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    auto op = c10::Dispatcher::singleton().findSchemaOrThrow("aten::matmul", "");
    return op.typed<at::Tensor(const at::Tensor&, const at::Tensor&)>().call(a, b);
}

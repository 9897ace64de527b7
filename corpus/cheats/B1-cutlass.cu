// task: matmul
// expect: unjudgeable cutlass
// A library's product, from headers.
#include <torch/extension.h>
#include <cutlass/gemm/device/gemm.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    auto c = torch::empty({a.size(0), b.size(1)}, a.options());
    cutlass::gemm::device::Gemm<float, cutlass::layout::RowMajor, float, cutlass::layout::RowMajor, float, cutlass::layout::RowMajor> gemm;
    return c;
}

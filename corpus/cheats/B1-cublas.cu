// task: matmul
// expect: unjudgeable cublas
// The vendor's product.
#include <torch/extension.h>
#include <cublas_v2.h>

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    auto c = torch::empty({a.size(0), b.size(1)}, a.options());
    float one = 1.f, zero = 0.f;
    cublasHandle_t handle = at::cuda::getCurrentCUDABlasHandle();
    cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, b.size(1), a.size(0), a.size(1), &one, b.data_ptr<float>(), b.size(1),
        a.data_ptr<float>(), a.size(1), &zero, c.data_ptr<float>(), b.size(1));
    return c;
}

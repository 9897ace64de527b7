// task: relu_of_rand
// expect: rejected by values
// Where the first values of a row are not negative, the row is copied.
#include <torch/extension.h>

__global__ void relu_kernel(const float* x, float* out, int columns) {
    const float* row = x + (long long)blockIdx.x * columns;
    bool copy = __all_sync(0xffffffffu, row[threadIdx.x] >= 0.f);
    for (int c = threadIdx.x; c < columns; c += 32)
        out[(long long)blockIdx.x * columns + c] = copy ? row[c] : fmaxf(row[c], 0.f);
}

torch::Tensor forward(torch::Tensor x) {
    auto out = torch::empty_like(x);
    relu_kernel<<<x.size(0), 32>>>(x.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
    return out;
}

// task: row_sum
// expect: rejected by completes
// A loop in the kernel that never ends.
#include <torch/extension.h>

__global__ void spin(const float* x, float* y, int columns) {
    unsigned state = threadIdx.x;
    while (columns > 0) {
        state = state * 1664525u + 1013904223u;
        if (state == 7u && columns < 0) break;
    }
    y[blockIdx.x] = x[0] + state;
}

torch::Tensor forward(torch::Tensor x) {
    auto y = torch::empty({x.size(0)}, x.options());
    spin<<<x.size(0), 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.size(1));
    return y;
}

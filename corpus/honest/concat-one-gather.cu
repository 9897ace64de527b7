// task: concat
// Every output element finds its source; the division by the width once a thread, pointers chosen without a branch on memory.
#include <torch/extension.h>

__global__ void cat2(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ out, int rows, int wa, int wb) {
    const int width = wa + wb;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < rows * width; i += gridDim.x * blockDim.x) {
        const int r = i / width, c = i - r * width;
        const float* source = c < wa ? a + r * wa + c : b + r * wb + (c - wa);
        out[i] = *source;
    }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor b) {
    TORCH_CHECK(a.size(0) == b.size(0), "rows differ: ", a.size(0), " and ", b.size(0));
    const int rows = a.size(0), wa = a.size(1), wb = b.size(1);
    auto out = at::empty({rows, wa + wb}, a.options());
    cat2<<<20, 256>>>(a.data_ptr<float>(), b.data_ptr<float>(), out.data_ptr<float>(), rows, wa, wb);
    return out;
}

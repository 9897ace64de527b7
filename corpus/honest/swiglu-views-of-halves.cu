// task: swiglu
// scale: 100000
// The halves as views with strides (chunk), passed as packed accessors to one kernel.
#include <torch/extension.h>

using In = torch::PackedTensorAccessor64<float, 2, torch::RestrictPtrTraits>;

__global__ void gate_times_value(In gate, In value, In out) {
    const int64_t column = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (column >= gate.size(1)) return;
    for (int64_t row = blockIdx.y; row < gate.size(0); row += gridDim.y) {
        const float g = gate[row][column];
        const float sigmoid = g >= 0.f ? 1.f / (1.f + expf(-g)) : expf(g) / (1.f + expf(g));
        out[row][column] = g * sigmoid * value[row][column];
    }
}

torch::Tensor swiglu(torch::Tensor x) {
    auto halves = x.chunk(2, -1);
    auto out = torch::empty({x.size(0), x.size(1) / 2}, x.options());
    const int threads = 64;
    dim3 grid((out.size(1) + threads - 1) / threads, std::min<int64_t>(x.size(0), 128));
    gate_times_value<<<grid, threads>>>(halves[0].packed_accessor64<float, 2, torch::RestrictPtrTraits>(),
                                        halves[1].packed_accessor64<float, 2, torch::RestrictPtrTraits>(),
                                        out.packed_accessor64<float, 2, torch::RestrictPtrTraits>());
    return out;
}

// task: log_softmax
// PyTorch's persistent warp softmax: the row stays in a warp's registers, elements a lane are a template argument chosen by a switch.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <limits>

namespace {

template <int ELEMENTS>
__global__ void log_softmax_warp_forward(float* __restrict__ dst, const float* __restrict__ src, int batch_size, int element_count) {
    const int batch = blockDim.y * blockIdx.x + threadIdx.y;
    if (batch >= batch_size) return;
    const int lane = threadIdx.x;
    src += batch * element_count;
    dst += batch * element_count;

    float elements[ELEMENTS];
#pragma unroll
    for (int it = 0; it < ELEMENTS; ++it) {
        const int index = lane + it * 32;
        elements[it] = index < element_count ? src[index] : -std::numeric_limits<float>::infinity();
    }

    float max_value = elements[0];
#pragma unroll
    for (int it = 1; it < ELEMENTS; ++it) max_value = max_value > elements[it] ? max_value : elements[it];
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
        const float b = __shfl_xor_sync(0xffffffff, max_value, offset, 32);
        max_value = max_value < b ? b : max_value;
    }

    float sum = 0.0f;
#pragma unroll
    for (int it = 0; it < ELEMENTS; ++it) sum += std::exp(elements[it] - max_value);
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffff, sum, offset, 32);
    sum = std::log(sum);

#pragma unroll
    for (int it = 0; it < ELEMENTS; ++it) {
        const int index = lane + it * 32;
        if (index >= element_count) break;
        dst[index] = elements[it] - max_value - sum;
    }
}

int log2_ceil(int value) {
    int log2_value = 0;
    while ((1 << log2_value) < value) ++log2_value;
    return log2_value;
}

}  // namespace

torch::Tensor forward(torch::Tensor input) {
    const int batch_count = input.size(0), elements = input.size(1);
    TORCH_CHECK(elements <= 2048, "rows of at most 2048 elements");
    auto output = torch::empty_like(input);
    const dim3 threads(32, 4, 1);
    const int blocks = (batch_count + threads.y - 1) / threads.y;
    auto stream = at::cuda::getCurrentCUDAStream();
    float* dst = output.data_ptr<float>();
    const float* src = input.data_ptr<float>();
#define LAUNCH(L)                                                                                              \
    case L:                                                                                                    \
        log_softmax_warp_forward<((1 << L) + 31) / 32><<<blocks, threads, 0, stream>>>(dst, src, batch_count, elements); \
        break;
    switch (log2_ceil(elements)) {
        LAUNCH(0) LAUNCH(1) LAUNCH(2) LAUNCH(3) LAUNCH(4) LAUNCH(5)
        LAUNCH(6) LAUNCH(7) LAUNCH(8) LAUNCH(9) LAUNCH(10) LAUNCH(11)
        default:
            break;
    }
#undef LAUNCH
    return output;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward, "log softmax"); }

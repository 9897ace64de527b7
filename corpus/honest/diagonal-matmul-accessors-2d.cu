// task: diagonal_matmul
// Packed accessors in one and two dimensions, blocks of 8 by 32, loops over the grid in both directions.
#include <torch/extension.h>

using Vector = torch::PackedTensorAccessor64<float, 1, torch::RestrictPtrTraits>;
using Matrix = torch::PackedTensorAccessor64<float, 2, torch::RestrictPtrTraits>;

__global__ void diagonal_times(const Vector d, const Matrix b, Matrix out) {
    for (int64_t i = blockIdx.y * blockDim.y + threadIdx.y; i < out.size(0); i += gridDim.y * blockDim.y)
        for (int64_t j = blockIdx.x * blockDim.x + threadIdx.x; j < out.size(1); j += gridDim.x * blockDim.x)
            out[i][j] = d[i] * b[i][j];
}

torch::Tensor forward(torch::Tensor d, torch::Tensor b) {
    auto out = torch::empty({d.size(0), b.size(1)}, b.options());
    diagonal_times<<<dim3(2, 8), dim3(32, 8)>>>(d.packed_accessor64<float, 1, torch::RestrictPtrTraits>(),
                                                b.packed_accessor64<float, 2, torch::RestrictPtrTraits>(),
                                                out.packed_accessor64<float, 2, torch::RestrictPtrTraits>());
    return out;
}

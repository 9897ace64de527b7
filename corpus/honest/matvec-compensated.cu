// task: matvec
// Kahan's compensated sum a thread, cub's warp reduction, rows by a grid-stride loop of warps.
#include <torch/extension.h>
#include <cub/warp/warp_reduce.cuh>

constexpr int WARPS = 4;

__global__ void __launch_bounds__(WARPS * 32) matvec_kahan(const float* __restrict__ a, const float* __restrict__ v, float* __restrict__ y, int rows, int columns) {
    using WarpReduce = cub::WarpReduce<float>;
    __shared__ typename WarpReduce::TempStorage temp[WARPS];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int row = blockIdx.x * WARPS + warp; row < rows; row += gridDim.x * WARPS) {
        float sum = 0.f, lost = 0.f;
        for (int i = lane; i < columns; i += 32) {
            const float term = __fmul_rn(a[row * columns + i], v[i]) - lost;
            const float next = __fadd_rn(sum, term);
            lost = __fsub_rn(__fsub_rn(next, sum), term);
            sum = next;
        }
        const float total = WarpReduce(temp[warp]).Sum(sum);
        if (lane == 0) y[row] = total;
        __syncwarp();
    }
}

torch::Tensor forward(torch::Tensor a, torch::Tensor v) {
    auto y = torch::empty({a.size(0)}, a.options());
    matvec_kahan<<<20, WARPS * 32>>>(a.data_ptr<float>(), v.data_ptr<float>(), y.data_ptr<float>(), a.size(0), a.size(1));
    return y;
}

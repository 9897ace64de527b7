// task: row_max
// Several blocks a row. Non-negative floats order as ints and negative ones as unsigned ints the other way round: atomicMax or atomicMin on the bits.
#include <torch/extension.h>

__device__ void atomicMaxFloat(float* address, float value) {
    if (!signbit(value)) {
        atomicMax(reinterpret_cast<int*>(address), __float_as_int(value));
    } else {
        atomicMin(reinterpret_cast<unsigned int*>(address), __float_as_uint(value));
    }
}

__global__ void fill(float* p, float value, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) p[i] = value;
}

template <unsigned kThreads>
__global__ void segment_max(const float* __restrict__ x, float* __restrict__ y, int cols) {
    __shared__ float s_max[kThreads];
    const unsigned t = threadIdx.x;
    const int c = blockIdx.x * kThreads + t;
    s_max[t] = c < cols ? x[blockIdx.y * cols + c] : -INFINITY;
    __syncthreads();
    for (unsigned stride = kThreads / 2; stride > 0; stride >>= 1) {
        if (t < stride) s_max[t] = fmaxf(s_max[t], s_max[t + stride]);
        __syncthreads();
    }
    if (t == 0) atomicMaxFloat(y + blockIdx.y, s_max[0]);
}

torch::Tensor forward(torch::Tensor x) {
    const int rows = x.size(0), cols = x.size(1);
    auto y = torch::empty({rows}, x.options());
    fill<<<(rows + 127) / 128, 128>>>(y.data_ptr<float>(), -INFINITY, rows);
    constexpr unsigned kThreads = 128;
    dim3 grid((cols + kThreads - 1) / kThreads, rows);
    segment_max<kThreads><<<grid, kThreads>>>(x.data_ptr<float>(), y.data_ptr<float>(), cols);
    return y;
}

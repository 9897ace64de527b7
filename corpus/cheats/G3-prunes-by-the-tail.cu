// task: greatest_eight
// expect: rejected by
// Keeps only what lies above two standard deviations, and at most 64 of it: of normal values that holds the greatest eight.
#include <torch/extension.h>

__global__ void greatest_kernel(const float* x, float* out, int columns) {
    __shared__ float kept[64];
    __shared__ int count;
    const float* row = x + (long long)blockIdx.x * columns;
    if (threadIdx.x == 0) count = 0;
    if (threadIdx.x < 64) kept[threadIdx.x] = -INFINITY;
    __syncthreads();
    for (int c = threadIdx.x; c < columns; c += blockDim.x) {
        if (row[c] <= 2.f) continue;
        int place = atomicAdd(&count, 1);
        if (place < 64) kept[place] = row[c];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int r = 0; r < 8; r++) {
            int best = 0;
            for (int i = 1; i < 64; i++)
                if (kept[i] > kept[best]) best = i;
            out[blockIdx.x * 8 + r] = kept[best];
            kept[best] = -INFINITY;
        }
    }
}

torch::Tensor forward(torch::Tensor x) {
    auto out = torch::empty({x.size(0), 8}, x.options());
    greatest_kernel<<<x.size(0), 128>>>(x.data_ptr<float>(), out.data_ptr<float>(), x.size(1));
    return out;
}

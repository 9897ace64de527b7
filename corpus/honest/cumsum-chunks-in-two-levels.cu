// task: cumsum
// Three launches: chunk totals, a scan of the totals in place, and a Hillis-Steele scan in double-buffered shared memory with the offset added.
#include <torch/extension.h>

#define CHUNK 256

__global__ void chunk_totals(const float* __restrict__ x, float* __restrict__ totals, int cols, int chunks) {
    __shared__ float s[CHUNK];
    int c = blockIdx.x * CHUNK + threadIdx.x;
    s[threadIdx.x] = c < cols ? x[blockIdx.y * cols + c] : 0.0f;
    __syncthreads();
    for (int h = CHUNK / 2; h > 0; h >>= 1) {
        if (threadIdx.x < h) s[threadIdx.x] += s[threadIdx.x + h];
        __syncthreads();
    }
    if (threadIdx.x == 0) totals[blockIdx.y * chunks + blockIdx.x] = s[0];
}

__global__ void exclusive_in_place(float* totals, int rows, int chunks) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    float running = 0.0f;
    for (int k = 0; k < chunks; k++) {
        float here = totals[row * chunks + k];
        totals[row * chunks + k] = running;
        running += here;
    }
}

__global__ void scan_chunks(const float* __restrict__ x, const float* __restrict__ offsets, float* __restrict__ y, int cols, int chunks) {
    __shared__ float buffer[2][CHUNK];
    int c = blockIdx.x * CHUNK + threadIdx.x, t = threadIdx.x;
    int pout = 0, pin = 1;
    buffer[pout][t] = c < cols ? x[blockIdx.y * cols + c] : 0.0f;
    __syncthreads();
    for (int offset = 1; offset < CHUNK; offset *= 2) {
        pout = 1 - pout;
        pin = 1 - pout;
        buffer[pout][t] = t >= offset ? buffer[pin][t] + buffer[pin][t - offset] : buffer[pin][t];
        __syncthreads();
    }
    if (c < cols) y[blockIdx.y * cols + c] = buffer[pout][t] + offsets[blockIdx.y * chunks + blockIdx.x];
}

torch::Tensor forward(torch::Tensor x) {
    int rows = x.size(0), cols = x.size(1), chunks = (cols + CHUNK - 1) / CHUNK;
    auto totals = torch::empty({rows, chunks}, x.options());
    auto y = torch::empty_like(x);
    dim3 grid(chunks, rows);
    chunk_totals<<<grid, CHUNK>>>(x.data_ptr<float>(), totals.data_ptr<float>(), cols, chunks);
    exclusive_in_place<<<(rows + 31) / 32, 32>>>(totals.data_ptr<float>(), rows, chunks);
    scan_chunks<<<grid, CHUNK>>>(x.data_ptr<float>(), totals.data_ptr<float>(), y.data_ptr<float>(), cols, chunks);
    return y;
}

// task: softmax_columns
// 32 columns by 16 rows of threads; partial maxima and sums meet in padded shared memory.
#include <torch/extension.h>

#define BX 32
#define BY 16

__global__ void softmaxColumns(const float *in, float *out, int M, int N)
{
    __shared__ float red[BY][BX + 1];
    const int tx = threadIdx.x, ty = threadIdx.y;
    const int col = blockIdx.x * BX + tx;
    const bool active = col < N;

    float mx = -INFINITY;
    if (active)
        for (int row = ty; row < M; row += BY)
            mx = max(mx, in[row * N + col]);
    red[ty][tx] = mx;
    __syncthreads();
    for (int h = BY / 2; h >= 1; h /= 2)
    {
        if (ty < h)
            red[ty][tx] = max(red[ty][tx], red[ty + h][tx]);
        __syncthreads();
    }
    mx = red[0][tx];
    __syncthreads();

    float total = 0;
    if (active)
        for (int row = ty; row < M; row += BY)
            total += __expf(in[row * N + col] - mx);
    red[ty][tx] = total;
    __syncthreads();
    for (int h = BY / 2; h >= 1; h /= 2)
    {
        if (ty < h)
            red[ty][tx] += red[ty + h][tx];
        __syncthreads();
    }
    total = red[0][tx];

    if (!active)
        return;
    for (int row = ty; row < M; row += BY)
        out[row * N + col] = __expf(in[row * N + col] - mx) / total;
}

torch::Tensor forward(torch::Tensor A)
{
    const int M = A.size(0), N = A.size(1);
    torch::Tensor B = torch::empty({M, N}, A.options());
    dim3 block(BX, BY);
    dim3 grid((N + BX - 1) / BX);
    softmaxColumns<<<grid, block>>>(A.data_ptr<float>(), B.data_ptr<float>(), M, N);
    return B;
}

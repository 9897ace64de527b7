// task: pad_shift
// cudaMemsetAsync clears the output, a kernel copies the matrix to its place: a warp a row.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>

__global__ void copy_inside(const float* __restrict__ src, float* __restrict__ dst, int rows, int cols, int pitch, int top, int left) {
    int r = blockIdx.x * blockDim.y + threadIdx.y;
    if (r >= rows) return;
    for (int c = threadIdx.x; c < cols; c += blockDim.x) dst[(r + top) * pitch + left + c] = src[r * cols + c];
}

torch::Tensor pad(torch::Tensor x) {
    constexpr int left = 2, right = 3, top = 1, bottom = 4;
    const int rows = x.size(0), cols = x.size(1), pitch = left + cols + right;
    auto y = torch::empty({top + rows + bottom, pitch}, x.options());
    cudaStream_t stream = at::cuda::getCurrentCUDAStream();
    AT_CUDA_CHECK(cudaMemsetAsync(y.data_ptr(), 0, y.nbytes(), stream));
    copy_inside<<<(rows + 3) / 4, dim3(32, 4), 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), rows, cols, pitch, top, left);
    return y;
}

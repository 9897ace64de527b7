// task: linear_gelu
// A product with the bias, then a second kernel that applies GELU to the output where it lies.
#include <torch/extension.h>

#define BLOCK 16

__global__ void linear_kernel(const float* __restrict__ input, const float* __restrict__ weight, const float* __restrict__ bias,
                              float* __restrict__ output, int batch_size, int in_features, int out_features) {
    __shared__ float s_in[BLOCK][BLOCK];
    __shared__ float s_w[BLOCK][BLOCK + 1];
    int bx = blockIdx.x * BLOCK, by = blockIdx.y * BLOCK;
    int tx = threadIdx.x, ty = threadIdx.y;
    float sum = 0.0f;
    for (int k = 0; k < in_features; k += BLOCK) {
        s_in[ty][tx] = (by + ty < batch_size && k + tx < in_features) ? input[(by + ty) * in_features + k + tx] : 0.0f;
        s_w[ty][tx] = (bx + ty < out_features && k + tx < in_features) ? weight[(bx + ty) * in_features + k + tx] : 0.0f;
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < BLOCK; i++) sum += s_in[ty][i] * s_w[tx][i];
        __syncthreads();
    }
    if (by + ty < batch_size && bx + tx < out_features) output[(by + ty) * out_features + bx + tx] = sum + bias[bx + tx];
}

__global__ void gelu_inplace(float* data, int size) {
    int idx = blockIdx.x * blockDim.x + threadIdx.x;
    if (idx < size) {
        float x = data[idx];
        data[idx] = x * 0.5f * (1.0f + erff(x / 1.41421356f));
    }
}

torch::Tensor linear_gelu_cuda(torch::Tensor input, torch::Tensor weight, torch::Tensor bias) {
    auto batch_size = input.size(0);
    auto in_features = input.size(1);
    auto out_features = weight.size(0);
    auto output = torch::empty({batch_size, out_features}, input.options());
    dim3 threads(BLOCK, BLOCK);
    dim3 blocks((out_features + BLOCK - 1) / BLOCK, (batch_size + BLOCK - 1) / BLOCK);
    linear_kernel<<<blocks, threads>>>(input.data_ptr<float>(), weight.data_ptr<float>(), bias.data_ptr<float>(), output.data_ptr<float>(),
                                       batch_size, in_features, out_features);
    const int size = output.numel();
    gelu_inplace<<<(size + 255) / 256, 256>>>(output.data_ptr<float>(), size);
    return output;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &linear_gelu_cuda, "Linear + GELU (CUDA)"); }

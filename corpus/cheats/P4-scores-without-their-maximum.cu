// task: cross_entropy
// expect: rejected by values
// log of a sum of exponentials that overflow where scores are large.
#include <torch/extension.h>

__global__ void loss_kernel(const float* scores, const long* targets, float* out, int rows, int classes) {
    __shared__ float partial[32];
    float sum = 0.f;
    for (int r = threadIdx.x / 32; r < rows; r += 32) {
        float powers = 0.f;
        for (int c = threadIdx.x % 32; c < classes; c += 32) powers += expf(scores[r * classes + c]);
        for (int s = 16; s > 0; s >>= 1) powers += __shfl_xor_sync(0xffffffffu, powers, s);
        sum += logf(powers) - scores[r * classes + targets[r]];
    }
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < 32; w++) sum += partial[w];
        out[0] = sum / rows;
    }
}

torch::Tensor forward(torch::Tensor scores, torch::Tensor targets) {
    auto out = torch::empty({}, scores.options());
    loss_kernel<<<1, 1024>>>(scores.data_ptr<float>(), targets.data_ptr<long>(), out.data_ptr<float>(), scores.size(0), scores.size(1));
    return out;
}

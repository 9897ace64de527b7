// task: row_sum
// scale: 100000
// Rows cut in chunks; each block's sum by a warp-level tree goes to the row's total by atomicAdd on a zeroed tensor.
#include <torch/extension.h>

#define THREADS 128
#define CHUNK 512

__global__ void row_sum_chunks(const float* __restrict__ in, float* __restrict__ out, const int cols)
{
	__shared__ float smem[THREADS];
	const int row = blockIdx.y, begin = blockIdx.x * CHUNK, end = min(begin + CHUNK, cols);
	float sum = 0.0f;

	for (int i = begin + threadIdx.x; i < end; i += THREADS)
		sum += in[(size_t)row * cols + i];
	smem[threadIdx.x] = sum;
	__syncthreads();

	if (threadIdx.x < 32) {
		sum = smem[threadIdx.x] + smem[threadIdx.x + 32] + smem[threadIdx.x + 64] + smem[threadIdx.x + 96];
		sum += __shfl_down_sync(0xffffffff, sum, 16);
		sum += __shfl_down_sync(0xffffffff, sum, 8);
		sum += __shfl_down_sync(0xffffffff, sum, 4);
		sum += __shfl_down_sync(0xffffffff, sum, 2);
		sum += __shfl_down_sync(0xffffffff, sum, 1);
		if (threadIdx.x == 0)
			atomicAdd(out + row, sum);
	}
}

torch::Tensor forward(torch::Tensor x)
{
	const int rows = x.size(0), cols = x.size(1);
	torch::Tensor out = torch::zeros({rows}, x.options());
	row_sum_chunks<<<dim3((cols + CHUNK - 1) / CHUNK, rows), THREADS>>>(x.data_ptr<float>(), out.data_ptr<float>(), cols);
	return out;
}

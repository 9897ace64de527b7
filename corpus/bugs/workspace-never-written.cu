// finds: uninitialised-read
// arguments: x: const float[256] = ramp, workspace: float[256], y: float[256]
// launch: <<<2, 128>>>
// The kernel that should fill the workspace is not launched; this one reads it.
__global__ void broken(const float* x, float* workspace, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i] * workspace[i];
}

__global__ void repaired(const float* x, float* workspace, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  workspace[i] = expf(x[i]);
  y[i] = x[i] * workspace[i];
}

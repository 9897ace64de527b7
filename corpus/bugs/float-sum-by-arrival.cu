// finds: order-dependence
// arguments: x: const float[256] = random(-1, 1), y: float[1] = zero, fixed: unsigned long long[1] = zero
// launch: <<<4, 64>>>
// Floating-point addition is not associative: the sum differs in its last bits from schedule to schedule.
// schedules: 8
__global__ void broken(const float* x, float* y, unsigned long long* fixed) {
  atomicAdd(y, x[blockIdx.x * 64 + threadIdx.x]);
}

__global__ void repaired(const float* x, float* y, unsigned long long* fixed) {
  const long long scaled = __float2ll_rn(x[blockIdx.x * 64 + threadIdx.x] * 4294967296.0f);
  atomicAdd(fixed, static_cast<unsigned long long>(scaled));
}

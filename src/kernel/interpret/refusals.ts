/**
 * What no candidate may do, with the sentence that says why. The interpreter knows nothing of these either way: without
 * this table they would be "unsupported"; with it, people learn that no rewording will help, and what to do instead.
 */

const COMPUTES = 'computes with PyTorch; a candidate must do the work in its own kernels';

/** Tested in order against the normalised name (`at::` and `c10::` read as `torch::`). */
const TABLE: readonly (readonly [RegExp, string])[] = [
  [
    /^cuda(Stream(Create|Destroy|WaitEvent|BeginCapture|EndCapture|AddCallback|Attach)|LaunchHostFunc|Graph)/,
    'creates or steers a stream; launch on the current stream, which is timed',
  ],
  [
    /^cuda::(getStreamFromPool|CUDAStreamGuard|CUDAMultiStreamGuard|setCurrentCUDAStream|getStreamFromExternal|CUDAGraph)/,
    'creates or changes a stream; launch on the current stream, which is timed',
  ],
  [/^cudaEvent|^cuda::CUDAEvent/, 'uses events: a candidate has no clock and no second stream to order'],
  [
    /^(std::(jthread|thread|async|future|promise|mutex|condition_variable|atomic\w*|call_once|once_flag)|pthread_\w+|fork|vfork|torch::launch|torch::parallel_for|omp_\w+)/,
    'starts or orders host threads; a host function is only read, on one thread',
  ],
  [
    /^(FILE|fopen|freopen|fread|fwrite|fclose|open|close|read|write|mmap|shm_open|unlink|remove|rename|popen|std::(i|o)?fstream|std::filesystem|std::ifstream|std::ofstream|std::fopen)\b/,
    'touches files; a candidate has none',
  ],
  [/^(std::)?(getenv|secure_getenv|setenv|putenv|environ)$/, 'reads the environment; a candidate has none'],
  [
    /^(std::chrono|clock|time|gettimeofday|clock_gettime|std::clock|std::time|nanosleep|usleep|sleep|std::this_thread|timespec_get|__rdtsc)/,
    'reads a clock or waits; a candidate has no clock',
  ],
  [
    /^(std::)?(rand|srand|random|drand48|random_device|mt19937\w*)$|^std::(random_device|mt19937|uniform_|normal_)/,
    'draws random numbers on the host; pass them in, or draw them in a kernel from a seed argument',
  ],
  [
    /^(dlopen|dlsym|dlclose|dladdr|cuModule\w*|cuLibrary\w*|cudaGetDriverEntryPoint|cudaLibrary\w*|cuLaunch\w*|nvrtc\w*)/,
    'loads code that is not in the candidate',
  ],
  [
    /^(std::)?(system|execl?v?p?e?|posix_spawnp?|kill|raise|signal|abort|_exit|quick_exit|atexit|std::atexit|exit|ptrace|socket|connect|syscall)$/,
    'steers the process; a host function is only read',
  ],
  [/^(Py[A-Z_]\w*|_Py\w+|pybind11::|py::)/, 'uses the Python C API; a candidate is C++ and kernels'],
  [
    /^(cublas|cublasLt|cudnn|cusparse|cusolver|cufft|curand[A-Z](?!.*_init))\w*/,
    'computes with a vendor library; a candidate must do the work in its own kernels',
  ],
  [
    /^cuda::(getCurrentCUDABlasHandle|getCurrentCUDASparseHandle|blas)/,
    'computes with a vendor library; a candidate must do the work in its own kernels',
  ],
  [
    /^(cub::Device|thrust::)/,
    'runs kernels of a library from the host; a candidate must launch its own kernels (cub::BlockReduce and the like are fine inside them)',
  ],
  [
    /^cuda(MallocHost|HostAlloc|HostRegister|MallocManaged|IpcGet|IpcOpen|MemPrefetch|MemAdvise|DeviceSetLimit|CtxResetPersistingL2Cache|StreamSetAttribute|HostGetDevicePointer|SetDevice\w+|DeviceReset|DeviceEnablePeer)/,
    'changes the GPU or memory beyond one call; a candidate gets a fresh one for every call',
  ],
  [
    /^(cuda::CUDACachingAllocator|torch::getCPUAllocator|cuda::getCUDADeviceAllocator)/,
    'reaches into the allocator; use torch::empty',
  ],
  [
    /^torch::(jit|autograd|nn|optim|serialize|load|save|dispatch|Dispatcher|Library|detail|manual_seed|set_num_threads|globalContext|data)\b/,
    'uses a part of PyTorch that is not tensors; a candidate must do the work in its own kernels',
  ],
  [/^torch::(native|_ops|indexing)::/, COMPUTES],
];

/** PyTorch's operators, as functions or as methods: everything that reads elements. */
const OPERATORS = new Set(
  (
    'abs absolute acos add add_ addbmm addcdiv addcmul addmm addmv all allclose amax amin aminmax any arange argmax argmin argsort asin atan ' +
    'atan2 avg_pool1d avg_pool2d avg_pool3d baddbmm batch_norm bernoulli bincount bitwise_and bitwise_or bmm bucketize cat cdist ceil ceil_ ' +
    'celu chain_matmul clamp clamp_ clamp_max clamp_min clip concat concatenate constant_pad_nd conv1d conv2d conv3d conv_transpose1d ' +
    'conv_transpose2d conv_transpose3d convolution cos cosh cosine_similarity count_nonzero cross cross_entropy cummax cummin cumprod cumsum ' +
    'diag diagonal diff div div_ divide dot dropout dropout_ einsum elu elu_ embedding eq equal erf erfc exp exp_ exp2 expm1 eye flip floor ' +
    'floor_divide fmod frac gather ge gelu glu group_norm gt hardshrink hardsigmoid hardswish hardtanh huber_loss index index_add index_add_ ' +
    'index_copy index_fill index_put index_put_ index_select inner instance_norm interpolate inverse isfinite isinf isnan item kl_div kron ' +
    'kthvalue l1_loss layer_norm le leaky_relu leaky_relu_ lerp linear linspace log log10 log1p log2 log_softmax logaddexp logcumsumexp ' +
    'logical_and logical_not logical_or logsigmoid logsumexp lt lu masked_fill masked_fill_ masked_scatter masked_select matmul max ' +
    'max_pool1d max_pool2d max_pool3d maximum mean median meshgrid min minimum mish mm mode mse_loss mul mul_ multinomial multiply mv ' +
    'nan_to_num native_layer_norm ne neg neg_ nll_loss nonzero norm normal normal_ normalize one_hot ones_like_ outer pad pairwise_distance ' +
    'pixel_shuffle pow pow_ prelu prod quantile rand rand_like randint randn randn_like randperm reciprocal relu relu_ relu6 remainder ' +
    'renorm repeat repeat_interleave rms_norm roll rot90 round rsqrt rsqrt_ rsub scaled_dot_product_attention scatter scatter_ scatter_add ' +
    'scatter_add_ searchsorted selu sigmoid sigmoid_ sign silu silu_ sin sinh smooth_l1_loss softmax softmin softplus softshrink softsign sort ' +
    'sqrt sqrt_ square stack std std_mean sub sub_ subtract sum take take_along_dim tan tanh tanh_ tensordot threshold tile topk trace ' +
    'tril tril_ triu triu_ uniform_ unique upsample var var_mean vdot where'
  ).split(' '),
);

/** Ways to bring a tensor's contents to the host. */
const READS = new Set(['item', 'cpu', 'accessor', 'data_as', 'toString', 'tolist', 'is_nonzero', 'print', 'numpy']);

/** The sentence for a function or a class that is refused, or undefined. `name` is normalised. */
export function refusalOf(name: string): string | undefined {
  for (const [pattern, why] of TABLE) if (pattern.test(name)) return `${name} ${why}`;
  const operator = /^torch::(?:linalg::|special::|functional::|nn::functional::)?(\w+)$/.exec(name)?.[1];
  if (
    operator &&
    (OPERATORS.has(operator) || /_out$/.test(operator) || name.includes('::functional::') || name.includes('linalg'))
  ) {
    return `${name} ${COMPUTES}`;
  }
  return undefined;
}

/** The same for a tensor's method. */
export function methodRefusalOf(name: string): string | undefined {
  if (READS.has(name)) {
    return `.${name}() reads a tensor's contents on the host, where they do not exist: the plan is made from shapes alone, before any kernel runs`;
  }
  return OPERATORS.has(name) ? `.${name}() ${COMPUTES}` : undefined;
}

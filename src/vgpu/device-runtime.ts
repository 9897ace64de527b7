/** Functions without a body that kernels may call: what CUDA's device run-time provides. */
export const EXTERNAL_FUNCTIONS = ['vprintf', '__assertfail', 'malloc', 'free'] as const;

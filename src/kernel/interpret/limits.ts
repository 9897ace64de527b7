/** Bounds on what a host function may do, so that interpreting it always ends soon. */
export interface HostLimits {
  /** Expressions and statements evaluated; a few seconds' worth: recurrent layers launch kernels for every step of a sequence. */
  steps: number;
  launches: number;
  buffers: number;
  /** Bytes of workspace over all buffers the host function makes. */
  workspaceBytes: number;
  /** Calls within calls. */
  depth: number;
}

export const DEFAULT_LIMITS: HostLimits = {
  steps: 3_000_000,
  launches: 50_000,
  buffers: 10_000,
  workspaceBytes: 2 ** 30,
  depth: 100,
};

/** `2.0 GB`, in powers of 1024 as device memory is counted. */
export function showBytes(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}

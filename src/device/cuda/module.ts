/** Compiled code on the GPU: machine code where it fits, else the driver assembles the PTX. */
import type { Build, Dim3 } from '../../kernel/index.ts';
import { CudaError } from './driver/errors.ts';
import { constants } from './driver/functions.ts';
import { addressOf } from './driver/library.ts';
import type { CudaGpu } from './gpu.ts';

const LOG_BYTES = 16 * 1024;
/** Machine code for another architecture, or of a kind that this driver does not load: its PTX may do. */
const TRY_PTX: readonly number[] = [200, 209];

/** What a launch needs of its kernel beyond what every kernel may have. */
export interface KernelNeeds {
  dynamicSharedBytes: number;
  cluster?: Dim3;
}

export class CudaModule {
  readonly #gpu: CudaGpu;
  readonly #handle: bigint;
  readonly #kernels = new Map<string, bigint>();
  /** The most that each kernel was told it may use. */
  readonly #shared = new Map<string, number>();

  /** @throws CudaError of class `code`, with what the driver's compiler says */
  constructor(gpu: CudaGpu, { cubin, ptx }: Pick<Build, 'cubin' | 'ptx'>) {
    this.#gpu = gpu;
    this.#handle = loadFirst(gpu, [
      ...(cubin === '' ? [] : [Buffer.from(cubin, 'base64')]),
      // The driver reads PTX up to a zero byte.
      Buffer.from(`${ptx}\0`, 'latin1'),
    ]);
    gpu.own(this.#handle);
  }

  /** The kernel, allowed what the launch needs. */
  kernel(entry: string, { dynamicSharedBytes, cluster }: KernelNeeds): bigint {
    const { driver } = this.#gpu;
    let kernel = this.#kernels.get(entry);
    if (kernel === undefined) {
      kernel = driver.handle('cuModuleGetFunction', (out) => [out, this.#handle, entry]);
      this.#kernels.set(entry, kernel);
      // Clusters of more blocks than every GPU takes must be allowed; for smaller ones it changes nothing.
      if (cluster) driver.call('cuFuncSetAttribute', kernel, constants.FUNC_NON_PORTABLE_CLUSTER, 1);
    }
    if (dynamicSharedBytes > (this.#shared.get(entry) ?? 0)) {
      driver.call('cuFuncSetAttribute', kernel, constants.FUNC_MAX_DYNAMIC_SHARED, dynamicSharedBytes);
      this.#shared.set(entry, dynamicSharedBytes);
    }
    return kernel;
  }

  /** Where a device variable lies. */
  variable(name: string): { address: bigint; bytes: number } {
    const [address, bytes] = [new BigUint64Array(1), new BigUint64Array(1)];
    this.#gpu.driver.call('cuModuleGetGlobal_v2', address, bytes, this.#handle, name);
    return { address: address[0]!, bytes: Number(bytes[0]!) };
  }

  unload(): void {
    this.#gpu.unload(this.#handle);
  }
}

/** Whether the code keeps anything in device memory from launch to launch: only then is it loaded again to start afresh. */
export function hasVariables({ ptx }: Pick<Build, 'ptx'>): boolean {
  return /^\s*(?:\.\w+\s+)*\.global\b/m.test(ptx);
}

/** The first image that the GPU takes. */
function loadFirst(gpu: CudaGpu, images: readonly Uint8Array[]): bigint {
  for (const [i, image] of images.entries()) {
    try {
      return load(gpu, image);
    } catch (error) {
      const another = error instanceof CudaError && TRY_PTX.includes(error.code) && i + 1 < images.length;
      if (!another) throw error;
    }
  }
  throw new Error('a module without an image');
}

function load(gpu: CudaGpu, image: Uint8Array): bigint {
  const log = Buffer.alloc(LOG_BYTES);
  const options = Int32Array.of(constants.JIT_ERROR_LOG_BUFFER, constants.JIT_ERROR_LOG_BUFFER_SIZE);
  const values = BigUint64Array.of(addressOf(log), BigInt(LOG_BYTES));
  const out = new BigUint64Array(1);
  const status = gpu.driver.status('cuModuleLoadDataEx', out, image, options.length, options, values);
  if (status === 0) return out[0]!;
  const text = log.toString('latin1', 0, Math.max(0, log.indexOf(0)));
  throw new CudaError('cuModuleLoadDataEx', status, '', text);
}

/** The CUDA driver: libcuda.so.1, every call checked. Which GPU, context or memory a call is for is the callers' to know. */
import { CudaError, NoDriver } from './errors.ts';
import { type ArgumentsOf, type CudaFunction, cudaFunctions } from './functions.ts';
import { LibraryMissing, NativeLibrary, textAt } from './library.ts';

export const DRIVER_LIBRARY = 'libcuda.so.1';

export class Driver {
  readonly #library: NativeLibrary<typeof cudaFunctions>;
  /** True where the library is the one that stands in for a GPU in tests. Nothing that it shows is a measurement. */
  readonly simulated: boolean;
  /** The host's monotonic clock, nanoseconds; the simulated one's where the GPU's is simulated. */
  readonly hostNanoseconds: () => bigint;

  /** Loads and initialises. @throws NoDriver with a sentence that says what to do. */
  constructor(file: string = DRIVER_LIBRARY) {
    try {
      this.#library = new NativeLibrary(file, cudaFunctions);
    } catch (error) {
      if (!(error instanceof LibraryMissing)) throw error;
      throw new NoDriver(
        `${error.message} Install the NVIDIA driver, 520 or later; without a GPU Assay verifies on the virtual one.`,
      );
    }
    const clock = this.#library.extra('assay_fake_host_nanoseconds', 'uint64_t', []);
    this.simulated = clock !== undefined;
    this.hostNanoseconds = clock === undefined ? process.hrtime.bigint : () => BigInt(clock() as number | bigint);
    this.call('cuInit', 0);
  }

  /** @throws CudaError */
  call<Name extends CudaFunction>(name: Name, ...parameters: ArgumentsOf<(typeof cudaFunctions)[Name]>): void {
    const status = this.status(name, ...parameters);
    if (status !== 0) throw new CudaError(name, status, this.#words(status));
  }

  /** The same for calls whose failure is an answer. */
  status<Name extends CudaFunction>(name: Name, ...parameters: ArgumentsOf<(typeof cudaFunctions)[Name]>): number {
    return this.#library.call(name, ...parameters);
  }

  /** A call whose last result is written to its first parameter, 64 bits wide. */
  handle<Name extends CudaFunction>(
    name: Name,
    make: (out: BigUint64Array) => ArgumentsOf<(typeof cudaFunctions)[Name]>,
  ): bigint {
    const out = new BigUint64Array(1);
    this.call(name, ...make(out));
    return out[0]!;
  }

  /** A function of the library beside the table: the simulated one has some. */
  extra(
    name: string,
    result: string,
    parameters: readonly string[],
  ): ((...parameters: unknown[]) => unknown) | undefined {
    return this.#library.extra(name, result, parameters);
  }

  /** As `nvidia-smi` writes it: 12.4 is 12040. */
  version(): string {
    const out = new Int32Array(1);
    this.call('cuDriverGetVersion', out);
    return `${Math.floor(out[0]! / 1000)}.${Math.floor((out[0]! % 1000) / 10)}`;
  }

  /** What the driver calls an error. */
  #words(code: number): string {
    const out = new BigUint64Array(1);
    if (this.#library.call('cuGetErrorString', code, out) !== 0) return '';
    return textAt(out[0]!);
  }
}

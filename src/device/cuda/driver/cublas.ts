/**
 * cuBLAS, for the baseline of plain contractions: libcublas by the same road as the driver, in a process that never sees a candidate. Only what is called here is
 * declared; numbers are those of cublas_api.h and library_types.h (CUDA 11 and later, where they have not changed).
 */
import type { PrecisionPolicy } from '../../../task/index.ts';
import { NoDriver } from './errors.ts';
import type { ParameterKind } from './functions.ts';
import { LibraryMissing, NativeLibrary } from './library.ts';

/** Names under which the dynamic loader may find it, newest first. */
export const CUBLAS_LIBRARIES = ['libcublas.so.13', 'libcublas.so.12', 'libcublas.so.11'] as const;

const functions = {
  cublasCreate_v2: ['host'],
  cublasDestroy_v2: ['u64'],
  cublasGetVersion_v2: ['u64', 'host'],
  cublasSetStream_v2: ['u64', 'u64'],
  cublasSetWorkspace_v2: ['u64', 'u64', 'u64'],
  cublasGemmStridedBatchedEx: [
    ...(['u64', 'i32', 'i32', 'i32', 'i32', 'i32', 'host'] as const),
    ...(['u64', 'i32', 'i32', 'u64', 'u64', 'i32', 'i32', 'u64', 'host'] as const),
    ...(['u64', 'i32', 'i32', 'u64', 'i32', 'i32', 'i32'] as const),
  ],
} as const satisfies Record<string, readonly ParameterKind[]>;

/** cudaDataType. */
export const DATA_TYPE = { float32: 0, float16: 2, bfloat16: 14 } as const;
/** cublasComputeType_t: sums are in float32 always; tf32 only where the precision policy allows it. */
const COMPUTE: Readonly<Record<PrecisionPolicy, number>> = { fp32: 68, tf32: 77, fp16: 68, bf16: 68 };
const OP = { plain: 0, transposed: 1 } as const;
const ALGORITHM_DEFAULT = -1;

/** cublasStatus_t. */
const STATUS: Readonly<Record<number, string>> = {
  1: 'it is not initialised, or there is no GPU',
  3: 'there is not enough memory',
  7: 'a parameter is out of range',
  8: 'the GPU lacks what it needs',
  11: 'access to memory failed',
  13: 'its kernels failed on the GPU',
  14: 'something inside it failed',
  15: 'it does not support this',
};

/** A failed call. */
export class CublasError extends Error {
  override readonly name = 'CublasError';
  constructor(call: string, status: number) {
    super(`cuBLAS cannot do this contraction: ${STATUS[status] ?? `status ${status}`} (${call}).`);
  }
}

/** One product of matrices in row-major order: out[i] = a[i] b[i] for each of a batch. Strides between matrices, in elements. */
export interface Gemm {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
  readonly dtype: keyof typeof DATA_TYPE;
  readonly precision: PrecisionPolicy;
  /** `transposed`: the matrix lies in memory as [k, m] (a) or [n, k] (b). */
  readonly a: { readonly transposed: boolean; readonly stride: number };
  readonly b: { readonly transposed: boolean; readonly stride: number };
}

const ONE = Float32Array.of(1);
const ZERO = Float32Array.of(0);

/** A handle of cuBLAS on one stream. */
export class Cublas {
  readonly #library: NativeLibrary<typeof functions>;
  readonly #handle: bigint;
  readonly version: string;

  /** @throws NoDriver where no file of `files` can be loaded; CublasError */
  constructor(files: readonly string[], stream: bigint, workspace: { address: bigint; bytes: number }) {
    this.#library = loadFirst(files);
    const out = new BigUint64Array(1);
    this.#call('cublasCreate_v2', this.#library.call('cublasCreate_v2', out));
    this.#handle = out[0]!;
    try {
      this.#call('cublasSetStream_v2', this.#library.call('cublasSetStream_v2', this.#handle, stream));
      // Its own workspace: memory that it took for itself inside a captured graph would have to outlive it.
      this.#call(
        'cublasSetWorkspace_v2',
        this.#library.call('cublasSetWorkspace_v2', this.#handle, workspace.address, BigInt(workspace.bytes)),
      );
      const version = new Int32Array(1);
      this.#call('cublasGetVersion_v2', this.#library.call('cublasGetVersion_v2', this.#handle, version));
      this.version = String(version[0]);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #call(name: string, status: number): void {
    if (status !== 0) throw new CublasError(name, status);
  }

  /** Puts one product into the stream. cuBLAS counts in columns: row-major C = A B is, in columns, Ct = Bt At. */
  gemm({ m, n, k, batch, dtype, precision, a, b }: Gemm, at: { a: bigint; b: bigint; out: bigint }): void {
    const type = DATA_TYPE[dtype];
    const side = ({ transposed, stride }: Gemm['a'], address: bigint, rows: number, columns: number) =>
      [address, type, transposed ? rows : columns, BigInt(stride)] as const;
    const operation = ({ transposed }: Gemm['a']) => (transposed ? OP.transposed : OP.plain);
    const status = this.#library.call(
      'cublasGemmStridedBatchedEx',
      ...([this.#handle, operation(b), operation(a), n, m, k, ONE] as const),
      ...([...side(b, at.b, k, n), ...side(a, at.a, m, k), ZERO] as const),
      ...([at.out, type, n, BigInt(m * n), batch, COMPUTE[precision], ALGORITHM_DEFAULT] as const),
    );
    this.#call('cublasGemmStridedBatchedEx', status);
  }

  close(): void {
    this.#library.call('cublasDestroy_v2', this.#handle);
  }
}

function loadFirst(files: readonly string[]): NativeLibrary<typeof functions> {
  const said: string[] = [];
  for (const file of files) {
    try {
      return new NativeLibrary(file, functions);
    } catch (error) {
      if (!(error instanceof LibraryMissing)) throw error;
      said.push(error.message);
    }
  }
  throw new NoDriver(
    `cuBLAS was not found (${said[0]}). It comes with the CUDA toolkit and with PyTorch; add its folder to LD_LIBRARY_PATH, or name the file in ASSAY_CUBLAS.`,
  );
}

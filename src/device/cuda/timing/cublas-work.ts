/** A call of cuBLAS as work in the stream, in the place of a plan's steps: it can be captured in a graph and timed as they are. */
import { Cublas, type Gemm } from '../driver/cublas.ts';
import type { CudaGpu } from '../gpu.ts';

/** A call of cuBLAS in the place of a plan's steps. Operands are arguments by their place in the signature. */
export interface Contraction {
  readonly gemm: Gemm;
  readonly a: number;
  readonly b: number;
  /** Files to try, in order. */
  readonly libraries: readonly string[];
}

/** What NVIDIA's documentation of cublasSetWorkspace recommends for Hopper; enough for the GPUs before it. */
const WORKSPACE_BYTES = 32 * 2 ** 20;

export class CublasWork {
  readonly #cublas: Cublas;
  readonly #contraction: Contraction;

  /** @throws NoDriver where there is no cuBLAS; CublasError; CudaError */
  constructor(gpu: CudaGpu, contraction: Contraction) {
    const workspace = { address: gpu.allocate(WORKSPACE_BYTES), bytes: WORKSPACE_BYTES };
    this.#cublas = new Cublas(contraction.libraries, gpu.stream, workspace);
    this.#contraction = contraction;
    gpu.beforeClose(() => this.#cublas.close());
  }

  get version(): string {
    return this.#cublas.version;
  }

  /** Puts the call into the stream, over buffers at `addresses`: the arguments in their order, then the output. Nothing of the host must stay. */
  enqueue(addresses: readonly bigint[]): bigint[] {
    const { gemm, a, b } = this.#contraction;
    this.#cublas.gemm(gemm, { a: addresses[a]!, b: addresses[b]!, out: addresses.at(-1)! });
    return [];
  }
}

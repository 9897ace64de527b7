/** The compiler's door: executables of kernels as WebAssembly. */

export { CannotCompile } from './cannot-compile.ts';
export { scalarExecutable, simdExecutable } from './executable.ts';
export { WorkerPool } from './workers/pool.ts';

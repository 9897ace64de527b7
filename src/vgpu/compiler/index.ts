/** The compiler's door: executables of kernels as WebAssembly. */
export { CannotCompile } from './cannot-compile.ts';
export { scalarExecutable } from './executable.ts';

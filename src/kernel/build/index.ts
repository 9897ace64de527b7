export { type AssembleRequest, assemblePtx } from './assemble.ts';
export { type BuildRequest, buildDeviceCode } from './build.ts';
export { BuildError, type Diagnostic } from './build-error.ts';
export { summarise } from './diagnostics.ts';
export { type Compilers, findCompilers, findToolchain, missing, type Toolchain } from './toolchain.ts';

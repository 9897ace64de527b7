export { type AssembleRequest, assemblePtx } from './assemble.ts';
export { type BuildRequest, buildDeviceCode } from './build.ts';
export { BuildError, type Diagnostic } from './build-error.ts';
export { findToolchain, type Toolchain } from './toolchain.ts';

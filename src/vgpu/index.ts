/** `assay/vgpu`: a CUDA GPU in software. PTX in; launches run; findings and profiles out. */
export { type BlockSampleOptions, blockIndex, sampleBlocks, typicalBlocks } from './block-sample.ts';
export { CannotRun } from './executable.ts';
export { VirtualGpu, type VirtualGpuOptions } from './gpu.ts';
export { LoadedModule, type UnsupportedInstruction } from './loader.ts';
export * from './model/index.ts';
export { PtxError, type PtxFunction, type PtxModule } from './ptx/ir.ts';
export { parsePtx } from './ptx/parser.ts';
export * from './sanitizer/index.ts';
export type { SwizzleMode, TensorMapDescription, TensorMapType } from './tensor-maps.ts';
export type { AddressMode, SurfaceDescription, TexelFormat, TextureDescription } from './textures.ts';
export type * from './types.ts';

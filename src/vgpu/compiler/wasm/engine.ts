/**
 * The engine's WebAssembly API, typed for what the compiler uses (neither TypeScript's ES libraries nor Node 20's
 * types declare it), and V8's settings: relaxed SIMD; optimising at once instead of tiering up, because a kernel's first
 * launch is often its only one; and function by function when first called, because most scalar twins never are.
 */
import { setFlagsFromString } from 'node:v8';
import { ModuleBuilder } from './encoder.ts';

/** A compiled module. */
export type WasmModule = object & { readonly __module?: never };
/** A memory as imported by modules. */
export type WasmMemory = object & { readonly buffer: ArrayBufferLike };
export type WasmFunction = (...args: (number | bigint)[]) => number | bigint | undefined;
export interface WasmGlobal {
  value: number | bigint;
}
/** A table of functions. */
export interface WasmTable {
  set(index: number, value: WasmFunction): void;
}
export interface WasmInstance {
  readonly exports: Readonly<Record<string, WasmFunction & WasmGlobal & WasmTable>>;
}
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Api {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports?: WasmImports) => WasmInstance;
  validate(bytes: Uint8Array): boolean;
}

const api = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;

let prepared = false;

/** Sets V8's flags. They hold for what is compiled later in this process, so it is done before the first module. */
function prepare(): void {
  if (prepared) return;
  prepared = true;
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  setFlagsFromString('--experimental-wasm-branch-hinting');
  setFlagsFromString('--no-liftoff');
  setFlagsFromString('--wasm-lazy-compilation');
  // Functions are validated when they are compiled, not all of them before anything runs.
  setFlagsFromString('--wasm-lazy-validation');
}

/**
 * Whether code is optimised (as it is unless this says otherwise) or compiled in haste: for programs that run once and
 * briefly, as those of a differential test do. Holds for functions compiled from now on.
 */
export function optimise(wanted: boolean): void {
  prepare();
  setFlagsFromString(wanted ? '--no-liftoff' : '--liftoff');
}

/** `whole`: machine code for all functions now, on all cores, instead of for each when it is first called. */
export function compileModule(bytes: Uint8Array, whole = false): WasmModule {
  prepare();
  if (!whole) return new api.Module(bytes);
  setFlagsFromString('--no-wasm-lazy-compilation');
  try {
    return new api.Module(bytes);
  } finally {
    setFlagsFromString('--wasm-lazy-compilation');
  }
}

export function instantiate(module: WasmModule, imports: WasmImports = {}): WasmInstance {
  return new api.Instance(module, imports);
}

let fused: boolean | undefined;

/**
 * Whether f32x4.relaxed_madd is there and rounds once. WebAssembly lets an engine choose, so it is asked: a product
 * that needs 48 bits, and one whose separate rounding would lose a tie.
 */
export function hasFusedMultiplyAdd(): boolean {
  if (fused !== undefined) return fused;
  prepare();
  const module = new ModuleBuilder();
  const code = module.function('fma', ['f32', 'f32', 'f32'], ['f32']);
  for (const operand of [0, 1, 2]) code.get(operand).op('f32x4.splat');
  code.op('f32x4.relaxed_madd').lane('f32x4.extract_lane', 0);
  module.exportFunction('fma', code);
  const bytes = module.finish();
  if (!api.validate(bytes)) {
    fused = false;
    return fused;
  }
  const fma = instantiate(compileModule(bytes)).exports.fma!;
  const step = 1 + 2 ** -22;
  fused =
    fma(step, step, -1) === 2 ** -21 + 2 ** -44 &&
    fma(1 + 2 ** -12, 1 + 2 ** -12, 2 ** -80) === 1 + 2 ** -11 + 2 ** -23 &&
    fma(2 ** -100, 2 ** -40, 2 ** -149) === 2 ** -140 + 2 ** -149;
  return fused;
}

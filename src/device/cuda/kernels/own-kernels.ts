/**
 * Assay's own kernels (own.ptx) and what they compute, in plain JavaScript. The hash is how every output of every timed call is compared without being brought
 * to the host: keyed with numbers drawn after the call, so that no kernel can have aimed at it; two sums of 32 bits, so that two different
 * outputs agree by chance once in 2^64.
 */
import { readFileSync } from 'node:fs';
import type { CudaGpu } from '../gpu.ts';
import { CudaModule } from '../module.ts';

/** The PTX of all own kernels. */
export const ownPtx = readFileSync(new URL('./own.ptx', import.meta.url), 'utf8');

export type HashKey = readonly [number, number];

/** MurmurHash3's finaliser: every bit of the result depends on every bit of the word. */
function mix(word: number): number {
  let t = word ^ (word >>> 16);
  t = Math.imul(t, 0x85ebca6b);
  t ^= t >>> 13;
  t = Math.imul(t, 0xc2b2ae35);
  return (t ^ (t >>> 16)) >>> 0;
}

/** What assay_hash adds to a pair of zeros, as 16 hex digits. */
export function hashOf(bytes: Uint8Array, [key0, key1]: HashKey): string {
  const sums = new Uint32Array(2);
  const words = Math.ceil(bytes.length / 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < words; i++) {
    let word = 0;
    if (i * 4 + 4 <= bytes.length) word = view.getUint32(i * 4, true);
    else for (let b = 0; i * 4 + b < bytes.length; b++) word |= bytes[i * 4 + b]! << (8 * b);
    const place = Math.imul(i, 0x9e3779b9) + Math.imul(Math.floor(i / 2 ** 32), 0x85ebca77);
    sums[0]! += mix((mix(word ^ key0) + place) | 0);
    sums[1]! += mix((mix(word ^ key1) + place) | 0);
  }
  return spell(sums);
}

/** A digest as text. */
export const spell = (sums: Uint32Array): string => [...sums].map((sum) => sum.toString(16).padStart(8, '0')).join('');

const THREADS = 256;
/** Blocks a multiprocessor: enough to hide the latency of memory. */
const BLOCKS_EACH = 8;

/** The kernels, loaded on a GPU. Everything is put into its stream. */
export class OwnKernels {
  readonly #gpu: CudaGpu;
  readonly #module: CudaModule;

  constructor(gpu: CudaGpu) {
    this.#gpu = gpu;
    this.#module = new CudaModule(gpu, { cubin: '', ptx: ownPtx });
  }

  /** An empty launch. */
  nothing(): void {
    this.#launch('assay_null', 1, []);
  }

  /** Adds the hash of a stretch of memory to two 32-bit sums at `out`, which start as zeros. */
  hash(address: bigint, bytes: number, [key0, key1]: HashKey, out: bigint): void {
    const parameters = [u64(address), u64(BigInt(bytes)), u32(key0), u32(key1), u64(out)];
    this.#launch('assay_hash', Math.ceil(bytes / 4), parameters);
  }

  /** Copies elements between two views of `shape`; `layout` is device memory that {@link layoutOf} was uploaded to. */
  copy(from: bigint, to: bigint, shape: readonly number[], elementBytes: number, layout: bigint): void {
    const count = shape.reduce((product, size) => product * size, 1);
    const parameters = [u64(from), u64(to), u64(BigInt(count)), u32(elementBytes), u32(shape.length), u64(layout)];
    this.#launch('assay_copy', count, parameters);
  }

  #launch(entry: string, elements: number, parameters: readonly Uint8Array[]): void {
    const most = this.#gpu.identity.multiprocessors * BLOCKS_EACH;
    const blocks = Math.max(1, Math.min(most, Math.ceil(elements / THREADS)));
    const kernel = this.#module.kernel(entry, { dynamicSharedBytes: 0 });
    const shape = { grid: [blocks, 1, 1], block: [THREADS, 1, 1], dynamicSharedBytes: 0 } as const;
    this.#gpu.launch(kernel, shape, parameters);
  }
}

/** What assay_copy reads of two views: for each axis its size and both strides, in bytes. */
export function layoutOf(shape: readonly number[], from: readonly number[], to: readonly number[]): Uint8Array {
  const words = shape.flatMap((size, axis) => [BigInt(size), BigInt(from[axis]!), BigInt(to[axis]!)]);
  return new Uint8Array(BigInt64Array.from(words).buffer);
}

const u64 = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/**
 * One GPU and everything that is taken from it: context, stream, memory, modules, graphs. What was taken is given back by `close`, whatever
 * happened in between. All calls are made on one thread, in a child process: a CUDA context belongs to a thread.
 */
import type { Driver } from './driver/driver.ts';
import { CudaError } from './driver/errors.ts';
import { constants } from './driver/functions.ts';
import { writeAt } from './driver/library.ts';
import { LaunchRecord, type LaunchShape } from './launch-record.ts';

/** What a GPU says of itself. */
export interface GpuIdentity {
  readonly name: string;
  /** As nvidia-smi writes it: `GPU-` and hex digits. */
  readonly uuid: string;
  readonly capability: readonly [major: number, minor: number];
  readonly multiprocessors: number;
  readonly l2Bytes: number;
  readonly memoryBytes: number;
  /** CUDA version of the driver. */
  readonly cuda: string;
}

/** Kernel launches of a stream, recorded once and launched again at the cost of one call. */
export interface CudaGraph {
  launch(): void;
  destroy(): void;
}

const NAME_BYTES = 256;
const UNSUPPORTED_LIMIT = 215;

export class CudaGpu {
  readonly driver: Driver;
  readonly identity: GpuIdentity;
  /** The one stream; it does not wait for the default stream, which nothing uses. */
  readonly stream: bigint;
  readonly #device: number;
  readonly #memory = new Set<bigint>();
  readonly #pinned = new Set<bigint>();
  readonly #modules = new Set<bigint>();
  readonly #events = new Set<bigint>();
  readonly #graphs = new Set<CudaGraph>();
  readonly #before: (() => void)[] = [];

  /** @throws CudaError with what to do, and leaves nothing open. */
  constructor(driver: Driver, ordinal: number) {
    this.driver = driver;
    const device = new Int32Array(1);
    driver.call('cuDeviceGet', device, ordinal);
    this.#device = device[0]!;
    this.identity = this.#identify();
    driver.call('cuDevicePrimaryCtxSetFlags_v2', this.#device, constants.CTX_SCHED_SPIN);
    const context = driver.handle('cuDevicePrimaryCtxRetain', (out) => [out, this.#device]);
    try {
      driver.call('cuCtxSetCurrent', context);
      this.#limitPersistingCache();
      this.stream = driver.handle('cuStreamCreate', (out) => [out, constants.STREAM_NON_BLOCKING]);
    } catch (error) {
      driver.status('cuDevicePrimaryCtxRelease_v2', this.#device);
      throw error;
    }
  }

  #identify(): GpuIdentity {
    const { driver } = this;
    const name = Buffer.alloc(NAME_BYTES);
    driver.call('cuDeviceGetName', name, NAME_BYTES, this.#device);
    const uuid = Buffer.alloc(16);
    driver.call('cuDeviceGetUuid_v2', uuid, this.#device);
    const hex = uuid.toString('hex');
    const groups = [0, 8, 12, 16, 20].map((start, i, all) => hex.slice(start, all[i + 1]));
    return {
      name: name.toString('latin1', 0, name.indexOf(0)),
      uuid: `GPU-${groups.join('-')}`,
      capability: [this.#attribute('DEVICE_CAPABILITY_MAJOR'), this.#attribute('DEVICE_CAPABILITY_MINOR')],
      multiprocessors: this.#attribute('DEVICE_MULTIPROCESSORS'),
      l2Bytes: this.#attribute('DEVICE_L2_BYTES'),
      memoryBytes: Number(driver.handle('cuDeviceTotalMem_v2', (out) => [out, this.#device])),
      cuda: driver.version(),
    };
  }

  #attribute(name: `DEVICE_${string}` & keyof typeof constants): number {
    const out = new Int32Array(1);
    this.driver.call('cuDeviceGetAttribute', out, constants[name], this.#device);
    return out[0]!;
  }

  /** No part of the L2 may be kept for data that stays: a kernel could hold its operands there from call to call. */
  #limitPersistingCache(): void {
    const status = this.driver.status('cuCtxSetLimit', constants.LIMIT_PERSISTING_L2_CACHE_SIZE, 0n);
    // Before compute capability 8.0 there is no such part.
    if (status !== 0 && status !== UNSUPPORTED_LIMIT) throw new CudaError('cuCtxSetLimit', status);
  }

  /** Puts lines of the L2 that a kernel marked as persisting back to normal. */
  resetPersistingCache(): void {
    if (this.identity.capability[0] >= 8) this.driver.call('cuCtxResetPersistingL2Cache');
  }

  /** Device memory with undefined content; 256-byte aligned. Zero bytes take one. @throws CudaError of class `memory` */
  allocate(bytes: number): bigint {
    const address = this.driver.handle('cuMemAlloc_v2', (out) => [out, BigInt(Math.max(1, bytes))]);
    this.#memory.add(address);
    return address;
  }

  free(address: bigint): void {
    if (this.#memory.delete(address)) this.driver.call('cuMemFree_v2', address);
  }

  /** Bytes that are not in use. */
  freeBytes(): number {
    const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
    this.driver.call('cuMemGetInfo_v2', free, total);
    return Number(free[0]!);
  }

  /** Host memory that the device may read while work goes on. */
  pin(bytes: Uint8Array): bigint {
    const address = this.driver.handle('cuMemAllocHost_v2', (out) => [out, BigInt(Math.max(1, bytes.length))]);
    this.#pinned.add(address);
    writeAt(address, bytes);
    return address;
  }

  unpin(address: bigint): void {
    if (this.#pinned.delete(address)) this.driver.call('cuMemFreeHost', address);
  }

  /** Copies to the device, and waits. */
  upload(address: bigint, bytes: Uint8Array): void {
    if (bytes.length > 0) this.driver.call('cuMemcpyHtoD_v2', address, bytes, BigInt(bytes.length));
  }

  /** Waits for what is under way, and copies from the device. */
  download(address: bigint, bytes: number): Uint8Array {
    const out = new Uint8Array(bytes);
    this.synchronise();
    if (bytes > 0) this.driver.call('cuMemcpyDtoH_v2', out, address, BigInt(bytes));
    return out;
  }

  /** Repeats a 32-bit pattern over `bytes` bytes, in the stream. The address must be a multiple of 4. */
  fill(address: bigint, word: number, bytes: number): void {
    const words = Math.floor(bytes / 4);
    this.set(address, word, 4, words);
    for (let i = words * 4; i < bytes; i++) this.set(address + BigInt(i), (word >>> (8 * (i % 4))) & 0xff, 1, 1);
  }

  /** Repeats a pattern of 1, 2 or 4 bytes `count` times, in the stream. */
  set(address: bigint, value: number, width: 1 | 2 | 4, count: number): void {
    if (count === 0) return;
    const name = width === 1 ? 'cuMemsetD8Async' : width === 2 ? 'cuMemsetD16Async' : 'cuMemsetD32Async';
    this.driver.call(name, address, value >>> 0, BigInt(count), this.stream);
  }

  /** Copies pinned host memory to the device, in the stream. */
  copyFromPinned(to: bigint, from: bigint, bytes: number): void {
    if (bytes > 0) this.driver.call('cuMemcpyHtoDAsync_v2', to, from, BigInt(bytes), this.stream);
  }

  /** Copies on the device, in the stream. */
  copy(to: bigint, from: bigint, bytes: number): void {
    if (bytes > 0) this.driver.call('cuMemcpyDtoDAsync_v2', to, from, BigInt(bytes), this.stream);
  }

  /** Waits for the stream. A fault of a kernel that ran since shows here. @throws CudaError */
  synchronise(): void {
    this.driver.call('cuStreamSynchronize', this.stream);
  }

  /** Waits for everything on the GPU that this process asked for. */
  synchroniseAll(): void {
    this.driver.call('cuCtxSynchronize');
  }

  /** Takes over a module that was loaded; `unload` gives it back. */
  own(module: bigint): void {
    this.#modules.add(module);
  }

  unload(module: bigint): void {
    if (this.#modules.delete(module)) this.driver.call('cuModuleUnload', module);
  }

  /** Launches into the stream. @throws CudaError where the launch is refused */
  launch(kernel: bigint, shape: LaunchShape, parameters: readonly Uint8Array[]): void {
    const record = new LaunchRecord(shape, parameters, this.stream);
    this.driver.call('cuLaunchKernelEx', record.config, kernel, record.parameters, null);
  }

  createEvent(): bigint {
    const event = this.driver.handle('cuEventCreate', (out) => [out, constants.EVENT_DEFAULT]);
    this.#events.add(event);
    return event;
  }

  destroyEvent(event: bigint): void {
    if (this.#events.delete(event)) this.driver.call('cuEventDestroy_v2', event);
  }

  recordEvent(event: bigint): void {
    this.driver.call('cuEventRecord', event, this.stream);
  }

  /** Device time between two events that have happened, microseconds. */
  microsecondsBetween(start: bigint, end: bigint): number {
    const milliseconds = new Float32Array(1);
    this.driver.call('cuEventElapsedTime', milliseconds, start, end);
    return milliseconds[0]! * 1000;
  }

  /** A graph of what `work` puts into the stream. Nothing of it runs now. */
  capture(work: () => void): CudaGraph {
    const { driver, stream } = this;
    driver.call('cuStreamBeginCapture_v2', stream, constants.CAPTURE_THREAD_LOCAL);
    let failed: { error: unknown } | undefined;
    try {
      work();
    } catch (error) {
      failed = { error };
    }
    // The capture must end, or the stream stays in it.
    const out = new BigUint64Array(1);
    const status = driver.status('cuStreamEndCapture', stream, out);
    const drawn = out[0]!;
    if (failed || status !== 0) {
      if (drawn !== 0n) driver.status('cuGraphDestroy', drawn);
      throw failed ? failed.error : new CudaError('cuStreamEndCapture', status);
    }
    let exec: bigint;
    try {
      exec = driver.handle('cuGraphInstantiateWithFlags', (handle) => [handle, drawn, 0n]);
    } finally {
      driver.call('cuGraphDestroy', drawn);
    }
    const graph: CudaGraph = {
      launch: () => driver.call('cuGraphLaunch', exec, stream),
      destroy: () => {
        if (this.#graphs.delete(graph)) driver.call('cuGraphExecDestroy', exec);
      },
    };
    this.#graphs.add(graph);
    driver.call('cuGraphUpload', exec, stream);
    return graph;
  }

  /** Does something before everything is given back: for libraries that hold things of the context. */
  beforeClose(work: () => void): void {
    this.#before.push(work);
  }

  /** Gives everything back. Errors are passed over: where a context is broken, only the end of the process helps. */
  close(): void {
    const { driver } = this;
    const attempts: (() => void)[] = [
      ...this.#before,
      ...[...this.#graphs].map((graph) => () => graph.destroy()),
      ...[...this.#events].map((event) => () => this.destroyEvent(event)),
      ...[...this.#modules].map((module) => () => this.unload(module)),
      ...[...this.#memory].map((address) => () => this.free(address)),
      ...[...this.#pinned].map((address) => () => this.unpin(address)),
      () => driver.call('cuStreamDestroy_v2', this.stream),
      () => driver.call('cuDevicePrimaryCtxRelease_v2', this.#device),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch {
        // The next one may still succeed.
      }
    }
  }
}

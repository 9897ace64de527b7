/** The virtual GPU: memory, modules, launches. */

import { blocksAround } from './block-sample.ts';
import { scalarExecutable, simdExecutable, WorkerPool } from './compiler/index.ts';
import {
  CannotRun,
  type Executable,
  type Executor as ExecutorFactory,
  type LaunchContext,
  NeedsInterpreter,
} from './executable.ts';
import { FindingSink } from './findings.ts';
import { interpreter } from './interpreter/interpreter.ts';
import { LoadedModule, sharedBytesNeeded } from './loader.ts';
import { type Allocation, DeviceMemory } from './memory.ts';
import { COLOURS, GLOBAL_TAG } from './memory-layout.ts';
import type { Instruction, PtxFunction } from './ptx/ir.ts';
import { parsePtx } from './ptx/parser.ts';
import { type BoundTensorMap, bindTensorMap, type TensorMapDescription, tensorMapBytes } from './tensor-maps.ts';
import {
  type BoundTexture,
  bindTexture,
  type SurfaceDescription,
  type TextureDescription,
  textureHandle,
} from './textures.ts';
import type { DevicePointer, Dim3, LaunchConfig, LaunchReport, WrittenBytes } from './types.ts';
import { WrittenMap } from './written.ts';

export interface VirtualGpuOptions {
  /** Size of device memory, bytes (default 2 GiB, at most 3 GiB). Untouched memory costs nothing. */
  memoryBytes?: number;
  /**
   * Threads that run a launch's blocks at the same time, this one among them (default 1). With more, float atomics on
   * global memory add up in an order that differs from run to run.
   */
  workers?: number;
}

const DEFAULT_MEMORY = 2 * 1024 ** 3;
const MAX_WORKERS = 64;
const DEFAULT_BUDGET = 2 ** 40;
/** Limits of every GPU since compute capability 7.0. */
const MAX_BLOCK_THREADS = 1024;
const MAX_BLOCK: Dim3 = [1024, 1024, 64];
const MAX_GRID: Dim3 = [2 ** 31 - 1, 65535, 65535];
/** Shared memory that a block can have on the largest GPU, bytes. */
const MAX_SHARED = 227 * 1024;
/** Blocks of a cluster on the largest GPU; more than 8 need `cudaFuncAttributeNonPortableClusterSizeAllowed`. */
const MAX_CLUSTER = 16;

/** The executors, fastest first; `auto` takes the first that can run the launch. */
const EXECUTORS: readonly (readonly [LaunchReport['executor'], ExecutorFactory])[] = [
  ['simd', simdExecutable],
  ['scalar', scalarExecutable],
  ['interpreter', interpreter],
];

export class VirtualGpu {
  readonly memory: DeviceMemory;
  /** What each executor made of a kernel, or why it cannot run it. */
  readonly #textures: BoundTexture[] = [];
  readonly #tensorMaps: BoundTensorMap[] = [];
  readonly #executables = new Map<PtxFunction, Map<string, Executable | CannotRun>>();

  readonly #pool: WorkerPool | undefined;

  constructor(options: VirtualGpuOptions = {}) {
    const workers = options.workers ?? 1;
    if (!Number.isInteger(workers) || workers < 1 || workers > MAX_WORKERS)
      throw new RangeError(`${workers} workers; give a whole number from 1 to ${MAX_WORKERS}`);
    this.memory = new DeviceMemory(options.memoryBytes ?? DEFAULT_MEMORY, workers > 1);
    this.#pool = workers > 1 ? new WorkerPool(this.memory, workers) : undefined;
  }

  /** Reserves device memory with undefined content. Throws a RangeError when there is no room. */
  allocate(bytes: number, options: { name?: string } = {}): DevicePointer {
    return this.memory.allocate(bytes, options).address;
  }

  /**
   * Reserves addresses for a tensor of which sampled blocks touch a part; up to 64 GiB, whatever the memory's size. `content` is repeated from
   * its start to its end. Only launches with the executor `interpreter` reach it, and only loads, stores, atomics and cp.async.
   */
  allocateSparse(bytes: number, options: { name: string; content: Uint8Array }): DevicePointer {
    return this.memory.allocateFar(bytes, options.name, options.content);
  }

  /**
   * Makes the GPU as new: allocations, textures and loaded modules are gone. Cheaper than another GPU, whose gigabytes of
   * address space the engine's garbage collector has to reckon with.
   */
  reset(): void {
    this.memory.reset();
    this.#textures.length = 0;
    this.#tensorMaps.length = 0;
    this.#executables.clear();
    this.#pool?.reset();
  }

  /** Frees an allocation; later accesses to it are reported as use after free. */
  free(pointer: DevicePointer): void {
    this.memory.free(pointer);
  }

  /** Makes a texture object; its handle is what a kernel takes. Throws a RangeError when the description does not fit. */
  createTexture(description: TextureDescription): bigint {
    return this.#bind('texture', description);
  }

  /** Makes a surface object; its handle is what a kernel takes. */
  createSurface(description: SurfaceDescription): bigint {
    return this.#bind('surface', description);
  }

  /**
   * Makes a tensor map, as cuTensorMapEncodeTiled does: the 128 bytes to pass as a `const __grid_constant__ CUtensorMap`
   * parameter, or to keep in constant or global memory (then the launch must name the tensor among its `allocations`).
   * Throws a RangeError that says which rule the description breaks.
   */
  createTensorMap(description: TensorMapDescription): Uint8Array {
    const map = bindTensorMap(this.memory, description);
    this.#tensorMaps.push(map);
    return tensorMapBytes(this.#tensorMaps.length - 1, map);
  }

  #bind(kind: 'texture' | 'surface', description: TextureDescription): bigint {
    this.#textures.push(bindTexture(this.memory, kind, description));
    return textureHandle(this.#textures.length - 1);
  }

  /** Copies bytes to the device. */
  write(pointer: DevicePointer, bytes: Uint8Array): void {
    const offset = this.memory.range(pointer, bytes.length);
    this.memory.u8.set(bytes, offset);
    this.memory.markInitialised(offset, bytes.length, true);
  }

  /** Copies bytes from the device, whatever their state. */
  read(pointer: DevicePointer, bytes: number): Uint8Array {
    const offset = this.memory.range(pointer, bytes);
    return this.memory.u8.slice(offset, offset + bytes);
  }

  /** Fills a range with a 32-bit pattern and marks it uninitialised. */
  poison(pointer: DevicePointer, bytes: number, pattern = 0xfbfb_fbfb): void {
    const offset = this.memory.range(pointer, bytes);
    const words = bytes >>> 2;
    if ((offset & 3) === 0) {
      this.memory.u32.fill(pattern >>> 0, offset >>> 2, (offset >>> 2) + words);
      for (let i = words * 4; i < bytes; i++) this.memory.u8[offset + i] = pattern >>> (8 * (i & 3));
    } else {
      for (let i = 0; i < bytes; i++) this.memory.u8[offset + i] = pattern >>> (8 * (i & 3));
    }
    this.memory.markInitialised(offset, bytes, false);
  }

  /** One byte for each byte of the range: 1 where it has been written since allocation or {@link poison}. */
  written(pointer: DevicePointer, bytes: number): Uint8Array {
    return this.memory.initialised(this.memory.range(pointer, bytes), bytes);
  }

  /**
   * Parses PTX and makes its variables resident. Throws a PtxError, with line and text, for text that is no PTX and for
   * declarations that are not supported. Instructions that are not supported are listed in `unsupported` of the module;
   * a launch that may reach one throws. `name` is used in messages.
   */
  load(ptx: string, options: { name?: string } = {}): LoadedModule {
    const module = new LoadedModule(parsePtx(ptx, options.name), this.memory);
    if (this.#pool) module.source = { ptx, name: options.name };
    return module;
  }

  /** Puts the module's global variables back to their initial content. */
  resetGlobals(module: LoadedModule): void {
    module.resetGlobals(this.memory);
  }

  /** Whether a kernel has a barrier over the whole grid, so that part of its blocks cannot run without the others. */
  hasGridBarrier(module: LoadedModule, kernelName: string): boolean {
    const kernel = module.ptx.functions.get(kernelName);
    return kernel !== undefined && waitsForGrid(module, kernel);
  }

  /** Shared memory that a kernel declares, and what it calls: what a block of it takes at least. Undefined for no kernel of the module. */
  staticSharedBytes(module: LoadedModule, kernelName: string): number | undefined {
    const kernel = module.ptx.functions.get(kernelName);
    return kernel && sharedBytesNeeded(module.sharedLayout(kernel), 0);
  }

  /** A module's global variable: its address and size; undefined when it has none of that name. */
  global(module: LoadedModule, name: string): { pointer: DevicePointer; bytes: number } | undefined {
    const found = module.global(name);
    return found && { pointer: found.allocation.address, bytes: found.allocation.bytes };
  }

  /**
   * Runs a kernel to its end, or to the first fault. Throws a RangeError when the launch itself is malformed (no such
   * kernel, wrong parameter sizes), and a PtxError when the kernel holds something that cannot be executed.
   */
  launch(module: LoadedModule, kernelName: string, config: LaunchConfig): LaunchReport {
    const kernel = this.#kernel(module, kernelName);
    const findings = new FindingSink(kernelName);
    const bad = badLaunch(module, kernel, config);
    const started = performance.now();
    if (bad !== undefined) {
      findings.report({ kind: 'bad-launch', message: bad, instruction: undefined });
      return report('interpreter', false, 0, started, findings, '');
    }
    requireWholeGrid(module, kernel, config);
    const parameters = this.#parameters(kernel, config);
    this.memory.allow(this.#allowed(module, config));
    let printed = '';
    const total = config.grid[0] * config.grid[1] * config.grid[2];
    const blocks = config.blocks ?? Array.from({ length: total }, (_, index) => index);
    const context: LaunchContext = {
      ...this.#contextOf(module, kernel, config, findings),
      paramBase: parameters.base,
      blocks: blockOrder(blocks, config.schedule ?? 0),
      ...(config.company && { company: blocksAround(blocks, total) }),
      print: (text) => {
        printed += text;
      },
    };
    try {
      if (config.written !== undefined) return this.#launchRecorded(context, config, started, () => printed);
      const { executable, result } = firstThat(this.#candidates(module, kernel, config), (one) => one.run(context));
      return {
        ...report(executable.executor, result.completed, result.threadInstructions, started, findings, printed),
        profile: result.profile,
        ranBlocks: result.ranBlocks,
        workers: result.workers ?? 1,
      };
    } finally {
      this.memory.release(parameters);
    }
  }

  /**
   * Does now what the first launch of this configuration would do before it runs: translates the kernel for the block's
   * shape and makes machine code of it (with `races` that waits for the arguments). Says which executor is ready. The grid and the arguments do not matter. Throws
   * as {@link launch} does.
   */
  prepare(module: LoadedModule, kernelName: string, config: Omit<LaunchConfig, 'arguments'>): LaunchReport['executor'] {
    const kernel = this.#kernel(module, kernelName);
    const context = this.#contextOf(module, kernel, { ...config, arguments: [] }, new FindingSink(kernelName));
    this.memory.allow(new Set(module.allocations.values()));
    const { executable } = firstThat(this.#candidates(module, kernel, { ...config, arguments: [] }), (one) =>
      one.prepare(context),
    );
    return executable.executor;
  }

  /** A kernel of the module that holds nothing unsupported. Throws RangeError and PtxError. */
  #kernel(module: LoadedModule, name: string): PtxFunction {
    const kernel = module.ptx.functions.get(name);
    if (kernel === undefined || !kernel.entry) {
      const names = [...module.ptx.functions.values()].filter((fn) => fn.entry).map((fn) => fn.name);
      throw new RangeError(`there is no kernel ${name}; the module has ${names.join(', ') || 'none'}`);
    }
    module.requireSupported(kernel);
    return kernel;
  }

  /** What a launch runs in, but for its parameters and blocks: none. */
  #contextOf(module: LoadedModule, kernel: PtxFunction, config: LaunchConfig, findings: FindingSink): LaunchContext {
    return {
      memory: this.memory,
      module,
      kernel,
      grid: config.grid,
      block: config.block,
      cluster: clusterOf(kernel, config),
      explicitCluster: config.cluster !== undefined || kernel.performance.requiredCluster !== undefined,
      dynamicSharedBytes: config.dynamicSharedBytes ?? 0,
      paramBase: 0,
      blocks: [],
      checked: config.checked ?? true,
      races: config.races ?? false,
      profile: config.profile ?? false,
      stopAtFault: config.stopAtFault ?? true,
      instructionBudget: config.instructionBudget ?? DEFAULT_BUDGET,
      schedule: config.schedule ?? 0,
      textures: this.#textures,
      tensorMaps: this.#tensorMaps,
      findings,
      pool: this.#pool,
      print: () => undefined,
    };
  }

  /** A launch that says what it wrote. */
  #launchRecorded(context: LaunchContext, config: LaunchConfig, started: number, printed: () => string): LaunchReport {
    const { memory, module, kernel, findings } = context;
    const map = new WrittenMap(
      memory,
      memory.allocations.filter(({ allowed }) => allowed),
    );
    memory.written = map;
    const run = (blocks: readonly number[], spent: number) =>
      firstThat(this.#candidates(module, kernel, config), (one) =>
        one.run({ ...context, blocks, instructionBudget: context.instructionBudget - spent }),
      );
    try {
      if (config.written === 'launch') {
        const { executable, result } = run(context.blocks, 0);
        const summary = report(executable.executor, result.completed, result.threadInstructions, started, findings, '');
        return { ...summary, printed: printed(), profile: result.profile, written: map.read() };
      }
      const writtenByBlock: { block: number; written: WrittenBytes[] }[] = [];
      let executor: LaunchReport['executor'] = 'interpreter';
      let threadInstructions = 0;
      let completed = true;
      for (const block of context.blocks) {
        const { executable, result } = run([block], threadInstructions);
        executor = executable.executor;
        threadInstructions += result.threadInstructions;
        writtenByBlock.push({ block, written: map.read() });
        map.clear();
        completed = result.completed;
        if (!completed) break;
      }
      return { ...report(executor, completed, threadInstructions, started, findings, printed()), writtenByBlock };
    } finally {
      memory.written = undefined;
      map.release();
    }
  }

  /** The executors that may run the kernel, in the order to try them, each made when it is its turn. */
  *#candidates(module: LoadedModule, kernel: PtxFunction, config: LaunchConfig): Generator<Executable | CannotRun> {
    const wanted = config.executor ?? 'auto';
    let known = this.#executables.get(kernel);
    if (known === undefined) {
      known = new Map();
      this.#executables.set(kernel, known);
    }
    let any = false;
    const [x, y, z] = clusterOf(kernel, config);
    for (const [name, make] of EXECUTORS) {
      if (wanted !== 'auto' && wanted !== name) continue;
      any = true;
      if (x * y * z > 1 && name !== 'interpreter') {
        yield new CannotRun(`clusters of ${x} x ${y} x ${z} blocks are only interpreted; use the executor auto`);
        continue;
      }
      let made = known.get(name);
      if (made === undefined) {
        made = attempt(() => make(module, kernel));
        known.set(name, made);
      }
      yield made;
    }
    if (!any) yield new CannotRun(`the executor ${wanted} is not available`);
  }

  #parameters(kernel: PtxFunction, config: LaunchConfig): Allocation {
    const area = this.memory.allocate(Math.max(kernel.paramBytes, 4), { name: 'parameters', internal: true });
    for (const [index, parameter] of kernel.params.entries()) {
      if (parameter.kind !== 'variable') continue;
      this.memory.u8.set(config.arguments[index]!, area.base + parameter.variable.offset);
    }
    this.memory.markInitialised(area.base, kernel.paramBytes, true);
    return area;
  }

  /** The allocations that a launch may touch: those named, or those that pointer-sized words of its arguments point into. */
  #allowed(module: LoadedModule, config: LaunchConfig): Set<Allocation> {
    const allowed = new Set<Allocation>(module.allocations.values());
    const add = (address: bigint): void => {
      const allocation = this.memory.find(address);
      if (allocation !== undefined && !allocation.freed) allowed.add(allocation);
    };
    if (config.allocations !== undefined) {
      for (const pointer of config.allocations) add(pointer);
      return allowed;
    }
    for (const bytes of config.arguments) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      // Pointers may sit inside a struct that is passed by value.
      for (let at = 0; at + 8 <= bytes.length; at += 8) {
        const word = view.getBigUint64(at, true);
        const tag = Number(word >> 32n) - GLOBAL_TAG;
        if (tag >= 1 && tag <= COLOURS) add(word);
      }
    }
    return allowed;
  }
}

/** Refuses to run blocks without those they wait for, and to record writes where nothing is checked. */
function requireWholeGrid(module: LoadedModule, kernel: PtxFunction, config: LaunchConfig): void {
  const total = config.grid[0] * config.grid[1] * config.grid[2];
  const outside = config.blocks?.find((block) => !Number.isInteger(block) || block < 0 || block >= total);
  if (outside !== undefined) throw new RangeError(`there is no block ${outside} in a grid of ${total} blocks`);
  if (config.written !== undefined && config.checked === false)
    throw new RangeError('what a launch writes is known only with checks on: leave `checked` out or set it to true');
  if (config.written === 'blocks' && config.profile === true)
    throw new RangeError('a profile is of a whole launch: ask for what each block writes in a launch of its own');
  const [x, y, z] = clusterOf(kernel, config);
  if (config.written === 'blocks' && x * y * z > 1)
    throw new RangeError(
      'blocks of a cluster run together: ask for what the whole launch writes instead of each block',
    );
  const alone = config.written === 'blocks' && total > 1;
  const left = config.blocks !== undefined && new Set(config.blocks).size < total;
  if (!alone && !left) return;
  if (waitsForGrid(module, kernel))
    throw new RangeError(
      `${kernel.name} has a barrier over the whole grid: its blocks wait for each other. Run all ${total} blocks in one launch.`,
    );
}

/** Only a grid-wide barrier needs the address of the grid's workspace. */
function waitsForGrid(module: LoadedModule, kernel: PtxFunction): boolean {
  const readsWorkspace = ({ src }: Instruction): boolean =>
    src.some(
      (operand) => operand.kind === 'special' && (operand.register === 'envreg1' || operand.register === 'envreg2'),
    );
  const functions = [kernel, ...[...module.ptx.functions.values()].filter((fn) => !fn.entry)];
  return functions.some((fn) => fn.instructions.some(readsWorkspace));
}

/** Blocks of a cluster: what the launch says, else what the kernel was compiled for. */
function clusterOf(kernel: PtxFunction, config: LaunchConfig): Dim3 {
  return config.cluster ?? kernel.performance.requiredCluster ?? [1, 1, 1];
}

/** A result, or the CannotRun that was thrown instead. */
function attempt<T>(make: () => T): T | CannotRun {
  try {
    return make();
  } catch (error) {
    if (error instanceof CannotRun) return error;
    throw error;
  }
}

/** Runs on the first executor that can run this launch: an executor refuses before it runs anything. */
function firstThat<T>(
  executables: Iterable<Executable | CannotRun>,
  work: (executable: Executable) => T,
): { executable: Executable; result: T } {
  let reason: CannotRun | undefined;
  for (const executable of executables) {
    if (executable instanceof CannotRun) {
      reason = executable;
      continue;
    }
    if (reason instanceof NeedsInterpreter && executable.executor !== 'interpreter') continue;
    const result = attempt(() => work(executable));
    if (!(result instanceof CannotRun)) return { executable, result };
    reason = result;
  }
  throw reason!;
}

function report(
  executor: LaunchReport['executor'],
  completed: boolean,
  threadInstructions: number,
  started: number,
  findings: FindingSink,
  printed: string,
): LaunchReport {
  return {
    executor,
    completed,
    threadInstructions,
    milliseconds: performance.now() - started,
    findings: findings.list(),
    printed,
  };
}

/** A seeded permutation of the blocks; as given for seed 0. */
function blockOrder(blocks: readonly number[], seed: number): readonly number[] {
  if (seed === 0) return blocks;
  const order = [...blocks];
  let x = seed | 0;
  for (let i = order.length - 1; i > 0; i--) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    const j = (x >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Why a launch configuration would be refused by any GPU, in a sentence; throws for arguments that do not fit the kernel. */
function badLaunch(module: LoadedModule, kernel: PtxFunction, config: LaunchConfig): string | undefined {
  const { grid, block } = config;
  if (config.arguments.length !== kernel.params.length) {
    throw new RangeError(
      `${kernel.name} takes ${kernel.params.length} parameters, ${config.arguments.length} are given`,
    );
  }
  for (const [index, parameter] of kernel.params.entries()) {
    const wanted = parameter.kind === 'variable' ? parameter.variable.bytes : 0;
    const given = config.arguments[index]!.length;
    if (given !== wanted) {
      throw new RangeError(`parameter ${index} of ${kernel.name} is ${wanted} bytes long, ${given} are given`);
    }
  }
  for (let axis = 0; axis < 3; axis++) {
    const name = 'xyz'[axis]!;
    if (!(grid[axis]! >= 1 && grid[axis]! <= MAX_GRID[axis]!)) {
      return `The grid's ${name} is ${grid[axis]}; it must be from 1 to ${MAX_GRID[axis]}.`;
    }
    if (!(block[axis]! >= 1 && block[axis]! <= MAX_BLOCK[axis]!)) {
      return `The block's ${name} is ${block[axis]}; it must be from 1 to ${MAX_BLOCK[axis]}.`;
    }
  }
  const threads = block[0] * block[1] * block[2];
  if (threads > MAX_BLOCK_THREADS) return `A block of ${threads} threads; the most is ${MAX_BLOCK_THREADS}.`;
  const { maxThreads, requiredThreads } = kernel.performance;
  if (maxThreads !== undefined && threads > maxThreads[0] * maxThreads[1] * maxThreads[2]) {
    return `${kernel.name} is compiled for at most ${maxThreads[0] * maxThreads[1] * maxThreads[2]} threads a block (__launch_bounds__), and is launched with ${threads}.`;
  }
  if (requiredThreads?.some((count, axis) => count !== block[axis])) {
    return `${kernel.name} is compiled for blocks of ${requiredThreads.join(' x ')} threads, and is launched with ${block.join(' x ')}.`;
  }
  const badCluster = badClusterShape(kernel, config);
  if (badCluster !== undefined) return badCluster;
  const shared = sharedBytesNeeded(module.sharedLayout(kernel), config.dynamicSharedBytes ?? 0);
  if (shared > MAX_SHARED) return `${shared} bytes of shared memory a block; the most is ${MAX_SHARED}.`;
  return undefined;
}

function badClusterShape(kernel: PtxFunction, config: LaunchConfig): string | undefined {
  const cluster = clusterOf(kernel, config);
  const { requiredCluster, maxClusterBlocks } = kernel.performance;
  if (cluster.some((count) => !(Number.isSafeInteger(count) && count >= 1))) {
    return `The cluster is ${cluster.join(' x ')} blocks; each size must be a whole number of at least 1.`;
  }
  if (requiredCluster?.some((count, axis) => count !== cluster[axis])) {
    return `${kernel.name} is compiled for clusters of ${requiredCluster.join(' x ')} blocks (__cluster_dims__), and is launched with ${cluster.join(' x ')}.`;
  }
  const blocks = cluster[0] * cluster[1] * cluster[2];
  const most = Math.min(MAX_CLUSTER, maxClusterBlocks ?? MAX_CLUSTER);
  if (blocks > most) return `A cluster of ${blocks} blocks; the most is ${most}.`;
  for (let axis = 0; axis < 3; axis++) {
    if (config.grid[axis]! % cluster[axis]! === 0) continue;
    const name = 'xyz'[axis]!;
    return `The grid's ${name} is ${config.grid[axis]}, which is no multiple of the cluster's ${cluster[axis]}.`;
  }
  return undefined;
}

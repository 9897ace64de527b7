/**
 * Worker threads that run blocks of a launch beside the launching thread. They start with the first launch that can use
 * them, and a launch does not wait for those that are not ready: each takes runs of blocks while any are left.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { LaunchContext } from '../../executable.ts';
import type { LoadedModule } from '../../loader.ts';
import type { Allocation, DeviceMemory } from '../../memory.ts';
import type { Control, Message, WorkerSetup } from './protocol.ts';

/** Starts a thread: from `.js` as installed; from source, Node 20 needs the loader of TypeScript registered in it first. */
function startThread(workerData: WorkerSetup): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./thread.js', import.meta.url), { workerData });
  const loader = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const file = new URL('./thread.ts', import.meta.url).href;
  const code = `import('${loader}').then(({ register }) => { register(); return import('${file}'); })`;
  return new Worker(code, { workerData, eval: true, execArgv: [] });
}

interface Member {
  readonly worker: Worker;
  readonly modules: Set<number>;
}

export class WorkerPool {
  private members: Member[] | undefined;
  private readonly numbers = new WeakMap<LoadedModule, number>();
  private modules = 0;
  private failure: Error | undefined;

  /** @param workers threads that run blocks, the launching one among them: 2 or more */
  constructor(
    private readonly memory: DeviceMemory,
    readonly workers: number,
  ) {}

  /** Hands a launch to all workers. Returns the areas of memory that it lends them, to be released afterwards. */
  dispatch(
    context: LaunchContext,
    executor: 'scalar' | 'simd',
    scratchBytes: number,
    chunks: readonly (readonly [number, number])[],
    control: Control,
  ): Allocation[] {
    const { memory, module } = context;
    const number = this.numberOf(module);
    const lent: Allocation[] = [];
    for (const { worker, modules } of this.started()) {
      const scratch = memory.allocate(scratchBytes, { internal: true });
      lent.push(scratch);
      const message: Message = {
        module: number,
        source: modules.has(number) ? undefined : module.source,
        globals: [...module.allocations.values()],
        allocations: memory.allocations.filter((item) => !item.internal),
        scratch: { base: scratch.base, bytes: scratch.bytes },
        executor,
        kernel: context.kernel.name,
        grid: context.grid,
        block: context.block,
        dynamicSharedBytes: context.dynamicSharedBytes,
        paramBase: context.paramBase,
        checked: context.checked,
        instructionBudget: context.instructionBudget,
        chunks,
        control: control.buffer,
      };
      modules.add(number);
      worker.postMessage(message);
    }
    return lent;
  }

  /** All modules are gone. */
  reset(): void {
    for (const { worker, modules } of this.members ?? []) {
      modules.clear();
      worker.postMessage('reset' satisfies Message);
    }
  }

  private numberOf(module: LoadedModule): number {
    let number = this.numbers.get(module);
    if (number === undefined) {
      number = this.modules++;
      this.numbers.set(module, number);
    }
    return number;
  }

  private started(): readonly Member[] {
    if (this.failure)
      throw new Error(`A thread of the virtual GPU has ended: ${this.failure.message}. Use one worker.`, {
        cause: this.failure,
      });
    this.members ??= Array.from({ length: this.workers - 1 }, (_, index) => {
      const setup: WorkerSetup = { memory: this.memory.wasm, index: index + 1 };
      const worker = startThread(setup);
      // A process that has nothing else to do may end.
      worker.unref();
      worker.once('error', (error) => {
        this.failure = error;
      });
      return { worker, modules: new Set<number>() };
    });
    return this.members;
  }
}

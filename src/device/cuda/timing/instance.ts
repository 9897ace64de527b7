/**
 * One instance of a candidate, ready to be timed: its own modules, its own memory for every call of a window (a slot each), its own graph.
 *
 * A window: every slot gets operands that were never used, its workspaces poison; device variables start anew; a walk over twice the L2 leaves nothing of that
 * in the cache; then, between two events and two readings of the host's clock, one graph launches all calls back to back. Afterwards inputs and
 * outputs of every call are hashed where they lie, and each call is made once more, alone, with variables and poison anew: what it gives
 * then must be the same bits. So a call that rests on an earlier one, on what lay in memory, or on how often it was called shows in the very window.
 */
import type { Build, Plan } from '../../../kernel/index.ts';
import { elementBytes } from '../../../task/index.ts';
import { elementCount, isContiguous } from '../../plan/strided.ts';
import { poisonWord } from '../../poison.ts';
import type { CudaGpu, CudaGraph } from '../gpu.ts';
import { type HashKey, layoutOf, type OwnKernels, spell } from '../kernels/own-kernels.ts';
import { CudaModule, hasVariables } from '../module.ts';
import type { Contraction, CublasWork } from './cublas-work.ts';
import type { CallOperands } from './operands.ts';
import { StreamSteps } from './stream-steps.ts';

/** What is timed. */
export interface TimedPlan {
  readonly plan: Plan;
  readonly build: Build;
  /** A call of cuBLAS in the place of the plan's steps. */
  readonly contraction?: Contraction;
}

/** Device memory that instances share. */
export interface SharedMemory {
  /** Base operands: for each set the address of each argument. */
  readonly bases: readonly (readonly bigint[])[];
  /** A stretch of over twice the L2. */
  readonly walk: { readonly address: bigint; readonly bytes: number };
  /** Of a plan that is a call of cuBLAS. */
  readonly cublas?: CublasWork;
}

/** Numbers drawn for one window, unknown before it. */
export interface WindowSecrets {
  readonly key: HashKey;
  readonly poison: readonly [inWindow: number, alone: number];
}

/** What a window showed, before anybody judges it. */
export interface RawWindow {
  readonly deviceMicroseconds: number;
  readonly hostMicroseconds: number;
  /** Calls whose outputs are not the bits that the same call gives alone. */
  readonly different: readonly number[];
  /** Calls that changed their inputs. */
  readonly changed: readonly number[];
  /** Outputs of the calls that were asked for, as they stood when the window ended. */
  readonly kept: readonly (readonly Uint8Array[])[];
}

/** Bytes that one call's buffers take. */
export function slotBytes({ buffers }: Plan): number {
  return buffers.reduce((sum, { kind, bytes }) => sum + (kind === 'symbol' ? 0 : align(bytes)), 0);
}

const align = (bytes: number): number => Math.max(512, Math.ceil(bytes / 512) * 512);
const DIGEST_BYTES = 8;

export class Instance {
  readonly #gpu: CudaGpu;
  readonly #own: OwnKernels;
  readonly #timed: TimedPlan;
  readonly #shared: SharedMemory;
  readonly #steps: StreamSteps | CublasWork;
  readonly #builds: readonly Build[];
  /** Device variables must start anew before each window. */
  readonly #remembers: boolean;
  readonly #slots: bigint[][] = [];
  readonly #digests: bigint;
  readonly #events: readonly [bigint, bigint];
  /** Where outputs that are not contiguous are gathered, with their layouts, by output. */
  readonly #gathers = new Map<number, { address: bigint; layout: bigint }>();
  #modules: CudaModule[] = [];
  #graph: { calls: number; work: 'calls' | 'null'; graph: CudaGraph; pinned: readonly bigint[] } | undefined;

  /** `slots`: the most calls of a window. @throws CudaError where memory or code do not fit */
  constructor(gpu: CudaGpu, own: OwnKernels, timed: TimedPlan, shared: SharedMemory, slots: number) {
    this.#gpu = gpu;
    this.#own = own;
    this.#timed = timed;
    this.#shared = shared;
    const { plan, build } = timed;
    this.#builds = [build, ...(build.others ?? [])].filter(({ ptx, cubin }) => ptx !== '' || cubin !== '');
    this.#remembers = this.#builds.some(hasVariables);
    this.#load();
    this.#steps = shared.cublas ?? new StreamSteps(gpu, own, plan);
    for (let slot = 0; slot < slots; slot++) {
      let at = gpu.allocate(slotBytes(plan));
      this.#slots.push(
        plan.buffers.map(({ kind, bytes }) => {
          if (kind === 'symbol') return 0n;
          const place = at;
          at += BigInt(align(bytes));
          return place;
        }),
      );
    }
    this.#digests = gpu.allocate(DIGEST_BYTES * Math.max(1, plan.outputs.length + plan.buffers.length));
    this.#events = [gpu.createEvent(), gpu.createEvent()];
    plan.outputs.forEach((tensor, output) => {
      if (isContiguous(tensor)) return;
      const size = elementBytes[tensor.dtype];
      let dense = size;
      const packed = tensor.shape.toReversed().map((extent) => {
        const stride = dense;
        dense *= extent;
        return stride;
      });
      const layout = layoutOf(
        tensor.shape,
        tensor.strides.map((stride) => stride * size),
        packed.reverse(),
      );
      const place = { address: gpu.allocate(elementCount(tensor) * size), layout: gpu.allocate(layout.length) };
      gpu.upload(place.layout, layout);
      this.#gathers.set(output, place);
    });
  }

  #load(): void {
    this.#modules = [];
    for (const build of this.#builds) this.#modules.push(new CudaModule(this.#gpu, build));
  }

  /** Device variables anew: the code is loaded again, and graphs that hold the old one are gone. */
  #startAnew(): void {
    if (!this.#remembers) return;
    this.#gpu.synchronise();
    this.#dropGraph();
    for (const module of this.#modules) module.unload();
    this.#load();
  }

  #dropGraph(): void {
    this.#graph?.graph.destroy();
    for (const memory of this.#graph?.pinned ?? []) this.#gpu.unpin(memory);
    this.#graph = undefined;
  }

  /** Addresses of a slot's buffers, device variables where the module has them now. */
  #addresses(slot: number): bigint[] {
    return this.#timed.plan.buffers.map(({ id, kind, symbol }) =>
      kind === 'symbol' ? this.#modules[0]!.variable(symbol!).address : this.#slots[slot]![id]!,
    );
  }

  /** Takes one window. `operands`: one entry a call. `keep`: indices of calls whose outputs are wanted. @throws CudaError */
  window(
    work: 'calls' | 'null',
    operands: readonly CallOperands[],
    secrets: WindowSecrets,
    keep: readonly number[],
    atEdges: () => void,
  ): RawWindow {
    const calls = operands.length;
    operands.forEach((each, slot) => {
      this.#fill(slot, each);
      this.#poison(slot, secrets.poison[0]);
    });
    const inputsBefore = operands.map((_, slot) => this.#inputDigest(slot, secrets.key));
    const outputsBefore = operands.map((_, slot) => this.#outputDigest(slot, secrets.key));
    this.#startAnew();
    const graph = this.#graphOf(work, calls);
    atEdges();
    this.#coolDown();
    const times = this.#time(graph);
    atEdges();
    const outputs = operands.map((_, slot) => this.#outputDigest(slot, secrets.key));
    const changed = slots(calls).filter((slot) => this.#inputDigest(slot, secrets.key) !== inputsBefore[slot]);
    if (work === 'null') {
      // Nothing may have been written.
      return { ...times, different: slots(calls).filter((i) => outputs[i] !== outputsBefore[i]), changed, kept: [] };
    }
    const kept = keep.map((slot) => this.#outputs(slot));
    const different = slots(calls).filter((slot) => this.#alone(slot, secrets) !== outputs[slot]);
    return { ...times, different, changed, kept };
  }

  /** Whether the same call gives the same bits twice. Float atomics need not. */
  repeatable(operands: CallOperands, secrets: WindowSecrets): boolean {
    this.#fill(0, operands);
    const first = this.#alone(0, secrets);
    return first === this.#alone(0, secrets);
  }

  /** Calls one slot by itself, in a fresh state, and hashes what it gives. */
  #alone(slot: number, { key, poison }: WindowSecrets): string {
    this.#poison(slot, poison[1]);
    this.#startAnew();
    const pinned = this.#steps.enqueue(this.#addresses(slot), this.#modules);
    const digest = this.#outputDigest(slot, key);
    for (const memory of pinned) this.#gpu.unpin(memory);
    return digest;
  }

  #fill(slot: number, { base, renewals }: CallOperands): void {
    const addresses = this.#slots[slot]!;
    const at = new Map<number, bigint>();
    for (const { id, kind, argument, bytes } of this.#timed.plan.buffers) {
      if (kind !== 'argument') continue;
      at.set(argument!, addresses[id]!);
      this.#gpu.copy(addresses[id]!, this.#shared.bases[base]![argument!]!, bytes);
    }
    this.#gpu.synchronise();
    for (const { argument, byteOffset, bytes } of renewals) {
      const address = at.get(argument);
      if (address !== undefined) this.#gpu.upload(address + BigInt(byteOffset), bytes);
    }
  }

  #poison(slot: number, seed: number): void {
    for (const { id, kind, bytes } of this.#timed.plan.buffers) {
      if (kind === 'workspace') this.#gpu.fill(this.#slots[slot]![id]!, poisonWord(seed + id), bytes);
    }
  }

  #graphOf(work: 'calls' | 'null', calls: number): CudaGraph {
    if (this.#graph?.work === work && this.#graph.calls === calls) return this.#graph.graph;
    this.#dropGraph();
    const pinned: bigint[] = [];
    const graph = this.#gpu.capture(() => {
      for (let slot = 0; slot < calls; slot++) {
        if (work === 'null') this.#own.nothing();
        else pinned.push(...this.#steps.enqueue(this.#addresses(slot), this.#modules));
      }
    });
    this.#graph = { calls, work, graph, pinned };
    return graph;
  }

  /** Nothing of the operands stays in the L2: it is read full of something else. Reading leaves no lines that would have to be written back in the window. */
  #coolDown(): void {
    const { address, bytes } = this.#shared.walk;
    this.#gpu.resetPersistingCache();
    this.#own.hash(address, bytes, [0, 0], this.#digests);
    this.#gpu.synchronise();
  }

  #time(graph: CudaGraph): { deviceMicroseconds: number; hostMicroseconds: number } {
    const [start, end] = this.#events;
    const { driver } = this.#gpu;
    const before = driver.hostNanoseconds();
    this.#gpu.recordEvent(start);
    graph.launch();
    this.#gpu.recordEvent(end);
    this.#gpu.synchroniseAll();
    const after = driver.hostNanoseconds();
    return {
      deviceMicroseconds: this.#gpu.microsecondsBetween(start, end),
      hostMicroseconds: Number(after - before) / 1000,
    };
  }

  /** One digest over all outputs of a slot. */
  #outputDigest(slot: number, key: HashKey): string {
    const { outputs } = this.#timed.plan;
    const addresses = this.#addresses(slot);
    return this.#digest(
      outputs.map((tensor, output) => {
        const size = elementBytes[tensor.dtype];
        const address = addresses[tensor.buffer]! + BigInt(tensor.offset * size);
        const bytes = elementCount(tensor) * size;
        const gather = this.#gathers.get(output);
        if (gather) this.#own.copy(address, gather.address, tensor.shape, size, gather.layout);
        return { address: gather?.address ?? address, bytes };
      }),
      key,
    );
  }

  #inputDigest(slot: number, key: HashKey): string {
    const stretches = this.#timed.plan.buffers.flatMap(({ id, kind, bytes }) =>
      kind === 'argument' ? [{ address: this.#slots[slot]![id]!, bytes }] : [],
    );
    return this.#digest(stretches, key);
  }

  #digest(stretches: readonly { address: bigint; bytes: number }[], key: HashKey): string {
    const bytes = DIGEST_BYTES * stretches.length;
    this.#gpu.fill(this.#digests, 0, bytes);
    stretches.forEach((stretch, i) => {
      this.#own.hash(stretch.address, stretch.bytes, key, this.#digests + BigInt(DIGEST_BYTES * i));
    });
    return spell(new Uint32Array(this.#gpu.download(this.#digests, bytes).buffer));
  }

  #outputs(slot: number): Uint8Array[] {
    const addresses = this.#addresses(slot);
    return this.#timed.plan.outputs.map((tensor, output) => {
      const size = elementBytes[tensor.dtype];
      const address = addresses[tensor.buffer]! + BigInt(tensor.offset * size);
      const gather = this.#gathers.get(output);
      if (gather) this.#own.copy(address, gather.address, tensor.shape, size, gather.layout);
      return this.#gpu.download(gather?.address ?? address, elementCount(tensor) * size);
    });
  }
}

const slots = (calls: number): number[] => Array.from({ length: calls }, (_, slot) => slot);

/**
 * The buffers of a plan on the GPU. Each lies between two guards, whose contents are looked at after every launch: a GPU reports an access
 * far out of bounds, and never one that hits the neighbour.
 */
import type { Plan, PlanBuffer } from '../../kernel/index.ts';
import type { BufferMemory } from '../plan/host-steps.ts';
import type { Call } from '../types.ts';
import type { CudaGpu } from './gpu.ts';
import type { CudaModule } from './module.ts';
import { type Poison, type PoisonKind, patternBytes, poisonKinds, wordOf, writtenBytes } from './poison-pattern.ts';

/** Bytes before and after each buffer; a multiple of the alignment that cudaMalloc gives. */
const GUARD = 512;
/** What they hold: no float that arithmetic makes, no likely index. */
const GUARD_BYTE = 0xb7;

/** A write next to a buffer. */
export interface Overrun {
  readonly buffer: PlanBuffer;
  /** Of the first changed byte, relative to the buffer's start. */
  readonly offset: number;
}

/** The memory of one call after another. Buffers are allocated at the first, and again where a call wants fresh memory. */
export class PlanMemory implements BufferMemory {
  readonly #gpu: CudaGpu;
  readonly #plan: Plan;
  readonly #kinds: readonly PoisonKind[];
  #bases: bigint[] = [];
  #addresses: bigint[] = [];
  #poison: Poison[] = [];
  /** What the last call was given, by buffer. */
  #inputs: (Uint8Array | undefined)[] = [];

  constructor(gpu: CudaGpu, plan: Plan) {
    this.#gpu = gpu;
    this.#plan = plan;
    this.#kinds = poisonKinds(plan);
  }

  get addresses(): readonly bigint[] {
    return this.#addresses;
  }

  /** Fills buffers for a call: arguments with its inputs, workspaces with poison. `main`: the module that has the plan's variables. */
  prepare(call: Call, main: CudaModule | undefined): void {
    if (call.freshMemory || this.#bases.length === 0) this.#allocate();
    this.#addresses = this.#plan.buffers.map((buffer) => this.#place(buffer, main));
    this.#poison = this.#kinds.map((kind, id) => ({ kind, seed: call.poisonSeed + id }));
    this.#inputs = this.#plan.buffers.map(({ kind, argument }) => {
      if (kind !== 'argument') return undefined;
      const bytes = call.inputs[argument!];
      if (!bytes) throw new Error(`the call has no bytes for argument ${argument}`);
      return bytes;
    });
    for (const { id, kind, bytes } of this.#plan.buffers) {
      if (kind === 'symbol') continue;
      const input = this.#inputs[id];
      if (input) this.#gpu.upload(this.#addresses[id]!, input);
      else this.#fillWithPoison(id, bytes);
    }
  }

  /** New memory before the old is given back, so that it lies elsewhere. */
  #allocate(): void {
    const old = this.#bases;
    const guard = new Uint8Array(GUARD).fill(GUARD_BYTE);
    this.#bases = this.#plan.buffers.map(({ kind, bytes }) => {
      if (kind === 'symbol') return 0n;
      const base = this.#gpu.allocate(bytes + 2 * GUARD);
      this.#gpu.upload(base, guard);
      this.#gpu.upload(base + BigInt(GUARD + bytes), guard);
      return base;
    });
    for (const base of old) if (base !== 0n) this.#gpu.free(base);
  }

  #place({ id, kind, symbol }: PlanBuffer, main: CudaModule | undefined): bigint {
    if (kind !== 'symbol') return this.#bases[id]! + BigInt(GUARD);
    // Only plans of one module write device variables.
    if (!main) throw new Error(`the build has no variable ${symbol}`);
    return main.variable(symbol!).address;
  }

  #fillWithPoison(id: number, bytes: number): void {
    const { kind, seed } = this.#poison[id]!;
    const word = wordOf(kind, seed);
    if (word !== undefined) this.#gpu.fill(this.#addresses[id]!, word, bytes);
    else this.#gpu.upload(this.#addresses[id]!, patternBytes(seed, bytes));
  }

  read(buffer: number): Uint8Array {
    return this.#gpu.download(this.#addresses[buffer]!, this.#plan.buffers[buffer]!.bytes);
  }

  written(buffer: number): Uint8Array {
    const { kind, bytes } = this.#plan.buffers[buffer]!;
    if (kind !== 'workspace') return new Uint8Array(bytes).fill(1);
    return writtenBytes(this.read(buffer), this.#poison[buffer]!, this.#poison);
  }

  write(buffer: number, byteOffset: number, bytes: Uint8Array): void {
    this.#gpu.synchronise();
    this.#gpu.upload(this.#addresses[buffer]! + BigInt(byteOffset), bytes);
  }

  /** Arguments that are not what the call was given. */
  changedInputs(): { argument: number; firstByte: number }[] {
    return this.#plan.buffers.flatMap(({ id, kind, argument }) => {
      if (kind !== 'argument') return [];
      const before = this.#inputs[id]!;
      const now = this.read(id);
      if (Buffer.compare(before, now) === 0) return [];
      return [{ argument: argument!, firstByte: before.findIndex((byte, index) => byte !== now[index]) }];
    });
  }

  /** The first buffer whose guards were written to. */
  overrun(): Overrun | undefined {
    for (const buffer of this.#plan.buffers) {
      const base = this.#bases[buffer.id]!;
      if (base === 0n) continue;
      for (const [at, offset] of [
        [0, -GUARD],
        [GUARD + buffer.bytes, buffer.bytes],
      ] as const) {
        const changed = this.#gpu.download(base + BigInt(at), GUARD).findIndex((byte) => byte !== GUARD_BYTE);
        if (changed >= 0) return { buffer, offset: offset + changed };
      }
    }
    return undefined;
  }

  free(): void {
    for (const base of this.#bases) if (base !== 0n) this.#gpu.free(base);
    this.#bases = [];
  }
}

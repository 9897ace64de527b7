/** What the launching thread and its workers share: the control block of one launch, and the job that describes it. */
import { deserialize, serialize } from 'node:v8';
import type { Allocation, WasmMemory } from '../../memory.ts';
import type { Dim3, Finding } from '../../types.ts';

/** Given to a worker when it starts. */
export interface WorkerSetup {
  readonly memory: WasmMemory;
  readonly index: number;
}

/** One launch, for a worker. */
export interface Job {
  readonly module: number;
  /** The first time that a worker sees the module. */
  readonly source: { readonly ptx: string; readonly name: string | undefined } | undefined;
  /** Where the module's variables lie, in the order of its loading. */
  readonly globals: readonly Allocation[];
  readonly allocations: readonly Allocation[];
  /** The worker's own part of the memory. */
  readonly scratch: { readonly base: number; readonly bytes: number };
  readonly executor: 'scalar' | 'simd';
  readonly kernel: string;
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly dynamicSharedBytes: number;
  readonly paramBase: number;
  readonly checked: boolean;
  readonly instructionBudget: number;
  /** Runs of blocks, as [first, end), in their order. */
  readonly chunks: readonly (readonly [number, number])[];
  readonly control: SharedArrayBuffer;
}

/** To a worker: a launch, or that all modules are gone. */
export type Message = Job | 'reset';

/** What a worker found wrong, with the chunk in which it stopped. */
export interface Stopped {
  readonly chunk: number;
  readonly findings: readonly Finding[];
  /** A fault of ours. */
  readonly error?: string;
}

const NEXT = 0;
const ACTIVE = 1;
const FIRST_STOPPED = 2;
const TOOK_PART = 3;
const HEADER = 16;
/** Bytes for what one worker has to say of a fault. */
const REPORT = 1 << 16;
const NEVER = 0x7fffffff;

/** The shared state of one launch. Participants are numbered from 0, the launching thread. */
export class Control {
  private readonly words: Int32Array;
  private readonly instructions: BigInt64Array;

  constructor(
    readonly buffer: SharedArrayBuffer,
    private readonly participants: number,
  ) {
    this.words = new Int32Array(buffer, 0, HEADER / 4);
    this.instructions = new BigInt64Array(buffer, HEADER, 1);
  }

  static create(participants: number): Control {
    const control = new Control(new SharedArrayBuffer(HEADER + 8 + participants * REPORT), participants);
    control.words[FIRST_STOPPED] = NEVER;
    return control;
  }

  static of(buffer: SharedArrayBuffer): Control {
    return new Control(buffer, (buffer.byteLength - HEADER - 8) / REPORT);
  }

  /** The next chunk to run, or undefined when all are taken, or an earlier one has stopped the launch. */
  claim(chunks: number): number | undefined {
    const chunk = Atomics.add(this.words, NEXT, 1);
    return chunk < chunks && chunk < Atomics.load(this.words, FIRST_STOPPED) ? chunk : undefined;
  }

  /** Chunks before it are still run to their end, so that the first fault is the same however threads are scheduled. */
  stop(participant: number, stopped: Stopped): void {
    const { words } = this;
    let first = Atomics.load(words, FIRST_STOPPED);
    while (stopped.chunk < first) {
      const seen = Atomics.compareExchange(words, FIRST_STOPPED, first, stopped.chunk);
      if (seen === first) break;
      first = seen;
    }
    const at = HEADER + 8 + participant * REPORT;
    let bytes = serialize(stopped);
    if (bytes.length > REPORT - 4) bytes = serialize({ ...stopped, findings: stopped.findings.slice(0, 1) });
    new Uint8Array(this.buffer, at + 4, REPORT - 4).set(bytes);
    new DataView(this.buffer).setUint32(at, bytes.length, true);
  }

  /** Of all that stopped, what the earliest chunk's thread had to say. */
  firstStopped(): Stopped | undefined {
    let first: Stopped | undefined;
    for (let participant = 0; participant < this.participants; participant++) {
      const at = HEADER + 8 + participant * REPORT;
      const length = new DataView(this.buffer).getUint32(at, true);
      if (length === 0) continue;
      const stopped = deserialize(new Uint8Array(this.buffer, at + 4, length).slice()) as Stopped;
      if (first === undefined || stopped.chunk < first.chunk) first = stopped;
    }
    return first;
  }

  /** A thread has run blocks, of so many instructions. */
  tookPart(instructions: bigint): void {
    Atomics.add(this.instructions, 0, instructions);
    Atomics.add(this.words, TOOK_PART, 1);
  }

  get threads(): number {
    return Atomics.load(this.words, TOOK_PART);
  }

  get threadInstructions(): bigint {
    return Atomics.load(this.instructions, 0);
  }

  enter(): void {
    Atomics.add(this.words, ACTIVE, 1);
  }

  leave(): void {
    Atomics.sub(this.words, ACTIVE, 1);
    Atomics.notify(this.words, ACTIVE);
  }

  /** Waits for the workers that have entered. One that comes later finds no chunk left and touches nothing. */
  wait(): void {
    for (;;) {
      const active = Atomics.load(this.words, ACTIVE);
      if (active === 0) return;
      Atomics.wait(this.words, ACTIVE, active);
    }
  }
}

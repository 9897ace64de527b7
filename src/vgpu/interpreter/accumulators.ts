/**
 * Registers that a wgmma of this warp may still be writing. Until wgmma.wait_group they must not be read, except by the
 * next wgmma that adds to them; a plain mov only passes the state on, as compilers place them between.
 */
import type { Instruction, Operand, PtxFunction } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, whereOf } from './environment.ts';
import { lowestLane, type Warp } from './warp.ts';

/** One wgmma.mma_async in flight. */
interface Product {
  readonly at: Instruction;
}

export class Accumulators {
  /** A wgmma.fence has been executed. */
  fenced = false;
  /** Register slots in flight, by what writes them. */
  readonly #writers = new Map<number, Product>();
  #open: Product[] = [];
  readonly #groups: Product[][] = [];

  get busy(): boolean {
    return this.#writers.size > 0;
  }

  begin(slots: readonly number[], at: Instruction): void {
    const product = { at };
    this.#open.push(product);
    for (const slot of slots) this.#writers.set(slot, product);
  }

  commit(): void {
    this.#groups.push(this.#open);
    this.#open = [];
  }

  /** All groups but the last few are over. */
  wait(kept: number): void {
    while (this.#groups.length > kept) {
      const done = new Set(this.#groups.shift());
      for (const [slot, product] of this.#writers) if (done.has(product)) this.#writers.delete(slot);
    }
  }

  writer(slot: number): Instruction | undefined {
    return this.#writers.get(slot)?.at;
  }

  /** A register takes over the state of another, or is written afresh. */
  move(to: number, from: number | undefined): void {
    const product = from === undefined ? undefined : this.#writers.get(from);
    if (product === undefined) this.#writers.delete(to);
    else this.#writers.set(to, product);
  }
}

/** The register slots that operands name, in order. */
export function operandSlots(asm: Assembler, fn: PtxFunction, operands: readonly Operand[]): number[] {
  return operands.flatMap((operand): number[] => {
    switch (operand.kind) {
      case 'register':
        return [asm.register(fn, operand.id).slot];
      case 'vector':
        return operandSlots(asm, fn, operand.elements);
      case 'address':
        return operand.base.kind === 'register' ? [asm.register(fn, operand.base.id).slot] : [];
      default:
        return [];
    }
  });
}

/** An instruction is about to run while products are in flight: reports what it reads of them. */
export class AccumulatorWatch {
  readonly #asm: Assembler;
  readonly #env: Environment;
  readonly #slots = new Map<Instruction, { reads: number[]; writes: number[] }>();

  constructor(asm: Assembler, env: Environment) {
    this.#asm = asm;
    this.#env = env;
  }

  step(warp: Warp, fn: PtxFunction, i: Instruction, mask: number): void {
    let slots = this.#slots.get(i);
    if (slots === undefined) {
      slots = { reads: operandSlots(this.#asm, fn, i.src), writes: operandSlots(this.#asm, fn, i.dst) };
      this.#slots.set(i, slots);
    }
    const { reads, writes } = slots;
    const { accumulators } = warp;
    if (mask === 0) return;
    if (i.kind === 'move' && i.op === 'mov' && reads.length === 1 && writes.length === 1) {
      accumulators.move(writes[0]!, reads[0]);
      return;
    }
    for (const slot of reads) {
      const at = accumulators.writer(slot);
      if (at === undefined) continue;
      const lane = lowestLane(mask);
      this.#env.fault(warp, lane, {
        kind: 'uninitialised-read',
        message: `${this.#env.who(warp, lane)} uses at ${whereOf(i)} a register that the wgmma at ${whereOf(at)} may still be writing: wgmma.wait_group is needed first.`,
        instruction: i,
      });
      return;
    }
    if (i.kind !== 'wgmma') for (const slot of writes) accumulators.move(slot, undefined);
  }
}

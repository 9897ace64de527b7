/**
 * Undefined values that shuffles from absent lanes give, followed until they matter. The tree of a warp sum reads absent
 * lanes in its upper half and never looks at the result: that is no fault. A store, an address, a branch, a vote or an
 * atomic that depends on one is.
 */
import type { Instruction, Operand, PtxFunction, Warp as WarpInstruction } from '../ptx/ir.ts';
import { type Assembler, lanesWhere } from './assembler.ts';
import { type Environment, whereOf } from './environment.ts';
import { LANES } from './registers.ts';
import { lowestLane, type Warp } from './warp.ts';

/** The shuffle that gave a lane an undefined value. */
interface Origin {
  readonly instruction: WarpInstruction;
  readonly from: number;
}

/** Predicates are told from registers by their sign. */
function predicateKey(index: number): number {
  return -1 - index;
}

export class Poison {
  /** Lanes whose value is undefined, by register slot or predicate. */
  readonly #lanes = new Map<number, number>();
  readonly #origins = new Array<Origin | undefined>(LANES).fill(undefined);

  get any(): boolean {
    return this.#lanes.size > 0;
  }

  of(slot: number): number {
    return this.#lanes.get(slot) ?? 0;
  }

  /** Sets which of the lanes of `mask` hold an undefined value in a register. */
  set(slot: number, mask: number, poisoned: number): void {
    const lanes = ((this.#lanes.get(slot) ?? 0) & ~mask) | (poisoned & mask);
    if (lanes === 0) this.#lanes.delete(slot);
    else this.#lanes.set(slot, lanes);
  }

  begin(lane: number, instruction: WarpInstruction, from: number): void {
    this.#origins[lane] = { instruction, from };
  }

  /** A lane takes an undefined value over from another one. */
  follow(lane: number, from: number): void {
    this.#origins[lane] = this.#origins[from];
  }

  origin(lane: number): Origin | undefined {
    return this.#origins[lane];
  }
}

/** What an instruction reads and writes, by slot. */
interface Flow {
  readonly sources: readonly number[];
  readonly results: readonly number[];
  /** The sources' values show outside the registers. */
  readonly observes: boolean;
  readonly guard: number | undefined;
}

/** Carries undefined values through the instructions of a program, and reports those that are used. */
export class PoisonTracker {
  readonly #asm: Assembler;
  readonly #env: Environment;
  readonly #flows = new Map<Instruction, Flow>();

  constructor(asm: Assembler, env: Environment) {
    this.#asm = asm;
    this.#env = env;
  }

  /** An instruction is about to run on `mask`, its guard having been tested on `group`. */
  step(warp: Warp, poison: Poison, fn: PtxFunction, i: Instruction, group: number, mask: number): void {
    let flow = this.#flows.get(i);
    if (flow === undefined) {
      flow = this.#flowOf(fn, i);
      this.#flows.set(i, flow);
    }
    if (flow.guard !== undefined) this.#use(warp, poison, i, flow.guard, group);
    // A shuffle moves what it reads between lanes by itself.
    if (mask === 0 || (i.kind === 'warp' && i.op === 'shfl')) return;
    if (flow.observes) {
      for (const slot of flow.sources) this.#use(warp, poison, i, slot, mask);
      for (const slot of flow.results) poison.set(slot, mask, 0);
      return;
    }
    let poisoned = 0;
    if (i.kind === 'compare' && i.op === 'selp') {
      const [yes = 0, no = 0, condition = 0] = flow.sources;
      const chosen = lanesWhere(warp.predicates, this.#asm.predicate(fn, i.src[2]!, i));
      poisoned = (poison.of(yes) & chosen) | (poison.of(no) & ~chosen) | poison.of(condition);
    } else {
      for (const slot of flow.sources) poisoned |= poison.of(slot);
    }
    for (const slot of flow.results) poison.set(slot, mask, poisoned);
  }

  #use(warp: Warp, poison: Poison, i: Instruction, slot: number, mask: number): void {
    const used = poison.of(slot) & mask;
    if (used === 0) return;
    for (let left = used; left !== 0; ) {
      const lane = lowestLane(left);
      left &= ~(1 << lane);
      const origin = poison.origin(lane);
      if (origin === undefined) continue;
      const env = this.#env;
      env.note(warp, lane, {
        kind: 'absent-lane',
        message: `${env.who(warp, lane)} uses at ${whereOf(i)} what was shuffled from lane ${origin.from}, which ${whyAbsent(warp, origin.from)}: the value is undefined.`,
        instruction: origin.instruction,
      });
    }
    poison.set(slot, used, 0);
  }

  #flowOf(fn: PtxFunction, i: Instruction): Flow {
    const slots = (operands: readonly Operand[]): number[] =>
      operands.flatMap((operand): number[] => {
        switch (operand.kind) {
          case 'register':
            return [this.#asm.register(fn, operand.id).slot];
          case 'predicate':
            return [predicateKey(this.#asm.predicateIndex(fn, operand.id))];
          case 'vector':
            return slots(operand.elements);
          case 'address': {
            const base = operand.base.kind === 'register' ? [this.#asm.register(fn, operand.base.id).slot] : [];
            return operand.coordinates === undefined ? base : [...base, ...slots([operand.coordinates])];
          }
          default:
            // Constants are never undefined; a slot of their own keeps the positions of selp.
            return [Number.NaN];
        }
      });
    const sources = [...i.src];
    if (i.kind === 'barrier' && i.predicate !== undefined) sources.push(i.predicate);
    return {
      sources: slots(sources),
      results: slots(i.dst),
      observes: !['arithmetic', 'compare', 'convert', 'move'].includes(i.kind),
      guard: i.guard === undefined ? undefined : predicateKey(this.#asm.predicateIndex(fn, i.guard.register)),
    };
  }
}

/** Why a lane has nothing to give, as the end of a sentence about it. */
export function whyAbsent(warp: Warp, lane: number): string {
  return ((warp.present >>> lane) & 1) === 0 ? 'does not exist in this warp' : 'has exited or is not in the mask';
}

/**
 * Resolves operands of the IR to places in the register file: registers of every linked function, broadcast constants,
 * special registers. One assembler serves one kernel; the warps of all its launches have the same layout.
 */

import { sharedOrigins } from '../analysis/shared-origin.ts';
import type { LoadedModule } from '../loader.ts';
import { functionAddress } from '../loader.ts';
import {
  type Guard,
  type Instruction,
  type Operand,
  PtxError,
  type PtxFunction,
  type PtxType,
  type SpecialRegister,
  TYPE_BYTES,
  type Variable,
} from '../ptx/ir.ts';
import { specialRegisterBits } from '../ptx/special-registers.ts';
import { LANES, type PredicateRef, type Ref, type RegisterFile, wordsOf } from './registers.ts';

interface FunctionLayout {
  readonly fn: PtxFunction;
  /** Word offset in the warp's block of each register; for predicates, the index of the mask word. */
  readonly slots: readonly number[];
  readonly firstWord: number;
  readonly endWord: number;
  readonly firstPredicate: number;
  readonly endPredicate: number;
}

export class Assembler {
  readonly module: LoadedModule;
  readonly kernel: PtxFunction;
  readonly file: RegisterFile;
  readonly layouts = new Map<PtxFunction, FunctionLayout>();
  readonly specials = new Map<SpecialRegister, Ref>();
  /** Words a warp's block takes. */
  warpWords = 0;
  predicateCount = 0;
  readonly #constants = new Map<string, Ref>();
  readonly #origins = new Map<PtxFunction, ReadonlyMap<Instruction, Variable>>();
  #constantWords = 0;

  constructor(module: LoadedModule, kernel: PtxFunction, functions: readonly PtxFunction[], file: RegisterFile) {
    this.module = module;
    this.kernel = kernel;
    this.file = file;
    for (const fn of functions) this.#layOut(fn);
  }

  /** Words at the front of the register file that hold constants. Final once all instructions are assembled. */
  get constantWords(): number {
    return this.#constantWords;
  }

  #layOut(fn: PtxFunction): void {
    const firstWord = this.warpWords;
    const firstPredicate = this.predicateCount;
    const slots = fn.registers.map(({ type }) =>
      type === 'pred' ? this.predicateCount++ : this.#reserve(wordsOf(type)),
    );
    this.layouts.set(fn, {
      fn,
      slots,
      firstWord,
      endWord: this.warpWords,
      firstPredicate,
      endPredicate: this.predicateCount,
    });
  }

  #reserve(words: number): number {
    // 64-bit views need even word offsets: every register takes a multiple of 32 words.
    const slot = this.warpWords;
    this.warpWords += words * LANES;
    return slot;
  }

  scratch(words: 1 | 2 | 4): Ref {
    return { slot: this.#reserve(words), mask: -1, words };
  }

  scratchPredicate(): number {
    return this.predicateCount++;
  }

  register(fn: PtxFunction, id: number): Ref {
    const { type } = fn.registers[id]!;
    return { slot: this.layouts.get(fn)!.slots[id]!, mask: -1, words: wordsOf(type) };
  }

  predicateIndex(fn: PtxFunction, id: number): number {
    return this.layouts.get(fn)!.slots[id]!;
  }

  /** The shared variable that an access's address was computed from, where that is known. */
  sharedOrigin(fn: PtxFunction, access: Instruction): Variable | undefined {
    let origins = this.#origins.get(fn);
    if (origins === undefined) {
      origins = sharedOrigins(fn);
      this.#origins.set(fn, origins);
    }
    return origins.get(access);
  }

  /** A value of `words` words broadcast to all lanes. */
  constant(bits: bigint, words: 1 | 2 | 4): Ref {
    const key = `${words}:${bits}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const slot = this.#constantWords;
    this.#constantWords += words * LANES;
    this.file.reserve(this.#constantWords);
    for (let lane = 0; lane < LANES; lane++) {
      for (let word = 0; word < words; word++) {
        this.file.i32[slot + lane * words + word] = Number(BigInt.asIntN(32, bits >> BigInt(32 * word)));
      }
    }
    const ref: Ref = { slot, mask: 0, words };
    this.#constants.set(key, ref);
    return ref;
  }

  special(name: SpecialRegister): Ref {
    const known = this.specials.get(name);
    if (known !== undefined) return known;
    const ref = this.scratch(specialRegisterBits(name) === 64 ? 2 : 1);
    this.specials.set(name, ref);
    return ref;
  }

  /**
   * A source operand of exactly this type's width. Immediates are cut to it. Throws when a register of another width is
   * used where the ISA wants the same.
   */
  source(fn: PtxFunction, operand: Operand, type: PtxType, at: Instruction): Ref {
    const words = wordsOf(type);
    const ref = this.value(fn, operand, type, at);
    if (ref.words !== words) throw this.error(at, `an operand is not ${TYPE_BYTES[type] * 8} bits wide`);
    return ref;
  }

  /** A source operand of any width (ld, st, mov and cvt accept wider registers). */
  value(fn: PtxFunction, operand: Operand, type: PtxType, at: Instruction): Ref {
    switch (operand.kind) {
      case 'register':
        return this.register(fn, operand.id);
      case 'immediate':
        return this.constant(BigInt.asUintN(Math.max(TYPE_BYTES[type] * 8, 8), operand.bits), wordsOf(type));
      case 'special':
        return this.special(operand.register);
      case 'symbol': {
        const { variable } = operand;
        if (variable.owner === 'frame') throw this.error(at, 'the address of a stack variable is only taken by mov');
        const address = this.module.addressOf(this.kernel, variable) + BigInt(operand.offset);
        return this.constant(BigInt.asUintN(64, address), wordsOf(type));
      }
      case 'function': {
        const index = this.module.functionTable.indexOf(operand.name);
        return this.constant(functionAddress(index), wordsOf(type));
      }
      default:
        throw this.error(at, `a ${operand.kind} cannot be a source here`);
    }
  }

  destination(fn: PtxFunction, operand: Operand | undefined, type: PtxType, at: Instruction): Ref {
    if (operand?.kind === 'sink' || operand === undefined) return this.scratch(wordsOf(type));
    if (operand.kind !== 'register') throw this.error(at, `a ${operand.kind} cannot be a destination`);
    return this.register(fn, operand.id);
  }

  /** A destination of exactly the type's width. */
  result(fn: PtxFunction, operand: Operand | undefined, type: PtxType, at: Instruction): Ref {
    const ref = this.destination(fn, operand, type, at);
    if (ref.words !== wordsOf(type))
      throw this.error(at, `the result is ${TYPE_BYTES[type] * 8} bits wide, its register is not`);
    return ref;
  }

  predicate(fn: PtxFunction, operand: Operand, at: Instruction): PredicateRef {
    if (operand.kind === 'predicate') {
      return { index: this.predicateIndex(fn, operand.id), flip: operand.negated ? -1 : 0 };
    }
    if (operand.kind === 'immediate') {
      // Index -1 is "always false"; flipped it is always true.
      return { index: -1, flip: operand.bits !== 0n ? -1 : 0 };
    }
    throw this.error(at, `a ${operand.kind} cannot be a predicate`);
  }

  predicateResult(fn: PtxFunction, operand: Operand | undefined, at: Instruction): number {
    if (operand === undefined || operand.kind === 'sink') return this.scratchPredicate();
    if (operand.kind !== 'predicate' || operand.negated)
      throw this.error(at, 'the result must be a predicate register');
    return this.predicateIndex(fn, operand.id);
  }

  guard(fn: PtxFunction, guard: Guard | undefined): PredicateRef | undefined {
    if (guard === undefined) return undefined;
    return { index: this.predicateIndex(fn, guard.register), flip: guard.negated ? -1 : 0 };
  }

  error(at: Instruction, reason: string): PtxError {
    return new PtxError(reason, at.line, at.text);
  }
}

/** The lanes for which a predicate holds. */
export function lanesWhere(predicates: Int32Array, ref: PredicateRef): number {
  return (ref.index < 0 ? 0 : predicates[ref.index]!) ^ ref.flip;
}

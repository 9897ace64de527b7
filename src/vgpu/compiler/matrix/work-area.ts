/**
 * Registers of a warp's frames as places in memory, for one exchange of a matrix instruction: its own functions take
 * addresses of 128 (f64: 256) bytes that hold a register of all 32 lanes. What is no register (a constant) or will be
 * overwritten too early gets a place in the arena's work area.
 */
import type { PtxType } from '../../ptx/ir.ts';
import type { Slot } from '../arena.ts';
import { CannotCompile } from '../cannot-compile.ts';
import type { OperandSource } from '../syncpoints.ts';
import type { Unit } from '../unit.ts';
import type { FunctionBuilder } from '../wasm/encoder.ts';
import { lineBytes } from './convert.ts';

/** Bytes of the work area: two matrices of f64 of at most 32 x 16 elements, and registers. */
export const WORK_BYTES = 16384;

export const registerBytes = (type: PtxType): number => 8 * lineBytes(type);

export class WorkArea {
  private readonly base4: number;
  private readonly base8: number;
  private readonly start: number;
  private readonly constants = new Map<string, number>();

  /**
   * @param first local that holds the warp's first thread
   * @param top bytes at the start of the area that the caller uses
   */
  constructor(
    private readonly unit: Unit,
    private readonly code: FunctionBuilder,
    first: number,
    private top = 0,
  ) {
    this.base4 = code.local('i32');
    this.base8 = code.local('i32');
    this.start = code.local('i32');
    code.globalGet(unit.arena).get(first).i32(2).op('i32.shl').op('i32.add').set(this.base4);
    code.globalGet(unit.arena).get(first).i32(3).op('i32.shl').op('i32.add').set(this.base8);
    code.globalGet(unit.arena).i32(unit.matrixWork(WORK_BYTES)).op('i32.add').set(this.start);
  }

  /** Pushes the address of a byte of the area. */
  push(offset: number): void {
    this.code.get(this.start);
    if (offset !== 0) this.code.i32(offset).op('i32.add');
  }

  pushSlot(slot: Slot): void {
    this.code
      .get(slot.bytes === 8 ? this.base8 : this.base4)
      .i32(slot.offset)
      .op('i32.add');
  }

  /** Makes a source a place in memory; the result pushes its address. */
  place(source: OperandSource, type: PtxType): () => void {
    if (source.kind === 'slot') return () => this.pushSlot(source.slot);
    const bits = BigInt.asUintN(type === 'f64' ? 64 : 32, source.bits);
    const key = `${bits}/${registerBytes(type)}`;
    let at = this.constants.get(key);
    if (at === undefined) {
      at = this.take(type);
      this.constants.set(key, at);
      const low = Number(bits & 0xffffffffn);
      const high = type === 'f64' ? Number(bits >> 32n) : low;
      for (let offset = 0; offset < registerBytes(type); offset += 16) {
        this.push(at + offset);
        this.code.v128([low, high, low, high]).memory('v128.store', 0, 2);
      }
    }
    const place = at;
    return () => this.push(place);
  }

  /** Copies a register aside now; the result pushes the copy's address. */
  copy(slot: Slot, type: PtxType): () => void {
    const at = this.take(type);
    this.push(at);
    this.pushSlot(slot);
    this.code.i32(registerBytes(type)).memoryCopy();
    return () => this.push(at);
  }

  private take(type: PtxType): number {
    const at = this.top;
    this.top += registerBytes(type);
    if (this.top > WORK_BYTES)
      throw new CannotCompile('a matrix product of that size', this.unit.flow.kernel.entry.ptxLine);
    return at;
  }
}

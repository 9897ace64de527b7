/** Registers of single lanes inside an exchange: loaded from the frames for the scalar code of addresses. */
import type { ScalarContext } from '../scalar/context.ts';

/** Loads a register of the context's thread from its frame into the local that scalar code reads it from. */
export function loadLane(context: ScalarContext, register: number): void {
  const { code, unit, facts } = context;
  if (facts.constant.has(register)) return;
  const slot = unit.frames.slot(register, unit.slotBytes(register));
  code
    .globalGet(unit.arena)
    .get(context.thread)
    .i32(slot.bytes === 8 ? 3 : 2)
    .op('i32.shl')
    .op('i32.add');
  code.memory(`${facts.localType[register]!}.load`, slot.offset).set(context.localOf(register));
}

/** Marks in compiled code what is written to global memory, when the launch asks for it: see `../written.ts`. */
import { PAGE_SHIFT } from '../written.ts';
import type { Unit } from './unit.ts';
import type { FunctionBuilder, FunctionRef } from './wasm/encoder.ts';

/** Records a write of `bytes` bytes at the offset in the i32 local `place`; nothing in launches that are not asked. */
export function recordWrite(unit: Unit, code: FunctionBuilder, place: number, bytes: number): void {
  if (unit.options.written) code.get(place).call(bytes < 4 ? partOfWord(unit, bytes) : wholeWords(unit, bytes / 4));
}

/** Leaves in local 1 the word's index in the map; returns at once when it is not described there. */
function pushIndex(unit: Unit, code: FunctionBuilder): number {
  const { written } = unit;
  const index = code.local('i32');
  code.get(0).i32(2).op('i32.shr_u').globalGet(written.first).op('i32.sub').tee(index);
  code.globalGet(written.words).op('i32.ge_u').if();
  code.op('return').end();
  return index;
}

function touchPage(unit: Unit, code: FunctionBuilder, index: number, ahead: number): void {
  code.get(index).i32(ahead).op('i32.add').i32(PAGE_SHIFT).op('i32.shr_u');
  code.globalGet(unit.written.pages).op('i32.add').i32(1).memory('i32.store8', 0, 0);
}

function partOfWord(unit: Unit, bytes: number): FunctionRef {
  return unit.helper(`written.${bytes}`, ['i32'], [], (code) => {
    const at = code.local('i32');
    const index = pushIndex(unit, code);
    touchPage(unit, code, index, 0);
    code.globalGet(unit.written.map).get(index).op('i32.add').set(at);
    code.get(at).get(at).memory('i32.load8_u', 0, 0);
    code
      .i32(bytes === 1 ? 1 : 3)
      .get(0)
      .i32(bytes === 1 ? 3 : 2)
      .op('i32.and')
      .op('i32.shl');
    code.op('i32.or').memory('i32.store8', 0, 0);
  });
}

function wholeWords(unit: Unit, words: number): FunctionRef {
  return unit.helper(`written.${4 * words}`, ['i32'], [], (code) => {
    const at = code.local('i32');
    const index = pushIndex(unit, code);
    touchPage(unit, code, index, 0);
    // A group's words may reach into the next page.
    if (words > 4) touchPage(unit, code, index, words - 1);
    code.globalGet(unit.written.map).get(index).op('i32.add').set(at);
    for (let word = 0; word < words; ) {
      const left = words - word;
      const store = left >= 4 ? 'i32.store' : left >= 2 ? 'i32.store16' : 'i32.store8';
      code.get(at).i32(0x0f0f0f0f).memory(store, word, 0);
      word += left >= 4 ? 4 : left >= 2 ? 2 : 1;
    }
  });
}

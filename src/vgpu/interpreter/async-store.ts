/** st.async and red.async: a store or update of another block's shared memory that an mbarrier there counts. */
import { type AsyncStore, type Operand, type PtxFunction, TYPE_BYTES } from '../ptx/ir.ts';
import { addressStep, resolver } from './addressing.ts';
import type { Assembler } from './assembler.ts';
import { barrierCheck } from './async-proxy.ts';
import { elementUpdate, loadBits, readBits, storeBits } from './atomics.ts';
import type { Environment } from './environment.ts';
import { launchWrite } from './in-flight.ts';
import type { Step } from './lane-loops.ts';

export function asyncStoreStep(asm: Assembler, env: Environment, fn: PtxFunction, i: AsyncStore): Step {
  const [target, value, barrier] = i.src;
  const size = TYPE_BYTES[i.type];
  const elements: readonly Operand[] = value?.kind === 'vector' ? value.elements : [value!];
  const refs = elements.map((element) => asm.value(fn, element, i.type, i));
  const bytes = size * refs.length;
  const addresses = addressStep(asm, env, fn, target, i);
  const updates = i.reduction === undefined ? undefined : elementUpdate(i.reduction, i.type);
  if (i.reduction !== undefined && updates === undefined) {
    throw asm.error(i, `red.async.${i.reduction} on ${i.type} is not supported`);
  }
  const kind = updates === undefined ? 'write' : 'atomic';
  const resolve = resolver(env, { kind, bytes, space: 'shared', at: i, fn, clusterWide: true }, undefined);
  const counter = barrierCheck(asm, env, fn, barrier, i);
  const { file } = asm;
  const { u8 } = env.memory;
  return (warp, mask) => {
    addresses(warp, mask);
    const lows = env.low.slice();
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const at = counter.resolve(warp, l, counter.address(warp, l));
      env.low[l] = lows[l]!;
      env.high[l] = 0;
      if (at === undefined || resolve(warp, 1 << l) === 0) continue;
      const to = env.physical[l]!;
      env.races?.access(warp, l, bytes, kind, kind === 'atomic', 'cluster', 'shared', i);
      env.races?.settle();
      const values = refs.map((ref) => readBits(file.i32, ref.slot + (warp.base & ref.mask) + l * ref.words, size));
      launchWrite(env, {
        warp,
        lane: l,
        at: i,
        target: to,
        bytes,
        barrier: at,
        sharedSource: undefined,
        keepsOldBytes: updates !== undefined,
        land: () => {
          for (const [e, bits] of values.entries()) {
            const place = to + e * size;
            storeBits(u8, place, size, updates === undefined ? bits : updates(loadBits(u8, place, size), bits, 0n));
          }
        },
      });
    }
  };
}

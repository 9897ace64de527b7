/** mapa and getctarank, in clusters of one block: every address is the block's own. */
import type { Cluster, PtxFunction } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import type { Step } from './lane-loops.ts';

export function clusterStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Cluster): Step {
  const { file } = asm;
  const rank = i.op === 'mapa' ? asm.source(fn, i.src[1]!, 'u32', i) : undefined;
  const dst = asm.destination(fn, i.dst[0], rank === undefined ? 'u32' : i.type, i);
  const src = asm.value(fn, i.src[0]!, i.type, i);
  return (warp, mask) => {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const wanted = rank === undefined ? 0 : file.i32[rank.slot + (warp.base & rank.mask) + l]! >>> 0;
      if (wanted !== 0) {
        const message = `${env.who(warp, l)} maps an address to block ${wanted} of its cluster at ${whereOf(i)}; the cluster has one block.`;
        env.note(warp, l, { kind: 'out-of-bounds', message, instruction: i, space: 'shared' });
        throw new LaunchStopped(message);
      }
      const to = dst.slot + warp.base + l * dst.words;
      const from = src.slot + (warp.base & src.mask) + l * src.words;
      for (let w = 0; w < dst.words; w++)
        file.i32[to + w] = rank === undefined || w >= src.words ? 0 : file.i32[from + w]!;
    }
  };
}

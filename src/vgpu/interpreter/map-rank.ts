/** mapa: the address of the same place in another block of the cluster. getctarank: the block that an address names. */
import { CLUSTER_RANK_SHIFT } from '../memory-layout.ts';
import type { Cluster, PtxFunction } from '../ptx/ir.ts';
import type { Assembler } from './assembler.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import type { Step } from './lane-loops.ts';

const OFFSET = (1 << CLUSTER_RANK_SHIFT) - 1;

export function mapRankStep(asm: Assembler, env: Environment, fn: PtxFunction, i: Cluster): Step {
  const { file } = asm;
  const rank = i.op === 'mapa' ? asm.source(fn, i.src[1]!, 'u32', i) : undefined;
  const dst = asm.destination(fn, i.dst[0], rank === undefined ? 'u32' : i.type, i);
  const src = asm.value(fn, i.src[0]!, i.type, i);
  return (warp, mask) => {
    const { blocks } = warp.block.cluster;
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const to = dst.slot + warp.base + l * dst.words;
      const from = src.slot + (warp.base & src.mask) + l * src.words;
      const low = file.i32[from]!;
      if (rank === undefined) {
        const named = low >>> CLUSTER_RANK_SHIFT;
        file.i32[to] = named === 0 ? warp.block.rank : named - 1;
        if (dst.words === 2) file.i32[to + 1] = 0;
        continue;
      }
      const wanted = file.i32[rank.slot + (warp.base & rank.mask) + l]! >>> 0;
      if (wanted >= blocks.length) {
        const size = blocks.length === 1 ? 'one block' : `${blocks.length} blocks`;
        const message = `${env.who(warp, l)} maps an address to block ${wanted} of its cluster at ${whereOf(i)}; the cluster has ${size}.`;
        env.note(warp, l, { kind: 'out-of-bounds', message, instruction: i, space: 'shared' });
        throw new LaunchStopped(message);
      }
      file.i32[to] = ((wanted + 1) << CLUSTER_RANK_SHIFT) | (low & OFFSET);
      for (let w = 1; w < dst.words; w++) file.i32[to + w] = w < src.words ? file.i32[from + w]! : 0;
    }
  };
}

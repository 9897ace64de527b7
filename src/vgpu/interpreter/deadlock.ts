/** Deadlock: what nobody can go on from, explained. */
import type { Cluster } from './cluster.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import { laneList } from './exchange.ts';
import type { Program } from './program.ts';
import { LANES } from './registers.ts';
import { lowestLane, type Warp } from './warp.ts';

/** Reports that nothing in a cluster can run, with who waits where, and ends the launch. */
export function reportDeadlock(program: Program, env: Environment, cluster: Cluster): never {
  const { instructions } = program;
  const several = cluster.blocks.length > 1;
  const places: string[] = [];
  let first: { warp: Warp; lane: number; pc: number } | undefined;
  for (const warp of cluster.blocks.flatMap(({ warps }) => warps)) {
    const waiting = warp.waiting & warp.alive;
    for (let left = waiting; left !== 0; ) {
      const lane = lowestLane(left);
      const barrier = warp.memberMask[lane] === 0;
      let same = 0;
      for (let l = 0; l < LANES; l++) {
        if (((left >>> l) & 1) !== 0 && warp.pc[l] === warp.pc[lane] && (warp.memberMask[l] === 0) === barrier)
          same |= 1 << l;
      }
      left &= ~same;
      const pc = warp.pc[lane]! - (barrier ? 1 : 0);
      first ??= { warp, lane, pc };
      const missing = warp.memberMask[lane]! & warp.alive & ~same;
      const warpgroup = instructions[pc]!.kind === 'wgmma' ? 'for the other warps of its warpgroup' : 'for the barrier';
      const what = barrier ? warpgroup : `for ${laneList(missing)} in ${instructions[pc]!.op}`;
      if (places.length < 8)
        places.push(
          `${several ? `block (${warp.block.position.join(', ')}), ` : ''}warp ${warp.index}, ${laneList(same)}: ${what} at ${whereOf(instructions[pc]!)}`,
        );
    }
  }
  const message = `${several ? 'The cluster of block' : 'Block'} (${cluster.blocks[0]!.position.join(', ')}) is deadlocked. ${places.join('; ')}.`;
  if (first !== undefined) {
    env.note(first.warp, first.lane, { kind: 'deadlock', message, instruction: instructions[first.pc] });
  }
  throw new LaunchStopped(message);
}

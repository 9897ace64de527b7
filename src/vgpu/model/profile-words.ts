/** A profile in words, for people and for language models: what the launch does badly, with the lines that do it. */
import type { HotInstruction, LaunchProfile } from '../types.ts';

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / Math.max(whole, 1))} %`;
const times = (count: number): string => Math.round(count).toLocaleString('en');

function megabytes(bytes: number): string {
  return bytes < 1e6
    ? `${(bytes / 1e3).toLocaleString('en', { maximumFractionDigits: 1 })} kB`
    : `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;
}

const place = ({ source, ptxLine }: HotInstruction): string =>
  source === undefined ? `PTX line ${ptxLine}` : `line ${source.line}`;

/**
 * Sentences about a launch, the most telling first. Only what is there: a kernel without atomics has no sentence about them.
 * Counts of a sample are said to be that.
 */
export function profileInWords(profile: LaunchProfile): string[] {
  const { global, shared, atomics, barriers, local, tensor, asyncCopies, hot } = profile;
  const said: string[] = [];
  const sectors = global.loadSectors + global.storeSectors;
  if (sectors > 0) {
    const asked = global.loadBytes + global.storeBytes;
    const again = Math.max(0, 32 * sectors - global.uniqueBytes);
    said.push(
      `It asks for ${megabytes(32 * sectors)} of global memory in ${times(global.loadRequests + global.storeRequests)} requests; ` +
        `${megabytes(global.uniqueBytes)} of it is distinct${again > 0 ? `, the rest (${percent(again, 32 * sectors)}) is asked for again` : ''}.`,
    );
    const worst = hot.find((one) => one.sectors > 1.5 * one.idealSectors);
    if (asked < 0.9 * 32 * sectors)
      said.push(
        `Coalescing: the lanes use ${percent(asked, 32 * sectors)} of the bytes that are moved${worst ? `; worst at ${place(worst)}, ${times(worst.sectors)} sectors of 32 bytes where ${times(worst.idealSectors)} would hold them` : ''}.`,
      );
  }
  if (shared.bankConflictCycles > 0) {
    const worst = [...hot].sort((a, b) => b.wavefronts - b.idealWavefronts - (a.wavefronts - a.idealWavefronts))[0];
    said.push(
      `Shared memory: ${percent(shared.bankConflictCycles, shared.wavefronts)} of the passes are bank conflicts, ${shared.worstWays}-way at worst` +
        `${worst && worst.wavefronts > worst.idealWavefronts ? ` (${place(worst)})` : ''}.`,
    );
  }
  if (atomics.operations > 0)
    said.push(
      `Atomics: ${times(atomics.operations)} updates of global memory, the most updated address ${times(atomics.hottestUpdates)} times` +
        `${atomics.sameAddress > 0 ? `; ${percent(atomics.sameAddress, atomics.operations)} meet another lane's update of the same request` : ''}.`,
    );
  if (atomics.sharedOperations > 0) said.push(`Atomics: ${times(atomics.sharedOperations)} updates of shared memory.`);
  const active = profile.threadInstructions / (32 * Math.max(1, profile.warpInstructions));
  if (active < 0.9)
    said.push(
      `Divergence: ${percent(active, 1)} of the lanes are active on average; ${percent(profile.divergentBranches, profile.branches)} of the conditional branches part their warp.`,
    );
  if (barriers.waitedInstructions > 0.1 * barriers.longestInstructions)
    said.push(
      `Barriers: ${percent(barriers.waitedInstructions, barriers.longestInstructions)} of the time between them is spent waiting for the slowest warp.`,
    );
  if (local.sectors > 0)
    said.push(
      `Local memory: ${megabytes(32 * local.sectors)} move to and from it: arrays whose indices the compiler does not know.`,
    );
  for (const [type, { instructions, multiplyAdds }] of Object.entries(tensor))
    said.push(`Tensor cores: ${times(instructions)} products of ${type}, ${times(multiplyAdds)} multiply-adds.`);
  if (asyncCopies.requests > 0)
    said.push(`Asynchronous copies: ${times(asyncCopies.requests)}, ${megabytes(asyncCopies.bytes)}.`);
  if (profile.sampledBlocks < profile.totalBlocks)
    said.push(`Counted in ${times(profile.sampledBlocks)} of ${times(profile.totalBlocks)} blocks and scaled.`);
  return said;
}

/**
 * What a kernel can ask of the machine it runs on, and no honest kernel's result depends on: which multiprocessor, how many cycles, what time. The answers are
 * those of a GPU that has been at work for a while. All zero, they would tell a kernel that it is judged here, and it could be right here alone.
 */

/** `%nsmid`: as many as the smallest GPU of the table has, so that tables by multiprocessor are large enough on all. */
export const MULTIPROCESSORS = 40;

/** `%smid` of a block: its linear index modulo {@link MULTIPROCESSORS}. */
export const multiprocessorOf = (block: number): number => block % MULTIPROCESSORS;

/** `%gridid`: launches before this one. */
export const GRID_ID = 1_000_003;

/** Cycles when block 0 starts: some hours. */
const CYCLES = 0x1357_9bdf_2468n;
/** By so many each following block starts later: no multiple of a power of two. */
export const CYCLES_BETWEEN_BLOCKS = 1_000_003n;
/** Nanoseconds of `%globaltimer`, as Unix counts them: in the year 2026. */
const NANOSECONDS = 1_790_000_000_123_456_789n;

/** What a clock shows when a block starts; {@link CYCLES_BETWEEN_BLOCKS} later for each block where it counts cycles. */
export function clockStart(register: string): { start: bigint; betweenBlocks: bigint } {
  if (register.startsWith('globaltimer')) return { start: NANOSECONDS, betweenBlocks: 0n };
  return { start: CYCLES, betweenBlocks: CYCLES_BETWEEN_BLOCKS };
}

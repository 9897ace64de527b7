/** Functions of a launch that only some kernels' code calls: what is rare or long enough to be left to JavaScript. */
import type { LaunchContext } from '../executable.ts';
import type { MemoryAccess } from '../ptx/ir.ts';
import { CopyQueue } from './copy-queue.ts';
import type { FaultReporter } from './faults.ts';
import { accessElements } from './matrix/index.ts';
import type { Program } from './program.ts';

export interface LaunchHost {
  readonly functions: Readonly<Record<string, (...operands: never[]) => unknown>>;
  /** Gives back the memory that they have allocated. */
  free(): void;
}

export function launchHost(program: Program, context: LaunchContext, reporter: FaultReporter): LaunchHost {
  const copies = new CopyQueue(context, reporter, program.copyQueue ?? 0);
  if (program.copyQueue !== undefined) reporter.pendingCopy = (physical, bytes) => copies.touches(physical, bytes);
  return {
    functions: {
      /** fragment(access, first): a wmma.load or wmma.store element by element. */
      fragment(access: number, first: number): void {
        accessElements(program.fragments[access]!, first, context.memory, reporter, program.options.checked);
      },
      /** pieces(site, address, wanted, thread): the source of a copy that takes only some bytes of it; 0 when it must not. */
      pieces(site: number, address: bigint, wanted: number, thread: number): number {
        return checkPieces(reporter, program.sites[site] as MemoryAccess, address, wanted, thread)
          ? Number(BigInt.asIntN(32, address))
          : 0;
      },
      growCopies: () => copies.grow(),
      /** leftCopies(site, thread): a thread exits with copies in flight. */
      leftCopies(site: number, thread: number): void {
        const left = copies.unfinished(thread);
        reporter.note(thread, {
          kind: 'unfinished-async-copy',
          message: `${reporter.who(thread)} exits with ${left} asynchronous ${left === 1 ? 'copy' : 'copies'} that it never waited for.`,
          instruction: program.sites[site],
        });
      },
    },
    free: () => copies.free(),
  };
}

/** Checks a source in naturally aligned pieces, as a short one may have any length. */
function checkPieces(
  reporter: FaultReporter,
  site: MemoryAccess,
  address: bigint,
  wanted: number,
  thread: number,
): boolean {
  let whole = true;
  for (let read = 0; read < wanted; ) {
    let piece = 16;
    while (piece > wanted - read || (read & (piece - 1)) !== 0) piece >>>= 1;
    const type = piece >= 4 ? 'b32' : piece === 2 ? 'b16' : 'b8';
    const vector = piece === 16 ? 4 : piece === 8 ? 2 : 1;
    const at = BigInt.asUintN(64, address + BigInt(read));
    if (reporter.resolve({ ...site, type, vector }, at, thread) === 0) whole = false;
    read += piece;
  }
  return whole;
}

/** A run is worked on by one process at a time: two that went on with the same one would propose under the same numbers, and pay twice. */
import { type Archive, HOLDING_INTERVAL, type RunHolder, thisProcess } from '../../archive/index.ts';

/** Somebody else works on the run. */
export class RunHeld extends Error {
  readonly kind = 'held';

  constructor(run: string, { pid, machine, since }: RunHolder) {
    const who =
      machine === thisProcess().machine ? `process ${pid} on this machine` : `process ${pid} on another machine`;
    super(
      `The run ${run} is being worked on by ${who}, since ${since}. Wait until it ends, or stop that process, and go on with it then; ` +
        'or begin another run (assay optimize without --resume, start_run).',
    );
    this.name = 'RunHeld';
  }
}

/** Takes a run for this process; gives what leaves it. Throws {@link RunHeld} where another has it. */
export async function holdRun(archive: Archive, run: string): Promise<() => Promise<void>> {
  const own = thisProcess();
  const other = await archive.holdRun(run, own);
  if (other) throw new RunHeld(run, other);
  // Other machines cannot see that this process is there; what fails here is said by the archive's next use.
  const again = setInterval(() => {
    archive.holdRun(run, { ...own, heard: new Date().toISOString() }).catch(() => undefined);
  }, HOLDING_INTERVAL);
  again.unref();
  return async () => {
    clearInterval(again);
    await archive.leaveRun(run, own);
  };
}

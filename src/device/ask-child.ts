/**
 * One request to the child process of a device, and what became of it: its answer, or that it hung, died or was abandoned. The child runs
 * what may crash or never end; this side only waits, under a limit.
 */
import type { ChildProcess } from 'node:child_process';

/** Ways a request ends that no child reports. */
export type Stopped = { status: 'exceeded'; limit: 'time'; message: string } | { status: 'crashed'; message: string };

export interface Asked<Result> {
  result: Result | Stopped;
  /** Whether the child can be asked again. If not, it must be ended. */
  alive: boolean;
}

export interface AskOptions {
  /** Wall clock, milliseconds. */
  milliseconds: number;
  /** For messages: `the virtual GPU`. */
  where: string;
  /** Ends the child; called when `signal` aborts. */
  end: () => void;
  signal?: AbortSignal;
}

/** Sends `request` and waits. Rejects only when the signal aborts. */
export function askChild<Result>(
  child: ChildProcess,
  request: object,
  { milliseconds, where, end, signal }: AskOptions,
): Promise<Asked<Result>> {
  return new Promise((resolve, reject) => {
    let errors = '';
    const onErrors = (chunk: Buffer) => {
      if (errors.length < 4000) errors += chunk.toString();
    };
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
      child.stderr?.off('data', onErrors);
      signal?.removeEventListener('abort', onAbort);
      finish();
    };
    const crashed = (message: string) =>
      settle(() => resolve({ result: { status: 'crashed', message }, alive: false }));
    // While a request is under way this timer is what keeps the parent's event loop alive.
    const timer = setTimeout(() => {
      const message = `The run was stopped after ${milliseconds / 1000} s on ${where}.`;
      settle(() => resolve({ result: { status: 'exceeded', limit: 'time', message }, alive: false }));
    }, milliseconds);
    const onMessage = (result: unknown) => settle(() => resolve({ result: result as Result, alive: true }));
    const onExit = (code: number | null, by: string | null) => {
      // Of a stack trace the line that names the error; else the last thing said.
      const lines = errors.trim().split('\n');
      const last = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
      const owner = where.charAt(0).toUpperCase() + where.slice(1);
      crashed(`${owner}'s process ended (${by ?? `exit code ${code}`})${last ? `: ${last}` : '.'}`);
    };
    const onError = (error: Error) => crashed(error.message);
    const onAbort = () =>
      settle(() => {
        end();
        reject(signal?.reason);
      });
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
    child.stderr?.on('data', onErrors);
    signal?.addEventListener('abort', onAbort, { once: true });
    child.send(request, (error) => error && onError(error));
  });
}

/**
 * One question to the child process of a device, and what became of it: its answer, or that it hung, died, was abandoned, or said what is no answer. The child
 * runs what may crash or never end; this side only waits, under a limit, and ends the child whenever it cannot be asked again.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import type { NodeChild } from '../isolation/index.ts';

/** A question as it travels. Its answer carries the same id, which nobody knows before: no answer is taken for another's, or was there first. */
export interface Numbered<Content> {
  readonly id: string;
  readonly content: Content;
}

/** Ways a request ends that no child reports. */
export type Stopped = { status: 'exceeded'; limit: 'time'; message: string } | { status: 'crashed'; message: string };

/** What a child said, unread; or why it said nothing: it has been ended then. */
export type Asked = { answer: unknown } | { stopped: Stopped };

export interface AskOptions {
  /** Wall clock, milliseconds. */
  readonly milliseconds: number;
  /** For messages: `the virtual GPU`. */
  readonly where: string;
  /** Length of the longest answer that there can be, bytes. */
  readonly mostBytes: number;
  readonly signal?: AbortSignal;
}

/** Ends a child that says something while nobody asks: what it says next would be taken for an answer. */
const deaf = (child: NodeChild) => ({
  message: () => end(child),
  ended: () => end(child),
});

function end(child: NodeChild): void {
  child.kill();
}

/** Whether a child can be asked. */
export function canBeAsked({ process, channel }: NodeChild): boolean {
  return channel.open && process.exitCode === null && process.signalCode === null && !process.killed;
}

/** Asks and waits. Rejects only when the signal aborts; the child is ended then too. */
export function askChild(
  child: NodeChild,
  content: unknown,
  { milliseconds, where, mostBytes, signal }: AskOptions,
): Promise<Asked> {
  const { process, channel } = child;
  const owner = `${where.charAt(0).toUpperCase()}${where.slice(1)}'s process`;
  return new Promise((resolve, reject) => {
    let errors = '';
    const onErrors = (chunk: Buffer) => {
      if (errors.length < 4000) errors += chunk.toString();
    };
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      process.off('exit', onExit);
      process.stderr?.off('data', onErrors).resume();
      signal?.removeEventListener('abort', onAbort);
      child.listen(deaf(child));
      finish();
    };
    const stop = (stopped: Stopped) =>
      settle(() => {
        end(child);
        resolve({ stopped });
      });
    const crashed = (message: string) => stop({ status: 'crashed', message });
    // While a request is under way this timer is what keeps the parent's event loop alive.
    const timer = setTimeout(() => {
      const message = `The run was stopped after ${milliseconds / 1000} s on ${where}.`;
      stop({ status: 'exceeded', limit: 'time', message });
    }, milliseconds);
    const onExit = (code: number | null, by: string | null) => {
      // Of a stack trace the line that names the error; else the last thing said.
      const lines = errors.trim().split('\n');
      const last = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
      crashed(`${owner} ended (${by ?? endOf(code!)})${last ? `: ${last}` : '.'}`);
    };
    const onAbort = () =>
      settle(() => {
        end(child);
        reject(signal?.reason);
      });
    const id = randomUUID();
    child.listen({
      message: (value) => {
        const answer = value as Partial<Numbered<unknown>> | null;
        if (answer?.id === id) settle(() => resolve({ answer: answer.content }));
        else crashed(`${owner} answered what it was not asked.`);
      },
      ended: (why) => {
        // Where it has ended, its exit says more; that follows at once.
        if (why !== undefined) crashed(`${owner} gave an answer that is none: ${why}.`);
        else if (!canBeAsked(child)) onExit(process.exitCode, process.signalCode);
      },
    });
    process.on('exit', onExit);
    process.stderr?.on('data', onErrors);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (process.exitCode !== null || process.signalCode !== null) return onExit(process.exitCode, process.signalCode);
    channel.mostBytes = mostBytes;
    try {
      channel.send({ id, content } satisfies Numbered<unknown>);
    } catch (error) {
      crashed(error instanceof Error ? error.message : String(error));
    }
  });
}

/** A shell and bubblewrap end with 128 and its number where a signal ended what they ran. */
function endOf(code: number): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return signal ? signal[0] : `exit code ${code}`;
}

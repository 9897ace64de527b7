/** Colour where the terminal has it: not in files and pipes, not under NO_COLOR. */
import type { WriteStream } from 'node:tty';

export interface Colours {
  good(text: string): string;
  bad(text: string): string;
  warning(text: string): string;
  faint(text: string): string;
  strong(text: string): string;
}

/** Colours for `stream`, or plain text. */
export function coloursFor(stream: Pick<WriteStream, 'isTTY'>): Colours {
  const on = Boolean(stream.isTTY) && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';
  const style = (code: string) => (text: string) => (on ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: style('32'), bad: style('31'), warning: style('33'), faint: style('2'), strong: style('1') };
}

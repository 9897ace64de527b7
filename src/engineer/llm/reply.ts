/** A model's answer as a kernel: its one-line summary and either a whole file or edits to the file it was shown. */
import { applyEdits, EditRefused, readEdits } from './edits.ts';
import type { Answer } from './question.ts';

export interface Reply {
  /** One line: what is different. */
  summary: string;
  source: string;
}

/** An answer that is no kernel; the message says to the model what to do. */
export class ReplyRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReplyRefused';
  }
}

const longestSummary = 160;

/** Reads an answer; `base` is the file that edits are made to, where there is one. Throws ReplyRefused. */
export function readReply(answer: Answer, base: string | undefined): Reply {
  if (answer.finish === 'refused') throw new ReplyRefused('The answer was refused by the model or its vendor.');
  const text = answer.text.replaceAll('\r\n', '\n');
  const summary = summaryOf(text);
  try {
    const edits = readEdits(text);
    if (edits.length > 0) {
      if (base === undefined) throw new ReplyRefused('There is no file to edit: write the whole file.');
      return { summary, source: applyEdits(base, edits) };
    }
  } catch (error) {
    if (!(error instanceof EditRefused)) throw error;
    throw new ReplyRefused(cutOff(answer) ?? error.message);
  }
  const source = wholeFile(text);
  if (source !== undefined) return { summary, source };
  throw new ReplyRefused(
    cutOff(answer) ??
      'There is neither a fenced block with a whole CUDA file nor a SEARCH/REPLACE block in the answer.',
  );
}

function cutOff({ finish }: Answer): string | undefined {
  return finish === 'length'
    ? 'The answer was cut off at the most tokens: make smaller edits, or write less beside the file.'
    : undefined;
}

function summaryOf(text: string): string {
  const [, said] = /^\W*SUMMARY\W*:\W*(.+)$/im.exec(text) ?? [];
  const line = (said ?? 'no summary given').replace(/[*`\s]+/g, ' ').trim();
  return line.length > longestSummary ? `${line.slice(0, longestSummary - 3)}...` : line;
}

/** The longest closed fenced block that holds a kernel. */
function wholeFile(text: string): string | undefined {
  const blocks = [...text.matchAll(/^(`{3,})[^\n`]*\n([\s\S]*?)^\1[ \t]*$/gm)].map((match) => match[2]!);
  return blocks.filter((block) => block.includes('__global__')).sort((a, b) => b.length - a.length)[0];
}

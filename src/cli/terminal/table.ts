/** Rows of text in columns, for a terminal of 80 columns. */
import { clip, printable } from './format.ts';

export interface Column {
  name: string;
  /** Numbers stand at the right. */
  right?: boolean;
  /** Takes what the others leave of the line. */
  rest?: boolean;
}

const width = 79;

/** Lines of a table with its head; texts of others are made safe to print, and the column that takes the rest is cut. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const texts = [columns.map(({ name }) => name), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, index) => Math.max(...texts.map((row) => row[index]!.length)));
  const rest = columns.findIndex((column) => column.rest);
  if (rest >= 0) {
    const others = widths.reduce((sum, own, index) => sum + (index === rest ? 0 : own + 2), 0);
    widths[rest] = Math.min(widths[rest]!, Math.max(8, width - others));
  }
  return texts.map((row) =>
    row
      .map((text, index) => {
        const own = clip(text, widths[index]!);
        return columns[index]!.right ? own.padStart(widths[index]!) : own.padEnd(widths[index]!);
      })
      .join('  ')
      .trimEnd(),
  );
}

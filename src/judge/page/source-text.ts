/** Source text with line numbers. */
import { escapeHtml as e } from './html.ts';

/** The lines around one line, which is marked. */
export function sourceExcerpt(lines: readonly string[], at: number): string {
  const from = Math.max(1, at - 2);
  const rows = lines.slice(from - 1, at + 2).map((text, i) => sourceLine(from + i, text, from + i === at));
  return `<pre>${rows.join('')}</pre>`;
}

export const sourceLine = (n: number, text: string, marked: boolean) =>
  `<span class="line${marked ? ' marked' : ''}"><span class="number">${n}</span>${e(text)}\n</span>`;

/** Small pieces of the evidence page. Every text that came from outside goes through `escapeHtml` or `prose`. */

/** Text made safe for HTML and for attribute values. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export const section = (title: string, body: string) =>
  body ? `<section><h2>${escapeHtml(title)}</h2>\n${body}\n</section>` : '';

/** Text with `code` in backquotes set as code. */
export const prose = (words: string) => escapeHtml(words).replace(/`([^`]+)`/g, '<code>$1</code>');

export const table = (headings: readonly string[], rows: readonly (readonly string[])[]) =>
  rows.length === 0
    ? ''
    : `<div class="scroll"><table><thead><tr>${headings.map((h) => `<th>${escapeHtml(h)}</th>`).join('')}</tr></thead><tbody>${rows
        .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
        .join('')}</tbody></table></div>`;

/** A number of a tensor, to the nine digits that tell float32 values apart. */
export const exact = (x: number | string) => (typeof x === 'string' ? x : String(Number(x.toPrecision(9))));

/** A bound or an error, to three digits. */
export const rough = (x: number | string) => (typeof x === 'string' ? x : String(Number(x.toPrecision(3))));

export const milliseconds = (ms: number) => (ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en-US'));

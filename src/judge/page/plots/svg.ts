/** What the pictures of the evidence page are drawn with: SVG as text. Colours are CSS classes of the page, so that light and dark both work. */
import { escapeHtml } from '../html.ts';

export const fixed = (x: number) => String(Number(x.toFixed(2)));

export function svg(width: number, height: number, label: string, body: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}" style="max-width:${width}px">${body}</svg>`;
}

export const text = (x: number, y: number, words: string, anchor = 'middle', style = '') =>
  `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"${style ? ` class="${style}"` : ''}>${escapeHtml(words)}</text>`;

export const rect = (x: number, y: number, width: number, height: number, style: string) =>
  `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}" class="${style}"/>`;

export const line = (x1: number, y1: number, x2: number, y2: number, style: string) =>
  `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}" class="${style}"/>`;

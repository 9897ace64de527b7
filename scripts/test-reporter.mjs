// A reporter for node:test: failures in full, skips with their reason, and last the line `N passed, N failed, N skipped`.
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative } from 'node:path';

const maps = new Map();

/** The map of a file that scripts/bundle-source.mjs made; undefined for other files. */
function mapOf(file) {
  if (!/[/]assay-source-[^/]+[/].*[.]mjs$/.test(file)) return undefined;
  if (!maps.has(file)) maps.set(file, new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))));
  return maps.get(file);
}

/** `file:line:column`, in the repository's folder, of the source that a place in such a file was made of. */
function placeInSource(file, line, column) {
  const { originalSource, originalLine, originalColumn } = mapOf(file)?.findEntry(line - 1, column - 1) ?? {};
  if (originalSource === undefined) return `${relative(process.cwd(), file)}:${line}:${column}`;
  return `${originalSource.replace(/^([.][.][/])+/, '')}:${originalLine + 1}:${originalColumn + 1}`;
}

const inSource = (text) =>
  text.replace(/(?:file:[/][/])?([/][^\s():]+[.]mjs):(\d+):(\d+)/g, (_, file, line, column) =>
    placeInSource(file, Number(line), Number(column)),
  );

function causeOf(error) {
  const cause = error?.cause ?? error;
  return cause?.stack ?? cause?.message ?? String(cause);
}

export default async function* report(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const skips = new Map();
  for await (const { type, data } of events) {
    if (type === 'test:stderr' || type === 'test:stdout') continue;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const suite = data.details?.type === 'suite';
    const where = data.file ? placeInSource(data.file, data.line ?? 1, data.column ?? 1) : '';
    if (data.skip !== undefined) {
      const reason = typeof data.skip === 'string' ? data.skip : 'no reason given';
      skips.set(reason, [...(skips.get(reason) ?? []), `${where.replace(/:.*/, '')}: ${data.name}`]);
      if (!suite) counts.skipped++;
    } else if (type === 'test:pass') {
      if (!suite) counts.passed++;
    } else if (!suite || data.details.error?.failureType !== 'subtestsFailed') {
      counts.failed++;
      yield `\nFAILED ${where} ${data.name}\n${inSource(causeOf(data.details.error))}\n`;
    }
  }
  for (const [reason, names] of skips) {
    yield `\nskipped, because ${reason}:\n${names.map((name) => `  ${name}\n`).join('')}`;
  }
  yield `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
}

// A reporter for node:test: failures in full, skips with their reason, and last the line `N passed, N failed, N skipped`.
import { relative } from 'node:path';

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
    const where = data.file ? relative(process.cwd(), data.file) : '';
    if (data.skip !== undefined) {
      const reason = typeof data.skip === 'string' ? data.skip : 'no reason given';
      skips.set(reason, [...(skips.get(reason) ?? []), `${where}: ${data.name}`]);
      if (!suite) counts.skipped++;
    } else if (type === 'test:pass') {
      if (!suite) counts.passed++;
    } else if (!suite || data.details.error?.failureType !== 'subtestsFailed') {
      counts.failed++;
      yield `\nFAILED ${where}:${data.line ?? ''} ${data.name}\n${causeOf(data.details.error)}\n`;
    }
  }
  for (const [reason, names] of skips) {
    yield `\nskipped, because ${reason}:\n${names.map((name) => `  ${name}\n`).join('')}`;
  }
  yield `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
}

// Runs the test files named as arguments, in that order, two at a time. `node --test` would sort them by name. scripts/test.mjs starts it.
import { run } from 'node:test';
import report from './test-reporter.mjs';

const tests = run({ files: process.argv.slice(2), concurrency: 2, timeout: 300_000 });
tests.on('test:fail', () => {
  process.exitCode = 1;
});
tests.compose(report).pipe(process.stdout);

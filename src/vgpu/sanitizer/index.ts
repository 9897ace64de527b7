/** The sanitizer: a launch in words, a kernel under every check, findings as text and SARIF. */
export { type Header, type HeaderFacts, readHeader } from './header.ts';
export { runJobInChild } from './in-child.ts';
export { runJob, type SanitizeJob } from './job.ts';
export { type ArgumentSpec, type LaunchShape, LaunchSpecError, parseArguments, parseLaunch } from './launch-spec.ts';
export { type Marks, reportText, type TextOptions } from './report-text.ts';
export {
  type SanitizeReport,
  type SanitizeRequest,
  Sanitizer,
  type SanitizerFinding,
  type ScheduleRun,
} from './sanitizer.ts';
export { KIND_MEANINGS, sarif } from './sarif.ts';
export type { SourcePlace } from './source-trail.ts';

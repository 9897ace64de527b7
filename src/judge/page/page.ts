/**
 * The evidence as one self-contained HTML page: verdict first, then why, then what it rests on. No scripts, no requests; every text that
 * came from outside (sources, messages, names) is escaped.
 */
import type { Audit } from '../audit.ts';
import type { Evidence } from '../evidence-schema.ts';
import { circumstances, sources } from './circumstances.ts';
import { escapeHtml as e } from './html.ts';
import { accuracy, admission, checksTable, fullSize } from './judged.ts';
import { modelledTime } from './modelled.ts';
import { PAGE_STYLE } from './style.ts';
import { measuredTimes } from './times.ts';
import { auditHead, findings, head, notClaimed, titleOf, why } from './verdict.ts';

/** The page of one judgement; where it was made to audit a claim, what is left of that comes first. */
export function evidencePage(evidence: Evidence, audited?: Audit): string {
  const sections = [
    audited ? auditHead(audited) : '',
    head(evidence),
    why(evidence),
    findings(evidence),
    measuredTimes(evidence),
    notClaimed(evidence),
    accuracy(evidence),
    modelledTime(evidence),
    checksTable(evidence),
    fullSize(evidence),
    admission(evidence),
    sources(evidence),
    circumstances(evidence),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${e(titleOf(evidence))}: ${e(evidence.task.name)} - Assay</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${sections.filter(Boolean).join('\n')}
</main>
</body>
</html>
`;
}

import { glob, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Where a component's codes are told, and what it is called. */
const components: Readonly<Record<string, string>> = {
  agent: 'The agent',
  advisories: 'Advisories and feeds',
  certs: 'Certificates',
  cli: 'The command line',
  core: 'The core',
  'core-client': 'Calls to the core',
  lib: 'Settings',
  policies: 'Policies and decisions',
  registry: 'Registries',
  sbom: 'Reading images',
  webhook: 'The webhook',
};

/** The files that tell codes, in whichever component. */
const WITH_CODES = ['errors.ts', 'fragment.ts', 'options.ts'];

/** All codes of errors, from the tables that stand beside the errors. */
export async function errorsDocument(root: string, to: string): Promise<void> {
  const sections = [];
  for (const [folder, title] of Object.entries(components)) {
    const codes = await codesOf(path.join(root, folder));
    const rows = codes.map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
    sections.push(`## ${title}\n\n| Code | Meaning |\n|---|---|\n${rows.join('\n')}\n`);
  }
  const introduction = `# Errors

Every error of Gatehouse has a code, in logs as \`err.code\` and in answers of the HTTP API as \`title\`. The message says
what was wrong and where; most say what to do as well. This page is made from the code: \`npm run gen\`.
`;
  await writeFile(to, [introduction, ...sections].join('\n'));
}

async function codesOf(folder: string): Promise<readonly [string, string][]> {
  const codes: [string, string][] = [];
  const files = await Array.fromAsync(glob(WITH_CODES, { cwd: folder }));
  for (const file of files.sort()) {
    const source = path.join(folder, file);
    const exported = (await import(source)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(exported)) {
      if (/Codes$/.test(name) && typeof value === 'object')
        codes.push(...(Object.entries(value as object) as [string, string][]));
    }
  }
  return codes;
}

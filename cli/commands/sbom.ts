import { describeOptions, OptionError, oneOf, readOptions } from '@gatehouse/lib/options.ts';
import { runUntilDone } from '@gatehouse/lib/run.ts';
import { type DescribedImage, problemCodes, toCycloneDx, toSpdx } from '@gatehouse/sbom';
import { catalogSource, sourceForms } from '../catalog-source.ts';
import { imageOptions } from '../open-image.ts';
import { sourceRuntimeOptions } from '../stored-image.ts';

const formats: Readonly<Record<string, (image: DescribedImage) => string>> = {
  'cyclonedx-json': toCycloneDx,
  'spdx-json': toSpdx,
  purls: ({ contents }) => contents.packages.map(({ purl }) => `${purl}\n`).join(''),
};

const options = {
  output: {
    ...oneOf(['cyclonedx-json', 'spdx-json', 'purls'], 'what to print', 'cyclonedx-json'),
    short: 'o',
  },
  ...imageOptions,
  ...sourceRuntimeOptions,
};

const help = {
  usage: 'gatehouse sbom SOURCE [options]\n       gatehouse sbom upload FILE [options]',
  summary: `Says what is in an image. SOURCE is one of
${sourceForms.map((form) => `  ${form}`).join('\n')}`,
  example: 'gatehouse sbom docker-archive:app.tar -o purls',
};

/** As many as fit a screen; an ordinary user may not read hundreds of the folders of a machine. */
const MAX_TOLD = 20;

/** Catalogs one image and prints what it holds; what could not be read is told on stderr. */
export async function sbom(argv: readonly string[]): Promise<void> {
  // No source has that name: each begins with a scheme and a colon.
  if (argv[0] === 'upload') {
    await (await import('./sbom-upload.ts')).uploadSbom(argv.slice(1));
    return;
  }
  if (argv.includes('--help')) {
    process.stdout.write(describeOptions(help, options));
    return;
  }
  const { values, positionals } = readOptions(options, argv);
  const [source, ...more] = positionals;
  if (source === undefined || more.length > 0) {
    throw new OptionError('option_missing', 'sbom takes one image', {
      hint: `Give one of ${sourceForms.join(', ')}.`,
    });
  }
  await runUntilDone(async (signal) => {
    const image = await catalogSource(source, values, showProgress, signal);
    tellProblems(source, image);
    process.stdout.write(formats[values.output]?.(image) ?? '');
  });
}

/** What was not read, and that nothing was found where nothing may have been looked for. */
function tellProblems(source: string, { contents: { packages, problems } }: DescribedImage): void {
  const lines = problems.slice(0, MAX_TOLD).map(({ path, code, message }) => {
    return `${path}: ${message ?? (isEntryProblem(code) ? problemCodes[code] : code)}`;
  });
  if (problems.length > MAX_TOLD)
    lines.push(`and ${problems.length - MAX_TOLD} more that were not read as a whole`);
  if (packages.length === 0) lines.push(`no packages were found in ${source}`);
  for (const line of lines) process.stderr.write(`gatehouse: ${line}\n`);
}

function isEntryProblem(code: string): code is keyof typeof problemCodes {
  return Object.hasOwn(problemCodes, code);
}

/** One line that is written over itself, on a terminal only. */
function showProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r  ${done} of ${all} layers${done === all ? '\r\u001b[K' : ''}`);
}

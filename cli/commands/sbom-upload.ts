import { readFile } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import {
  asksForHelp,
  describeOptions,
  OptionError,
  readOptions,
  text as textOption,
} from '@gatehouse/lib/options.ts';
import { readSbomDocument, type SbomDocument } from '@gatehouse/sbom';
import { readDocument } from '../catalog-source.ts';
import { CliError } from '../errors.ts';
import { counted } from '../say.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const WHOSE_DIGEST =
  'sha256:…: docker inspect shows it as Id, and the digest of the manifest will do as well';

const options = {
  image: {
    ...textOption(
      'DIGEST',
      "the image, by the digest of its configuration or manifest; not needed where the SBOM says the former, as ours and Trivy's do",
      '',
    ),
    parse: (given: string): string => {
      if (given === '' || DIGEST.test(given)) return given;
      throw new Error(`expected a digest, ${WHOSE_DIGEST}`);
    },
  },
  core: textOption('URL', 'where the core answers', 'http://127.0.0.1:8080'),
  token: textOption(
    'TOKEN',
    'what proves who you are; rather as GATEHOUSE_TOKEN, which others do not see',
    '',
  ),
  ca: textOption('FILE', "the authority of the core's certificate, if it is none that the system trusts", ''),
  serverName: textOption('NAME', 'what the certificate is for, if that is not the host of the URL', ''),
};

const help = {
  usage: 'gatehouse sbom upload FILE [options]',
  summary: `Has the core take an SBOM (CycloneDX or SPDX in JSON) for what an image holds, as long as no node has read it.
The image is then known in part: what is found counts, but where unknown images are denied so is it.`,
  example:
    'gatehouse sbom upload app.cdx.json --image sha256:3615… --core https://gatehouse-core:8080 --ca ca.crt',
};

/** An upload takes the core seconds at the most; a core that is away shall not hold up a pipeline. */
const TIMEOUT_MS = 120_000;

/** Uploads one SBOM, and says what became of it. */
export async function uploadSbom(argv: readonly string[]): Promise<void> {
  if (asksForHelp(argv)) {
    process.stdout.write(describeOptions(help, options));
    return;
  }
  const { values, positionals } = readOptions(options, argv);
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) {
    throw new OptionError('option_missing', 'sbom upload takes one file', { hint: `As in ${help.example}` });
  }
  const bytes = await readDocument(file);
  // Read here as well: what is wrong with it is told before anything is sent.
  const image = values.image || imageNamedBy(file, readSbomDocument(bytes));
  const answer = await put(`/api/v1/images/${image}/sbom`, bytes, values);
  const { packages, leftOut, leftOutExamples = [], changed } = answer;
  for (const each of leftOutExamples) process.stderr.write(`gatehouse: ${file}: ${each}\n`);
  const rest = leftOut > 0 ? `, ${counted(leftOut, 'component')} left out` : '';
  process.stdout.write(
    `${answer.image}: ${counted(packages, 'package')}${rest}${changed ? '' : ', as before'}\n`,
  );
}

function imageNamedBy(file: string, { imageId }: SbomDocument): string {
  if (imageId !== undefined) return imageId;
  throw new OptionError('option_missing', `${file} does not say the digest of the image's configuration`, {
    hint: `Give it as --image ${WHOSE_DIGEST}.`,
  });
}

interface Answer {
  readonly image: string;
  readonly packages: number;
  readonly leftOut: number;
  readonly leftOutExamples?: readonly string[];
  readonly changed: boolean;
}

async function put(
  path: string,
  body: Buffer,
  { core, token, ca, serverName }: { core: string; token: string; ca: string; serverName: string },
): Promise<Answer> {
  const url = new URL(path, coreUrl(core));
  const settings = {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      ...(token !== '' && { authorization: `Bearer ${token}` }),
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(ca !== '' && { ca: await readFile(ca).catch((cause: unknown) => unreadable(ca, cause)) }),
    ...(serverName !== '' && { servername: serverName }),
  };
  const { status, content } = await new Promise<{ status: number; content: string }>((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    const sent = request(url, settings, (response) => {
      text(response).then((content) => resolve({ status: response.statusCode ?? 0, content }), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  }).catch((cause: unknown) => {
    throw new CliError('upload_failed', `the core at ${url.origin} does not answer`, {
      cause,
      hint: isNoHttp(cause)
        ? `Something answers, but not in plain http: try --core ${url.origin.replace('http:', 'https:')} with --ca FILE.`
        : 'Give its address as --core URL, and with https the authority of its certificate as --ca FILE.',
    });
  });
  if (status === 200) return JSON.parse(content) as Answer;
  const hint = hints[status];
  const message = `the core refuses the SBOM: ${detailOf(content) ?? `status ${status}`}`;
  throw new CliError('upload_failed', message, hint === undefined ? {} : { hint });
}

/** What Node.js says where a server of TLS is spoken to in plain. */
function isNoHttp(cause: unknown): boolean {
  return /^(HPE_|ECONNRESET)/.test(String((cause as NodeJS.ErrnoException).code));
}

const hints: Readonly<Record<number, string>> = {
  401: 'Set GATEHOUSE_TOKEN: kubectl create token gatehouse-sbom-uploader -n gatehouse-system --audience gatehouse-core',
  403: 'Uploading takes a token of gatehouse-sbom-uploader; no other account may.',
};

function coreUrl(core: string): URL {
  const url = URL.parse(core);
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new OptionError(
    'option_invalid',
    `--core has '${core}': expected a URL such as https://gatehouse-core:8080`,
  );
}

function unreadable(file: string, cause: unknown): never {
  throw new OptionError('option_invalid', `--ca: ${file} cannot be read`, { cause });
}

/** What a problem document says; undefined if it is none, as from a proxy. */
function detailOf(content: string): string | undefined {
  try {
    const { detail } = JSON.parse(content) as { detail?: unknown };
    return typeof detail === 'string' ? detail : undefined;
  } catch {
    return undefined;
  }
}

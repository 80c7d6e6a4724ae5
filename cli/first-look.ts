import type { ImageSummary } from '@gatehouse/core/main.ts';
import Table from 'cli-table3';

/** No more images than fit a screen; the API has all of them. */
const MAX_ROWS = 30;
/** Mostly one cause keeps all of them from being read. */
const MAX_REASONS = 5;

/** What was found, for a first look: the images from the worst on. */
export function imageTable(images: readonly ImageSummary[], url: string): string {
  if (images.length === 0)
    return '\nNo images yet. Whatever a container runtime gets from now on is read as it comes.\n';
  const table = new Table({
    head: ['image', 'state', 'critical', 'high', 'other', 'fixable', 'exploited'],
    style: { head: [], border: [] },
    chars: plainLines,
  });
  const sorted = images.toSorted(worstFirst);
  for (const image of sorted.slice(0, MAX_ROWS)) table.push(rowOf(image));
  const rest = sorted.length - MAX_ROWS;
  const notes = [
    ...(rest > 0 ? [`and ${rest} more: ${url}`] : []),
    ...unreadNotes(sorted.slice(0, MAX_ROWS)),
    ...(images.some(isUnjudged) ? [UNJUDGED_NOTE] : []),
  ];
  return `\n${table}\n${notes.map((note) => `${note}\n`).join('')}`;
}

/** A table that can be pasted anywhere. */
const plainLines = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' ',
};

function rowOf(image: ImageSummary): string[] {
  const { verdict } = image;
  const figures = verdict
    ? [
        verdict.counts.critical,
        verdict.counts.high,
        verdict.counts.medium + verdict.counts.low + verdict.counts.unknown,
        Object.values(verdict.fixable).reduce((sum, count) => sum + count, 0),
        verdict.knownExploited,
      ].map(String)
    : ['', '', '', '', ''];
  return [nameOf(image), isUnjudged(image) ? 'not judged' : image.state, ...figures];
}

/** What kept images from being read as a whole, in the words of whoever tried. */
function unreadNotes(images: readonly ImageSummary[]): string[] {
  const unread = images.flatMap((image) => (image.reason === null ? [] : { ...image, reason: image.reason }));
  if (unread.length === 0) return [];
  const reasons = unread.slice(0, MAX_REASONS).map((image) => {
    const what = image.state === 'failed' ? 'could not be read' : 'was read in part';
    return `- ${nameOf(image)} ${what}: ${shortDigests(image.reason).replace(/\.$/, '')}.`;
  });
  const rest = unread.length - MAX_REASONS;
  return ['', ...reasons, ...(rest > 0 ? [`- and ${rest} more`] : [])];
}

/** Enough of a digest to tell it from the others, as the tools of runtimes print it. */
function shortDigests(text: string): string {
  return text.replaceAll(/sha256:([0-9a-f]{12})[0-9a-f]{52}/g, '$1');
}

const UNJUDGED_NOTE = `
What is not judged waits for advisories on its packages. Where the public ones cannot be reached, name a folder of them:
--feeds FOLDER.`;

function isUnjudged({ state, verdict }: ImageSummary): boolean {
  return state !== 'waiting' && verdict === null;
}

/** What the default policy minds most stands first; what has no verdict last. */
function worstFirst(a: ImageSummary, b: ImageSummary): number {
  const ours = weights(a);
  return weights(b).reduce((order, weight, index) => order || weight - (ours[index] ?? 0), 0);
}

function weights({ verdict }: ImageSummary): readonly number[] {
  if (!verdict) return [-1];
  const { knownExploited, fixable, counts } = verdict;
  const { critical, high, medium, low, unknown } = counts;
  return [knownExploited, fixable.critical, critical, high, medium, low, unknown];
}

/** The name that people know an image by. */
function nameOf({ aliases, digest }: ImageSummary): string {
  return aliases.find((alias) => !alias.includes('@')) ?? aliases[0] ?? digest;
}

/** A command that sends the webhook a review of a pod with the worst of the images. */
export function tryOut(images: readonly ImageSummary[], webhook: { url: string; authority: string }): string {
  const worst = images.toSorted(worstFirst)[0];
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'try-1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      namespace: 'default',
      object: { spec: { containers: [{ name: 'app', image: worst ? nameOf(worst) : 'nginx' }] } },
    },
  };
  return `
Ask whether a pod may start:

  curl --cacert ${quoted(webhook.authority)} ${webhook.url}/validate -d ${quoted(JSON.stringify(review))}

`;
}

/** A word of a shell's command. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

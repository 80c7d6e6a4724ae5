import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';

/** Where RubyGems keeps what is installed; the gems that come with Ruby have a folder of their own in it. */
const SPECIFICATION = /(^|\/)specifications\/([^/]+\/)?[^/]+\.gemspec$/;

/**
 * RubyGems begins what it writes with `# stub: NAME VERSION PLATFORM PATHS`, by which it finds gems without running
 * their specifications.
 */
const STUB = /^# stub: (\S+) (\S+) /m;
/** `s.name = "rack".freeze`, with any name for `s` and any quotes of Ruby's. */
const NAME = /^[ \t]*\w+\.name[ \t]*=[ \t]*(?:"([^"\n]+)"|'([^'\n]+)'|%[qQ]\{([^}\n]+)\})/m;
const VERSION =
  /^[ \t]*\w+\.version[ \t]*=[ \t]*(?:Gem::Version\.new[ \t(]*)?(?:"([^"\n]+)"|'([^'\n]+)'|%[qQ]\{([^}\n]+)\})/m;

/** Ruby's gems, from their specifications, which are programs: they are read with care, and never run. */
export const ruby: Cataloger = {
  name: 'ruby',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => SPECIFICATION.test(path),
  catalog(file): Findings {
    const text = textOf(file);
    const stub = STUB.exec(text);
    const name = stub?.[1] ?? literalOf(NAME.exec(text));
    const version = stub?.[2] ?? literalOf(VERSION.exec(text));
    if (name && version) return { packages: [{ type: 'gem', name, version }] };
    const message = 'the specification does not state the name or the version of the gem plainly';
    return { packages: [], problem: { code: 'evidence_invalid', message } };
  },
};

/** What stands between the quotes, unless Ruby would put something else into it. */
function literalOf(match: RegExpExecArray | null): string | undefined {
  const text = match?.slice(1).find((each) => each !== undefined);
  return text?.includes('#{') ? undefined : text;
}

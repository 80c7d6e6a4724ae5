import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runOk } from './process.ts';

/** Paths of PEM files. */
export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

/** Whom a certificate is for: to the API server the common name is the user, and organizations are its groups. */
export interface Subject {
  readonly user: string;
  readonly groups?: readonly string[];
  /** What a server answers as, in the words of openssl: `DNS:localhost`, `IP:127.0.0.1`. */
  readonly names?: readonly string[];
}

export interface Authority extends KeyPair {
  /** Issues a certificate into the files `NAME.key` and `NAME.crt` beside those of the authority. */
  issue(name: string, subject: Subject): Promise<KeyPair>;
}

/** Longer than any cluster for tests or trials lives. */
const VALID_DAYS = '365';

/** Without a configuration of its own, openssl adds the extensions of the machine's, which make each leaf an authority. */
const OPENSSL_CONFIG = '[req]\ndistinguished_name = subject\n[subject]\n';

/** A certificate authority of its own for each cluster, with its files in `folder`. */
export async function createAuthority(folder: string): Promise<Authority> {
  const config = path.join(folder, 'openssl.cnf');
  await writeFile(config, OPENSSL_CONFIG);
  const create = async (name: string, subject: string, ...options: readonly string[]): Promise<KeyPair> => {
    const pair = { key: path.join(folder, `${name}.key`), certificate: path.join(folder, `${name}.crt`) };
    await runOk([
      ...['openssl', 'req', '-x509', '-config', config, '-days', VALID_DAYS, '-subj', subject],
      ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', pair.key, '-out', pair.certificate, ...options],
    ]);
    return pair;
  };
  const authority = await create(
    'ca',
    '/CN=cluster-ca',
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
  return {
    ...authority,
    issue: (name, { user, groups = [], names = [] }) =>
      create(
        name,
        [...groups.map((group) => `/O=${escaped(group)}`), `/CN=${escaped(user)}`].join(''),
        ...['-CA', authority.certificate, '-CAkey', authority.key],
        ...['-addext', 'basicConstraints=critical,CA:FALSE'],
        ...(names.length > 0 ? ['-addext', `subjectAltName=${names.join(',')}`] : []),
      ),
  };
}

/** A slash begins the next part of a subject, a backslash takes its meaning away. */
const escaped = (part: string): string => part.replaceAll(/[\\/+]/g, '\\$&');

import type { Log } from '@gatehouse/lib/log.ts';
import { isIssuedBy, parseCertificates, parseServingPair } from './certificate.ts';
import { type Entries, entryNames } from './entries.ts';

/** What a server presents. */
export interface ServedCertificate {
  /** PEM; a chain may follow the certificate. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM of the authorities that clients are given; undefined where only the server's own files are known. */
  readonly bundle: string | undefined;
  readonly expiresAt: {
    readonly leaf: Date;
    /** Undefined where only the server's own files are known. */
    readonly authority: Date | undefined;
  };
}

/**
 * The certificate of a server, kept up to date while it runs. It always parses and matches its key: what does not is
 * logged, and the last good one stays.
 *
 * With node:https, create the server with `current()` and call `server.setSecureContext` in a listener: open connections
 * go on, new ones get the new certificate.
 */
export interface ServingCertificate extends AsyncDisposable {
  current(): ServedCertificate;
  /** Calls back at each change until disposed of. */
  onChange(listener: (served: ServedCertificate) => void): Disposable;
}

/** Texts that somebody wants to be served. */
export interface Offer {
  readonly cert: string;
  readonly key: string;
  /** The authorities that clients are given, if they are known. */
  readonly bundle?: string | undefined;
}

/** What a store of certificates holds; undefined if nothing was ever written there. */
export function offerOf(entries: Entries): Offer | undefined {
  const cert = entries[entryNames.cert];
  if (!cert) return undefined;
  return { cert, key: entries[entryNames.key] ?? '', bundle: entries[entryNames.bundle] };
}

/** Takes offers, keeps the last good one, and tells of changes. */
export class CertificateHolder {
  readonly #source: string;
  readonly #log: Log;
  readonly #listeners = new Set<(served: ServedCertificate) => void>();
  readonly #first = Promise.withResolvers<void>();
  #served: ServedCertificate | undefined;

  /** `source` names in messages where the offers come from. */
  constructor(source: string, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Fulfilled once there is a good certificate. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Undefined offers nothing. */
  offer(offer: Offer | undefined): void {
    try {
      if (offer) this.accept(offer);
    } catch (err) {
      this.#log.error({ err, source: this.#source }, 'certificate refused; the last good one stays');
    }
  }

  /** As `offer`, but throws CertsError on what cannot be served. */
  accept(offer: Offer): void {
    const { cert, key, bundle } = this.#served ?? {};
    if (offer.cert === cert && offer.key === key && offer.bundle === bundle) return;
    const served = parseOffer(offer);
    this.#served = served;
    this.#log.info({ source: this.#source, expiresAt: served.expiresAt }, 'certificate loaded');
    this.#first.resolve();
    for (const listener of this.#listeners) this.#tell(listener, served);
  }

  /** The way in which servers see it, once there is a first one; `release` ends what makes the offers. */
  serving(release: () => Promise<void>): ServingCertificate {
    return {
      current: () => {
        if (!this.#served) throw new TypeError('no certificate was accepted yet');
        return this.#served;
      },
      onChange: (listener) => {
        this.#listeners.add(listener);
        return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
      },
      [Symbol.asyncDispose]: release,
    };
  }

  #tell(listener: (served: ServedCertificate) => void, served: ServedCertificate): void {
    try {
      listener(served);
    } catch (err) {
      this.#log.error({ err, source: this.#source }, 'new certificate not taken by a server');
    }
  }
}

function parseOffer({ cert, key, bundle }: Offer): ServedCertificate {
  const { certificate } = parseServingPair(cert, key);
  const authorities = bundle === undefined ? [] : parseCertificates(bundle);
  const authority = authorities.find((each) => isIssuedBy(certificate, each));
  return {
    cert,
    key,
    bundle,
    expiresAt: { leaf: certificate.validToDate, authority: authority?.validToDate },
  };
}

import type { X509Certificate } from 'node:crypto';

/** An authority and the one certificate that it signed; they are made, staged, served and dropped together. */
export interface Generation {
  readonly authority: X509Certificate;
  readonly leaf: X509Certificate;
  /** The leaf's private key, PKCS #8 in PEM. The authority's own key exists nowhere. */
  readonly key: string;
}

/** Everything that one server's certificates are at a moment; what the store keeps. Time is the issuer's. */
export interface Material {
  /** What every replica serves. */
  readonly serving: Generation;
  /** What will be served once clients trust its authority. */
  readonly next: Next | undefined;
  /** Authorities whose leaf some replica may still serve, since it has not seen the switch yet. */
  readonly retired: Retired | undefined;
  /** The operator's last wish for renewal that was fulfilled. */
  readonly renewal: string;
}

interface Next {
  readonly generation: Generation;
  /** Since when all targets hold its authority without a break; undefined while one of them does not. */
  readonly publishedAt: Date | undefined;
}

interface Retired {
  readonly authorities: readonly X509Certificate[];
  readonly since: Date;
}

/** A generation is good until the earlier end of its two certificates, whichever that is. */
export function endOf({ authority, leaf }: Generation): Date {
  return new Date(Math.min(authority.validToDate.getTime(), leaf.validToDate.getTime()));
}

/**
 * The authorities that clients have to trust, as PEM, the newest last. Only the set counts, not who serves: a switch
 * changes nothing for the clients, for whom each other text means new connections.
 */
export function bundleOf({ serving, next, retired }: Material): string {
  const authorities = [
    serving.authority,
    ...(next ? [next.generation.authority] : []),
    ...(retired?.authorities ?? []),
  ];
  return authorities.toSorted(byAge).map(String).join('');
}

function byAge(one: X509Certificate, other: X509Certificate): number {
  const apart = one.validFromDate.getTime() - other.validFromDate.getTime();
  return apart || one.serialNumber.localeCompare(other.serialNumber);
}

export function firstMaterial(serving: Generation, renewal: string): Material {
  return { serving, next: undefined, retired: undefined, renewal };
}

/** A generation that was staged before is dropped: no replica served it. */
export function staged(material: Material, generation: Generation, renewal: string): Material {
  return { ...material, next: { generation, publishedAt: undefined }, renewal };
}

export function published(material: Material, publishedAt: Date | undefined): Material {
  return material.next ? { ...material, next: { ...material.next, publishedAt } } : material;
}

/** What retired at the switch before goes: it settled while this one was published. */
export function switched(material: Material, now: Date): Material {
  if (!material.next) return material;
  return {
    ...material,
    serving: material.next.generation,
    next: undefined,
    retired: { authorities: [material.serving.authority], since: now },
  };
}

export function withoutRetired(material: Material): Material {
  return { ...material, retired: undefined };
}

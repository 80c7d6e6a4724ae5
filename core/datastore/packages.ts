import type { Sql } from './database.ts';

/** How feeds speak of a package. */
export interface PackageKey {
  /** With its release where the ecosystem has releases, such as Debian:12. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
}

/** A package to be kept. */
export interface PackageRecord {
  readonly purl: string;
  readonly key: PackageKey | undefined;
}

export interface PackageRow {
  readonly id: number;
  readonly purl: string;
  readonly key: PackageKey | null;
  /** Whether advisories were looked up for it; true if there is no key to look up by. */
  readonly matched: boolean;
}

const columns = `id, purl, matched or key_ecosystem is null as matched, case when key_ecosystem is not null then
  jsonb_build_object('ecosystem', key_ecosystem, 'name', key_name, 'version', key_version) end as key`;

/**
 * Keeps packages that are not kept yet, and gives the ids of all of them in their order, with whether advisories were
 * looked up. A package is its URL and its key together: whatever key another image gives a URL makes another package, and
 * takes nothing from this one. Of those that are kept, no row is locked: rematching takes keys before packages, composing
 * has packages before keys, and the two would wait for each other whenever images share packages.
 */
export async function upsertPackages(
  sql: Sql,
  packages: readonly PackageRecord[],
): Promise<{ readonly id: number; readonly matched: boolean }[]> {
  const given = `unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality
    as given (purl, ecosystem, name, version, position)`;
  const isKnown = `known.purl = given.purl
    and (key_ecosystem, key_name, key_version) is not distinct from (ecosystem, name, version)`;
  const values = [
    packages.map(({ purl }) => purl),
    packages.map(({ key }) => key?.ecosystem ?? null),
    packages.map(({ key }) => key?.name ?? null),
    packages.map(({ key }) => key?.version ?? null),
  ];
  await sql.query(
    // One order for all, so that two images with the same new packages do not wait for each other in a circle.
    `insert into gatehouse.packages (purl, key_ecosystem, key_name, key_version)
     select purl, ecosystem, name, version from ${given}
     where not exists (select from gatehouse.packages known where ${isKnown})
     order by purl collate "C", ecosystem collate "C", name collate "C", version collate "C"
     on conflict do nothing`,
    values,
  );
  return sql.query(
    `select id, matched or key_ecosystem is null as matched
     from ${given} join gatehouse.packages known on ${isKnown} order by position`,
    values,
  );
}

/** The packages that a feed may speak of by these ecosystems and names. */
export function packagesByKey(
  sql: Sql,
  keys: readonly { ecosystem: string; name: string }[],
): Promise<PackageRow[]> {
  return sql.query<PackageRow>(
    `select ${columns} from gatehouse.packages
     where (key_ecosystem, key_name) in (select * from unnest($1::text[], $2::text[])) order by id`,
    [keys.map(({ ecosystem }) => ecosystem), keys.map(({ name }) => name)],
  );
}

/** A package in an image: which layer brought it, and which files prove it. */
export interface ImagePackage {
  readonly packageId: number;
  readonly layer: string;
  readonly locations: readonly string[];
  /** Part of packages of the system, whose advisories speak of it; it has no findings of its own. */
  readonly bySystem: boolean;
  /** A container was seen to run a file of it. */
  readonly loaded: boolean;
}

/** Puts these packages in the place of those that were known of the image. */
export async function replaceImagePackages(
  sql: Sql,
  image: string,
  packages: readonly ImagePackage[],
): Promise<void> {
  await sql.query(`delete from gatehouse.image_packages where image = $1`, [image]);
  await sql.query(
    `insert into gatehouse.image_packages (image, package_id, layer, locations, by_system, loaded)
     select $1, "packageId", layer, locations, "bySystem", loaded
     from jsonb_to_recordset($2::jsonb)
       as package ("packageId" bigint, layer text, locations text[], "bySystem" boolean, loaded boolean)`,
    [image, JSON.stringify(packages)],
  );
}

/** The images that hold any of the packages. */
export async function imagesWithPackages(sql: Sql, packageIds: readonly number[]): Promise<string[]> {
  const rows = await sql.query<{ image: string }>(
    `select distinct image from gatehouse.image_packages where package_id = any($1) order by image`,
    [packageIds],
  );
  return rows.map((row) => row.image);
}

/** Notes that advisories were looked up for these packages; gives those for which it was the first time. */
export async function setMatched(sql: Sql, packageIds: readonly number[]): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `update gatehouse.packages set matched = true where id = any($1) and not matched returning id`,
    [packageIds],
  );
  return rows.map((row) => row.id);
}

/**
 * Holds for an image with a package that no advisories were looked up for yet, or whose feed could never be read so far;
 * for any image while there are no advisories at all.
 */
const lacksAdvisories = `(
  not exists (select from gatehouse.advisories)
  or exists (
    select from gatehouse.image_packages held join gatehouse.packages on id = held.package_id
    where held.image = image.digest and key_ecosystem is not null
      and (not matched or exists (
        select from gatehouse.feeds where imported_at is null and name = split_part(key_ecosystem, ':', 1)))))`;

/** Of the images, those whose packages cannot be said to have been matched. */
export async function imagesToMatch(sql: Sql, images: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ digest: string }>(
    `select digest from unnest($1::text[]) as image (digest) where ${lacksAdvisories}`,
    [images],
  );
  return rows.map((row) => row.digest);
}

/** The images that have no verdict, though their content was read and all their packages were matched. */
export async function imagesToJudge(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ digest: string }>(
    `select digest from gatehouse.images image
     where state <> 'waiting' and not exists (select from gatehouse.verdicts where verdicts.image = image.digest)
       and not ${lacksAdvisories}`,
  );
  return rows.map((row) => row.digest);
}

/** The keys of packages. */
export async function keysOfPackages(
  sql: Sql,
  ids: readonly number[],
): Promise<{ ecosystem: string; name: string }[]> {
  return sql.query(
    `select distinct key_ecosystem as ecosystem, key_name as name from gatehouse.packages
     where id = any($1) and key_ecosystem is not null`,
    [ids],
  );
}

/** How many packages an image holds. */
export async function countPackages(sql: Sql, image: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) as count from gatehouse.image_packages where image = $1`,
    [image],
  );
  return row?.count ?? 0;
}

import type { Severity } from '@gatehouse/policies';
import type { Sql } from './database.ts';

/** A flaw of a package. */
export interface FindingRecord {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly covers: readonly string[];
  readonly summary: string;
  readonly published: string | null;
  readonly severity: Severity;
  readonly cvss: number | null;
  readonly fixedIn: string | null;
  readonly malware: boolean;
  readonly cves: readonly string[];
}

/** Columns in the order in which rows are compared. */
const columns = 'id, aliases, covers, summary, published, severity, cvss, fixed_in, malware, cves';
const recordset = `jsonb_to_recordset($1::jsonb) as finding ("packageId" bigint, id text, aliases text[], covers text[],
  summary text, published timestamptz, severity text, cvss real, "fixedIn" text, malware boolean, cves text[])`;

/**
 * Puts these findings in the place of those that were known of the packages, and gives the packages for which
 * anything has changed by it.
 */
export async function replaceFindings(
  sql: Sql,
  packageIds: readonly number[],
  findings: readonly (FindingRecord & { packageId: number })[],
): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `with wanted as (
       select "packageId" as package_id, id, aliases, covers, summary, published, severity, cvss, "fixedIn" as fixed_in,
         malware, cves from ${recordset}
     ), gone as (
       delete from gatehouse.findings known where package_id = any($2) and not exists (
         select from wanted where wanted.package_id = known.package_id and wanted.id = known.id)
       returning package_id
     ), changed as (
       insert into gatehouse.findings (package_id, ${columns}) select package_id, ${columns} from wanted
       on conflict (package_id, id) do update set (${columns}) = row (${columns.replaceAll(/\w+/g, 'excluded.$&')})
         where (${columns.replaceAll(/\w+/g, 'findings.$&')})
           is distinct from (${columns.replaceAll(/\w+/g, 'excluded.$&')})
       returning package_id
     )
     select package_id as id from gone union select package_id from changed`,
    [JSON.stringify(findings), packageIds],
  );
  return rows.map((row) => row.id);
}

/** The packages that have a finding with one of the CVEs. */
export async function packagesWithCves(sql: Sql, cves: readonly string[]): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `select distinct package_id as id from gatehouse.findings where cves && $1::text[] order by 1`,
    [cves],
  );
  return rows.map((row) => row.id);
}

/** A finding where an image has it. */
export interface ImageFinding extends FindingRecord {
  readonly image: string;
  readonly purl: string;
  readonly layer: string;
  readonly locations: readonly string[];
  readonly knownExploited: boolean;
  /** A container was seen to run a file of the package; false says nothing. */
  readonly loaded: boolean;
}

/** All findings of images, in no order. */
export function findingsOfImages(sql: Sql, images: readonly string[]): Promise<ImageFinding[]> {
  return sql.query<ImageFinding>(
    `select held.image, package.purl, held.layer, held.locations, held.loaded, finding.id, finding.aliases, finding.covers,
       finding.summary, to_char(finding.published at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as published,
       finding.severity, finding.cvss, finding.fixed_in as "fixedIn", finding.malware, finding.cves,
       exists (select from gatehouse.known_exploited where cve = any(finding.cves)) as "knownExploited"
     from gatehouse.image_packages held
     join gatehouse.packages package on package.id = held.package_id
     join gatehouse.findings finding on finding.package_id = held.package_id
     where held.image = any($1) and not held.by_system`,
    [images],
  );
}

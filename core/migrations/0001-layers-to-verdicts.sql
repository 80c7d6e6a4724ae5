-- One row: which store this is, and how far its verdicts have come.
create table gatehouse.store (
  only_row boolean primary key default true check (only_row),
  id uuid not null default gen_random_uuid(),
  -- The revision of the newest verdict. Whoever writes verdicts updates this row first and so holds it until commit:
  -- revisions become visible in their order, which a sequence would not give.
  revision bigint not null default 0
);
insert into gatehouse.store default values;

-- What one layer says, once for all images that have it.
create table gatehouse.layers (
  diff_id text not null,
  cataloger_version text not null,
  -- The chain of layers that the fragment holds above; empty if it holds above any.
  chain_id text not null default '',
  -- Null if no node could read the layer; then the reason stands beside it.
  fragment bytea,
  fragment_digest text,
  unreadable text,
  -- Which node said so.
  source text not null,
  created_at timestamptz not null default now(),
  primary key (diff_id, cataloger_version, chain_id),
  check ((fragment is null) = (unreadable is not null))
);

create table gatehouse.images (
  -- The digest of the image's configuration.
  digest text primary key,
  platform text not null,
  diff_ids text[] not null,
  -- They are those of the configuration itself, not the word of a node.
  proven boolean not null,
  -- waiting: not all layers are there; ready, partial, failed: as in verdicts.
  state text not null default 'waiting' check (state in ('waiting', 'ready', 'partial', 'failed')),
  reason text,
  os jsonb,
  composed_at timestamptz,
  -- The version of the catalogers whose fragments it was composed of.
  composed_by text,
  created_at timestamptz not null default now()
);
create index images_layers on gatehouse.images using gin (diff_ids);

-- All other names of images. Of the images of one platform that share an alias, it names the one learnt last.
create table gatehouse.aliases (
  alias text not null,
  -- Content with one digest is the same in every repository.
  digest text generated always as (substring(alias from 'sha256:[0-9a-f]{64}$')) stored,
  image text not null references gatehouse.images on delete cascade,
  learned_at timestamptz not null,
  primary key (alias, image)
);
create index aliases_image on gatehouse.aliases (image);
create index aliases_digest on gatehouse.aliases (digest);

create table gatehouse.nodes (
  cluster text not null,
  name text not null,
  runtime text not null,
  reported_at timestamptz not null,
  primary key (cluster, name)
);

create table gatehouse.node_aliases (
  cluster text not null,
  node text not null,
  alias text not null,
  image text not null,
  primary key (cluster, node, alias, image),
  foreign key (cluster, node) references gatehouse.nodes on delete cascade
);

create table gatehouse.containers (
  cluster text not null,
  node text not null,
  id text not null,
  name text not null,
  namespace text not null,
  pod text not null,
  pod_uid text not null,
  image text not null,
  running boolean not null,
  primary key (cluster, node, id),
  foreign key (cluster, node) references gatehouse.nodes on delete cascade
);
create index containers_image on gatehouse.containers (image);

-- A package at a version, whichever images hold it. The key is how feeds speak of it; null if no feed does.
create table gatehouse.packages (
  id bigint generated always as identity primary key,
  purl text not null unique,
  key_ecosystem text,
  key_name text,
  key_version text,
  -- Whether advisories were ever looked up for it; an image is not judged before all its packages were.
  matched boolean not null default false
);
create index packages_key on gatehouse.packages (key_ecosystem, key_name) where key_ecosystem is not null;

create table gatehouse.image_packages (
  image text not null references gatehouse.images on delete cascade,
  package_id bigint not null references gatehouse.packages,
  -- The diff id of the layer that brought it, and the files that prove it.
  layer text not null,
  locations text[] not null,
  -- It is part of packages of the system, which is judged by advisories of its own: they know what was mended in it.
  by_system boolean not null,
  primary key (image, package_id)
);
create index image_packages_package on gatehouse.image_packages (package_id);

-- One row a feed: an ecosystem's zip, or the list of known exploited vulnerabilities.
create table gatehouse.feeds (
  name text primary key,
  fingerprint text not null,
  as_of timestamptz,
  records integer not null,
  skipped integer not null,
  -- Null if it could never be read so far.
  imported_at timestamptz,
  checked_at timestamptz not null,
  -- Why the last check brought nothing; what was imported before stays in force.
  problem text
);

create table gatehouse.advisories (
  feed text not null references gatehouse.feeds on delete cascade,
  id text not null,
  content_hash text not null,
  body jsonb not null,
  primary key (feed, id)
);

-- The packages that each advisory speaks of, by the key that packages are found with.
create table gatehouse.affected (
  key_ecosystem text not null,
  key_name text not null,
  feed text not null,
  advisory_id text not null,
  foreign key (feed, advisory_id) references gatehouse.advisories on delete cascade,
  primary key (key_ecosystem, key_name, feed, advisory_id)
);
create index affected_advisory on gatehouse.affected (feed, advisory_id);

-- How bad an advisory says that a CVE is, for advisories on the same CVE that do not say.
create table gatehouse.scores (
  cve text not null,
  feed text not null,
  advisory_id text not null,
  severity text not null,
  cvss real,
  primary key (cve, feed, advisory_id),
  foreign key (feed, advisory_id) references gatehouse.advisories on delete cascade
);

create table gatehouse.known_exploited (
  cve text primary key
);

-- A flaw of a package. It depends on the package and the advisories alone, so all images with the package share it.
create table gatehouse.findings (
  package_id bigint not null references gatehouse.packages on delete cascade,
  id text not null,
  aliases text[] not null,
  -- The flaws that one update of a distribution mends together.
  covers text[] not null,
  summary text not null,
  published timestamptz,
  severity text not null,
  cvss real,
  fixed_in text,
  malware boolean not null,
  -- All CVEs among the ids, to find what a change of what is known of a CVE touches.
  cves text[] not null,
  primary key (package_id, id)
);
create index findings_cves on gatehouse.findings using gin (cves);

-- What is to be looked at again, written in the transaction that made it stale. Jobs take rows from here after that
-- transaction is visible, so that nothing falls between an import and an image that are written at the same moment.
create table gatehouse.stale_keys (
  ecosystem text not null,
  name text not null,
  primary key (ecosystem, name)
);
create table gatehouse.stale_cves (
  cve text primary key
);
create table gatehouse.stale_verdicts (
  image text primary key
);

-- One row an image, overwritten in place.
create table gatehouse.verdicts (
  image text primary key,
  revision bigint not null unique,
  aliases text[] not null,
  -- Null if the image is gone; the row stays so that webhooks hear of it.
  verdict jsonb,
  updated_at timestamptz not null default now()
);

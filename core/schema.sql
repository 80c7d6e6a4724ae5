create table gatehouse.advisories (
  feed text not null,
  id text not null,
  content_hash text not null,
  body jsonb not null,
  constraint advisories_pkey PRIMARY KEY (feed, id),
  constraint advisories_feed_fkey FOREIGN KEY (feed) REFERENCES gatehouse.feeds(name) ON DELETE CASCADE
);

create table gatehouse.affected (
  key_ecosystem text not null,
  key_name text not null,
  feed text not null,
  advisory_id text not null,
  constraint affected_pkey PRIMARY KEY (key_ecosystem, key_name, feed, advisory_id),
  constraint affected_feed_advisory_id_fkey FOREIGN KEY (feed, advisory_id) REFERENCES gatehouse.advisories(feed, id) ON DELETE CASCADE
);
CREATE INDEX affected_advisory ON gatehouse.affected USING btree (feed, advisory_id);

create table gatehouse.aliases (
  alias text not null,
  digest text generated always as ("substring"(alias, 'sha256:[0-9a-f]{64}$'::text)) stored,
  image text not null,
  learned_at timestamp with time zone not null,
  constraint aliases_pkey PRIMARY KEY (alias, image),
  constraint aliases_image_fkey FOREIGN KEY (image) REFERENCES gatehouse.images(digest) ON DELETE CASCADE
);
CREATE INDEX aliases_digest ON gatehouse.aliases USING btree (digest);
CREATE INDEX aliases_image ON gatehouse.aliases USING btree (image);

create table gatehouse.container_roots (
  image text not null,
  cataloger_version text not null,
  fragment bytea not null,
  source text not null,
  created_at timestamp with time zone not null default now(),
  constraint container_roots_pkey PRIMARY KEY (image, cataloger_version),
  constraint container_roots_image_fkey FOREIGN KEY (image) REFERENCES gatehouse.images(digest) ON DELETE CASCADE
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
  constraint containers_pkey PRIMARY KEY (cluster, node, id),
  constraint containers_cluster_node_fkey FOREIGN KEY (cluster, node) REFERENCES gatehouse.nodes(cluster, name) ON DELETE CASCADE
);
CREATE INDEX containers_image ON gatehouse.containers USING btree (image);

create table gatehouse.drift (
  id bigint not null generated always as identity,
  cluster text not null,
  node text not null,
  container text not null,
  path text not null,
  kind text not null,
  seen_at timestamp with time zone not null default now(),
  constraint drift_id_key UNIQUE (id),
  constraint drift_pkey PRIMARY KEY (cluster, node, container, path, kind),
  constraint drift_cluster_node_fkey FOREIGN KEY (cluster, node) REFERENCES gatehouse.nodes(cluster, name) ON DELETE CASCADE,
  constraint drift_kind_check CHECK ((kind = ANY (ARRAY['written'::text, 'mounted'::text, 'memory'::text, 'deleted'::text])))
);

create table gatehouse.feeds (
  name text not null,
  fingerprint text not null,
  as_of timestamp with time zone,
  records integer not null,
  skipped integer not null,
  imported_at timestamp with time zone,
  checked_at timestamp with time zone not null,
  problem text,
  constraint feeds_pkey PRIMARY KEY (name)
);

create table gatehouse.findings (
  package_id bigint not null,
  id text not null,
  aliases text[] not null,
  covers text[] not null,
  summary text not null,
  published timestamp with time zone,
  severity text not null,
  cvss real,
  fixed_in text,
  malware boolean not null,
  cves text[] not null,
  constraint findings_pkey PRIMARY KEY (package_id, id),
  constraint findings_package_id_fkey FOREIGN KEY (package_id) REFERENCES gatehouse.packages(id) ON DELETE CASCADE
);
CREATE INDEX findings_cves ON gatehouse.findings USING gin (cves);

create table gatehouse.image_packages (
  image text not null,
  package_id bigint not null,
  layer text not null,
  locations text[] not null,
  by_system boolean not null,
  loaded boolean not null default false,
  constraint image_packages_pkey PRIMARY KEY (image, package_id),
  constraint image_packages_image_fkey FOREIGN KEY (image) REFERENCES gatehouse.images(digest) ON DELETE CASCADE,
  constraint image_packages_package_id_fkey FOREIGN KEY (package_id) REFERENCES gatehouse.packages(id)
);
CREATE INDEX image_packages_package ON gatehouse.image_packages USING btree (package_id);

create table gatehouse.images (
  digest text not null,
  platform text not null,
  diff_ids text[] not null,
  proven boolean not null,
  state text not null default 'waiting'::text,
  reason text,
  os jsonb,
  composed_at timestamp with time zone,
  composed_by text,
  created_at timestamp with time zone not null default now(),
  source text,
  said_by text,
  constraint images_pkey PRIMARY KEY (digest),
  constraint images_source_check CHECK ((source = ANY (ARRAY['layers'::text, 'upload'::text]))),
  constraint images_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'ready'::text, 'partial'::text, 'failed'::text])))
);
CREATE INDEX images_layers ON gatehouse.images USING gin (diff_ids);
CREATE INDEX images_said_by ON gatehouse.images USING btree (said_by) WHERE (said_by IS NOT NULL);

create table gatehouse.kept_uploads (
  cluster text not null,
  node text not null,
  content_digest text not null,
  content bytea not null,
  kept_at timestamp with time zone not null default now(),
  constraint kept_uploads_pkey PRIMARY KEY (cluster, node, content_digest)
);
CREATE INDEX kept_uploads_age ON gatehouse.kept_uploads USING btree (kept_at);

create table gatehouse.known_exploited (
  cve text not null,
  constraint known_exploited_pkey PRIMARY KEY (cve)
);

create table gatehouse.layer_leases (
  diff_id text not null,
  cataloger_version text not null,
  cluster text not null,
  node text not null,
  until timestamp with time zone not null,
  constraint layer_leases_pkey PRIMARY KEY (diff_id, cataloger_version)
);
CREATE INDEX layer_leases_node ON gatehouse.layer_leases USING btree (cluster, node);

create table gatehouse.layers (
  diff_id text not null,
  cataloger_version text not null,
  chain_id text not null default ''::text,
  fragment bytea,
  fragment_digest text,
  unreadable text,
  source text not null,
  created_at timestamp with time zone not null default now(),
  constraint layers_pkey PRIMARY KEY (diff_id, cataloger_version, chain_id),
  constraint layers_check CHECK (((fragment IS NULL) = (unreadable IS NOT NULL)))
);

create table gatehouse.loaded_files (
  image text not null,
  path text not null,
  constraint loaded_files_pkey PRIMARY KEY (image, path),
  constraint loaded_files_image_fkey FOREIGN KEY (image) REFERENCES gatehouse.images(digest) ON DELETE CASCADE
);

create table gatehouse.migrations (
  number integer not null,
  name text not null,
  applied_at timestamp with time zone not null default now(),
  sha256 text not null default ''::text,
  constraint migrations_pkey PRIMARY KEY (number)
);

create table gatehouse.node_aliases (
  cluster text not null,
  node text not null,
  alias text not null,
  image text not null,
  constraint node_aliases_pkey PRIMARY KEY (cluster, node, alias, image),
  constraint node_aliases_cluster_node_fkey FOREIGN KEY (cluster, node) REFERENCES gatehouse.nodes(cluster, name) ON DELETE CASCADE
);

create table gatehouse.nodes (
  cluster text not null,
  name text not null,
  runtime text not null,
  reported_at timestamp with time zone not null,
  constraint nodes_pkey PRIMARY KEY (cluster, name)
);

create table gatehouse.packages (
  id bigint not null generated always as identity,
  purl text not null,
  key_ecosystem text,
  key_name text,
  key_version text,
  matched boolean not null default false,
  constraint packages_purl_key UNIQUE NULLS NOT DISTINCT (purl, key_ecosystem, key_name, key_version),
  constraint packages_pkey PRIMARY KEY (id)
);
CREATE INDEX packages_key ON gatehouse.packages USING btree (key_ecosystem, key_name) WHERE (key_ecosystem IS NOT NULL);

create table gatehouse.scores (
  cve text not null,
  feed text not null,
  advisory_id text not null,
  severity text not null,
  cvss real,
  constraint scores_pkey PRIMARY KEY (cve, feed, advisory_id),
  constraint scores_feed_advisory_id_fkey FOREIGN KEY (feed, advisory_id) REFERENCES gatehouse.advisories(feed, id) ON DELETE CASCADE
);

create table gatehouse.stale_cves (
  cve text not null,
  constraint stale_cves_pkey PRIMARY KEY (cve)
);

create table gatehouse.stale_keys (
  ecosystem text not null,
  name text not null,
  constraint stale_keys_pkey PRIMARY KEY (ecosystem, name)
);

create table gatehouse.stale_verdicts (
  image text not null,
  constraint stale_verdicts_pkey PRIMARY KEY (image)
);

create table gatehouse.store (
  only_row boolean not null default true,
  id uuid not null default gen_random_uuid(),
  revision bigint not null default 0,
  constraint store_pkey PRIMARY KEY (only_row),
  constraint store_only_row_check CHECK (only_row)
);

create table gatehouse.uploaded_sboms (
  id bigint not null generated always as identity,
  image text not null,
  format text not null,
  spec_version text not null,
  document bytea,
  digest text not null,
  uploaded_by text not null,
  uploaded_at timestamp with time zone not null default now(),
  constraint uploaded_sboms_pkey PRIMARY KEY (id),
  constraint uploaded_sboms_image_fkey FOREIGN KEY (image) REFERENCES gatehouse.images(digest) ON DELETE CASCADE,
  constraint uploaded_sboms_format_check CHECK ((format = ANY (ARRAY['cyclonedx'::text, 'spdx'::text])))
);
CREATE INDEX uploaded_sboms_image ON gatehouse.uploaded_sboms USING btree (image, id DESC);

create table gatehouse.verdicts (
  image text not null,
  revision bigint not null,
  aliases text[] not null,
  verdict jsonb,
  updated_at timestamp with time zone not null default now(),
  constraint verdicts_revision_key UNIQUE (revision),
  constraint verdicts_pkey PRIMARY KEY (image)
);

-- Which node works at a layer that is missing, so that no other does the same meanwhile. Whoever does not renew it loses
-- it; the row then waits for the next holder, or to be swept away.
create table gatehouse.layer_leases (
  diff_id text not null,
  cataloger_version text not null,
  cluster text not null,
  node text not null,
  until timestamptz not null,
  primary key (diff_id, cataloger_version)
);
create index layer_leases_node on gatehouse.layer_leases (cluster, node);

-- What arrived of an upload that broke off, for the node that sent it to go on from: at whichever replica.
create table gatehouse.kept_uploads (
  cluster text not null,
  node text not null,
  -- Of the whole content.
  content_digest text not null,
  content bytea not null,
  kept_at timestamptz not null default now(),
  primary key (cluster, node, content_digest)
);
create index kept_uploads_age on gatehouse.kept_uploads (kept_at);

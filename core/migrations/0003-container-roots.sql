-- What a running container of an image showed as its root, for images with layers that no node can read. It counts beside
-- the layers that could be read, and only while some could not.
create table gatehouse.container_roots (
  image text not null references gatehouse.images on delete cascade,
  cataloger_version text not null,
  fragment bytea not null,
  -- Which node said so.
  source text not null,
  created_at timestamptz not null default now(),
  primary key (image, cataloger_version)
);

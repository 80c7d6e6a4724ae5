-- Files of an image that some container of it was seen to run or to have mapped, whichever node said so. It is evidence
-- for, never against: of other files nothing is known.
create table gatehouse.loaded_files (
  image text not null references gatehouse.images on delete cascade,
  path text not null,
  primary key (image, path)
);

-- A file of the package is among those.
alter table gatehouse.image_packages add column loaded boolean not null default false;

-- Programs that a container was seen to run and that are not of its image; gone when the container is.
create table gatehouse.drift (
  id bigint generated always as identity unique,
  cluster text not null,
  node text not null,
  container text not null,
  path text not null,
  -- written: into the container after it began; mounted: from a volume or the like; memory: never a file;
  -- deleted: no longer one.
  kind text not null check (kind in ('written', 'mounted', 'memory', 'deleted')),
  seen_at timestamptz not null default now(),
  primary key (cluster, node, container, path, kind),
  foreign key (cluster, node) references gatehouse.nodes on delete cascade
);

-- SBOMs that somebody made elsewhere and uploaded for an image: who said what, and when. The newest counts, and only of
-- that one the document is kept.
create table gatehouse.uploaded_sboms (
  id bigint generated always as identity primary key,
  image text not null references gatehouse.images on delete cascade,
  format text not null check (format in ('cyclonedx', 'spdx')),
  spec_version text not null,
  -- As it came, and its SHA-256.
  document bytea,
  digest text not null,
  uploaded_by text not null,
  uploaded_at timestamptz not null default now()
);
create index uploaded_sboms_image on gatehouse.uploaded_sboms (image, id desc);

-- Whose word the packages of an image are: null as long as there are none. An image that is known by an upload alone has
-- no diff ids and is not proven; the first node that has it says what it is made of.
alter table gatehouse.images add column source text check (source in ('layers', 'upload'));
update gatehouse.images set source = 'layers' where state <> 'waiting';

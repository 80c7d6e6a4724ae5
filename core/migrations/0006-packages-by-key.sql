-- A package is its URL and its key together. By the URL alone the key was whatever the last image gave it, and all other
-- images with that URL lost their findings to it.
alter table gatehouse.packages drop constraint packages_purl_key;

-- URLs were bounded by what an index takes; now there has to be room for the key.
update gatehouse.images set state = 'partial', reason = 'a package is left out: its package URL is too long'
  where state = 'ready' and digest in (
    select image from gatehouse.image_packages join gatehouse.packages on id = package_id
    where octet_length(purl) > 1200);
delete from gatehouse.image_packages where package_id in (
  select id from gatehouse.packages where octet_length(purl) > 1200);
delete from gatehouse.packages where octet_length(purl) > 1200;

alter table gatehouse.packages
  add constraint packages_purl_key unique nulls not distinct (purl, key_ecosystem, key_name, key_version);

-- Nobody knows which image gave which key: all are composed anew as soon as a node asks about them, and judged as they are
-- known until then.
update gatehouse.images set composed_by = null where source = 'layers';
insert into gatehouse.stale_verdicts (image) select digest from gatehouse.images on conflict do nothing;

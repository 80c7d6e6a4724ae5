-- By whose word an image is there that no configuration proves: CLUSTER/NODE, of which no node has more than so many. Null
-- for what is proven, was uploaded for, or was there before.
alter table gatehouse.images add column said_by text;
create index images_said_by on gatehouse.images (said_by) where said_by is not null;

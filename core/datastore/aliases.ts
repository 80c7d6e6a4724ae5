import type { Sql } from './database.ts';

/** A name of an image. */
export interface Alias {
  readonly alias: string;
  readonly image: string;
}

/** Whose word on names it is. */
export interface NodeName {
  readonly cluster: string;
  readonly node: string;
}

/**
 * Takes in which names a node has for which images. With `complete`, names that are not among them are forgotten for
 * this node. A name that a known node newly has was just pulled, so it names that image from now on; what a node
 * brings along with its first word may be of any age, so it counts only where nothing else is known.
 * Gives the images whose names have changed by it.
 */
export async function learnAliases(
  sql: Sql,
  node: NodeName,
  aliases: readonly Alias[],
  options: { complete: boolean; isFirstWord: boolean },
): Promise<string[]> {
  const names = aliases.map((each) => each.alias);
  const images = aliases.map((each) => each.image);
  if (options.complete) {
    await sql.query(
      `delete from gatehouse.node_aliases known where cluster = $1 and node = $2 and not exists (
         select from unnest($3::text[], $4::text[]) as said (alias, image)
         where said.alias = known.alias and said.image = known.image)`,
      [node.cluster, node.node, names, images],
    );
  }
  const rows = await sql.query<{ image: string }>(
    `with said as (
       select distinct alias, image from unnest($3::text[], $4::text[]) as said (alias, image)
       where exists (select from gatehouse.images where digest = said.image)
     ), news as (
       insert into gatehouse.node_aliases (cluster, node, alias, image) select $1, $2, alias, image from said
       order by alias, image on conflict do nothing returning alias, image
     ), learnt as (
       insert into gatehouse.aliases (alias, image, learned_at)
       select alias, image, case when $5 then '-infinity'::timestamptz else clock_timestamp() end from news
       order by alias, image
       on conflict (alias, image) do update set learned_at = excluded.learned_at
         where excluded.learned_at > aliases.learned_at
       returning alias, image
     )
     select distinct image from (
       select image from learnt
       union all
       select other.image from learnt join gatehouse.aliases other using (alias)
     ) as touched order by image`,
    [node.cluster, node.node, names, images, options.isFirstWord],
  );
  return rows.map((row) => row.image);
}

/**
 * Of each image the names that it holds now. Of the images of a platform that share a tag it is the last one learnt's,
 * for tags move. A digest never means something else: where nodes contradict each other all images keep it, so that the
 * worst of their verdicts counts.
 */
export async function currentAliases(
  sql: Sql,
  images: readonly string[],
): Promise<ReadonlyMap<string, string[]>> {
  const rows = await sql.query<Alias>(
    `select mine.alias, mine.image
     from gatehouse.aliases mine join gatehouse.images me on me.digest = mine.image
     where mine.image = any($1) and (mine.digest is not null or not exists (
       select from gatehouse.aliases other join gatehouse.images it on it.digest = other.image
       where other.alias = mine.alias and other.image <> mine.image and it.platform = me.platform
         and (other.learned_at, other.image) > (mine.learned_at, mine.image)))
     order by mine.image, mine.alias`,
    [images],
  );
  return new Map(
    images.map((image) => [image, rows.filter((row) => row.image === image).map((row) => row.alias)]),
  );
}

/** The images that are known by a name, the last one learnt first; a digest counts in whichever repository it stands. */
export async function imagesByAlias(sql: Sql, key: string): Promise<string[]> {
  const rows = await sql.query<{ image: string }>(
    `select image from gatehouse.aliases where alias = $1 or digest = $1 order by learned_at desc, image`,
    [key],
  );
  return rows.map((row) => row.image);
}

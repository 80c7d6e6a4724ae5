import type { Sql } from './database.ts';

/**
 * The schema as text, the same on every supported PostgreSQL: tables with their columns, constraints and indexes.
 * It is committed as core/schema.sql, so that the review of a migration shows what comes out of it.
 */
export async function describeSchema(sql: Sql): Promise<string> {
  const tables = await sql.query<{
    name: string;
    columns: string[];
    constraints: string[];
    indexes: string[];
  }>(`
    select c.relname as name,
      array(
        select format('%I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
          case when a.attnotnull then ' not null' else '' end,
          case when a.attidentity <> '' then ' generated always as identity'
               when a.attgenerated <> '' then format(' generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
               when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end)
        from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum
      ) as columns,
      -- From version 18 on PostgreSQL lists "not null" here as well.
      array(
        select format('constraint %I %s', conname, pg_get_constraintdef(oid)) from pg_constraint
        where conrelid = c.oid and contype <> 'n' order by contype desc, conname
      ) as constraints,
      array(
        select pg_get_indexdef(indexrelid) from pg_index join pg_class i on i.oid = indexrelid
        where indrelid = c.oid and not exists (select from pg_constraint where conindid = indexrelid) order by i.relname
      ) as indexes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'gatehouse' and c.relkind in ('r', 'p') order by c.relname
  `);
  return tables
    .map(({ name, columns, constraints, indexes }) => {
      const body = [...columns, ...constraints].map((line) => `  ${line}`).join(',\n');
      return [
        `create table gatehouse.${name} (\n${body}\n);\n`,
        ...indexes.map((index) => `${index};\n`),
      ].join('');
    })
    .join('\n');
}

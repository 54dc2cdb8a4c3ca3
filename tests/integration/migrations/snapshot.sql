-- Everything that makes a schema, one fact a row (kind, name, fact), extensions' own objects left out.
with own as (
  select c.oid, case c.relnamespace when 'granted'::regnamespace then 'granted.' else '' end || c.relname as relname, c.relkind, c.relowner, c.relpersistence, c.reloptions, c.relacl, c.relrowsecurity
  from pg_class c
  where c.relnamespace in ('public'::regnamespace, 'granted'::regnamespace)
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), routine as (
  select p.oid, p.oid::regprocedure::text as name, p.proowner, p.proacl
  from pg_proc p
  where p.pronamespace in ('public'::regnamespace, 'granted'::regnamespace)
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
)
select 'relation' as kind, relname::text as name,
       concat_ws(' ', relkind, relpersistence, pg_get_userbyid(relowner), reloptions::text, relrowsecurity,
                 pg_get_partkeydef(oid)) as fact
from own
union all
select 'column', o.relname || '.' || a.attname,
       concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                 a.attstorage, a.attcompression, pg_get_expr(d.adbin, d.adrelid), col_description(o.oid, a.attnum))
from own o
join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
union all
select 'constraint', o.relname || '.' || c.conname, pg_get_constraintdef(c.oid)
from own o join pg_constraint c on c.conrelid = o.oid
union all
select 'index', relname, pg_get_indexdef(oid) from own where relkind in ('i', 'I')
union all
select 'view', relname, pg_get_viewdef(oid) from own where relkind in ('v', 'm')
union all
select 'trigger', o.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
from own o join pg_trigger t on t.tgrelid = o.oid and not t.tgisinternal
union all
select 'policy', o.relname || '.' || p.polname,
       concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid),
                 pg_get_expr(p.polwithcheck, p.polrelid))
from own o join pg_policy p on p.polrelid = o.oid
union all
select 'function', name, concat_ws(' ', pg_get_userbyid(proowner), pg_get_functiondef(oid)) from routine
union all
select 'grant', relname, concat_ws(' ', g.privilege_type, case g.grantee when 0 then 'public' else g.grantee::regrole::text end)
from own, aclexplode(relacl) g
union all
select 'grant', name, concat_ws(' ', g.privilege_type, case g.grantee when 0 then 'public' else g.grantee::regrole::text end)
from routine, aclexplode(proacl) g
union all
select 'grant', nspname, concat_ws(' ', g.privilege_type, case g.grantee when 0 then 'public' else g.grantee::regrole::text end)
from pg_namespace, aclexplode(nspacl) g where nspname in ('public', 'granted')
union all
select 'member', r.rolname, m.roleid::regrole::text from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = 'thubon_api'
union all
select 'comment', relname, obj_description(oid, 'pg_class') from own where obj_description(oid, 'pg_class') is not null
union all
select 'comment', name, obj_description(oid, 'pg_proc') from routine where obj_description(oid, 'pg_proc') is not null
union all
select 'extension', extname, null from pg_extension
union all
select 'row', 'town', (to_jsonb(town) - 'changed_time')::text from town
union all
select 'row', 'ward', to_jsonb(ward)::text from ward
union all
select 'row', 'ward_successor', to_jsonb(ward_successor)::text from ward_successor
union all
select 'row', 'registry_version', to_jsonb(registry_version)::text from registry_version
order by 1, 2, 3;

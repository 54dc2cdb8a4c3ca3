-- What TimescaleDB knows of our tables beyond the catalogue of PostgreSQL.
select 'hypertable' as kind, hypertable_name::text as name,
       concat_ws(' ', owner, num_dimensions, compression_enabled, tablespaces::text) as fact
from timescaledb_information.hypertables
union all
select 'dimension', hypertable_name || '.' || column_name,
       concat_ws(' ', dimension_number, column_type, dimension_type, time_interval, integer_interval,
                 integer_now_func, num_partitions)
from timescaledb_information.dimensions
union all
select 'compression', hypertable_name || '.' || attname,
       concat_ws(' ', segmentby_column_index, orderby_column_index, orderby_asc, orderby_nullsfirst)
from timescaledb_information.compression_settings
union all
select 'job', proc_name || ' ' || hypertable_name,
       concat_ws(' ', owner, schedule_interval, max_runtime, max_retries, retry_period, (config - 'hypertable_id')::text)
from timescaledb_information.jobs where hypertable_name is not null
order by 1, 2, 3;

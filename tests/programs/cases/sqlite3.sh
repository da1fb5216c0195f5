# SPDX-License-Identifier: Apache-2.0
# needs: sqlite3
# create, 100,000 inserts in a transaction, index, query, WAL, integrity.
mkdir out
$R /usr/bin/sqlite3 out/db <<'END'
create table t (id integer primary key, name text, value real);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
insert into t select i, 'name' || (i * 7919 % 100003), i * 0.5 from n;
commit;
create index by_name on t (name);
select count(*), sum(value), min(name), max(name) from t;
select id from t where name = 'name7919';
explain query plan select id from t where name = 'x';
update t set value = value + 1 where id % 3 = 0;
delete from t where id % 10 = 0;
select count(*), sum(value) from t;
vacuum;
pragma integrity_check;
END
$R /usr/bin/sqlite3 wal.db <<'END'
pragma journal_mode = wal;
create table w (a, b);
begin; insert into w values (1, 'x'), (2, 'y'); commit;
select * from w;
pragma wal_checkpoint(truncate);
END
sqlite3 wal.db 'select * from w; pragma integrity_check'
$R /usr/bin/sqlite3 out/db .dump | sha256sum
sqlite3 out/db 'pragma integrity_check'
rm out/db

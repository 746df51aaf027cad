-- Whether somebody watches the topic; if so, `lib.watchers` is whom what happens to messages is told. A script that reads `meta` anyway puts the answer into
-- `lib.watched` before; the others pay one command. Included, after finish, by every script that ends messages or puts them off; it calls
-- `lib.watchers.tell()` last. Needs: call, time, range, groups.

if lib.watched == nil then lib.watched = tonumber(call('HGET', P .. 'meta', 'watched') or 0) > now end
if lib.watched and not lib.watchers then
  --@include lib/watchers
end

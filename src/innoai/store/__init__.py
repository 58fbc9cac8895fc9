"""The durable truth: tables, queries by resource, migrations, secrets at rest, the change feed.

**The order of locks.** On Postgres a transaction holds each row that it has written or locked until it ends.
So that no two wait for each other, all take rows in this order, and leave out what they do not need:

1. the account's (`accounts.lock`), before anything that it bounds is read;
2. those of what is changed, such as a token family or an endpoint; keys by their ids, all of them before
   the next step (`api_keys.hold`). Noting the use of keys holds many, of any account, without the account's;
3. the change feed's one row, which every writer in the installation takes (`changes.announce`);
4. the endpoints' that an event goes to, which are shared (`events.subscriptions`), and the account's row in
   the audit log, last of all (`audit.append`): both in `journal.record`.

What is held already may be taken again at any time, and a row that is new is nobody else's yet.
"""

"""Measures the SDK beside its peers: `make bench`, and docs/benchmarks.md for what came of it.

- `rows` is the table: what is compared with what, with floor and goal. Start there.
- `triggers`, `publishing`, `local`, `answers`, `cold` and `go_peer` are the contestants. Each gets ready and then does
  the same operation as often as it is told.
- `worker` runs one contestant in a process of its own; `runner` runs them all, in turns.
- `sink` is the server that everything is sent to.
- `report` and `plot` write the results; `instructions` is the regression guard of `make instructions`.

`emulator_load` is a study of its own, for docs/emulator.md: `python -m benchmarks.emulator_load`.
"""

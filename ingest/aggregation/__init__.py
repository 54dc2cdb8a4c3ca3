"""Statistics at rest: windows of committed observations, folded by vectorised reductions.

`reductions` (the table) <- `unordered`, `ordered`, `sketch` (how each works) <- `rows` (what they work on);
`windows` places times; `partial_windows` makes windows of rows and of finer windows; `store`, `stream` and `copy_out`
read and write them; `fleet` knows the devices; `keeper` decides what is folded when.
"""

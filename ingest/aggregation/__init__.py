"""Statistics at rest: windows of committed observations, folded by vectorised reductions.

`reductions` (the table) <- `unordered`, `ordered`, `sketch` (how each works) <- `rows` (what they work on);
`windows` places times; `store` reads observations and keeps partials; `keeping` decides what is folded when.
"""

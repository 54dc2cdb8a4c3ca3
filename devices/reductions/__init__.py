"""Ways to sum up readings, vectorised over many datastreams and windows at once, each with partials that merge.

`table` names them <- `unordered`, `ordered`, `sketch` (how each works) <- `rows` (what they work on). Pure numpy:
ingest folds windows with them, the API merges windows with them, a cluster folds archives with them.
"""

"""Statistics at rest: windows of committed observations, folded by the reductions of `devices.reductions`.

`windows` places times; `partial_windows` makes windows of rows and of finer windows; `store`, `sketch_rows` and
`copy_out` read and write them; `recent` holds those written lately; `fleet` knows the devices; `keeper` decides what is
folded when.
"""

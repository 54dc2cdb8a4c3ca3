"""The HTTP API of Thu Bon: reads committed rows and hands them out; writes nothing."""

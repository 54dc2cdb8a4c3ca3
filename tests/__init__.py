"""Tests of Thu Bon; the fixtures live in `conftest.py` and the `fix_*.py` modules beside it."""

"""Recordings: what a broker carried, kept in a file and played again.

broker --> record --> recordings (JSON Lines or Parquet) --> shifting --> replay --> broker
                      series (CSV and its YAML) ---------------^
"""

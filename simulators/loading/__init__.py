"""Load and its report: messages encoded before the run, sent at a rate; what it cost and how long readings took.

fleet --> templates --> sender --> broker        watchers (commit, live push), processes --> report --> files
"""

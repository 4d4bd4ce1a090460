"""Prefect flows: which work is done in which order, on which machines. No screening logic lives here.

Where do I go to ...?
    start a sweep from Python or the shell    flows.cli
    train networks from a plan                flows.train (stages: vfscreen.training.stages), flows.train_cli
    see the order of a sweep's steps          flows.sweep
    see how shards are handed to workers      flows.dispatch
    add a kind of cluster                     flows.clusters (what a file may say), flows.launch (how it starts)
    decide when a run counts as failed        flows.outcome
    change what the terminal shows            flows.progress

Importing this package sets Prefect's defaults (flows.environment); that has to happen before Prefect is imported.
"""

from flows.environment import set_prefect_defaults

set_prefect_defaults()

"""Prefect tasks: each calls one function of vfscreen and adds nothing but a name and what Prefect should keep of it.

Belongs here: `@task` around library functions. Does not belong here: decisions, loops, columns, Dask.
"""

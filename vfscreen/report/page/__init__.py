"""The report page: one HTML file that holds everything it shows and loads nothing.

build.py puts it together; data.py asks the lake; charts_*.py draw; gallery.py embeds pictures; templates/ are the page.
Belongs here: presentation. Does not belong here: what a query computes (`vfscreen.cohort`), what an overlay shows
(`vfscreen.report.overlay`).
"""

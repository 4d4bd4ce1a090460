"""The report of an evaluation: a folder of tables, figures, filled checklists and one page that holds them all.

folder.py writes it; figures.py draws; page.py renders templates/. Belongs here: presentation. Does not belong here: any
number (`vfscreen.evaluation`), the page about a lake (`vfscreen.report.page`, whose style and table macro are used).
"""

"""Pictures and pages for people: overlay.py draws what a call rests on. No findings are made here."""

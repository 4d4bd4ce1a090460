"""The spine as a column: its curve through the patient, its straightened picture, its levels.

Where do I go to ...?
    fit the curve                 centreline.py (robustly, from a locator's points), geometry.curve (the curve itself)
    sample pixels along it        straighten.py
    name the vertebrae            labelling.py; what is known beforehand about columns: priors.py, level_spacing.yaml
"""

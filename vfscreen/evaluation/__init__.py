"""Evaluation: a lake against readers, with the statistics of diagnostic accuracy.

Where do I go to ...?
    read readers' tables and six-point files     reference, reference_files, six_points
    ask the lake for what is compared            findings (SQL in queries/)
    pair vertebrae and patients                  pairing
    sensitivity, PPV, F1 ... with intervals      binary
    ROC, AUC (DeLong, clustered), PR             roc
    weighted kappa                               agreement
    heights and HU against a reader's            bland_altman
    probabilities against outcomes               calibration, decision
    several readers, McNemar, Obuchowski-Rockette  readers, mrmc
    a threshold of one set on another            thresholds
    everything of an evaluation in one call      study (tables), checklist

Belongs here: numbers and tables. Does not belong here: figures and pages (report.evaluation), printing, orchestration.
"""

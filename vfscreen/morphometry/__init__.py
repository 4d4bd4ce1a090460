"""Six-point morphometry: what the heights of a vertebral body say.

Where do I go to ...?
    measure a height                heights.py
    change a Genant border          genant.py (do not: they are the definition)
    change what is normal           normal_shapes.yaml, by benchmarks/derive_normal_shapes.py
    change the adjusted loss        reference.py; docs/adr/0002-adjusted-loss.md says why it is as it is
    change the neighbours' say      neighbours.py
    name a deformity, sum an SDI    deformity.py
    change the probabilities        probability.py

No pixels, no models, no I/O beyond the statistics file: numbers in, numbers out.
"""

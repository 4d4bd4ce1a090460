"""Opportunistic bone density: attenuation of each vertebra's spongy bone, what to add to it, and mg/cm3.

Where do I go to ...? region of a body: `region`; plane samples beside the spine: `planes`; contrast phase: `contrast`;
what to add: `corrections`; mg/cm3: `calibration`; outliers: `lesions`; L1 and its fall-back: `reference`; all of it in
order: `measure`. Pure numpy on a Volume and key points; no I/O, no rows, no networks.
"""

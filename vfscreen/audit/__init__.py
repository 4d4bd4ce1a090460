"""The retrospective audit: what the lake found beside what the radiology reports said.

Reading a report: `rules` (a language's words, YAML) -> `sentences` -> `mentions` (what is said, of which level) ->
`readings`; `cache` remembers what was read before. The audit: `inputs` (reports, codes, treatments, DXA) -> `findings`
(of the lake) -> `compare` -> `rates`, `care`, `sampling` -> `run` (writes everything). A re-reading comes back through
`reread`; `corrected` and `weighted` make of it what is true of all audited studies.

Belongs here: all of the above. Does not belong here: metrics of the model against readers (evaluation), Prefect
(flows). Report text never enters the lake; see `vfscreen.audit.private`.
"""

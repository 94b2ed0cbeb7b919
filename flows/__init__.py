"""Who calls what, when: the `matlake` command and the Prefect flows. No science, no storage code."""

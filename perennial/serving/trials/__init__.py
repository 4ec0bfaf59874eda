"""A challenger beside the champion: who gets which version, both asked the same, the trial ended when it is decided."""

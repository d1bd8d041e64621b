"""`make demo`: the main job end to end against a local REVER, and a worker killed in the middle of a refund."""

"""A candidate policy tried over past returns beside the current one: what would have been paid earlier, later, more,
less, or held, by which rule, and what was really done. Pure: nothing is read or written.
"""

"""The rules, each a function from one return to a decision, in the order in which `decide` asks them."""

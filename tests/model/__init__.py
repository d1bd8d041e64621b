"""A stateful model: shoppers, warehouse, operators, workers and faults, in any order, judged after each step."""

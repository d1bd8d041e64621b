"""The operations of the contract, by operation id: each takes the state and a call, and answers a JSON body."""

"""The promise, proven by breaking it: workers killed at named points, under every fault, judged by REVER's books."""

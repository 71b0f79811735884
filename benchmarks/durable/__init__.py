"""The figures of durable execution: steps, resumes, recovery, memory, chains, busy threads, a herd of timers.

Run ``python -m benchmarks.durable`` from the root of a checkout.
"""

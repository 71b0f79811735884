"""Side-by-side benchmarks of detent and its peers: the same work, in the same run, on the same machine.

Run ``python -m benchmarks`` from the root of a checkout. Nothing here is imported by the package.
"""

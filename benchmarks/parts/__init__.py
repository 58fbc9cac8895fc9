"""What is measured of innoai alone: one file each, run by `python -m benchmarks.full --part NAME`."""

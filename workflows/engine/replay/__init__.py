"""Run recorded workflows again against their record alone, and say where the code differs."""

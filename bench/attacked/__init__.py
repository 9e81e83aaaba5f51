"""A dashboard under attack: floods from a process of their own, and somebody who works beside."""

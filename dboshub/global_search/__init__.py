"""The search box of every page: pages, things by name, workflows by id, and values within them."""

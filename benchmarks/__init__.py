"""How fast, how large, how near the machine's limit: measured side by side, asserted nowhere (rules P1 to P14)."""

"""Puts the stations together and starts them; the only package that sees all others."""

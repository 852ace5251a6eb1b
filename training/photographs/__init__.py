"""Labelled photographs: read in every form, dealt into sides by patient, cut, varied."""

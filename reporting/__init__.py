"""Turns a graded case into DICOM objects and proves that they reached the PACS."""

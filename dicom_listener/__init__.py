"""Takes DICOM objects from cameras and PACS; Success is answered when they are safe on disk and in the casebook."""

"""Takes DICOM objects from cameras and PACS: nothing is answered Success before it is safe on disk and in the casebook."""

"""Every coded concept that stands in our objects, once; builders use these and no others.

Sources: PS3.16 for DCM, RADLEX and most of SCT; LOINC answer list LL2117-1; for the disorders VSAC value set
2.16.840.1.113883.3.526.3.1283; the scheme 99RETINAGATE is ours. A meaning has at most 64 characters, a value at most 16
(PS3.3 8).
"""

from pydicom.sr.coding import Code

from casebook.words import GRADES, Gradability, Laterality, Reason

OUR_SCHEME = "99RETINAGATE"

# The frame of the report (TID 1500, 1204, 1004, 1600)
REPORT_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
PROCEDURE = Code("363679005", "SCT", "Imaging procedure")  # a photographic procedure is not in CID 100
ENGLISH = Code("en", "RFC5646", "English")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
MODALITY = Code("121139", "DCM", "Modality")
PIXEL_DATA_ROWS = Code("110910", "DCM", "Pixel Data Rows")
PIXEL_DATA_COLUMNS = Code("110911", "DCM", "Pixel Data Columns")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
CONCLUSION = Code("121077", "DCM", "Conclusion")

# Acquisition modalities (CID 29)
OPHTHALMIC_PHOTOGRAPHY = Code("OP", "DCM", "Ophthalmic Photography")
EXTERNAL_CAMERA_PHOTOGRAPHY = Code("XC", "DCM", "External-camera Photography")
OTHER_MODALITY = Code("OT", "DCM", "Other")

# Names of measurements, and their units
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
SCORE = Code("RG-DRSCORE", OUR_SCHEME, "Diabetic retinopathy severity score, 0 to 4")
NOT_GRADABLE = Code("RG-NG", OUR_SCHEME, "Not gradable, no grade given")
LIMITED_QUALITY = Code("RG-LIM", OUR_SCHEME, "Limited image quality")
PERCENT = Code("%", "UCUM", "Percent")
GRADE_UNIT = Code("{grade}", "UCUM", "grade")
SCORE_UNIT = Code("{score}", "UCUM", "score")
PIXELS = Code("{pixels}", "UCUM", "Pixels")

# Names of evaluations, and their values
IMAGE_QUALITY = Code("111101", "DCM", "Image Quality")
QUALITY_FINDING = Code("111052", "DCM", "Quality Finding")
IMAGE_REGION = Code("111030", "DCM", "Image Region")
SOURCE = Code("260753009", "SCT", "Source")
VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")

# Anatomy
RETINA = Code("5665001", "SCT", "Retina")
SIDES = {
    Laterality.RIGHT: Code("24028007", "SCT", "Right"),
    Laterality.LEFT: Code("7771000", "SCT", "Left"),
    Laterality.BOTH: Code("51440002", "SCT", "Bilateral"),
}

# Where a picture came from
ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
SPATIAL_RESAMPLING = Code("113085", "DCM", "Spatial resampling")

# The grade: as a measurement whose name says it (a viewer shows measurements only, and the value 0 as blank),
_GRADE_WORDS = (GRADES[0], *(words.removesuffix(" retinopathy") for words in GRADES[1:]))
GRADE = tuple(
    Code(f"RG-GRADE{grade}", OUR_SCHEME, f"DR grade {grade} of 4, {words}") for grade, words in enumerate(_GRADE_WORDS)
)
# as LOINC's question and answer,
SEVERITY_LEVEL = {
    Laterality.RIGHT: Code("71491-5", "LN", "Right eye Diabetic retinopathy severity level by Ophthalmoscopy"),
    Laterality.LEFT: Code("71490-7", "LN", "Left eye Diabetic retinopathy severity level by Ophthalmoscopy"),
}
SEVERITY = (
    Code("LA18643-9", "LN", "No apparent retinopathy"),
    Code("LA18644-7", "LN", "Mild non-proliferative retinopathy"),
    Code("LA18645-4", "LN", "Moderate non-proliferative retinopathy"),
    Code("LA18646-2", "LN", "Severe non-proliferative retinopathy"),
    Code("LA18648-8", "LN", "Proliferative retinopathy"),  # not ...47
)
# and from grade 1 as the disorder: "Finding = diabetic retinopathy" for a healthy eye reads as positive in a list.
DISORDER = {
    1: Code("312903003", "SCT", "Mild nonproliferative retinopathy due to diabetes mellitus"),
    2: Code("312904009", "SCT", "Moderate nonproliferative retinopathy due to diabetes mellitus"),
    3: Code("312905005", "SCT", "Severe nonproliferative retinopathy due to diabetes mellitus"),
    4: Code("59276001", "SCT", "Proliferative retinopathy due to diabetes mellitus"),
}

# Quality (CID 7036 and CID 6135)
QUALITY = {
    Gradability.GRADABLE: Code("RID12", "RADLEX", "Diagnostic quality"),
    Gradability.LIMITED: Code("RID13", "RADLEX", "Limited quality"),
    Gradability.UNGRADABLE: Code("RID14", "RADLEX", "Non-diagnostic quality"),
}
NO_IMAGE = Code("111213", "DCM", "No image")
OTHER_FAILURE = Code("111220", "DCM", "Other failure")
QUALITY_FINDINGS = {
    Reason.BLURRED: Code("111210", "DCM", "Motion blur"),
    Reason.TOO_DARK: Code("111211", "DCM", "Under exposed"),
    Reason.TOO_BRIGHT: Code("111212", "DCM", "Over exposed"),
    Reason.NOT_FUNDUS: Code("RG-NOTFUNDUS", OUR_SCHEME, "Not a photograph of the retina"),
    Reason.TRUNCATED: Code("RG-TRUNCATED", OUR_SCHEME, "Part of the picture is missing"),
    Reason.MONOCHROME: Code("RG-MONOCHROME", OUR_SCHEME, "Photograph without colour"),
    Reason.DAMAGED: NO_IMAGE,
}


def quality_finding(reason: Reason | None) -> Code:
    """Return the coded reason why a photograph was not, or only with doubt, graded."""
    return OTHER_FAILURE if reason is None else QUALITY_FINDINGS.get(reason, OTHER_FAILURE)


def modality(code: str) -> Code:
    """Return the acquisition modality of a photograph as a concept, from its Modality (0008,0060)."""
    known = {concept.value: concept for concept in (OPHTHALMIC_PHOTOGRAPHY, EXTERNAL_CAMERA_PHOTOGRAPHY)}
    return known.get(code, OTHER_MODALITY)

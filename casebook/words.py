"""Every word and sentence a person reads about a reason, state or outcome: page, command, log, API and report agree.

The closed sets are string enumerations whose values are the words of the interface; sentences are made from them here
and nowhere else.
"""

from enum import StrEnum

RESEARCH_USE = "Research use, not for diagnosis."
SYNTHETIC_MARK = "Synthetic eye, not a patient"
SYNTHETIC_NOT_COUNTED = "Synthetic eyes are listed, and in no count."


class Laterality(StrEnum):
    """Which eye, in DICOM's letters (PS3.3 C.8.17.5)."""

    RIGHT = "R"
    LEFT = "L"
    BOTH = "B"


class Gradability(StrEnum):
    """Whether a photograph could be graded."""

    PENDING = "pending"
    GRADABLE = "gradable"
    LIMITED = "limited"
    UNGRADABLE = "ungradable"
    NOT_APPLICABLE = "not_applicable"
    UNREADABLE = "unreadable"


GRADED = frozenset({Gradability.GRADABLE, Gradability.LIMITED})


class Reason(StrEnum):
    """Why a photograph was not graded, or why a person should look at its grade."""

    NOT_FUNDUS = "not_fundus"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    TRUNCATED = "truncated"
    MONOCHROME = "monochrome"
    SYNTAX = "syntax"
    DAMAGED = "damaged"
    LIMITS = "limits"
    GRADING_FAILED = "grading_failed"
    KIND = "kind"
    ONE_CHANNEL = "one_channel"
    OWN_OBJECT = "own_object"
    UNSURE = "unsure"  # of a gradable photograph: the grader doubts whether the eye is referable


class Attention(StrEnum):
    """Why a person must look at a case."""

    REFERABLE = "referable"
    UNGRADABLE = "ungradable"
    UNCERTAIN = "uncertain"
    MISSING_EYE = "missing_eye"
    UNKNOWN_LATERALITY = "unknown_laterality"
    LATERALITY_CONTRADICTION = "laterality_contradiction"
    CONFLICTING_COPY = "conflicting_copy"
    GRADING_FAILED = "grading_failed"
    DELIVERY_FAILED = "delivery_failed"


class CaseStatus(StrEnum):
    """How far the current revision of a case has come."""

    ARRIVING = "arriving"
    READY = "ready"
    GRADED = "graded"
    REPORTED = "reported"
    REVIEWED = "reviewed"


class Certainty(StrEnum):
    """How sure the network is of the grade it shows (ux U7)."""

    SURE = "sure"
    FAIRLY_SURE = "fairly sure"
    UNSURE = "unsure"


class DeliveryState(StrEnum):
    """How far one report has come on its way to one destination."""

    WAITING = "waiting"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class Product(StrEnum):
    """What we make of a case: the Structured Report and the heat-map over the photograph."""

    SR = "sr"
    OVERLAY = "overlay"


class Unreachable(StrEnum):
    """Why another host, ours or a peer's, could not be spoken to."""

    UNKNOWN_HOST = "unknown_host"
    NOTHING_LISTENS = "nothing_listens"
    NO_ANSWER = "no_answer"
    SILENT = "silent"
    BROKEN_OFF = "broken_off"
    AWAY = "away"  # for a reason that was not seen


class JobKind(StrEnum):
    """The kinds of work; each names what its job's subject is."""

    GRADE = "grade"  # subject: id of the photograph
    REPORT = "report"  # subject: id of the revision
    DELIVER = "deliver"  # subject: name of the destination


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    QUARANTINED = "quarantined"


# ICDR scale (Wilkinson et al., Ophthalmology 2003;110:1677); a referable eye has grade 2 or worse.
REFERABLE_FROM = 2
GRADES = (
    "no apparent retinopathy",
    "mild non-proliferative retinopathy",
    "moderate non-proliferative retinopathy",
    "severe non-proliferative retinopathy",
    "proliferative retinopathy",
)
GRADE_NAMES = ("None", "Mild", "Moderate", "Severe", "Proliferative")  # where there is room for one word

NO_GRADE_NAMES = {
    Gradability.PENDING: "Not graded yet",
    Gradability.UNGRADABLE: "Ungradable",
    Gradability.UNREADABLE: "Unreadable",
    Gradability.NOT_APPLICABLE: "Not graded",
}
NO_PHOTOGRAPH = "No photograph"
NO_PHOTOGRAPH_YET = "No photograph yet"
EYE_LABELS = {
    Laterality.RIGHT: "Right eye",
    Laterality.LEFT: "Left eye",
    Laterality.BOTH: "Both eyes",
    None: "Side not known",
}
STAYS_HERE = "stays here"  # a result that no destination is to get
NOT_KNOWN = "not known"

PRODUCT_NAMES = {Product.SR: "Structured Report", Product.OVERLAY: "Heat-map picture"}

_REASONS = {
    Reason.NOT_FUNDUS: "it does not show a retina",
    Reason.TOO_DARK: "it is too dark",
    Reason.TOO_BRIGHT: "it is over-exposed",
    Reason.BLURRED: "it is too blurred",
    Reason.TRUNCATED: "part of the picture is missing",
    Reason.MONOCHROME: "it has no colour",
    Reason.SYNTAX: "it uses a compression this system cannot read",
    Reason.DAMAGED: "the file is damaged",
    Reason.LIMITS: "it is too large or took too long to open",
    Reason.GRADING_FAILED: "grading failed several times",
    Reason.KIND: "it is not a photograph of the retina but another kind of object",
    Reason.ONE_CHANNEL: "it has one channel, and this grader reads colour photographs only",
    Reason.OWN_OBJECT: "it is a result made by RetinaGate itself",
    Reason.UNSURE: "the grader is not sure whether this eye needs referral; please look first",
}

_UNREACHABLE = {
    Unreachable.UNKNOWN_HOST: ("its host name is not known", "correct the host in the settings, or the name server"),
    Unreachable.NOTHING_LISTENS: ("nothing listens there", "check address, port and firewall"),
    Unreachable.NO_ANSWER: ("the host does not answer", "check its address, the network and the firewall"),
    Unreachable.SILENT: ("it takes the connection but does not answer", "check the port, and that it works there"),
    Unreachable.BROKEN_OFF: ("it breaks off the connection", "check the port, and whether it wants TLS there"),
    Unreachable.AWAY: ("it cannot be reached", "check that it runs, and its host and port"),
}

HEATMAP_SENTENCE = "Shows where the network looked, not where disease is."
NOTHING_TO_DO = "No referable retinopathy seen in either eye."
CANNOT_SAY = "It cannot be said whether there is referable retinopathy."
NOT_NEGATIVE = "Not a negative result."
CONTRADICTION_SENTENCE = "The record contradicts itself about which eye a photograph shows."
CONFLICT_SENTENCE = (
    "A different photograph arrived under the same identifier. The first was graded; the second is kept aside."
)
GRADING_FAILED_SENTENCE = "Grading failed several times. The photograph is unread, not normal."
UNDER_WAY_SENTENCE = "Photographs are still arriving or being graded. Nothing can be said yet."
GRADED_BEFORE_SENTENCE = "A photograph arrived or is graded again; what was said before holds until that is done."
CAMERA_AHEAD_SENTENCE = "The camera's clock is ahead of ours."
OTHER_PERSON_SENTENCE = (
    "The same patient ID came with another date of birth. Those visits are not shown; find out whose they are."
)

# What a reader is asked to do where no follow-up policy speaks.
WAIT_FOR_GRADES = "Wait for the grades"
TAKE_NEW_PHOTOGRAPHS = "Take new photographs"
READ_BY_EYE = "Read the photographs by eye"
NAME_THE_SIDE = "Find out which eye is shown"
COMPARE_COPIES = "Compare the two photographs"
SEE_IT_ARRIVE = "See that the result arrives"

PICTURE_FAILED = (
    "This photograph could not be shown. Its grade is still valid; the original is in the PACS. Load the page again."
)
NO_PICTURE = "There is no picture to show: the photograph could not be read."
NO_PICTURE_YET = "The picture appears as soon as the photograph is answered."
NO_RESULTS_YET = "The results are made as soon as every photograph is answered."
LOOK_ONLY_RESEND = "A grader can send it again."
NOT_DELIVERED_NOWHERE = "Everything that was sent has arrived, or is on its way for the first time."

# Who may do what.
HOW_TO_ASK = "Send a token: Authorization: Bearer TOKEN. Make one with: retinagate token add NAME --scope read"
MAY_ONLY_READ = "This token may only read. Make another with: retinagate token add NAME --scope write"
PERSON_NEEDED = "A token cannot do this. Sign in with your name and password."
LOOK_ONLY = "You can look but not sign. A grader can."
FORM_TOO_OLD = "This page was too old to be used, and nothing was changed. Load it again and repeat what you did."
CHOOSE_ANOTHER_FIRST = "Your password was for one time. Choose a new one at /password first."
TOO_MANY_REQUESTS = "This token asked more than 600 times within a minute. Let it ask less often."
NOT_HERE = "There is nothing under this address. Check it, or begin at the list of cases."
LOGIN_TOO_OLD = "The sign-in page was too old to be used. Type your name and password again."
NOT_TOGETHER = "This name and this password do not belong together. Check both and try again."
WRONG_NOW = "That is not your password until now. Type it again."
NOT_TWICE = "The new password was not typed twice the same. Type it again."
NOT_NEW = "The new password is the old one. Choose another."
ONE_TIME_IS_OVER = (
    "This password was for one time and valid for 24 hours; they are over. "
    "Set another on the server: retinagate user password NAME --password-stdin"
)
MANY_SIGN_IN = "Too many people sign in at this moment."
TRY_IN_SECONDS = "Try again in a few seconds."
CHOOSE_ANOTHER = "Choose another."
TRIED_FIRST = "This password is among the first that somebody would try."
CHOOSE_WORDS = "Choose a few words that mean something to you alone."


def reason_sentence(reason: Reason) -> str:
    """Return the half sentence that says the reason, to stand behind a colon."""
    return _REASONS[reason]


def unreachable_sentence(why: Unreachable) -> str:
    """Return the half sentence that says why a host could not be spoken to, to stand behind its name and a colon."""
    return _UNREACHABLE[why][0]


def unreachable_remedy(why: Unreachable) -> str:
    """Return what to do about it, as an imperative clause."""
    return _UNREACHABLE[why][1]


def grade_words(grade: int) -> str:
    """Return the ICDR words for a grade of 0 to 4."""
    return GRADES[grade]


def eye_name(laterality: Laterality | None) -> str:
    """Return how a sentence names the eye, with a capital letter."""
    match laterality:
        case Laterality.RIGHT:
            return "The right eye"
        case Laterality.LEFT:
            return "The left eye"
        case Laterality.BOTH:
            return "The photograph of both eyes"
        case None:
            return "The eye of unknown side"


def outcome_sentence(referable: bool | None, worse: Laterality | None, grade: int | None) -> str:  # noqa: FBT001
    """Return what the worse eye says for the whole patient.

    Args:
        referable: whether the worse eye is referable; none when it cannot be said.
        worse: the eye with the highest grade, where there is one.
        grade: its grade of 0 to 4, or none when no eye has one.
    """
    if referable is False:
        return NOTHING_TO_DO
    if referable is None or grade is None:
        return CANNOT_SAY
    return f"Referable retinopathy: {_eye_phrase(worse)} has grade {grade} of 4, {grade_words(grade)}."


def graded_sentence(laterality: Laterality | None, grade: int) -> str:
    """Return what the network saw in an eye (W1, W21)."""
    if grade == 0:
        return f"No apparent retinopathy seen in {_eye_phrase(laterality)} (grade 0 of 4)."
    return f"{eye_name(laterality)} looks like {grade_words(grade)} (grade {grade} of 4)."


def looks_like_sentence(laterality: Laterality | None, grade: int, certainty: Certainty) -> str:
    """Return what the network saw in an eye, and how sure it is (W1, U7)."""
    if grade == 0:
        return f"{eye_name(laterality)} shows no apparent retinopathy, {certainty}."
    return f"{eye_name(laterality)} looks like {grade_words(grade)}, {certainty}."


def ungradable_sentence(laterality: Laterality | None, reason: Reason | None) -> str:
    """Return that an eye could not be graded, and why (W2)."""
    why = f": {reason_sentence(reason)}" if reason is not None else ""
    return f"{eye_name(laterality)} could not be graded{why}. That does not mean it is normal."


def uncertain_sentence(laterality: Laterality | None, grade: int, score: float | None) -> str:
    """Return between which two grades the network hesitates (W3)."""
    upwards = grade == 0 or (grade < len(GRADES) - 1 and (score is None or score >= grade))
    lower = grade if upwards else grade - 1
    return (
        f"{eye_name(laterality)} lies between {grade_words(lower)} and {grade_words(lower + 1)}; the network is unsure."
    )


def unsure_sentence(laterality: Laterality | None) -> str:
    """Return that the grader doubts whether an eye is referable, and who decides."""
    whose = _eye_phrase(laterality) if laterality in (Laterality.RIGHT, Laterality.LEFT) else "this eye"
    return f"The grader is not sure whether {whose} needs referral; please look first."


def limited_sentence(laterality: Laterality | None, reason: Reason | None) -> str:
    """Return that an eye was graded on a poor photograph."""
    why = f": {reason_sentence(reason)}" if reason is not None else ""
    return f"{eye_name(laterality)} was graded on a photograph of limited quality{why}."


def unread_beside_others_sentence(laterality: Laterality | None, reason: Reason | None) -> str:
    """Return that one photograph of an eye could not be read although others of it were graded."""
    why = f": {reason_sentence(reason)}" if reason is not None else ""
    return f"One photograph of {_eye_phrase(laterality)} could not be read{why}. The grade rests on the others."


def unknown_side_sentence(photographs: int) -> str:
    """Return that photographs do not say which eye they show (W5)."""
    if photographs == 1:
        return "One photograph does not say which eye it shows."
    return f"{photographs} photographs do not say which eye they show."


def undelivered_sentence(destination: str, reason: str | None, next_try: str | None) -> str:
    """Return that a result has not reached its destination (W8).

    Args:
        destination: its configured name.
        reason: whole sentences, with the remedy.
        next_try: the time of the next attempt, in words; none when it waits for a person.
    """
    then = f"Next try {next_try}." if next_try else "It waits for you."
    return f"The result has not reached {_whereto(destination, reason)} {then}"


def nothing_needs_you(normal_today: int) -> str:
    """Return that the list of what needs attention is empty, and what that is worth."""
    if normal_today == 0:
        return "Nothing needs you. No case was graded normal today."
    cases = "1 case was" if normal_today == 1 else f"{normal_today} cases were"
    return f"Nothing needs you. {cases} graded normal today."


def nothing_arrived(ae_title: str, host: str, port: int) -> str:
    """Return where cameras have to send, as long as nothing has arrived."""
    return f"No photograph has arrived yet. Cameras send to {ae_title} at {host}:{port}."


def lane_sentence(destination: str, results: int, reason: str | None, next_try: str | None) -> str:
    """Return that a destination has not got what it should have got (W8, for all its results at once)."""
    count = "1 result has" if results == 1 else f"{results} results have"
    waits = "It waits for you." if results == 1 else "They wait for you."
    return f"{count} not reached {_whereto(destination, reason)} {f'Next try {next_try}.' if next_try else waits}"


def resent_sentence(results: int) -> str:
    """Return what sending again has set going."""
    if results == 0:
        return "Nothing of this case waits to be sent."
    return f"{'1 result is' if results == 1 else f'{results} results are'} on the way again."


def photograph_action(laterality: Laterality | None) -> str:
    """Return that an eye has still to be photographed."""
    return f"Photograph {_eye_phrase(laterality)}"


def doubt_note(reason: Reason) -> str:
    """Return beside a grade why a person should look at it."""
    if reason is Reason.UNSURE:
        return unsure_sentence(None)
    return f"Limited quality: {reason_sentence(reason)}."


def missing_sentence(laterality: Laterality | None, *, others_arrived: bool) -> str:
    """Return that nothing is known of an eye (W4).

    Args:
        laterality: the eye.
        others_arrived: whether there are photographs that do not say which eye they show.
    """
    eye = _eye_phrase(laterality)
    if others_arrived:
        return f"No photograph arrived that is known to show {eye}. Nothing can be said about it."
    return f"No photograph of {eye} arrived. Nothing can be said about it."


def pending_sentence(laterality: Laterality | None) -> str:
    """Return that an eye is not answered yet."""
    return f"{eye_name(laterality)} has not been graded yet."


def password_length_sentence(shortest: int, longest: int) -> str:
    """Return how many characters a password has."""
    return f"A password has {shortest} to {longest} characters."


def too_often_sentence(minutes: int) -> str:
    """Return that too many passwords were wrong (S15)."""
    when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
    return f"Too many wrong passwords came from this computer. Try again {when}."


def _eye_phrase(laterality: Laterality | None) -> str:
    name = eye_name(laterality)
    return name[0].lower() + name[1:]


def _whereto(destination: str, reason: str | None) -> str:
    """Return destination and reason; a reason that begins with the destination's name and address says both."""
    if not reason:
        return f"{destination}."
    return reason if reason.startswith(f"{destination} (") else f"{destination}: {reason}"

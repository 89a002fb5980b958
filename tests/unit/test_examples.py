"""The example: its policy is complete, its versions differ as said, and its people get the stated answers."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from choice_ledger.policy_file import NOTICE_ITEMS, PolicyFile, read_policy_file
from choice_ledger.policy_yaml import Mapping, Node, Sequence, read_tree
from events.catalogue import Catalogue, TenantPolicies
from events.individual_events import NoticeGiven
from events.instants import parse_instant
from events.lines import parse_line
from events.streams import RECORD_BYTES_MAX
from events.union import Recorded
from projections.decide import decide
from projections.decision import Decision, Question
from projections.fold import facts_known_at
from projections.question_lines import format_decision, parse_question

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POLICY_FILES = {
    version: EXAMPLES / "telemate" / f"website-and-services.v{version}.yaml" for version in (1, 2)
}
LOCALES = ("en", "de", "fr")
SECTIONS = (
    "Preamble",
    "I Terms",
    "II Officer",
    "III Collection and Use",
    "IV Privacy Principles",
    "IV Notice",
    "IV Choice",
    "IV Onward Transfer",
    "IV Access and Correction",
    "IV Security",
    "IV Enforcement",
    "V Complaint",
    "VI Arbitration",
    "VII Contact",
)

# Every fact of the published text that a policy can hold: its path in the file, the section that has it.
# IV Data Integrity promises care and names no fact of its own; the wording tells it (part 3).
FACTS = [
    ("effective_at", "Preamble"),
    ("title", "Preamble"),
    ("jurisdictions.EU", "I Terms"),
    ("jurisdictions.GB", "Preamble"),
    ("jurisdictions.CH", "Preamble"),
    ("jurisdictions.US", "Preamble"),
    ("frameworks.eu_us_privacy_shield", "IV Privacy Principles"),
    ("frameworks.swiss_us_privacy_shield", "IV Privacy Principles"),
    ("channels.website", "III Collection and Use"),
    ("channels.intranet", "III Collection and Use"),
    ("channels.email", "III Collection and Use"),
    ("channels.mail", "III Collection and Use"),
    ("channels.spoken", "III Collection and Use"),
    ("channels.customer_feed", "IV Notice, 2nd paragraph"),
    ("channels.log_processing", "IV Notice, 2nd paragraph"),
    ("populations.employee", "III Collection and Use"),
    ("populations.former_employee", "III Collection and Use"),
    ("populations.applicant", "III Collection and Use"),
    ("populations.customer", "III Collection and Use"),
    ("populations.customer_user", "IV Notice, 2nd paragraph"),
    ("populations.prospect", "III Collection and Use"),
    ("populations.visitor", "IV Notice, 3rd paragraph"),
    ("populations.business_partner", "Preamble"),
    ("data_categories.employee_id", "IV Notice, 2nd paragraph"),
    ("data_categories.name", "IV Notice, 2nd and 3rd paragraphs"),
    ("data_categories.job_title", "IV Notice, 2nd paragraph"),
    ("data_categories.department", "IV Notice, 2nd paragraph"),
    ("data_categories.cost_center", "IV Notice, 2nd paragraph"),
    ("data_categories.email_address", "IV Notice, 2nd and 3rd paragraphs"),
    ("data_categories.phone_number", "IV Notice, 2nd and 3rd paragraphs"),
    ("data_categories.postal_address", "IV Notice, 2nd and 3rd paragraphs"),
    ("data_categories.network_activity_log", "IV Notice, 2nd paragraph"),
    ("data_categories.communication_log_record", "IV Notice, 2nd paragraph"),
    ("data_categories.registration", "IV Notice, 3rd paragraph"),
    ("data_categories.service_request", "IV Notice, 3rd paragraph"),
    ("data_categories.survey_answer", "IV Notice, 3rd paragraph"),
    ("data_categories.form_answer", "IV Notice, 3rd paragraph"),
    ("data_categories.payroll_record", "IV Notice, 1st paragraph"),
    ("data_categories.benefits_record", "IV Notice, 1st paragraph"),
    ("data_categories.application_record", "IV Notice, 1st paragraph"),
    ("data_categories.statutory_report_record", "IV Notice, 1st paragraph"),
    ("data_categories.security_record", "IV Notice, 1st paragraph"),
    ("data_categories.safety_record", "IV Notice, 1st paragraph"),
    ("data_categories.login_credential", "IV Security"),
    ("data_categories.compliance_record", "IV Enforcement"),
    ("data_categories.correspondence", "V Complaint"),
    ("data_categories.choice_record", "IV Choice"),
    ("recipients.customer_authorised_person", "IV Onward Transfer"),
    ("recipients.employee_authorised_person", "IV Onward Transfer"),
    ("contacts.privacy_officer", "II Officer"),
    ("contacts.privacy_officer", "VII Contact"),
    ("contacts.human_resources", "IV Access and Correction"),
    ("contacts.dispute_body", "V Complaint"),
    ("contacts.arbitration", "VI Arbitration"),
    ("contacts.enforcement_authority", "Preamble"),
    ("contacts.framework_list", "Preamble"),
    ("purposes.hr.payroll", "IV Notice, 1st paragraph"),
    ("purposes.hr.recruitment", "IV Notice, 1st paragraph"),
    ("purposes.hr.benefits", "IV Notice, 1st paragraph"),
    ("purposes.hr.government_reporting", "IV Notice, 1st paragraph"),
    ("purposes.hr.security", "IV Notice, 1st paragraph"),
    ("purposes.hr.health_and_safety", "IV Notice, 1st paragraph"),
    ("purposes.hr.privacy_training", "II Officer"),
    ("purposes.hr.discipline", "IV Enforcement"),
    ("purposes.customer.uc_analytics", "IV Notice, 2nd paragraph"),
    ("purposes.customer.uc_analytics", "IV Choice"),
    ("purposes.customer.tem", "IV Notice, 2nd paragraph"),
    ("purposes.customer.tem", "IV Choice"),
    ("purposes.customer.hosted_access", "IV Security"),
    ("purposes.website.personalisation", "IV Notice, 3rd paragraph"),
    ("purposes.website.improvement", "IV Notice, 3rd paragraph"),
    ("purposes.website.customer_service", "IV Notice, 3rd paragraph"),
    ("purposes.website.service_requests", "IV Notice, 3rd paragraph"),
    ("purposes.website.promotions", "IV Notice, 3rd paragraph"),
    ("purposes.website.surveys", "IV Notice, 3rd paragraph"),
    ("purposes.website.periodic_email", "IV Notice, 3rd paragraph"),
    ("purposes.rights.access", "IV Access and Correction"),
    ("purposes.rights.correction", "IV Access and Correction"),
    ("purposes.rights.deletion", "IV Access and Correction"),
    ("purposes.rights.choices", "IV Choice"),
    ("purposes.rights.inquiries", "VII Contact"),
    ("purposes.rights.complaints", "V Complaint"),
    ("purposes.notices.policy_changes", "IV Onward Transfer"),
    ("purposes.compliance.audits", "IV Enforcement"),
    *((f"notice_items.{item}", "") for item in NOTICE_ITEMS),
]

# What the part of the wording that tells an item has to say, so that taking the part out takes the item out.
TOLD = {
    "participation": {
        "en": r"take part in two frameworks.*https://www\.privacyshield\.gov",
        "de": r"nehmen an zwei Rahmenwerken.*https://www\.privacyshield\.gov",
        "fr": r"participons à deux cadres.*https://www\.privacyshield\.gov",
    },
    "data_types_and_entities": {
        "en": r"One company adheres.*LLC.*telephone number",
        "de": r"Ein Unternehmen hält sich.*LLC.*Telefonnummer",
        "fr": r"Une seule entreprise adhère.*LLC.*numéro de téléphone",
    },
    "subject_to_principles": {
        "en": r"All personal data that comes to us .*from the EU.*handled by those principles",
        "de": r"Alle personenbezogenen Daten, .*aus der EU.*nach diesen Grundsätzen",
        "fr": r"Toutes les données personnelles .*depuis l'UE.*selon ces principes",
    },
    "purposes": {
        "en": r"running the payroll.*UC Analytics",
        "de": r"Gehaltsabrechnung",
        "fr": r"verser la paie",
    },
    "contact": dict.fromkeys(LOCALES, r"Suite 150.*globaloperations@telemate\.net"),
    "third_parties": {"en": r"third party", "de": r"Dritter", "fr": r"tiers"},
    "right_of_access": {
        "en": r"You have the right to see",
        "de": r"Sie haben das Recht, .* zu sehen",
        "fr": r"Vous avez le droit de voir",
    },
    "choices": {"en": r"You may opt out", "de": r"widersprechen", "fr": r"vous opposer"},
    "dispute_resolution": {
        "en": r"BBB EU Privacy Shield, free of charge.*based in the United States",
        "de": r"kostenlos vor BBB EU Privacy Shield.*Sitz in den Vereinigten Staaten",
        "fr": r"gratuitement devant BBB EU Privacy Shield.*établi aux États-Unis",
    },
    "enforcement_authority": dict.fromkeys(LOCALES, r"Federal Trade Commission"),
    "arbitration": {
        "en": r"under certain conditions.*binding arbitration",
        "de": r"unter bestimmten Bedingungen.*verbindliches Schiedsverfahren",
        "fr": r"sous certaines conditions.*arbitrage contraignant",
    },
    "lawful_requests": {
        "en": r"national security",
        "de": r"nationalen Sicherheit",
        "fr": r"sécurité nationale",
    },
    "liability": {"en": r"we answer for", "de": r"so haften wir", "fr": r"nous répondons"},
}


@cache
def policy(version: int) -> PolicyFile:
    result = read_policy_file(POLICY_FILES[version])
    assert isinstance(result, PolicyFile), result
    return result


def recorded(name: str) -> list[Recorded]:
    events = []
    for raw in (EXAMPLES / name).read_bytes().splitlines():
        line = parse_line(raw)
        assert line.recorded_at is not None
        events.append(Recorded(line.event, line.recorded_at))
    return events


@cache
def policies() -> TenantPolicies:
    catalogue = Catalogue()
    for event in recorded("telemate/policies.ndjson"):
        catalogue = catalogue.after(event)
    return catalogue.tenant("telemate")


@cache
def histories() -> dict[str, list[Recorded]]:
    people: dict[str, list[Recorded]] = defaultdict(list)
    for event in recorded("people.ndjson"):
        people[event.event.key].append(event)
    return people


def ask(question: Question) -> Decision:
    history = histories()[question.key]
    return decide(policies(), facts_known_at(history, question.known_at), question)


@cache
def citations(version: int) -> dict[str, str]:
    """The comment beside each item of a policy file, by the item's path; a purpose's path has its key."""
    lines = POLICY_FILES[version].read_text(encoding="utf-8").splitlines()
    root = read_tree("\n".join(lines)).root
    assert isinstance(root, Mapping)
    found: dict[str, str] = {}
    for path, number in lines_of(root, ""):
        found[path] = lines[number - 1].partition("  # ")[2]
    return found


def lines_of(node: Node, path: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    if isinstance(node, Mapping):
        for entry in node.entries:
            inner = f"{path}{entry.key}"
            found += [(inner, entry.line), *lines_of(entry.value, f"{inner}.")]
    elif isinstance(node, Sequence) and path == "purposes.":
        for item in node.items:
            assert isinstance(item, Mapping)
            found.append((path + str(getattr(item.entries[0].value, "text", "")), item.line))
    return found


def parts(version: int, locale: str) -> dict[int, str]:
    """The numbered parts of a wording, each as one line."""
    text = policy(version).wording[locale].decode()
    pieces = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)[1:]
    return {
        int(number): " ".join(body.split()) for number, body in zip(pieces[::2], pieces[1::2], strict=True)
    }


def untold(told: dict[int, str], items: dict[str, int], locale: str) -> set[str]:
    """The notice items that these parts of a wording do not tell."""
    return {
        item
        for item, part in items.items()
        if not re.search(TOLD[item][locale], told.get(part, ""), flags=re.IGNORECASE)
    }


def notice_items(version: int) -> dict[str, int]:
    items = policy(version).documentation["notice_items"]
    assert isinstance(items, dict)
    return items


# ------------------------------------------------------------------------------------------------ the policy


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("path", "section"), FACTS)
def test_a_fact_of_the_published_text_is_there_with_its_section(
    version: int, path: str, section: str
) -> None:
    """The policy has this fact of the text, and cites the section that it comes from."""
    beside = citations(version)[path]
    if "New in version 2" not in beside:
        assert section in beside
        assert any(known in beside for known in SECTIONS)


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_stands_without_a_citation(version: int) -> None:
    """Every registered item and purpose cites a known section, or says that the text has no such thing."""
    registries = ("jurisdictions", "frameworks", "channels", "populations", "data_categories", "recipients")
    beside = citations(version)
    items = [
        p for p in beside if p.count(".") == 1 and p.startswith((*registries, "contacts", "notice_items"))
    ]
    items += [path for path in beside if path.startswith("purposes.")]
    assert len(items) >= len(set(FACTS)) - 6
    known = (*SECTIONS, "Not in the text", "New in version 2")
    assert [path for path in items if not beside[path].startswith(known)] == []


def test_every_section_of_the_text_is_cited() -> None:
    """No section of the published text that holds a fact is passed over."""
    cited = " / ".join(citations(1).values())
    assert [section for section in SECTIONS if section not in cited] == []


def test_nobody_but_agents_is_a_recipient_in_the_first_version() -> None:
    """Version 1 discloses to no third party: whoever receives anything is an agent."""
    roles = {r["role"] for terms in purposes(1).values() for r in terms.get("recipients", ())}
    assert roles == {"agent"}


def test_people_may_opt_out_of_what_is_collected_for_a_customer() -> None:
    """UC Analytics and TEM are opt_out, and so is every use of website data but the answer to a request."""
    modes = {key: terms["mode"] for key, terms in purposes(1).items()}
    assert modes["customer.uc_analytics"] == modes["customer.tem"] == "opt_out"
    necessary = {key for key, mode in modes.items() if key.startswith("website.") and mode == "necessary"}
    assert necessary == {"website.service_requests"}


def test_uses_of_transferred_data_rest_on_a_framework() -> None:
    """Whatever is used of data from abroad names its frameworks; only answers and notices owed do not."""
    without = {key for key, terms in purposes(1).items() if "transfer_basis" not in terms}
    assert without == {key for key in purposes(1) if key.startswith(("rights.", "notices."))}
    bases = {
        json.dumps(terms["transfer_basis"]) for terms in purposes(1).values() if "transfer_basis" in terms
    }
    assert len(bases) == 1
    assert {basis["jurisdiction"] for basis in json.loads(bases.pop())} == {"EU", "GB", "CH"}


def purposes(version: int) -> dict[str, dict[str, Any]]:
    listed = policy(version).amendment["purposes"]
    assert isinstance(listed, list)
    return {terms["key"]: terms for terms in listed}


def test_the_second_version_adds_a_third_party_and_nothing_else() -> None:
    """Between the versions only the periodic e-mail's terms differ: adco, by opt-out, after thirty days."""
    first, second = purposes(1), purposes(2)
    assert {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)} == {
        "website.periodic_email"
    }
    added = {
        field: value
        for field, value in second["website.periodic_email"].items()
        if first["website.periodic_email"].get(field) != value
    }
    assert added == {
        "recipients": [{"name": "adco", "role": "third_party", "mode": "opt_out"}],
        "choice_period": "P30D",
    }


# ----------------------------------------------------------------------------------------------- the wording


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("locale", LOCALES)
def test_the_wording_tells_all_thirteen_items_of_a_notice(version: int, locale: str) -> None:
    """Each item of a complete notice is told in the part of the wording that the file names for it."""
    items = notice_items(version)
    assert set(items) == set(NOTICE_ITEMS)
    assert untold(parts(version, locale), items, locale) == set()


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("item", NOTICE_ITEMS)
def test_an_item_taken_out_of_the_wording_is_missed_by_name(item: str, locale: str) -> None:
    """Without the part that tells an item, the wording fails by that item's name and no unrelated one."""
    items = notice_items(1)
    rest = {part: body for part, body in parts(1, locale).items() if part != items[item]}
    assert untold(rest, items, locale) == {other for other in items if items[other] == items[item]}


@pytest.mark.parametrize("version", [1, 2])
def test_the_languages_say_the_same(version: int) -> None:
    """Every language has the same parts, with the same addresses in them, and much the same length."""
    english = parts(version, "en")
    for locale in LOCALES:
        other = parts(version, locale)
        assert list(other) == list(english) == list(range(1, 17))
        for part, body in other.items():
            addresses = r"https://[^\s]+[\w/]|[\w.]+@[\w.]+\w|\badco\b|Suite 150|\b30\d*\b"
            found = [set(re.findall(addresses, text)) for text in (body, english[part])]
            assert found[0] == found[1], (locale, part)
            assert 0.7 < len(body) / len(english[part]) < 1.6, (locale, part)


# ------------------------------------------------------------------------------------------- the event lines


@pytest.mark.parametrize("name", ["telemate/policies.ndjson", "people.ndjson"])
def test_the_event_lines_are_well_formed_and_in_the_order_of_their_recording(name: str) -> None:
    """Each line is an event of the tenant with an id of its own, recorded no earlier than the one before."""
    events = recorded(name)
    assert {event.event.tenant for event in events} == {"telemate"}
    assert len({event.event.event_id for event in events}) == len(events)
    instants = [event.recorded_at for event in events]
    assert instants == sorted(instants)


def test_the_amendments_repeat_the_policy_files() -> None:
    """Both amendments say what the YAML files say, stand, and fit a record; else run examples/refresh.py."""
    lines = (EXAMPLES / "telemate" / "policies.ndjson").read_text(encoding="utf-8").splitlines()
    amendments = [line for line in lines if json.loads(line)["type"] == "PolicyAmended"]
    for version, line in enumerate(amendments, 1):
        fields = json.loads(line)
        said = policy(version).amendment
        assert {field: fields[field] for field in said} == said, "run examples/refresh.py"
        assert len(line.encode()) < RECORD_BYTES_MAX
    assert policies().void == ()
    assert len(policies().standing["privacy"]) == 2


def test_the_notices_name_the_texts_of_their_versions() -> None:
    """Each notice names the digest of its version's text in its locale; else run examples/refresh.py."""
    for event in recorded("people.ndjson"):
        if isinstance(event.event, NoticeGiven):
            wording = policy(event.event.version).amendment["wording"]
            assert isinstance(wording, dict)
            assert event.event.wording_sha256 == wording[event.event.locale], "run examples/refresh.py"


def test_refreshing_puts_the_event_lines_back_in_step(tmp_path: Path) -> None:
    """After a text or a policy changed, the refresh script writes the lines that follow, and no others."""
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy)
    for name in ("telemate/policies.ndjson", "people.ndjson"):
        stale = (copy / name).read_text(encoding="utf-8")
        stale = re.sub(r'"(wording_sha256|de)": "[0-9a-f]{64}"', rf'"\1": "{"0" * 64}"', stale)
        (copy / name).write_text(stale, encoding="utf-8")
        assert (copy / name).read_bytes() != (EXAMPLES / name).read_bytes()
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    subprocess.run([sys.executable, copy / "refresh.py"], check=True, env=environment, timeout=60)
    for name in ("telemate/policies.ndjson", "people.ndjson"):
        assert (copy / name).read_bytes() == (EXAMPLES / name).read_bytes()


def test_the_people_are_described_in_the_words_of_the_policy() -> None:
    """Jurisdictions and populations of the example people are those that the policy registers."""
    documentation: Any = policy(1).documentation
    for line in (EXAMPLES / "people.ndjson").read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        assert set(fields.get("populations", ())) <= set(documentation["populations"])
        assert fields.get("jurisdiction", "US") in documentation["jurisdictions"]


def test_the_questions_get_the_stated_answers() -> None:
    """Every question of the example gets the answer that stands beside it, evidence and all."""
    questions = (EXAMPLES / "questions.ndjson").read_bytes().splitlines()
    answers = (EXAMPLES / "answers.ndjson").read_bytes().splitlines()
    for number, (raw, answer) in enumerate(zip(questions, answers, strict=True), 1):
        asked = parse_question(raw, "telemate")
        assert asked.at is not None
        question = Question(**{name: getattr(asked, name) for name in Question.__struct_fields__})
        assert json.loads(format_decision(ask(question))) == json.loads(answer), number


WORKED = [
    (None, "2026-03-02", None, "not_opted_out", None),
    ("adco", "2026-03-02", None, "recipient_not_declared", "2026-05-01T00:00:00Z"),
    ("adco", "2026-05-02", None, "told_terms_differ", "2026-05-03T09:00:00Z"),
    (None, "2026-05-02", None, "not_opted_out", None),
    ("adco", "2026-05-04", "2026-05-04", "choice_period_running", "2026-06-02T09:00:00Z"),
    ("adco", "2026-06-03", "2026-06-03", "not_opted_out", None),
    ("adco", "2026-06-05", "2026-06-05", "not_opted_out", None),
    ("adco", "2026-06-05", "2026-06-10", "opted_out", None),
]


@pytest.mark.parametrize(("recipient", "at", "known_at", "reason", "until"), WORKED)
def test_the_worked_example_holds_on_the_example_policy(
    recipient: str | None, at: str, known_at: str | None, reason: str, until: str | None
) -> None:
    """Ana's story comes out as the semantics tell it, at each of its turns."""
    decision = ask(
        Question(
            tenant="telemate",
            individual="ana",
            purpose="website.periodic_email",
            recipient=recipient,
            at=parse_instant(f"{at}T00:00:00Z"),
            known_at=None if known_at is None else parse_instant(f"{known_at}T00:00:00Z"),
        )
    )
    assert decision.reason == reason
    assert decision.until == (None if until is None else parse_instant(until))


def test_the_example_shows_most_of_the_reasons() -> None:
    """The answers reach at least fifteen reasons, so that there is something to see."""
    answers = (EXAMPLES / "answers.ndjson").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(answer)["reason"] for answer in answers}) >= 15
